package images

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// staticBinary is the smallest thing that counts as one: an ELF heading without an interpreter.
func staticBinary(t *testing.T) string {
	t.Helper()
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	header[16], header[18], header[20] = 2, 62, 1 // executable, x86-64, version 1
	header[52], header[54] = 64, 56               // sizes of this and of a program heading
	header[58] = 64                               // size of a section heading
	path := filepath.Join(t.TempDir(), "app")
	if err := os.WriteFile(path, header, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func build(t *testing.T, path string) v1.Image {
	t.Helper()
	img, err := Build(BuildOptions{
		Binary: path, Env: []string{"A=b"}, Labels: map[string]string{"k": "v"}, User: "65532",
	})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestBuildIsReproducible(t *testing.T) {
	path := staticBinary(t)
	first, err := build(t, path).Digest()
	if err != nil {
		t.Fatal(err)
	}
	second, _ := build(t, path).Digest()
	if first != second {
		t.Errorf("two builds: %s and %s", first, second)
	}
	config, _ := build(t, path).ConfigFile()
	if config.Architecture != "amd64" || config.Config.Entrypoint[0] != "/app" ||
		config.Config.User != "65532" {
		t.Errorf("config: %+v", config)
	}
}

func TestBuildRefusesWhatIsNoStaticBinary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(BuildOptions{Binary: path}); err == nil ||
		!strings.Contains(err.Error(), "expected a Linux executable") {
		t.Errorf("script: %v", err)
	}
}

func TestMirrorTag(t *testing.T) {
	for reference, want := range map[string]string{
		"myapp:latest":                   "10.0.0.1:5000/library/myapp:latest",
		"myapp":                          "10.0.0.1:5000/library/myapp:latest",
		"docker.io/library/myapp:v2":     "10.0.0.1:5000/library/myapp:v2",
		"ghcr.io/team/app:1":             "10.0.0.1:5000/team/app:1",
		"registry.example:5000/a/b/c:t1": "10.0.0.1:5000/a/b/c:t1",
	} {
		got, err := mirrorTag("http://10.0.0.1:5000", reference)
		if err != nil || got.Name() != want {
			t.Errorf("%s: expected %s, got %s, %v", reference, want, got.Name(), err)
		}
	}
	if _, err := mirrorTag("http://10.0.0.1:5000", "My App"); err == nil {
		t.Error("a name with a space must be refused")
	}
}

func TestRegistryKeepsManifestsOverARestart(t *testing.T) {
	dir := t.TempDir()
	img := build(t, staticBinary(t))
	want, _ := img.Digest()
	for round, url := 0, ""; round < 3; round++ {
		handler, err := NewRegistry(dir)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(handler)
		url = server.URL
		if round == 0 {
			if err := Push(url, "myapp:latest", img); err != nil {
				t.Fatal(err)
			}
		}
		host := strings.TrimPrefix(url, "http://")
		ref, _ := name.NewTag(host + "/library/myapp:latest")
		desc, err := remote.Get(ref)
		if err != nil || desc.Digest != want {
			t.Fatalf("round %d: expected %s, got %+v, %v", round, want, desc, err)
		}
		server.Close()
		if round == 1 { // a crash in the middle of a write
			journal := filepath.Join(dir, "manifests.jsonl")
			f, _ := os.OpenFile(journal, os.O_APPEND|os.O_WRONLY, 0)
			f.WriteString(`{"method":"PU`) //nolint:errcheck // a test
			f.Close()
		}
	}
}
