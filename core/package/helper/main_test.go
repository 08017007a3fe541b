package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"oarlock.dev/fetch/internal/protocol"
)

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
			func(*protocol.Request) error { return nil }); code != exitFailed {
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
