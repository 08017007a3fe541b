package providers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"oarlock.dev/fetch/internal/protocol"
)

const version = "credentialprovider.kubelet.k8s.io/v1"

// provider of a folder: a shell script, which gets its own folder as first argument.
type stand struct {
	t       *testing.T
	folder  string
	request protocol.CredentialsRequest
}

func newStand(t *testing.T, script string) *stand {
	t.Helper()
	s := &stand{t: t, folder: t.TempDir()}
	if err := os.WriteFile(filepath.Join(s.folder, "vault"), []byte("#!/bin/sh\n"+script),
		0o755); err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(map[string]any{"apiVersion": "kubelet.config.k8s.io/v1",
		"kind": "CredentialProviderConfig", "providers": []any{map[string]any{"name": "vault",
			"matchImages": []string{"*.example.com/team"}, "defaultCacheDuration": "1h",
			"apiVersion": version, "args": []string{s.folder},
			"env": []any{map[string]string{"name": "WHO", "value": "robot"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	s.request = protocol.CredentialsRequest{Version: protocol.Version, Config: config,
		Image: "r.example.com/team/myapp:v1", BinDir: s.folder}
	return s
}

func (s *stand) ask(now time.Time) *protocol.CredentialsAnswer {
	s.t.Helper()
	answer := Ask(s.t.Context(), &s.request, now)
	s.request.Cache = answer.Cache
	return answer
}

// asked is how often the program ran.
func (s *stand) asked() int {
	data, err := os.ReadFile(filepath.Join(s.folder, "asked"))
	if err != nil {
		return 0
	}
	return strings.Count(string(data), "\n")
}

func answering(keyType, more string) string {
	return `echo >>"$1/asked"
cat >"$1/question"
printf '{"apiVersion":"` + version + `","kind":"CredentialProviderResponse",` +
		`"cacheKeyType":"` + keyType + `"` + more + `,"auth":{"*.example.com":` +
		`{"username":"%s","password":"pw"}}}' "$WHO"
`
}

func TestAProviderIsAskedOnceInItsTime(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		keyType, more string
		// Asked again for the same image, another of the registry, another registry, after an hour.
		same, other, elsewhere, later int
	}{
		{"Image", "", 1, 2, 3, 4},
		{"Registry", "", 1, 1, 2, 3},
		{"Global", "", 1, 1, 1, 2},
		{"Registry", `,"cacheDuration":"3h"`, 1, 1, 2, 2},
		{"Global", `,"cacheDuration":"0s"`, 2, 3, 4, 5},
	} {
		s := newStand(t, answering(c.keyType, c.more))
		first := s.ask(now)
		if got := first.DockerConfig.Auths["*.example.com"]; got.Username != "robot" ||
			got.Password != "pw" || first.Error != nil || len(first.Problems) != 0 {
			t.Fatalf("found %+v", first)
		}
		var question map[string]string
		data, err := os.ReadFile(filepath.Join(s.folder, "question"))
		if err != nil || json.Unmarshal(data, &question) != nil ||
			question["image"] != "r.example.com/team/myapp" ||
			question["kind"] != "CredentialProviderRequest" || question["apiVersion"] != version {
			t.Fatalf("found %s, %v", data, err)
		}
		steps := []struct {
			image string
			now   time.Time
			asked int
		}{
			{"r.example.com/team/myapp:v2", now, c.same},
			{"r.example.com/team/other:v1", now, c.other},
			{"q.example.com/team/other:v1", now, c.elsewhere},
			{"r.example.com/team/myapp:v1", now.Add(2 * time.Hour), c.later},
		}
		for i, step := range steps {
			s.request.Image = step.image
			if got := s.ask(step.now); len(got.DockerConfig.Auths) != 1 || s.asked() != step.asked {
				t.Errorf("%s%s, step %d: expected to be asked %d times, found %d", c.keyType,
					c.more, i, step.asked, s.asked())
			}
		}
	}
}

func TestWhichImages(t *testing.T) {
	for _, c := range []struct {
		pattern, repository string
		want                bool
	}{
		{"r.example.com", "r.example.com/a/b", true},
		{"r.example.com", "r.example.com:5000/a", false},
		{"r.example.com:5000", "r.example.com:5000/a", true},
		{"*.example.com", "r.example.com/a", true},
		{"*.example.com", "a.r.example.com/a", false},
		{"*.*.example.com", "a.r.example.com/a", true},
		{"r.example.com/team", "r.example.com/team/a", true},
		{"r.example.com/team", "r.example.com/other/a", false},
		{"123456789.dkr.*.amazonaws.com", "123456789.dkr.eu-west-1.amazonaws.com/a", true},
	} {
		if got := matches(c.pattern, c.repository); got != c.want {
			t.Errorf("%s, %s: expected %v, found %v", c.pattern, c.repository, c.want, got)
		}
	}
	s := newStand(t, "exit 1")
	s.request.Image = "r.example.com/other/myapp:v1"
	if got := s.ask(time.Now()); len(got.Problems) != 0 || got.Error != nil {
		t.Fatalf("found %+v", got)
	}
	// The mirror's, not that of the name that was asked for.
	s.request.Registry.Mirrors = []protocol.Mirror{{Prefix: "r.example.com/other",
		Location: "m.example.com/team"}}
	if got := s.ask(time.Now()); len(got.Problems) != 1 {
		t.Fatalf("found %+v", got)
	}
}

func TestAProviderThatFailsSaysWhy(t *testing.T) {
	for _, c := range []struct{ script, says string }{
		{"echo no vault >&2; echo secret; exit 3", "exit status 3: no vault"},
		{"echo secret", "expected a CredentialProviderResponse"},
		{"head -c 2000000 /dev/zero", "at most 1048576 bytes"},
		{answering("Never", ""), "found \"Never\""},
		{strings.ReplaceAll(answering("Image", ""), "kubelet.k8s.io/v1", "x/v9"),
			"expected a CredentialProviderResponse of " + version},
		// What it has started ends with it.
		{"sleep 600 & sleep 600", "in time"},
	} {
		s := newStand(t, c.script)
		if strings.HasPrefix(c.script, "sleep") {
			s.request.TimeoutMillis = 300
		}
		got := s.ask(time.Now())
		if len(got.Problems) != 1 || !strings.Contains(got.Problems[0], c.says) ||
			!strings.HasPrefix(got.Problems[0], "credential provider vault: ") ||
			strings.Contains(got.Problems[0], "secret") || len(got.DockerConfig.Auths) != 0 {
			t.Errorf("%q: expected %q, found %q", c.script, c.says, got.Problems)
		}
	}
}

func TestABadConfigurationIsRefused(t *testing.T) {
	good := `{"apiVersion":"kubelet.config.k8s.io/v1","kind":"CredentialProviderConfig",` +
		`"providers":[{"name":"vault","matchImages":["r.example.com"],` +
		`"defaultCacheDuration":"1h","apiVersion":"credentialprovider.kubelet.k8s.io/v1"}]}`
	if _, err := parseConfig([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, says string }{
		{`"kind":"CredentialProviderConfig"`, `"kind":"Other"`, "expected kind"},
		{"kubelet.config.k8s.io/v1", "kubelet.config.k8s.io/v9", "apiVersion"},
		{`"name":"vault"`, `"name":"../vault"`, "name of a program"},
		{`["r.example.com"]`, "[]", "matchImages"},
		{`["r.example.com"]`, `["https://r.example.com"]`, "scheme"},
		{`"1h"`, `"soon"`, "such as 12h"},
		{`"defaultCacheDuration":"1h",`, "", "defaultCacheDuration"},
		{`"name":"vault"`, `"name":"vault","tokenAttributes":{}`, "tokenAttributes"},
		{"credentialprovider.kubelet.k8s.io/v1", "x/v1", "apiVersion"},
	} {
		_, err := parseConfig([]byte(strings.Replace(good, c.from, c.to, 1)))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: expected %q, found %v", c.to, c.says, err)
		}
	}
}
