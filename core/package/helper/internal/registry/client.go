// Package registry reads images and signatures from registries, within limits, with a reason for
// each failure.
package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"oarlock.dev/fetch/internal/protocol"
)

// Client of registries. Every call obeys the context it was made with.
type Client struct {
	ctx     context.Context
	guard   *guard
	limits  protocol.Limits
	options []remote.Option
	puller  *remote.Puller
	store   *store // nil: none
	offline bool   // ask the store only
	locked  *os.File
}

// Document is a manifest or an index, and what it hashes to.
type Document struct {
	Digest    string
	MediaType types.MediaType
	Bytes     []byte
}

// Backoff between the three tries of a request that may succeed when repeated; a variable for
// tests.
var Backoff = remote.Backoff{Duration: 500 * time.Millisecond, Factor: 3, Jitter: 0.1, Steps: 3}

// New makes a client that works until ctx ends, and is closed then. Its credentials are those of
// `chain`, and those in `r` if that is nil.
func New(ctx context.Context, r protocol.Registry, limits protocol.Limits,
	chain authn.Keychain) (*Client, error) {
	if chain == nil {
		given, err := newKeychain(r.DockerConfig)
		if err != nil {
			return nil, &protocol.Error{Reason: protocol.InvalidRequest, Message: err.Error()}
		}
		chain = given
	}
	g, err := newGuard(r, limits)
	if err != nil {
		return nil, &protocol.Error{Reason: protocol.InvalidRequest, Message: err.Error()}
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithTransport(g),
		remote.WithAuthFromKeychain(chain), remote.WithUserAgent("oarlock-fetch"),
		remote.WithRetryBackoff(Backoff),
		// 429 is not tried again at once: the caller is told when.
		remote.WithRetryStatusCodes(http.StatusRequestTimeout, http.StatusInternalServerError,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout)}
	puller, err := remote.NewPuller(options...)
	if err != nil {
		return nil, err
	}
	kept, err := openStore(r.StoreDir)
	if err != nil {
		return nil, err
	}
	client := &Client{ctx: ctx, guard: g, limits: limits, options: options, puller: puller,
		store: kept}
	if kept != nil {
		err = client.lock(r.StoreDir)
	}
	return client, err
}

// Stored is this client without a network; nil when it has no store.
func (c *Client) Stored() *Client {
	if c.store == nil {
		return nil
	}
	stored := *c
	stored.offline = true
	return &stored
}

// Options for the library's own calls, with the same guard, credentials and deadline.
func (c *Client) Options() []remote.Option { return c.options }

// Describe gives an error of such a call its reason.
func (c *Client) Describe(err error, what string) error { return c.describe(err, what) }

// Get reads a manifest or an index. By digest, the bytes are checked against it.
func (c *Client) Get(reference name.Reference) (*Document, error) {
	document, err := c.get(reference)
	return document, c.describe(err, reference.Name())
}

func (c *Client) get(reference name.Reference) (*Document, error) {
	wanted, byDigest := reference.(name.Digest)
	if byDigest && c.store != nil {
		if data := c.store.read(wanted.DigestStr(), c.limits.ManifestBytes); data != nil {
			kind, err := mediaTypeOf(data, "")
			return &Document{Digest: wanted.DigestStr(), MediaType: kind, Bytes: data}, err
		}
	}
	if c.offline {
		return nil, protocol.Errorf(protocol.RegistryUnavailable, "%s: not in the store",
			reference.Name())
	}
	descriptor, err := c.puller.Get(c.ctx, reference)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(descriptor.Manifest)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	if byDigest && wanted.DigestStr() != digest {
		return nil, protocol.Errorf(protocol.DigestMismatch,
			"%s: expected that digest, found bytes of %s", reference.Name(), digest)
	}
	kind, err := mediaTypeOf(descriptor.Manifest, descriptor.MediaType)
	if err != nil {
		failure := *protocol.AsError(err)
		failure.Message = reference.Name() + ": " + failure.Message
		return nil, &failure
	}
	if c.store != nil {
		if err := c.store.write(digest, descriptor.Manifest); err != nil {
			return nil, fmt.Errorf("storeDir: %w", err)
		}
	}
	return &Document{Digest: digest, MediaType: kind, Bytes: descriptor.Manifest}, nil
}

// Lookup is Get for something that may be missing: nil then, and no error.
func (c *Client) Lookup(reference name.Reference) (*Document, error) {
	_, byDigest := reference.(name.Digest)
	if c.offline && !byDigest {
		var digest string
		if !c.store.recall(reference.Name(), &digest, c.limits.ManifestBytes) {
			return nil, nil
		}
		reference = reference.Context().Digest(digest)
	}
	document, err := c.get(reference)
	if isNotFound(err) {
		return nil, nil
	}
	if err == nil && c.store != nil && !c.offline && !byDigest {
		err = c.store.remember(reference.Name(), document.Digest)
	}
	return document, c.describe(err, reference.Name())
}

// Referrers is what the referrers API lists for a digest; nothing where there is no such API.
func (c *Client) Referrers(subject name.Digest) ([]v1.Descriptor, error) {
	key := "referrers of " + subject.Name()
	if c.offline {
		var found []v1.Descriptor
		c.store.recall(key, &found, c.limits.ManifestBytes)
		return found, nil
	}
	index, err := remote.Referrers(subject,
		append(slices.Clone(c.options), remote.WithReferrersTagFallback(false))...)
	if err == nil {
		var manifest *v1.IndexManifest
		if manifest, err = index.IndexManifest(); err == nil {
			if c.store != nil {
				err = c.store.remember(key, manifest.Manifests)
			}
			return manifest.Manifests, c.describe(err, key)
		}
	}
	if isNotFound(err) || strings.Contains(err.Error(), "does not support the Referrers API") {
		return nil, nil
	}
	return nil, c.describe(err, key)
}

// Blob copies a blob into `out` and checks its size and digest.
func (c *Client) Blob(repository name.Repository, d v1.Descriptor, limit int64,
	out io.Writer) error {
	what := repository.Name() + "@" + d.Digest.String()
	if d.Size > limit || d.Size < 0 {
		return protocol.Errorf(protocol.ImageTooLarge,
			"%s: expected a blob of at most %d bytes, the manifest says %d", what, limit, d.Size)
	}
	if d.Digest.Algorithm != "sha256" {
		return protocol.Errorf(protocol.InvalidImage, "%s: expected a sha256 digest, found %s",
			what,
			d.Digest.Algorithm)
	}
	if c.store == nil {
		return c.download(repository, d, out)
	}
	file := c.store.open(d.Digest.String(), limit)
	if file == nil {
		if c.offline {
			return protocol.Errorf(protocol.RegistryUnavailable, "%s: not in the store", what)
		}
		if err := c.downloadToStore(repository, d); err != nil {
			return err
		}
		if file = c.store.open(d.Digest.String(), limit); file == nil {
			return protocol.Errorf(protocol.OutputFailed, "storeDir: %s is not what was written",
				d.Digest)
		}
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(out, hash), file); err != nil {
		return err
	}
	if found := "sha256:" + hex.EncodeToString(hash.Sum(nil)); found != d.Digest.String() {
		return protocol.Errorf(protocol.DigestMismatch, "%s: the store has bytes of %s", what,
			found)
	}
	return nil
}

func (c *Client) downloadToStore(repository name.Repository, d v1.Descriptor) error {
	file, err := c.store.create()
	if err != nil {
		return fmt.Errorf("storeDir: %w", err)
	}
	defer c.store.discard(file)
	if err := c.download(repository, d, file); err != nil {
		return err
	}
	return c.store.keep(file, d.Digest.String())
}

func (c *Client) download(repository name.Repository, d v1.Descriptor, out io.Writer) error {
	what := repository.Name() + "@" + d.Digest.String()
	layer, err := c.puller.Layer(c.ctx, repository.Digest(d.Digest.String()))
	if err != nil {
		return c.describe(err, what)
	}
	body, err := layer.Compressed()
	if err != nil {
		return c.describe(err, what)
	}
	defer body.Close()
	hash := sha256.New()
	sink := &writer{out: io.MultiWriter(out, hash)}
	size, err := io.Copy(sink, io.LimitReader(body, d.Size+1))
	digest := "sha256:" + hex.EncodeToString(hash.Sum(nil))
	switch {
	case sink.err != nil:
		return sink.err
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return c.describe(context.DeadlineExceeded, what)
	case size > d.Size:
		return protocol.Errorf(protocol.DigestMismatch,
			"%s: expected %d bytes, as the manifest says, found more", what, d.Size)
	case err != nil && !isVerification(err):
		return protocol.Errorf(protocol.RegistryUnavailable,
			"%s: expected %d bytes, the transfer broke off after %d: %v; retry", what, d.Size, size,
			err)
	case size != d.Size || digest != d.Digest.String():
		return protocol.Errorf(protocol.DigestMismatch,
			"%s: expected %d bytes of that digest, found %d bytes of %s", what, d.Size, size,
			digest)
	}
	return nil
}

// writer remembers its own error: a full disk is not the registry's fault.
type writer struct {
	out io.Writer
	err error
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	w.err = err
	return n, err
}

func isTimeout(err error) bool { return err != nil && os.IsTimeout(err) }

func isVerification(err error) bool {
	return strings.Contains(fmt.Sprint(err), "error verifying")
}
