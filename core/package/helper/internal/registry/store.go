package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"oarlock.dev/fetch/internal/protocol"
)

// newPrefix is that of files that are not whole yet.
const newPrefix = ".new-"

// store keeps what registries answered, by digest, on a volume: a daemon that starts while its
// registry is down has all its plugins. Nothing in it is trusted. Every byte is hashed again when
// it is read, and what lookups remember are candidates for a signature, verified as if just pulled.
type store struct {
	blobs   string
	lookups string
	images  string // which of the files each image needs
	used    map[string]bool
}

func openStore(folder string) (*store, error) {
	if folder == "" {
		return nil, nil
	}
	s := &store{blobs: filepath.Join(folder, "blobs", "sha256"),
		lookups: filepath.Join(folder, "lookups"), images: filepath.Join(folder, "records"),
		used: map[string]bool{}}
	for _, dir := range []string{s.blobs, s.lookups, s.images} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("storeDir: %w", err)
		}
	}
	return s, nil
}

// pathOf a digest; empty for what is no sha256 digest.
func (s *store) pathOf(digest string) string {
	text, found := strings.CutPrefix(digest, "sha256:")
	if raw, err := hex.DecodeString(text); !found || err != nil || len(raw) != sha256.Size {
		return ""
	}
	return filepath.Join(s.blobs, text)
}

// open returns a stored blob of this digest, or nil. One that is damaged is removed.
func (s *store) open(digest string, limit int64) *os.File {
	path := s.pathOf(digest)
	if path == "" {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	hash := sha256.New()
	size, err := io.Copy(hash, io.LimitReader(file, limit+1))
	if err == nil && size <= limit && "sha256:"+hex.EncodeToString(hash.Sum(nil)) == digest {
		if _, err = file.Seek(0, io.SeekStart); err == nil {
			s.used[path] = true
			return file
		}
	}
	_ = file.Close()
	_ = os.Remove(path)
	return nil
}

// read returns a small stored blob, hashed as it was read; nil: there is none.
func (s *store) read(digest string, limit int64) []byte {
	file := s.open(digest, limit)
	if file == nil {
		return nil
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit))
	sum := sha256.Sum256(data)
	if err != nil || "sha256:"+hex.EncodeToString(sum[:]) != digest {
		return nil // changed between the two reads
	}
	return data
}

// create starts a blob; keep gives it its name once it is whole, on the disk too.
func (s *store) create() (*os.File, error) { return os.CreateTemp(s.blobs, newPrefix) }

func (s *store) keep(file *os.File, digest string) error {
	err := errors.Join(file.Chmod(0o444), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), s.pathOf(digest))
	}
	s.used[s.pathOf(digest)] = err == nil
	return err
}

func (s *store) discard(file *os.File) {
	_ = file.Close()
	_ = os.Remove(file.Name())
}

func (s *store) write(digest string, data []byte) error {
	file, err := s.create()
	if err != nil {
		return err
	}
	defer s.discard(file)
	if _, err := file.Write(data); err != nil {
		return err
	}
	return s.keep(file, digest)
}

func (s *store) lookupPath(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(s.lookups, hex.EncodeToString(sum[:])+".json")
}

// remember what a look-up found; recall it, false if there is nothing.
func (s *store) remember(key string, found any) error {
	s.used[s.lookupPath(key)] = true
	return s.put(s.lookupPath(key), found)
}

// put a document under its name once it is whole, on the disk too.
func (s *store) put(path string, document any) error {
	data, err := json.Marshal(document)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), newPrefix)
	if err != nil {
		return err
	}
	defer s.discard(file)
	if _, err := file.Write(data); err != nil {
		return err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

func (s *store) recall(key string, into any, limit int64) bool {
	file, err := os.Open(s.lookupPath(key))
	if err != nil {
		return false
	}
	defer file.Close()
	s.used[s.lookupPath(key)] = true
	return json.NewDecoder(io.LimitReader(file, 2*limit)).Decode(into) == nil
}

// mediaTypeOf a document. The registry says one in a header, which no digest covers: the same
// signed bytes must not be an image for one reader and an index for another.
func mediaTypeOf(data []byte, header types.MediaType) (types.MediaType, error) {
	var document struct {
		MediaType types.MediaType `json:"mediaType"`
		Manifests json.RawMessage `json:"manifests"`
		Layers    json.RawMessage `json:"layers"`
		Config    json.RawMessage `json:"config"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return "", protocol.Errorf(protocol.InvalidImage, "expected a manifest: %v", err)
	}
	said, _, _ := strings.Cut(string(header), ";") // a charset says nothing about JSON
	header = types.MediaType(strings.TrimSpace(said))
	isIndex, isImage := document.Manifests != nil, document.Layers != nil || document.Config != nil
	if isIndex == isImage {
		return "", protocol.Errorf(protocol.InvalidImage,
			"expected either an index of manifests or an image with layers, found both or neither")
	}
	kind := document.MediaType
	if kind == "" {
		if kind = types.OCIManifestSchema1; isIndex {
			kind = types.OCIImageIndex
		}
	}
	if header != "" && header != kind || kind.IsIndex() != isIndex {
		return "", protocol.Errorf(protocol.InvalidImage,
			"expected a document of the type that it says, found %q in it and %q from the registry",
			document.MediaType, header)
	}
	return kind, nil
}
