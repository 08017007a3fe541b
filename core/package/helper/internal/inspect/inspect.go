// Package inspect shows what is in an image.
package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"oarlock.dev/fetch/internal/protocol"
	"oarlock.dev/fetch/internal/publish"
	"oarlock.dev/fetch/internal/pull"
	"oarlock.dev/fetch/internal/unpack"
)

// View is what somebody wants to know of an image.
type View struct {
	Output       string // where its files go; empty: nowhere
	Architecture string // empty: ours
	Key          string // PEM; its signature is then required
}

func (v View) architecture() string {
	if v.Architecture == "" {
		return runtime.GOARCH
	}
	return v.Architecture
}

// target is where files are unpacked, and how that is cleaned up.
func (v View) target() (folder string, done func(), err error) {
	if v.Output != "" {
		folder, err = filepath.Abs(v.Output)
		return folder, func() {}, err
	}
	parent, err := os.MkdirTemp("", "oarlock-inspect-")
	if err != nil {
		return "", nil, err
	}
	return filepath.Join(parent, "image"), func() { _ = os.RemoveAll(parent) }, nil
}

func line(out io.Writer, label, format string, arguments ...any) {
	fmt.Fprintf(out, "%-12s%s\n", label, fmt.Sprintf(format, arguments...))
}

func printFiles(out io.Writer, files []protocol.File, skipped []string) {
	for _, file := range files {
		line(out, "file", "%s (%d bytes, sha256:%s)", file.Path, file.Size, file.SHA256)
	}
	for _, name := range skipped {
		line(out, "left out", "%s", name)
	}
}

// Image pulls as the daemon does, and prints what there is.
func Image(ctx context.Context, out io.Writer, image string, how protocol.Registry,
	view View) error {
	folder, done, err := view.target()
	if err != nil {
		return err
	}
	defer done()
	rule := protocol.Rule{Name: "inspect", Match: "**", Mode: protocol.ModeNone}
	if view.Key != "" {
		rule.Mode, rule.Keys = protocol.ModeKey, []string{view.Key}
	}
	request := &protocol.Request{Version: protocol.Version, Image: image, OutputDir: folder,
		Architecture: view.architecture(), Limits: protocol.Limits{}.WithDefaults(), Registry: how,
		Policy: protocol.Policy{Rules: []protocol.Rule{rule}}}
	answer := pull.RunWithKeychain(ctx, request, authn.DefaultKeychain)
	if answer.Error != nil {
		return answer.Error
	}
	line(out, "image", "%s", answer.Image)
	line(out, "platform", "linux/%s (%s)", answer.Architecture, answer.ManifestDigest)
	if view.Key == "" {
		line(out, "signature", "not verified; give --key PUBLIC")
	} else {
		line(out, "signature", "by %s (%s)", answer.Verification.Signer,
			answer.Verification.FoundAt)
	}
	printFiles(out, answer.Files, answer.Skipped)
	return nil
}

// File does the same with what publish.Build wrote.
func File(out io.Writer, file string, view View) error {
	work, err := os.MkdirTemp("", "oarlock-inspect-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	image, digest, err := imageOfFile(file, work, view.architecture())
	if err != nil {
		return err
	}
	folder, done, err := view.target()
	if err != nil {
		return err
	}
	defer done()
	files, skipped, err := unpackImage(image, folder)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	line(out, "image", "%s", digest)
	line(out, "platform", "linux/%s", view.architecture())
	line(out, "signature", "none: a file has no signatures, they are beside images in registries")
	printFiles(out, files, skipped)
	return nil
}

func imageOfFile(file, work, architecture string) (v1.Image, v1.Hash, error) {
	path, found, err := publish.OpenLayout(file, work)
	if err != nil {
		return nil, v1.Hash{}, err
	}
	if !found.MediaType.IsIndex() {
		image, err := path.Image(found.Digest)
		return image, found.Digest, err
	}
	root, err := path.ImageIndex()
	if err != nil {
		return nil, v1.Hash{}, err
	}
	index, err := root.ImageIndex(found.Digest)
	if err != nil {
		return nil, v1.Hash{}, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, v1.Hash{}, err
	}
	for _, d := range manifest.Manifests {
		if d.Platform != nil && d.Platform.Architecture == architecture {
			image, err := index.Image(d.Digest)
			return image, found.Digest, err
		}
	}
	return nil, v1.Hash{}, fmt.Errorf("%s: expected an image for %s in it, found others", file,
		architecture)
}

func unpackImage(image v1.Image, folder string) ([]protocol.File, []string, error) {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return nil, nil, err
	}
	out, err := unpack.New(folder, protocol.Limits{}.WithDefaults())
	if err != nil {
		return nil, nil, err
	}
	defer out.Close()
	layers, err := image.Layers()
	if err != nil {
		return nil, nil, err
	}
	for _, layer := range layers {
		in, err := layer.Compressed()
		if err != nil {
			return nil, nil, err
		}
		if err := errors.Join(out.Layer(in), in.Close()); err != nil {
			return nil, nil, err
		}
	}
	files, skipped := out.Result()
	return files, skipped, nil
}
