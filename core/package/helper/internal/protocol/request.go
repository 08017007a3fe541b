// Package protocol is what the helper and its caller say to each other: one JSON request, one JSON
// answer. The README of the module documents both; Version changes when a field changes its
// meaning.
package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"time"
)

// Version of request and answer.
const Version = 1

const requestLimit = 8 << 20

// Request asks for one image.
type Request struct {
	Version int    `json:"version"`
	Image   string `json:"image"` // REPOSITORY:TAG or REPOSITORY@sha256:...
	// OutputDir must not exist yet; its parent must. Nothing is there after an error.
	OutputDir string `json:"outputDir"`
	// Architecture as Go and OCI name it; empty: that of this program.
	Architecture  string   `json:"architecture,omitempty"`
	TimeoutMillis int64    `json:"timeoutMillis,omitempty"` // of all of it; 0: 60 s
	Limits        Limits   `json:"limits"`
	Registry      Registry `json:"registry"`
	Policy        Policy   `json:"policy"`
}

// Limits of what is accepted; 0 takes the default.
type Limits struct {
	ManifestBytes int64 `json:"manifestBytes,omitempty"` // each manifest, index and signature
	Layers        int64 `json:"layers,omitempty"`
	LayerBytes    int64 `json:"layerBytes,omitempty"` // each, compressed
	Entries       int64 `json:"entries,omitempty"`    // of all archives together
	FileBytes     int64 `json:"fileBytes,omitempty"`  // each
	UnpackedBytes int64 `json:"unpackedBytes,omitempty"`
	Signatures    int64 `json:"signatures,omitempty"` // looked at, in each place
}

// Registry says how registries are reached.
type Registry struct {
	// DockerConfig has the credentials, as a Secret of type kubernetes.io/dockerconfigjson.
	DockerConfig json.RawMessage `json:"dockerConfig,omitempty"`
	CAPEM        string          `json:"caPem,omitempty"` // trusted beside the system's
	// Insecure hosts (with port) are spoken to in plain HTTP.
	Insecure []string `json:"insecure,omitempty"`
	Mirrors  []Mirror `json:"mirrors,omitempty"`
	// StoreDir keeps what was pulled, by digest: an image that is asked for by digest again needs
	// no registry. Absolute; empty: nothing is kept.
	StoreDir string `json:"storeDir,omitempty"`
}

// Mirror replaces the start of a repository's name; the longest prefix wins.
type Mirror struct {
	Prefix   string `json:"prefix"`
	Location string `json:"location"`
}

// Policy says which images are trusted. An image that no rule matches is refused.
type Policy struct {
	Rules []Rule `json:"rules"`
	// TrustedRoot is sigstore's trusted_root.json, for keyless rules.
	TrustedRoot json.RawMessage `json:"trustedRoot,omitempty"`
}

// Modes of a rule.
const (
	ModeKey     = "key"
	ModeKeyless = "keyless"
	ModeDigest  = "digest"
	ModeNone    = "none"
)

// Rule is about one repository, or about all that a glob matches.
type Rule struct {
	Name string `json:"name"`
	// Match is a repository, or a glob: * stands for anything but '/', ** for anything.
	Match      string     `json:"match"`
	Mode       string     `json:"mode"`
	Keys       []string   `json:"keys,omitempty"` // PEM; one of them must have signed
	Identities []Identity `json:"identities,omitempty"`
}

// Identity of a keyless signer; each of the two by value or by regular expression.
type Identity struct {
	Issuer        string `json:"issuer,omitempty"`
	IssuerRegExp  string `json:"issuerRegExp,omitempty"`
	Subject       string `json:"subject,omitempty"`
	SubjectRegExp string `json:"subjectRegExp,omitempty"`
}

// Default limits.
const (
	DefaultManifestBytes = 4 << 20
	DefaultLayers        = 32
	DefaultLayerBytes    = 256 << 20
	DefaultEntries       = 1024
	DefaultFileBytes     = 512 << 20
	DefaultUnpackedBytes = 1 << 30
	DefaultSignatures    = 32
	defaultTimeout       = time.Minute
)

func orDefault(value *int64, fallback int64) {
	if *value == 0 {
		*value = fallback
	}
}

// WithDefaults replaces zeros.
func (l Limits) WithDefaults() Limits {
	orDefault(&l.ManifestBytes, DefaultManifestBytes)
	orDefault(&l.Layers, DefaultLayers)
	orDefault(&l.LayerBytes, DefaultLayerBytes)
	orDefault(&l.Entries, DefaultEntries)
	orDefault(&l.FileBytes, DefaultFileBytes)
	orDefault(&l.UnpackedBytes, DefaultUnpackedBytes)
	orDefault(&l.Signatures, DefaultSignatures)
	return l
}

func (l Limits) negative() bool {
	return min(l.ManifestBytes, l.Layers, l.LayerBytes, l.Entries, l.FileBytes, l.UnpackedBytes,
		l.Signatures) < 0
}

// Timeout of the whole request.
func (r *Request) Timeout() time.Duration {
	if r.TimeoutMillis == 0 {
		return defaultTimeout
	}
	return time.Duration(r.TimeoutMillis) * time.Millisecond
}

// ReadRequest reads one request and nothing behind it. Unknown fields are an error: a policy whose
// field is misspelt must not be a weaker policy.
func ReadRequest(in io.Reader) (*Request, error) {
	data, err := io.ReadAll(io.LimitReader(in, requestLimit+1))
	if err != nil {
		return nil, Errorf(InvalidRequest, "reading the request: %v", err)
	}
	if len(data) > requestLimit {
		return nil, Errorf(InvalidRequest, "expected a request of at most %d bytes, found more",
			requestLimit)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	request := &Request{}
	if err := decoder.Decode(request); err != nil {
		return nil, Errorf(InvalidRequest, "expected one JSON request: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, Errorf(InvalidRequest, "expected one JSON request, found more behind it")
	}
	if err := request.check(); err != nil {
		return nil, &Error{Reason: InvalidRequest, Message: err.Error()}
	}
	request.Limits = request.Limits.WithDefaults()
	if request.Architecture == "" {
		request.Architecture = runtime.GOARCH
	}
	return request, nil
}

func (r *Request) check() error {
	switch {
	case r.Version != Version:
		return fmt.Errorf("expected a request of version %d, found %d; caller and helper must be "+
			"of "+
			"one build", Version, r.Version)
	case r.Image == "":
		return errors.New("expected an image, found none")
	case !filepath.IsAbs(r.OutputDir):
		return fmt.Errorf("expected an absolute outputDir, found %q", r.OutputDir)
	case r.Registry.StoreDir != "" && !filepath.IsAbs(r.Registry.StoreDir):
		return fmt.Errorf("expected an absolute registry.storeDir, found %q", r.Registry.StoreDir)
	case r.TimeoutMillis < 0 || r.Limits.negative():
		return errors.New("expected limits and timeout above zero, found a negative one")
	}
	return nil
}
