package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"oarlock.dev/fetch/internal/protocol"
	"oarlock.dev/fetch/internal/testimage"
)

// noWalls: this process has to go on with the other tests.
func noWalls(*protocol.Request) error { return nil }

func TestABadRequestIsAnsweredWithoutItsSecrets(t *testing.T) {
	for _, text := range []string{
		"", "secret",
		`{"version":1,"image":"a/b:c","outputDir":"/nowhere/x",` +
			`"registry":{"dockerConfig":"secret"},` +
			`"policy":{"rules":[{"name":"all","match":"**","mode":"none"}]}}`,
		`{"version":1,"image":"a/b:c","outputDir":"/nowhere/x","registry":{"dockerConfig":` +
			`{"auths":{"h":{"auth":"secret"}}}},` +
			`"policy":{"rules":[{"name":"all","match":"**","mode":"none"}]}}`,
	} {
		var out bytes.Buffer
		if code := runPull(t.Context(), strings.NewReader(text), &out,
			noWalls); code != exitFailed {
			t.Fatalf("expected exit code %d, found %d", exitFailed, code)
		}
		var answer protocol.Answer
		if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		if answer.Version != protocol.Version || answer.Error == nil ||
			answer.Error.Reason != protocol.InvalidRequest {
			t.Fatalf("found %s", &out)
		}
		if strings.Contains(out.String(), "secret") {
			t.Fatalf("the answer repeats the secret: %s", &out)
		}
	}
}

func TestFlagsMayStandAnywhere(t *testing.T) {
	for _, line := range []string{"a b -o f --plain-http", "-o f --plain-http a b",
		"a --plain-http -o f b"} {
		c := newCall("push")
		if err := c.parse(strings.Fields(line)); err != nil {
			t.Fatal(err)
		}
		if strings.Join(c.arguments, " ") != "a b" || c.output != "f" || !c.plainHTTP {
			t.Fatalf("%s: found %+v", line, c)
		}
	}
	for _, name := range []string{"build", "push", "sign", "keygen", "inspect"} {
		if code := runCommand(t.Context(), name, []string{"a", "b", "c"}); code != exitUsage {
			t.Fatalf("%s: expected exit code %d, found %d", name, exitUsage, code)
		}
		if code := runCommand(t.Context(), name, []string{"--help"}); code != exitDone {
			t.Fatalf("%s --help: expected exit code %d, found %d", name, exitDone, code)
		}
		if code := runCommand(t.Context(), name, []string{"--nonsense"}); code != exitUsage {
			t.Fatalf("%s: expected exit code %d, found %d", name, exitUsage, code)
		}
	}
}

// requestFile asks for the image of r into dir/out.
func requestFile(t *testing.T, r *testimage.Registry, dir string) string {
	t.Helper()
	file := filepath.Join(dir, "request.json")
	text := fmt.Sprintf(`{"version":1,"image":"%s/sample:v1","outputDir":"%s/out",`+
		`"architecture":"amd64","registry":{"insecure":["%[1]s"]},`+
		`"policy":{"rules":[{"name":"all","match":"**","mode":"none"}]}}`, r.Host, dir)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestARequestFileReplacesThePluginOfTheStartBefore(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	r.Push(t, "sample:v1", testimage.Image(t, "amd64", testimage.Gzip(t, testimage.Archive(t,
		testimage.Plugin()...))))
	dir := t.TempDir()
	words := []string{"--request", requestFile(t, r, dir)}
	stray := filepath.Join(dir, "out", "stray")
	for range 2 {
		var out bytes.Buffer
		if code := runPullFile(t.Context(), words, &out, noWalls); code != exitDone {
			t.Fatalf("expected exit code %d, found %d: %s", exitDone, code, &out)
		}
		if _, err := os.Stat(filepath.Join(dir, "out", "plugin.json")); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(stray); err == nil {
			t.Fatal("expected a new folder, found a file of the one before")
		}
		if err := os.WriteFile(stray, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARequestFileRemovesNothingThatIsNoPlugin(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	r.Push(t, "sample:v1", testimage.Image(t, "amd64", testimage.Gzip(t, testimage.Archive(t,
		testimage.Plugin()...))))
	dir := t.TempDir()
	kept := filepath.Join(dir, "out", "somebody's")
	if err := os.MkdirAll(kept, 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	words := []string{"--request", requestFile(t, r, dir)}
	if code := runPullFile(t.Context(), words, &out, noWalls); code != exitFailed ||
		!strings.Contains(out.String(), string(protocol.OutputFailed)) {
		t.Fatalf("expected %s, found %d: %s", protocol.OutputFailed, code, &out)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Fatal(err)
	}
}

func TestFilesThatCannotBeReadAreNamed(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	dir := t.TempDir()
	good := requestFile(t, r, dir)
	for flag, words := range map[string][]string{
		"--request":       {"--request", dir + "/none"},
		"--docker-config": {"--request", good, "--docker-config", dir + "/none"},
	} {
		var out bytes.Buffer
		if code := runPullFile(t.Context(), words, &out, noWalls); code != exitFailed ||
			!strings.Contains(out.String(), flag+": open "+dir) ||
			!strings.Contains(out.String(), string(protocol.InvalidRequest)) {
			t.Fatalf("%s: found %d: %s", flag, code, &out)
		}
	}
	for _, words := range [][]string{{"--request"}, {"--docker-config", good}, {good}} {
		if code := runPullFile(t.Context(), words, &bytes.Buffer{}, noWalls); code != exitUsage {
			t.Fatalf("%v: expected exit code %d, found %d", words, exitUsage, code)
		}
	}
}
