// Package unpack takes a plugin's files, and nothing else, out of the layers of an image. What a
// plugin image has no use for is refused, not skipped: an image that tries is not one to load.
package unpack

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"oarlock.dev/fetch/internal/protocol"
)

const (
	maxZstdWindow = 32 << 20
	maxNameBytes  = 128
	setuidBits    = 0o7000
)

var (
	// What is unpacked.
	allowed = regexp.MustCompile(`^(plugin\.json|lib[A-Za-z0-9_.+-]*\.so|` +
		`crds/[A-Za-z0-9_-][A-Za-z0-9_.-]*\.json|LICENSE|NOTICE)$`)
	// What may be there for people, and is left out: no YAML of a registry is ever parsed.
	readable    = regexp.MustCompile(`^(plugin\.yaml|crds/[A-Za-z0-9_-][A-Za-z0-9_.-]*\.yaml)$`)
	directories = regexp.MustCompile(`^(\.|crds)$`)
)

// Unpacker writes the layers of one image into one folder.
type Unpacker struct {
	root    *os.Root
	limits  protocol.Limits
	seen    map[string]bool
	entries int64
	bytes   int64
	files   []protocol.File
	skipped []string
}

// New unpacks into an existing, empty folder.
func New(folder string, limits protocol.Limits) (*Unpacker, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	return &Unpacker{root: root, limits: limits, seen: map[string]bool{}}, nil
}

// Close ends the use of the folder.
func (u *Unpacker) Close() error { return u.root.Close() }

// Result lists what was unpacked, sorted, and what was left out.
func (u *Unpacker) Result() ([]protocol.File, []string) {
	slices.SortFunc(u.files, func(a, b protocol.File) int {
		return strings.Compare(a.Path,
			b.Path)
	})
	slices.Sort(u.skipped)
	return u.files, u.skipped
}

// Layer unpacks one archive: tar, plain or compressed with gzip or zstd.
func (u *Unpacker) Layer(in io.Reader) error {
	plain, closer, err := decompress(in)
	if err != nil {
		return unsafe("", "expected tar, gzip or zstd: %v", err)
	}
	defer closer()
	counted := &countedReader{in: plain, left: &u.limits.UnpackedBytes}
	archive := tar.NewReader(counted)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			// What stands behind the archive's end counts too, and must decompress.
			if _, err = io.Copy(io.Discard, counted); err != nil {
				return u.readError("", err)
			}
			return nil
		}
		if err != nil {
			return u.readError("", err)
		}
		if err := u.entry(header, archive); err != nil {
			return err
		}
	}
}

// decompress looks at the first bytes: media types say what somebody meant to write.
func decompress(in io.Reader) (io.Reader, func(), error) {
	buffered := bufio.NewReader(in)
	magic, err := buffered.Peek(4)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case magic[0] == 0x1f && magic[1] == 0x8b:
		reader, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, nil, err
		}
		return reader, func() { _ = reader.Close() }, nil
	case string(magic) == "\x28\xb5\x2f\xfd":
		reader, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, nil, err
		}
		return reader, reader.Close, nil
	}
	return buffered, func() {}, nil
}

var errUnpackedTooLarge = errors.New("unpacked bytes above the limit")

// countedReader bounds what all layers together decompress to, headers and padding included.
type countedReader struct {
	in   io.Reader
	left *int64
}

func (r *countedReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	*r.left -= int64(n)
	if *r.left < 0 {
		return 0, errUnpackedTooLarge
	}
	return n, err
}

func unsafe(name, format string, arguments ...any) error {
	if name != "" {
		format = "%q in the image: " + format
		arguments = append([]any{name}, arguments...)
	}
	return protocol.Errorf(protocol.UnsafeArchive, format, arguments...)
}

func (u *Unpacker) readError(name string, err error) error {
	if errors.Is(err, errUnpackedTooLarge) {
		return protocol.Errorf(protocol.ImageTooLarge,
			"expected an image whose layers unpack to the limit at most (limits.unpackedBytes), "+
				"found "+
				"more")
	}
	return unsafe(name, "expected a whole tar archive: %v", err)
}

func (u *Unpacker) entry(header *tar.Header, content io.Reader) error {
	if u.entries++; u.entries > u.limits.Entries {
		return protocol.Errorf(protocol.ImageTooLarge,
			"expected at most %d entries in the image's archives, found more", u.limits.Entries)
	}
	name, err := cleanName(header.Name)
	if err != nil {
		return err
	}
	if err := checkKind(name, header); err != nil {
		return err
	}
	if header.Typeflag == tar.TypeDir {
		if !directories.MatchString(name) {
			return unsafe(name, "expected only the folder crds, found another; build the image "+
				"with: oarlock plugin build")
		}
		return nil
	}
	if u.seen[name] {
		return unsafe(name, "expected each file once, found it twice")
	}
	u.seen[name] = true
	if header.Size > u.limits.FileBytes {
		return protocol.Errorf(protocol.ImageTooLarge,
			"%q in the image: expected at most %d bytes, found %d", name, u.limits.FileBytes,
			header.Size)
	}
	switch {
	case readable.MatchString(name):
		u.skipped = append(u.skipped, name)
		return nil
	case allowed.MatchString(name):
		return u.write(name, header, content)
	}
	return unsafe(name, "expected only plugin.json, lib*.so, crds/*.json, LICENSE and NOTICE; "+
		"build "+
		"the image with: oarlock plugin build")
}

// cleanName of an entry, or why it is refused.
func cleanName(name string) (string, error) {
	if len(name) > maxNameBytes {
		return "", unsafe("", "expected names of at most %d bytes, found one of %d", maxNameBytes,
			len(name))
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' || c == '\\' {
			return "", unsafe(name, "expected a name of printable ASCII without \\ and spaces")
		}
	}
	if path.IsAbs(name) || slices.Contains(strings.Split(name, "/"), "..") || name == "" {
		return "", unsafe(name, "expected a relative name without '..'")
	}
	clean := path.Clean(name)
	if strings.HasPrefix(path.Base(clean), ".wh.") {
		return "", unsafe(name, "expected no whiteout: a plugin's files are in one place once")
	}
	return clean, nil
}

func checkKind(name string, header *tar.Header) error {
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeDir:
	case tar.TypeSymlink, tar.TypeLink:
		return unsafe(name, "expected files and folders, found a link to %q", header.Linkname)
	default:
		return unsafe(name, "expected files and folders, found type %q", string(header.Typeflag))
	}
	if header.Mode&setuidBits != 0 {
		return unsafe(name, "expected no setuid, setgid or sticky bit, found mode %o", header.Mode)
	}
	for key := range header.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") || strings.HasPrefix(key, "SCHILY.xattr.") {
			return unsafe(name, "expected plain files, found the extended header %s", key)
		}
	}
	return nil
}

func (u *Unpacker) write(name string, header *tar.Header, content io.Reader) error {
	if dir := filepath.Dir(name); dir != "." {
		if err := u.root.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	file, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	defer file.Close()
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(file, hash), content)
	var outside *os.PathError // of our file, not of the archive
	switch {
	case errors.As(err, &outside):
		return fmt.Errorf("writing %s: %w", name, err)
	case err != nil:
		return u.readError(name, err)
	case size != header.Size:
		return unsafe(name, "expected %d bytes, found %d", header.Size, size)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	u.files = append(u.files, protocol.File{Path: name, Size: size,
		SHA256: hex.EncodeToString(hash.Sum(nil))})
	return nil
}
