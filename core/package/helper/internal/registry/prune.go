package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"oarlock.dev/fetch/internal/protocol"
)

const recordLimit = 1 << 20 // bytes

// record of one image, by digest: what of the store it was made of when it was pulled last.
type record struct {
	Image string   `json:"image"`
	Files []string `json:"files"` // below the store

	path string
	used time.Time
}

// lock the store against pruning, until Close.
func (c *Client) lock(folder string) error {
	file, err := lockFile(folder, unix.LOCK_SH)
	c.locked = file
	return err
}

// Close lets the store be pruned.
func (c *Client) Close() {
	if c.locked != nil {
		_ = c.locked.Close()
	}
}

func lockFile(folder string, how int) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(folder, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("storeDir: %w", err)
	}
	for {
		err = unix.Flock(int(file.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("storeDir: %w", err)
	}
	return file, nil
}

// Record that an image was pulled, by the name that it was asked for under.
func (c *Client) Record(names Names, digest string) error {
	if c.store == nil {
		return nil
	}
	folder := filepath.Dir(c.store.lookups)
	image := record{Image: names.Asked.Context().Name() + "@" + digest}
	for path, isThere := range c.store.used {
		if name, err := filepath.Rel(folder, path); err == nil && isThere {
			image.Files = append(image.Files, name)
		}
	}
	slices.Sort(image.Files)
	sum := sha256.Sum256([]byte(image.Image))
	err := c.store.put(filepath.Join(c.store.images, hex.EncodeToString(sum[:])+".json"), image)
	if err != nil {
		return fmt.Errorf("storeDir: %w", err)
	}
	return nil
}

// Prune a store: what the images of `keep` need stays, and of the others those that were pulled
// last, up to spareBytes.
func Prune(request *protocol.PruneRequest) (*protocol.PruneAnswer, error) {
	s, err := openStore(request.StoreDir)
	if err != nil {
		return nil, err
	}
	lock, err := lockFile(request.StoreDir, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return &protocol.PruneAnswer{Version: protocol.Version, Busy: true}, nil
	}
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	wanted, err := canonical(request.Keep)
	if err != nil {
		return nil, err
	}
	records, err := s.records()
	if err != nil {
		return nil, err
	}
	return s.prune(request.StoreDir, records, wanted, request.SpareBytes)
}

func canonical(images []string) (map[string]bool, error) {
	out := map[string]bool{}
	for _, image := range images {
		parsed, err := Parse(image, nil)
		if err != nil {
			return nil, protocol.Errorf(protocol.InvalidRequest,
				"keep: expected REPOSITORY@sha256:DIGEST, found %q: %v", image, err)
		}
		out[parsed.Context().Name()+"@"+parsed.Identifier()] = true
	}
	return out, nil
}

// records of all images, those that were pulled last first.
func (s *store) records() ([]record, error) {
	paths, err := filepath.Glob(filepath.Join(s.images, "*.json"))
	if err != nil {
		return nil, err
	}
	var out []record
	for _, path := range paths {
		one, err := readRecord(path)
		if err != nil {
			_ = os.Remove(path) // damaged; its image is pulled again
			continue
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b record) int { return b.used.Compare(a.used) })
	return out, nil
}

func readRecord(path string) (record, error) {
	file, err := os.Open(path)
	if err != nil {
		return record{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return record{}, err
	}
	one := record{path: path, used: info.ModTime()}
	err = json.NewDecoder(io.LimitReader(file, recordLimit)).Decode(&one)
	return one, err
}

func (s *store) prune(folder string, records []record, wanted map[string]bool,
	spare int64) (*protocol.PruneAnswer, error) {
	kept, dropped := map[string]bool{}, map[string]bool{}
	for _, one := range records {
		if wanted[one.Image] {
			delete(wanted, one.Image)
			for _, name := range one.Files {
				kept[name] = true
			}
		} else {
			dropped[one.Image] = true
		}
	}
	// Of an image that is wanted and has no record, nobody knows what it needs.
	isKnown := len(wanted) == 0
	for _, one := range records {
		if dropped[one.Image] && spare > 0 {
			if spare -= s.sizeOf(folder, one.Files, kept); spare >= 0 {
				delete(dropped, one.Image)
				for _, name := range one.Files {
					kept[name] = true
				}
			}
		}
	}
	gone := map[string]bool{}
	for _, one := range records {
		if dropped[one.Image] {
			for _, name := range one.Files {
				gone[name] = !kept[name]
			}
			if err := os.Remove(one.path); err != nil {
				return nil, err
			}
		}
	}
	answer := &protocol.PruneAnswer{Version: protocol.Version}
	for _, dir := range []string{s.blobs, s.lookups, s.images} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			name, err := filepath.Rel(folder, path)
			isNew := strings.HasPrefix(entry.Name(), newPrefix)
			isUnused := dir != s.images && !kept[name] && (isKnown || gone[name])
			if err != nil || !isNew && !isUnused {
				return err
			}
			if info, err := entry.Info(); err == nil {
				answer.RemovedBytes += info.Size()
			}
			answer.RemovedFiles++
			return os.Remove(path)
		})
		if err != nil {
			return nil, err
		}
	}
	return answer, nil
}

func (s *store) sizeOf(folder string, files []string, but map[string]bool) int64 {
	var sum int64
	for _, name := range files {
		if info, err := os.Stat(filepath.Join(folder, name)); err == nil && !but[name] {
			sum += info.Size()
		}
	}
	return sum
}
