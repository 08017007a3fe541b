package unpack

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"oarlock.dev/fetch/internal/protocol"
	"oarlock.dev/fetch/internal/testimage"
)

type entry = testimage.Entry

func unpackAll(t *testing.T, limits protocol.Limits, layers ...[]byte) (*Unpacker, string, error) {
	t.Helper()
	folder := t.TempDir()
	u, err := New(folder, limits.WithDefaults())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	for _, layer := range layers {
		if err := u.Layer(bytes.NewReader(layer)); err != nil {
			return u, folder, err
		}
	}
	return u, folder, nil
}

func TestUnpacksEveryCompression(t *testing.T) {
	plain := testimage.Archive(t, testimage.Plugin()...)
	for name, layer := range map[string][]byte{
		"tar": plain, "gzip": testimage.Gzip(t, plain), "zstd": testimage.Zstd(t, plain)} {
		t.Run(name, func(t *testing.T) {
			u, folder, err := unpackAll(t, protocol.Limits{}, layer)
			if err != nil {
				t.Fatal(err)
			}
			files, _ := u.Result()
			var names []string
			for _, file := range files {
				names = append(names, file.Path)
			}
			if got := strings.Join(names, " "); got !=
				"LICENSE crds/sample.json libsample.so plugin.json" {
				t.Fatalf("found %s", got)
			}
			info, err := os.Stat(filepath.Join(folder, "libsample.so"))
			if err != nil || info.Mode().Perm()&0o333 != 0 {
				t.Fatalf("expected a file nobody may write or execute, found %v, %v", info.Mode(),
					err)
			}
		})
	}
}

func TestYAMLIsLeftOut(t *testing.T) {
	u, folder, err := unpackAll(t, protocol.Limits{}, testimage.Archive(t,
		entry{Name: "./plugin.yaml", Body: "a: b"}, entry{Name: "crds/a.yaml", Body: "a: b"}))
	if err != nil {
		t.Fatal(err)
	}
	files, skipped := u.Result()
	if len(files) != 0 || strings.Join(skipped, " ") != "crds/a.yaml plugin.yaml" {
		t.Fatalf("found %v, %v", files, skipped)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Fatalf("expected an empty folder, found %v, %v", left, err)
	}
}

func TestRefusesUnsafeArchives(t *testing.T) {
	json := entry{Name: "plugin.json", Body: "{}"}
	cases := map[string]struct {
		entries []entry
		says    string
	}{
		"parent":          {[]entry{{Name: "../plugin.json"}}, "'..'"},
		"parent inside":   {[]entry{{Name: "crds/../../libx.so"}}, "'..'"},
		"parent harmless": {[]entry{{Name: "crds/../plugin.json"}}, "'..'"},
		"absolute":        {[]entry{{Name: "/plugin.json"}}, "relative"},
		"symlink": {[]entry{{Name: "libx.so", Kind: tar.TypeSymlink, Link: "/etc/passwd"}},
			"link"},
		"hard link": {[]entry{json, {Name: "libx.so", Kind: tar.TypeLink,
			Link: "plugin.json"}}, "link"},
		"device":          {[]entry{{Name: "libx.so", Kind: tar.TypeChar}}, "type"},
		"block device":    {[]entry{{Name: "libx.so", Kind: tar.TypeBlock}}, "type"},
		"fifo":            {[]entry{{Name: "libx.so", Kind: tar.TypeFifo}}, "type"},
		"setuid":          {[]entry{{Name: "libx.so", Mode: 0o4755}}, "setuid"},
		"setgid":          {[]entry{{Name: "libx.so", Mode: 0o2755}}, "setuid"},
		"sticky folder":   {[]entry{{Name: "crds/", Kind: tar.TypeDir, Mode: 0o1777}}, "setuid"},
		"twice":           {[]entry{json, json}, "twice"},
		"twice otherwise": {[]entry{json, {Name: "./plugin.json"}}, "twice"},
		"whiteout":        {[]entry{{Name: ".wh.plugin.json"}}, "whiteout"},
		"opaque whiteout": {[]entry{{Name: "crds/.wh..wh..opq"}}, "whiteout"},
		"program":         {[]entry{{Name: "run.sh", Mode: 0o755}}, "expected only"},
		"library deeper":  {[]entry{{Name: "sub/libx.so"}}, "expected only"},
		"other folder":    {[]entry{{Name: "etc/", Kind: tar.TypeDir}}, "folder crds"},
		"backslash":       {[]entry{{Name: `crds\a.json`}}, "printable"},
		"control":         {[]entry{{Name: "lib\n.so"}}, "printable"},
		"not ASCII":       {[]entry{{Name: "libé.so"}}, "printable"},
		"long name":       {[]entry{{Name: "lib" + strings.Repeat("x", 200) + ".so"}}, "at most"},
		"attributes": {[]entry{{Name: "libx.so",
			PAX: map[string]string{"SCHILY.xattr.security.capability": "x"}}}, "extended header"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, folder, err := unpackAll(t, protocol.Limits{}, testimage.Archive(t, c.entries...))
			expectReason(t, err, protocol.UnsafeArchive, c.says)
			if _, err := os.Lstat(filepath.Join(folder, "..", "plugin.json")); err == nil {
				t.Fatal("a file was written outside the folder")
			}
		})
	}
}

func TestRefusesTheSameFileInTwoLayers(t *testing.T) {
	layer := testimage.Archive(t, entry{Name: "plugin.json", Body: "{}"})
	_, _, err := unpackAll(t, protocol.Limits{}, layer, layer)
	expectReason(t, err, protocol.UnsafeArchive, "twice")
}

func TestRefusesBrokenArchives(t *testing.T) {
	whole := testimage.Archive(t, testimage.Plugin()...)
	gzipped := testimage.Gzip(t, whole)
	flipped := bytes.Clone(gzipped)
	flipped[len(flipped)-5] ^= 1 // in the checksum: only the end of the stream shows it
	for name, layer := range map[string][]byte{
		"empty":             {},
		"no archive":        []byte(strings.Repeat("no archive ", 100)),
		"cut tar":           whole[:520],
		"cut gzip":          gzipped[:len(gzipped)-10],
		"wrong checksum":    flipped,
		"gzip with garbage": append(bytes.Clone(gzipped), "garbage"...),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := unpackAll(t, protocol.Limits{}, layer)
			expectReason(t, err, protocol.UnsafeArchive, "expected")
		})
	}
}

func TestRefusesBombs(t *testing.T) {
	zeros := strings.Repeat("\x00", 1<<20)
	bomb := testimage.Archive(t, entry{Name: "liba.so", Body: zeros}, entry{Name: "libb.so",
		Body: zeros})
	behind := append(testimage.Archive(t), zeros...)
	many := make([]entry, 20)
	for i := range many {
		many[i] = entry{Name: "crds/", Kind: tar.TypeDir}
	}
	cases := map[string]struct {
		limits protocol.Limits
		layer  []byte
	}{
		"gzip":           {protocol.Limits{UnpackedBytes: 1 << 20}, testimage.Gzip(t, bomb)},
		"zstd":           {protocol.Limits{UnpackedBytes: 1 << 20}, testimage.Zstd(t, bomb)},
		"behind the end": {protocol.Limits{UnpackedBytes: 1 << 16}, testimage.Gzip(t, behind)},
		"one file":       {protocol.Limits{FileBytes: 1 << 19}, testimage.Gzip(t, bomb)},
		"many entries":   {protocol.Limits{Entries: 10}, testimage.Archive(t, many...)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, err := unpackAll(t, c.limits, c.layer)
			expectReason(t, err, protocol.ImageTooLarge, "expected")
		})
	}
}

func expectReason(t *testing.T, err error, reason protocol.Reason, says string) {
	t.Helper()
	var typed *protocol.Error
	if !errors.As(err, &typed) || typed.Reason != reason || !strings.Contains(typed.Message, says) {
		t.Fatalf("expected %s with %q, found %v", reason, says, err)
	}
}
