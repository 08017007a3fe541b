// Package pull fetches one image: resolve, verify, download, unpack, in this order, everything
// after the first step by digest.
package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"oarlock.dev/fetch/internal/protocol"
	"oarlock.dev/fetch/internal/registry"
	"oarlock.dev/fetch/internal/trust"
	"oarlock.dev/fetch/internal/unpack"
)

// Run answers a request.
func Run(ctx context.Context, request *protocol.Request) *protocol.Answer {
	return RunWithKeychain(ctx, request, nil)
}

// RunWithKeychain takes the credentials from elsewhere; nil: from the request.
func RunWithKeychain(ctx context.Context, request *protocol.Request,
	keychain authn.Keychain) *protocol.Answer {
	ctx, cancel := context.WithTimeout(ctx, request.Timeout())
	defer cancel()
	answer, err := run(ctx, request, keychain)
	if err != nil {
		return &protocol.Answer{Version: protocol.Version, Error: protocol.AsError(err)}
	}
	return answer
}

func run(ctx context.Context, request *protocol.Request,
	keychain authn.Keychain) (*protocol.Answer, error) {
	if _, err := os.Lstat(request.OutputDir); !errors.Is(err, os.ErrNotExist) {
		return nil, protocol.Errorf(protocol.OutputFailed,
			"outputDir %s: expected that it does not exist yet (%v)", request.OutputDir, err)
	}
	names, err := registry.Resolve(request.Image, request.Registry)
	if err != nil {
		return nil, err
	}
	// The policy first: no byte is asked of a registry for an image that no rule allows.
	if _, err := trust.Select(request.Policy, names.Resolved.Context()); err != nil {
		return nil, err
	}
	client, err := registry.New(ctx, request.Registry, request.Limits, keychain)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	document, err := client.Get(names.Resolved)
	if err != nil {
		return nil, err
	}
	verification, err := trust.Verify(client, names, document, request.Policy, request.Limits)
	if err != nil {
		return nil, err
	}
	repository := names.Resolved.Context()
	answer := &protocol.Answer{Version: protocol.Version, Digest: document.Digest,
		Image: repository.Name() + "@" + document.Digest, Architecture: request.Architecture,
		Verification: verification}
	ours, err := forArchitecture(client, repository, document, request.Architecture)
	if err != nil {
		return nil, err
	}
	answer.ManifestDigest = ours.Digest
	manifest, err := parseImage(repository, ours, request.Limits)
	if err != nil {
		return nil, err
	}
	if err := checkConfig(client, repository, manifest, request.Architecture,
		request.Limits); err != nil {
		return nil, err
	}
	answer.Files, answer.Skipped, err = fetchFiles(client, repository, manifest, request)
	if err == nil {
		err = client.Record(names, document.Digest)
	}
	return answer, err
}

// fetchFiles unpacks beside outputDir and renames at the end: outputDir is whole or not there.
func fetchFiles(client *registry.Client, repository name.Repository, manifest *v1.Manifest,
	request *protocol.Request) ([]protocol.File, []string, error) {
	work, err := os.MkdirTemp(filepath.Dir(request.OutputDir), ".fetch-")
	if err != nil {
		return nil, nil, fmt.Errorf("outputDir: %w", err)
	}
	defer os.RemoveAll(work)
	content := filepath.Join(work, "content")
	if err := os.Mkdir(content, 0o755); err != nil {
		return nil, nil, err
	}
	out, err := unpack.New(content, request.Limits)
	if err != nil {
		return nil, nil, err
	}
	defer out.Close()
	for _, layer := range manifest.Layers {
		if err := fetchLayer(client, repository, layer, work, request.Limits, out); err != nil {
			return nil, nil, err
		}
	}
	files, skipped := out.Result()
	if err := checkComplete(repository, files); err != nil {
		return nil, nil, err
	}
	return files, skipped, os.Rename(content, request.OutputDir)
}

// fetchLayer parses no byte of a layer before all of it has the right hash.
func fetchLayer(client *registry.Client, repository name.Repository, layer v1.Descriptor,
	work string,
	limits protocol.Limits, out *unpack.Unpacker) error {
	file, err := os.CreateTemp(work, "layer-")
	if err != nil {
		return err
	}
	defer func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}()
	if err := client.Blob(repository, layer, limits.LayerBytes, file); err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return out.Layer(file)
}

func checkComplete(repository name.Repository, files []protocol.File) error {
	libraries := 0
	hasManifest := false
	for _, file := range files {
		hasManifest = hasManifest || file.Path == "plugin.json"
		if filepath.Ext(file.Path) == ".so" {
			libraries++
		}
	}
	if !hasManifest || libraries == 0 {
		return protocol.Errorf(protocol.InvalidImage,
			"%s: expected plugin.json and a lib*.so in the image, found %d files; is it a plugin "+
				"image? "+
				"Build one with: oarlock plugin build", repository.Name(), len(files))
	}
	return nil
}
