// Package images makes, moves and serves container images without Docker.
package images

import (
	"archive/tar"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// BuildOptions describe an image of one static binary.
type BuildOptions struct {
	Binary     string
	Entrypoint []string // default: the binary at /<file name>
	Env        []string // K=V
	Labels     map[string]string
	User       string
}

// Build packs a binary as the only layer of an image. The same binary and options give the same
// digest on every machine and at every time.
func Build(opts BuildOptions) (v1.Image, error) {
	layerTar, err := binaryTar(opts.Binary)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(layerTar)), nil
	})
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	arch, err := architecture(opts.Binary)
	if err != nil {
		return nil, err
	}
	config := v1.Config{
		Entrypoint: opts.Entrypoint, Env: opts.Env, Labels: opts.Labels, User: opts.User,
		WorkingDir: "/",
	}
	if len(config.Entrypoint) == 0 {
		config.Entrypoint = []string{"/" + filepath.Base(opts.Binary)}
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", arch, config
	file.Created = v1.Time{Time: time.Unix(0, 0).UTC()}
	return mutate.ConfigFile(img, file)
}

// binaryTar is the layer: the binary at the root, for everyone to execute, and /tmp.
func binaryTar(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--binary: %w", err)
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	headers := []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777},
		{Typeflag: tar.TypeReg, Name: filepath.Base(path), Mode: 0o755, Size: int64(len(data))},
	}
	for _, h := range headers {
		h.ModTime, h.Format = time.Unix(0, 0), tar.FormatUSTAR
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	return buf.Bytes(), w.Close()
}

// Save writes an image file that `docker load` and `devcluster load-image` read.
func Save(path, reference string, img v1.Image) error {
	ref, err := name.NewTag(reference)
	if err != nil {
		return fmt.Errorf("--name: %w", err)
	}
	tmp := path + ".tmp"
	defer os.Remove(tmp) //nolint:errcheck // gone after the rename
	if err := tarball.WriteToFile(tmp, ref, img); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// PushFile pushes an image file under its own name, or under another one, and returns that name.
func PushFile(registryURL, path, reference string) (string, error) {
	opener := func() (io.ReadCloser, error) { return os.Open(path) }
	manifest, err := tarball.LoadManifest(opener)
	if err != nil {
		return "", fmt.Errorf("%s: expected an image file as `devcluster build-image` or `docker "+
			"save` write it, found: %w", path, err)
	}
	if len(manifest) != 1 {
		return "", fmt.Errorf("%s: expected one image, found %d", path, len(manifest))
	}
	if reference == "" {
		if len(manifest[0].RepoTags) == 0 {
			return "", fmt.Errorf("%s: expected an image with a name, found none; give the name "+
				"after the file", path)
		}
		reference = manifest[0].RepoTags[0]
	}
	img, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		return "", err
	}
	return reference, Push(registryURL, reference, img)
}

// Push uploads an image to a cluster's registry. The registry's name for myapp:latest is
// library/myapp:latest, as a container runtime asks for it there in place of docker.io.
func Push(registryURL, reference string, img v1.Image) error {
	target, err := mirrorTag(registryURL, reference)
	if err != nil {
		return err
	}
	transport := &http.Transport{Proxy: nil, TLSClientConfig: &tls.Config{}}
	defer transport.CloseIdleConnections()
	if err := remote.Write(target, img, remote.WithTransport(transport)); err != nil {
		return fmt.Errorf("push %s: %w", target, err)
	}
	return nil
}

// mirrorTag drops the registry's name from a reference: every registry is mirrored into one.
func mirrorTag(registryURL, reference string) (name.Tag, error) {
	ref, err := name.NewTag(reference)
	if err != nil {
		return name.Tag{}, fmt.Errorf("image name %q: %w", reference, err)
	}
	host := strings.TrimPrefix(registryURL, "http://")
	return name.NewTag(host+"/"+ref.RepositoryStr()+":"+ref.TagStr(), name.Insecure)
}
