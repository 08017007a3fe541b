package publish

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"oarlock.dev/fetch/internal/registry"
)

const layoutFileLimit = 1 << 30

var layoutNames = regexp.MustCompile(`^(oci-layout|index\.json|blobs/sha256/[0-9a-f]{64})$`)

// writeLayout writes the tar; a file of that name appears whole or not at all.
func writeLayout(file string, architectures []string, images map[string]v1.Image) (hash v1.Hash,
	err error) {
	folder, err := os.MkdirTemp("", "oarlock-build-")
	if err != nil {
		return hash, err
	}
	defer os.RemoveAll(folder)
	path, err := layout.Write(folder, mutate.IndexMediaType(empty.Index, types.OCIImageIndex))
	if err != nil {
		return hash, err
	}
	if len(architectures) == 1 {
		one := images[architectures[0]]
		if err := path.AppendImage(one); err != nil {
			return hash, err
		}
		if hash, err = one.Digest(); err != nil {
			return hash, err
		}
	} else {
		index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
		for _, architecture := range architectures {
			index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: images[architecture],
				Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: operatingSystem,
					Architecture: architecture}}})
		}
		if err := path.AppendIndex(index); err != nil {
			return hash, err
		}
		if hash, err = index.Digest(); err != nil {
			return hash, err
		}
	}
	return hash, packFolder(folder, file)
}

func packFolder(folder, file string) error {
	out, err := os.CreateTemp(filepath.Dir(file), ".oarlock-build-")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	w := tar.NewWriter(out)
	// WalkDir goes in lexical order.
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		header := &tar.Header{Name: filepath.ToSlash(inside), Mode: 0o444, Size: int64(len(data)),
			Format: tar.FormatUSTAR}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	if err := errors.Join(err, w.Close(), out.Chmod(0o644), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), file)
}

// OpenLayout unpacks such a file into `folder` and returns what its index names: one thing.
func OpenLayout(file, folder string) (layout.Path, v1.Descriptor, error) {
	path, err := unpackLayout(file, folder)
	if err != nil {
		return "", v1.Descriptor{}, fmt.Errorf("%s: expected an OCI layout in a tar file: %w", file,
			err)
	}
	index, err := path.ImageIndex()
	if err != nil {
		return "", v1.Descriptor{}, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return "", v1.Descriptor{}, err
	}
	if len(manifest.Manifests) != 1 {
		return "", v1.Descriptor{}, fmt.Errorf("%s: expected one image in the layout, found %d",
			file,
			len(manifest.Manifests))
	}
	return path, manifest.Manifests[0], nil
}

func unpackLayout(file, folder string) (layout.Path, error) {
	in, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer in.Close()
	archive := tar.NewReader(in)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return layout.FromPath(folder)
		}
		if err != nil {
			return "", err
		}
		if header.Typeflag == tar.TypeDir {
			continue
		}
		name := filepath.ToSlash(filepath.Clean(header.Name))
		if header.Typeflag != tar.TypeReg || !layoutNames.MatchString(name) {
			return "", fmt.Errorf("found %q in it", header.Name)
		}
		if err := writeFile(filepath.Join(folder, name), archive); err != nil {
			return "", err
		}
	}
}

func writeFile(path string, in io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	size, err := io.Copy(out, io.LimitReader(in, layoutFileLimit+1))
	if err != nil {
		return err
	}
	if size > layoutFileLimit {
		return fmt.Errorf("found a file of more than %d bytes in it", layoutFileLimit)
	}
	return out.Close()
}

// Push stores what Build wrote under a reference, and returns its digest.
func Push(client *registry.Client, file string, reference name.Reference) (name.Digest, error) {
	folder, err := os.MkdirTemp("", "oarlock-push-")
	if err != nil {
		return name.Digest{}, err
	}
	defer os.RemoveAll(folder)
	path, found, err := OpenLayout(file, folder)
	if err != nil {
		return name.Digest{}, err
	}
	if found.MediaType.IsIndex() {
		var root, index v1.ImageIndex
		if root, err = path.ImageIndex(); err == nil {
			index, err = root.ImageIndex(found.Digest)
		}
		if err == nil {
			err = remote.WriteIndex(reference, index, client.Options()...)
		}
	} else {
		var image v1.Image
		if image, err = path.Image(found.Digest); err == nil {
			err = remote.Write(reference, image, client.Options()...)
		}
	}
	return reference.Context().Digest(found.Digest.String()),
		client.Describe(err, "pushing "+reference.Name())
}
