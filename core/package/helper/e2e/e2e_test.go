// Package e2e proves the helper against what others run: the registry that Debian packages, and
// cosign's own command line.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const deadline = 2 * time.Minute // of one program; all take a second

// program finds one that the build made, or skips the test.
func program(t *testing.T, variable, path string) string {
	t.Helper()
	if given := os.Getenv(variable); given != "" {
		return given
	}
	found, err := filepath.Abs(filepath.Join("../../../..", path))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(found); err != nil {
		t.Skipf("no %s: tools/build.sh fetch cosign builds it, or set %s", path, variable)
	}
	return found
}

// outcome of a program.
type outcome struct {
	code   int
	out    string
	errors string
}

func run(t *testing.T, folder, stdin, name string, arguments ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, arguments...)
	var out, errors bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = folder, strings.NewReader(stdin), &out, &errors
	// cosign reads its password and writes its caches nowhere else.
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=pw", "HOME="+folder)
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatalf("%s: %v", name, err)
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errors.String()}
}

// stand is a registry, a folder with keys and an image, and the two programs.
type stand struct {
	t        *testing.T
	folder   string
	registry string
	storage  string
	fetch    string
	cosign   string
}

var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:[0-9]+)`)

func newStand(t *testing.T) *stand {
	t.Helper()
	s := &stand{t: t, folder: t.TempDir(), fetch: program(t, "OARLOCK_FETCH",
		"build/bin/oarlock-fetch")}
	s.storage = filepath.Join(s.folder, "storage")
	s.startRegistry()
	s.write("pw", "pw\n")
	s.write("sample/plugin.json", `{"kind":"PluginManifest","metadata":{"name":"sample"},`+
		`"spec":{"version":"1.0.0","library":"libsample.so"}}`)
	s.write("sample/libsample.so", library)
	s.write("sample/crds/a.yaml", "kind: CustomResourceDefinition\n")
	s.ok(s.fetch, "build", "sample", "-o", "sample.tar")
	s.ok(s.fetch, "keygen", "ours", "--password-file", "pw")
	return s
}

// withCosign is newStand with cosign and a key of its making.
func withCosign(t *testing.T) *stand {
	t.Helper()
	cosign := program(t, "COSIGN", "build/tools/cosign")
	s := newStand(t)
	s.cosign = cosign
	s.ok(s.cosign, "generate-key-pair", "--output-key-prefix", "theirs")
	return s
}

// The smallest ELF header of a shared library for amd64.
const library = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x03\x00\x3e\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x40\x00\x38\x00\x00\x00\x40\x00\x00\x00\x00\x00"

func (s *stand) write(name, text string) {
	s.t.Helper()
	file := filepath.Join(s.folder, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stand) read(name string) string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.folder, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

// startRegistry runs docker-registry on a port of its choice, which it tells in its log.
func (s *stand) startRegistry() {
	s.t.Helper()
	name, err := exec.LookPath("docker-registry")
	if err != nil {
		s.t.Skip("no docker-registry in PATH: tools/deps.sh installs it")
	}
	s.write("registry.yml", fmt.Sprintf("version: 0.1\nlog: {level: info}\n"+
		"storage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: '127.0.0.1:0'}\n", s.storage))
	cmd := exec.Command(name, "serve", filepath.Join(s.folder, "registry.yml"))
	log, err := cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	address := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if found := listening.FindStringSubmatch(lines.Text()); found != nil {
				address <- found[1]
				break
			}
		}
		_, _ = io.Copy(io.Discard, log)
	}()
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait()
	})
	select {
	case s.registry = <-address:
	case <-ended:
		s.t.Fatal("docker-registry ended before it listened")
	case <-time.After(deadline):
		s.t.Fatal("docker-registry does not listen")
	}
}

// ok runs a program that must succeed and returns what it printed.
func (s *stand) ok(name string, arguments ...string) string {
	s.t.Helper()
	result := run(s.t, s.folder, "", name, arguments...)
	if result.code != 0 {
		s.t.Fatalf("%s %s: exit code %d\n%s%s", filepath.Base(name), strings.Join(arguments, " "),
			result.code, result.out, result.errors)
	}
	return strings.TrimSpace(result.out)
}

// push stores the image and returns its name by digest.
func (s *stand) push(target string) string {
	s.t.Helper()
	return s.ok(s.fetch, "push", "sample.tar", s.registry+"/"+target, "--plain-http")
}

func (s *stand) cosignSign(image string, more ...string) {
	s.t.Helper()
	s.ok(s.cosign, append([]string{"sign", "--yes", "--key", "theirs.key", "--tlog-upload=false",
		"--use-signing-config=false", "--allow-http-registry", image}, more...)...)
}

// answer is what of the helper's answer the tests look at.
type answer struct {
	Error *struct{ Reason, Message string }

	Digest       string
	Verification *struct{ Signer, FoundAt string }
}

// pull as the daemon does, with one key.
func (s *stand) pull(image, keyFile string) answer {
	s.t.Helper()
	output := filepath.Join(s.t.TempDir(), "out")
	request, err := json.Marshal(map[string]any{
		"version": 1, "image": image, "outputDir": output, "architecture": "amd64",
		"registry": map[string]any{"insecure": []string{s.registry}},
		"policy": map[string]any{"rules": []any{map[string]any{"name": "signed",
			"match": s.registry + "/**", "mode": "key", "keys": []string{s.read(keyFile)}}}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	result := run(s.t, s.folder, string(request), s.fetch, "pull")
	var out answer
	if err := json.Unmarshal([]byte(result.out), &out); err != nil {
		s.t.Fatalf("%v: %s%s", err, result.out, result.errors)
	}
	_, missing := os.Stat(filepath.Join(output, "libsample.so"))
	if (out.Error == nil) != (missing == nil) || (out.Error == nil) != (result.code == 0) {
		s.t.Fatalf("exit code %d, library: %v, answer %s", result.code, missing, result.out)
	}
	return out
}

func (s *stand) pullOK(image, keyFile, foundAt string) {
	s.t.Helper()
	got := s.pull(image, keyFile)
	if got.Error != nil || got.Verification.FoundAt != foundAt {
		s.t.Fatalf("expected a signature at %s, found %+v, %+v", foundAt, got.Verification,
			got.Error)
	}
}

func (s *stand) pullFails(image, keyFile, reason, says string) {
	s.t.Helper()
	got := s.pull(image, keyFile)
	if got.Error == nil || got.Error.Reason != reason || !strings.Contains(got.Error.Message,
		says) {
		s.t.Fatalf("expected %s with %q, found %+v", reason, says, got.Error)
	}
}

func TestCosignSignsWeVerify(t *testing.T) {
	s := withCosign(t)
	image := s.push("team/bundle:v1")
	s.pullFails(image, "theirs.pub", "SignatureMissing", "sign that digest")
	s.cosignSign(image)
	s.pullOK(image, "theirs.pub", "fallback-tag")
	s.pullOK(s.registry+"/team/bundle:v1", "theirs.pub", "fallback-tag")
	s.pullFails(image, "ours.pub", "SignatureInvalid", "1 that do not count")

	old := s.push("team/old:v1")
	s.cosignSign(old, "--new-bundle-format=false")
	s.pullOK(old, "theirs.pub", "sig-tag")
	s.pullFails(old, "ours.pub", "SignatureInvalid", "1 that do not count")

	// The same bytes under another name, with the old signature beside them.
	s.push("stranger/old:v1")
	s.copyTags("team/old", "stranger/old")
	s.pullFails(s.registry+"/stranger/old:v1", "theirs.pub", "SignatureInvalid",
		"it is for repository "+s.registry+"/team/old")

	// A tag that moves to an image that nobody signed.
	s.write("sample/LICENSE", "other terms")
	s.ok(s.fetch, "build", "sample", "-o", "sample.tar")
	s.push("team/bundle:v1")
	s.pullFails(s.registry+"/team/bundle:v1", "theirs.pub", "SignatureMissing", "sign that digest")
	s.pullOK(image, "theirs.pub", "fallback-tag")
}

// copyTags copies the signatures of one repository to another, as the storage has them.
func (s *stand) copyTags(from, to string) {
	s.t.Helper()
	base := filepath.Join(s.storage, "docker/registry/v2/repositories")
	for _, part := range []string{"_manifests", "_layers"} {
		source := os.DirFS(filepath.Join(base, from, part))
		target := filepath.Join(base, to, part)
		if err := os.RemoveAll(target); err != nil {
			s.t.Fatal(err)
		}
		if err := os.CopyFS(target, source); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestWeSignCosignVerifies(t *testing.T) {
	s := withCosign(t)
	image := s.push("team/ours:v1")
	s.ok(s.fetch, "sign", image, "--key", "ours.key", "--password-file", "pw", "--plain-http",
		"--sig-tag")
	for _, format := range []string{"--new-bundle-format=true", "--new-bundle-format=false"} {
		verify := []string{"verify", "--insecure-ignore-tlog", "--allow-http-registry", format,
			image}
		s.ok(s.cosign, append(verify, "--key", "ours.pub")...)
		if result := run(t, s.folder, "", s.cosign, append(verify, "--key",
			"theirs.pub")...); result.code == 0 {
			t.Fatalf("%s: expected that cosign refuses another key", format)
		}
	}
	// One image, two signers: cosign's key, used by us.
	s.ok(s.fetch, "sign", image, "--key", "theirs.key", "--password-file", "pw", "--plain-http")
	s.pullOK(image, "theirs.pub", "fallback-tag")
	s.pullOK(image, "ours.pub", "fallback-tag")
}

// The way of a plugin's author: `oarlock plugin ...`, and the plugin that the build made.
func TestTheOarlockCommands(t *testing.T) {
	oarlock := program(t, "OARLOCK", "build/bin/oarlock")
	plugin := program(t, "OARLOCK_PLUGIN", "build/plugins/myapp")
	s := newStand(t)
	image := s.registry + "/team/myapp:v1"
	digest := s.ok(oarlock, "plugin", "build", plugin, "-o", "myapp.tar")
	if pushed := s.ok(oarlock, "plugin", "push", "myapp.tar", image, "--plain-http"); pushed !=
		s.registry+"/team/myapp@"+digest {
		t.Fatalf("built %s, pushed %s", digest, pushed)
	}
	s.ok(oarlock, "plugin", "keygen", "team", "--password-file", "pw")
	inspect := []string{"plugin", "inspect", image, "--plain-http", "--key", "team.pub"}
	if unsigned := run(t, s.folder, "", oarlock, inspect...); unsigned.code == 0 ||
		!strings.Contains(unsigned.errors, "SignatureMissing") {
		t.Fatalf("expected a missing signature, found %+v", unsigned)
	}
	s.ok(oarlock, "plugin", "sign", image, "--plain-http", "--key", "team.key",
		"--password-file", "pw")
	for _, report := range []string{s.ok(oarlock, inspect...),
		s.ok(oarlock, "plugin", "inspect", "myapp.tar")} {
		for _, says := range []string{digest, "file        crds/example.com_myapps.json",
			"name        myapp", "would load  yes"} {
			if !strings.Contains(report, says) {
				t.Fatalf("expected %q in\n%s", says, report)
			}
		}
	}
}

// What lies in a registry's storage is not what was pushed.
func TestDamagedStorage(t *testing.T) {
	s := newStand(t)
	image := s.push("team/sample:v1")
	s.ok(s.fetch, "sign", image, "--key", "ours.key", "--password-file", "pw", "--plain-http")
	s.pullOK(image, "ours.pub", "fallback-tag")
	blobs, err := filepath.Glob(filepath.Join(s.storage,
		"docker/registry/v2/blobs/sha256/*/*/data"))
	if err != nil || len(blobs) == 0 {
		t.Fatalf("found %v, %v", blobs, err)
	}
	damaged := 0
	for _, blob := range blobs {
		data, err := os.ReadFile(blob)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(data, []byte("\x1f\x8b")) { // the layer, in gzip
			continue
		}
		damaged++
		if err := os.WriteFile(blob, data[:len(data)-1], 0o600); err != nil {
			t.Fatal(err)
		}
		s.pullFails(image, "ours.pub", "DigestMismatch", "expected")
		data[len(data)/2] ^= 1
		if err := os.WriteFile(blob, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s.pullFails(image, "ours.pub", "DigestMismatch", "expected")
	}
	if damaged != 1 {
		t.Fatalf("expected one layer, found %d", damaged)
	}
}
