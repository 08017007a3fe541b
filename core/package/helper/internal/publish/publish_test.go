package publish

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"oarlock.dev/fetch/internal/protocol"
	"oarlock.dev/fetch/internal/registry"
	"oarlock.dev/fetch/internal/testimage"
)

// library is the smallest file that is a shared library for some machine.
func library(t *testing.T, machine elf.Machine, interpreter bool) []byte {
	t.Helper()
	header := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(machine), Version: 1,
		Ehsize: 64, Phentsize: 56, Shentsize: 64}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	header.Ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = 1
	var out bytes.Buffer
	if interpreter {
		header.Phoff, header.Phnum = 64, 1
	}
	write := func(what any) {
		if err := binary.Write(&out, binary.LittleEndian, what); err != nil {
			t.Fatal(err)
		}
	}
	write(header)
	if interpreter {
		write(elf.Prog64{Type: uint32(elf.PT_INTERP)})
	}
	return out.Bytes()
}

const pluginYAML = `kind: PluginManifest
metadata: {name: sample}
spec: {version: 1.2.3, library: libsample.so}
`

// folder is a plugin as its build leaves it, with some files changed; nil removes one.
func folder(t *testing.T, changes map[string][]byte) string {
	t.Helper()
	files := map[string][]byte{
		"plugin.yaml":        []byte(pluginYAML),
		"libsample.so":       library(t, elf.EM_X86_64, false),
		"crds/a.yaml":        []byte("kind: CustomResourceDefinition\n"),
		"samples/a.yaml":     []byte("kind: Sample\n"),
		"arm64/libsample.so": library(t, elf.EM_AARCH64, false),
		"LICENSE":            []byte("terms"),
	}
	for name, data := range changes {
		files[name] = data
	}
	root := t.TempDir()
	for name, data := range files {
		if data == nil {
			continue
		}
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestTheSameFolderGivesTheSameBytes(t *testing.T) {
	out := t.TempDir()
	var files [2][]byte
	for i := range files {
		file := filepath.Join(out, "image.tar")
		if _, err := Build(folder(t, nil), file); err != nil {
			t.Fatal(err)
		}
		var err error
		if files[i], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Fatal("expected the same bytes twice")
	}
	left, err := os.ReadDir(out)
	if err != nil || len(left) != 1 {
		t.Fatalf("expected nothing but the image, found %v, %v", left, err)
	}
}

func TestFoldersThatAreNoPlugin(t *testing.T) {
	for says, changes := range map[string]map[string][]byte{
		"plugin.yaml or .json":   {"plugin.yaml": nil},
		"expected a PluginManif": {"plugin.yaml": []byte("kind: Other\n")},
		"one YAML document":      {"crds/a.yaml": []byte("a: 1\na: 2\n")},
		"says something else":    {"plugin.json": []byte(`{"kind":"PluginManifest"}`)},
		"names the library": {"libsample.so": nil, "libother.so": library(t, elf.EM_X86_64,
			false)},
		"found a program":    {"libsample.so": library(t, elf.EM_X86_64, true)},
		"a shared library":   {"libsample.so": []byte("#!/bin/sh\n")},
		"found two":          {"again/libsample.so": library(t, elf.EM_X86_64, false)},
		"found none":         {"libsample.so": nil, "arm64/libsample.so": nil},
		"expected a machine": {"libsample.so": library(t, elf.EM_SPARCV9, false)},
	} {
		file := filepath.Join(t.TempDir(), "image.tar")
		if _, err := Build(folder(t, changes), file); err == nil ||
			!strings.Contains(err.Error(), says) {
			t.Errorf("expected %q, found %v", says, err)
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s: expected no file", says)
		}
	}
}

func connect(t *testing.T, r *testimage.Registry) *registry.Client {
	t.Helper()
	c, err := registry.New(t.Context(), protocol.Registry{Insecure: []string{r.Host}},
		protocol.Limits{}.WithDefaults(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhatIsPushedHasTheDigestOfTheFile(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	for tag, changes := range map[string]map[string][]byte{
		"index": nil,
		"one":   {"arm64/libsample.so": nil},
	} {
		file := filepath.Join(t.TempDir(), "image.tar")
		built, err := Build(folder(t, changes), file)
		if err != nil {
			t.Fatal(err)
		}
		reference, err := name.ParseReference(r.Host+"/team/sample:"+tag, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		pushed, err := Push(connect(t, r), file, reference)
		if err != nil {
			t.Fatal(err)
		}
		found, err := connect(t, r).Get(reference)
		if err != nil {
			t.Fatal(err)
		}
		if pushed.DigestStr() != built.String() || found.Digest != built.String() {
			t.Fatalf("%s: built %s, pushed %s, found %s", tag, built, pushed, found.Digest)
		}
	}
}

func TestFilesThatAreNoLayout(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	reference, err := name.ParseReference(r.Host+"/sample:v1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	for says, data := range map[string][]byte{
		"OCI layout": []byte(strings.Repeat("x", 2000)),
		"../evil":    testimage.Archive(t, testimage.Entry{Name: "../evil", Body: "x"}),
		"blobs/sha256/no": testimage.Archive(t, testimage.Entry{Name: "blobs/sha256/no",
			Body: "x"}),
	} {
		file := filepath.Join(t.TempDir(), "image.tar")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Push(connect(t, r), file, reference); err == nil ||
			!strings.Contains(err.Error(), says) {
			t.Errorf("expected %q, found %v", says, err)
		}
	}
}

func password(text string) Password {
	return func() ([]byte, error) { return []byte(text), nil }
}

func TestKeysAreEncrypted(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "team")
	if err := GenerateKey(prefix, []byte("right")); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(prefix+".key", password("right")); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(prefix+".key", password("wrong")); err == nil ||
		!strings.Contains(err.Error(), "password") {
		t.Fatalf("expected that a wrong password opens nothing, found %v", err)
	}
	if _, err := LoadKey(prefix+".pub", password("right")); err == nil {
		t.Fatal("expected that a public key signs nothing")
	}
	if err := GenerateKey(prefix, []byte("other")); err == nil {
		t.Fatal("expected that a key is never replaced")
	}
	info, err := os.Stat(prefix + ".key")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("found %v, %v", info.Mode(), err)
	}
}
