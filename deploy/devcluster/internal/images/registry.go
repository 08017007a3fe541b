package images

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// maxManifest is what registries commonly accept.
const maxManifest = 4 << 20

// An entry is one change of the registry's manifests.
type entry struct {
	Method      string `json:"method"`
	Path        string `json:"path"`
	ContentType string `json:"contentType,omitempty"`
	Body        []byte `json:"body,omitempty"`
}

// diskRegistry keeps blobs as files and adds what the library's registry lacks: it keeps manifests
// in memory only, so they are journaled here and replayed at start.
type diskRegistry struct {
	inner   http.Handler
	mu      sync.Mutex
	journal *os.File
	last    map[string][]byte // path → body, to skip repeated pushes
}

// NewRegistry returns a registry whose content lives in dir.
func NewRegistry(dir string) (http.Handler, error) {
	blobs := filepath.Join(dir, "blobs")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return nil, err
	}
	r := &diskRegistry{last: map[string][]byte{}, inner: registry.New(
		registry.WithBlobHandler(registry.NewDiskBlobHandler(blobs)),
		registry.WithReferrersSupport(true),
		registry.Logger(log.New(io.Discard, "", 0)))}
	path := filepath.Join(dir, "manifests.jsonl")
	if err := r.replay(path); err != nil {
		return nil, err
	}
	var err error
	r.journal, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	return r, err
}

// replay repeats all changes. A last line that was cut off by a crash was never acknowledged; it is
// removed, so that the next entry starts on a line of its own.
func (r *diskRegistry) replay(path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(data, '\n') + 1
	for i, line := range bytes.Split(data[:whole], []byte("\n")) {
		var e entry
		if len(line) == 0 {
			continue
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("%s, line %d: expected a journal entry, found: %w; remove the file "+
				"and push the images again", path, i+1, err)
		}
		r.apply(e)
	}
	return os.Truncate(path, int64(whole))
}

func (r *diskRegistry) apply(e entry) *httptest.ResponseRecorder {
	req := httptest.NewRequest(e.Method, e.Path, bytes.NewReader(e.Body))
	req.Header.Set("Content-Type", e.ContentType)
	resp := httptest.NewRecorder()
	r.inner.ServeHTTP(resp, req)
	if resp.Code/100 == 2 {
		r.last[e.Path] = append([]byte(e.ContentType+"\n"), e.Body...)
		if e.Method == http.MethodDelete {
			delete(r.last, e.Path)
		}
	}
	return resp
}

func (r *diskRegistry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	write := req.Method == http.MethodPut || req.Method == http.MethodDelete
	if !write || !strings.Contains(req.URL.Path, "/manifests/") {
		r.inner.ServeHTTP(w, req)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxManifest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	e := entry{req.Method, req.URL.Path, req.Header.Get("Content-Type"), body}
	r.mu.Lock()
	defer r.mu.Unlock()
	known := bytes.Equal(r.last[e.Path], append([]byte(e.ContentType+"\n"), e.Body...))
	resp := r.apply(e)
	if resp.Code/100 == 2 && !known {
		if err := r.append(e); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	for key, values := range resp.Header() {
		w.Header()[key] = values
	}
	w.WriteHeader(resp.Code)
	w.Write(resp.Body.Bytes()) //nolint:errcheck // the client is gone
}

func (r *diskRegistry) append(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = r.journal.Write(append(line, '\n'))
	return err
}

// ServeRegistry serves the registry in dir until the process ends.
func ServeRegistry(address, dir string) error {
	handler, err := NewRegistry(dir)
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second,
	}
	return server.ListenAndServe()
}
