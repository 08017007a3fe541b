// Package testimage makes images, registries and faults for tests.
package testimage

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
)

// Entry of an archive.
type Entry struct {
	Name string
	Body string
	Kind byte // 0: a file
	Mode int64
	Link string
	PAX  map[string]string
}

// Plugin is what a plugin image has.
func Plugin() []Entry {
	return []Entry{
		{Name: "plugin.json", Body: `{"kind":"PluginManifest"}`},
		{Name: "libsample.so", Body: "\x7fELF a library", Mode: 0o755},
		{Name: "crds/", Kind: tar.TypeDir, Mode: 0o755},
		{Name: "crds/sample.json", Body: `{"kind":"CustomResourceDefinition"}`},
		{Name: "LICENSE", Body: "terms"},
	}
}

// Archive is a tar of the entries.
func Archive(t testing.TB, entries ...Entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		kind, mode := e.Kind, e.Mode
		if kind == 0 {
			kind = tar.TypeReg
		}
		if mode == 0 {
			mode = 0o644
		}
		must(t, w.WriteHeader(&tar.Header{Name: e.Name, Typeflag: kind, Mode: mode,
			Linkname: e.Link,
			Size:     int64(len(e.Body)), PAXRecords: e.PAX}))
		_, err := io.WriteString(w, e.Body)
		must(t, err)
	}
	must(t, w.Close())
	return out.Bytes()
}

// Gzip compresses.
func Gzip(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(data)
	must(t, err)
	must(t, w.Close())
	return out.Bytes()
}

// Zstd compresses.
func Zstd(t testing.TB, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	must(t, err)
	return w.EncodeAll(data, nil)
}

// Image of one architecture with these layers.
func Image(t testing.TB, architecture string, layers ...[]byte) v1.Image {
	t.Helper()
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		types.OCIConfigJSON)
	for _, layer := range layers {
		var err error
		image, err = mutate.AppendLayers(image, static.NewLayer(layer, types.OCILayer))
		must(t, err)
	}
	image, err := mutate.ConfigFile(image, &v1.ConfigFile{OS: "linux", Architecture: architecture})
	must(t, err)
	return image
}

// Index of images by architecture.
func Index(t testing.TB, images map[string]v1.Image) v1.ImageIndex {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for architecture, image := range images {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image,
			Descriptor: v1.Descriptor{
				Platform: &v1.Platform{OS: "linux", Architecture: architecture}}})
	}
	return index
}

// Registry in this process, with a place for faults.
type Registry struct {
	Host   string
	Server *httptest.Server

	mutex    sync.Mutex
	fault    http.HandlerFunc
	requests []string
}

// Fault answers a request instead of the registry and returns true, or returns false.
type Fault func(http.ResponseWriter, *http.Request) bool

// NewRegistry starts one; with `referrers` it has the referrers API.
func NewRegistry(t testing.TB, referrers bool) *Registry {
	t.Helper()
	return start(t, referrers, httptest.NewServer)
}

// NewTLSRegistry speaks HTTPS with a certificate that only its own client trusts.
func NewTLSRegistry(t testing.TB) *Registry {
	t.Helper()
	return start(t, true, httptest.NewTLSServer)
}

func start(t testing.TB, referrers bool, serve func(http.Handler) *httptest.Server) *Registry {
	r := &Registry{}
	handler := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)),
		ggcr.WithReferrersSupport(referrers))
	r.Server = serve(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mutex.Lock()
		fault := r.fault
		r.requests = append(r.requests, q.Method+" "+q.URL.Path)
		r.mutex.Unlock()
		if fault != nil {
			fault(w, q)
			if w.Header().Get(handled) != "" {
				return
			}
		}
		handler.ServeHTTP(w, q)
	}))
	r.Server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(r.Server.Close)
	_, r.Host, _ = strings.Cut(r.Server.URL, "://")
	return r
}

const handled = "X-Test-Handled"

// Break lets `fault` answer first, until Break is called again.
func (r *Registry) Break(fault Fault) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.fault = nil
	if fault != nil {
		r.fault = func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set(handled, "yes")
			if !fault(w, q) {
				w.Header().Del(handled)
			}
		}
	}
}

// Requests are those so far, as "GET /v2/...".
func (r *Registry) Requests() []string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return append([]string(nil), r.requests...)
}

// Push stores an image or an index under REPOSITORY:TAG of this registry, and returns its digest.
func (r *Registry) Push(t testing.TB, target string, what remote.Taggable) name.Digest {
	t.Helper()
	reference, err := name.ParseReference(r.Host+"/"+target, name.Insecure)
	must(t, err)
	options := []remote.Option{remote.WithTransport(r.Server.Client().Transport)}
	var hash v1.Hash
	switch w := what.(type) {
	case v1.Image:
		must(t, remote.Write(reference, w, options...))
		hash, err = w.Digest()
	case v1.ImageIndex:
		must(t, remote.WriteIndex(reference, w, options...))
		hash, err = w.Digest()
	default:
		t.Fatalf("expected an image or an index, found %T", what)
	}
	must(t, err)
	return reference.Context().Digest(hash.String())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
