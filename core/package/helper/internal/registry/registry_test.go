package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"oarlock.dev/fetch/internal/protocol"
)

// An identity token is POSTed to the token server. A redirect of 307 would send it on, body and
// all.
func TestATokenIsNotSentOn(t *testing.T) {
	var stolen, asked bool
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		stolen = true
	}))
	defer thief.Close()
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/token" {
			asked = asked || q.Method == http.MethodPost
			http.Redirect(w, q, thief.URL+"/token", http.StatusTemporaryRedirect)
			return
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token"`, server.URL))
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	how := protocol.Registry{
		Insecure: []string{host, strings.TrimPrefix(thief.URL, "http://")},
		DockerConfig: json.RawMessage(fmt.Sprintf(
			`{"auths":{%q:{"identitytoken":"secret"}}}`, host)),
	}
	client, err := New(t.Context(), how, protocol.Limits{}.WithDefaults(), nil)
	if err != nil {
		t.Fatal(err)
	}
	reference, err := Parse(host+"/team/sample:v1", how.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Get(reference)
	if err == nil || !strings.Contains(err.Error(), "not followed") ||
		strings.Contains(err.Error(), "secret") {
		t.Fatalf("found %v", err)
	}
	if !asked || stolen {
		t.Fatalf("expected that the token reaches its own server only: asked %v, stolen %v", asked,
			stolen)
	}
}

func TestWhoseCredentials(t *testing.T) {
	chain, err := newKeychain(json.RawMessage(`{"auths":{
		"https://index.docker.io/v1/": {"username":"hub"},
		"r.example":                   {"username":"all"},
		"r.example/team":              {"username":"team"},
		"*.cloud.example":             {"username":"cloud"},
		"eu.cloud.example":            {"username":"eu"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for repository, want := range map[string]string{
		"library/foo":             "hub",
		"docker.io/team/foo":      "hub",
		"r.example/other/a":       "all",
		"r.example/team/a":        "team",
		"r.example/team":          "team",
		"r.example/teams/a":       "all",
		"us.cloud.example/a":      "cloud",
		"eu.cloud.example/a":      "eu",
		"a.us.cloud.example/a":    "",
		"cloud.example/a":         "",
		"r.example:5000/team/a":   "",
		"r.example.evil.com/team": "",
	} {
		parsed, err := name.NewRepository(repository)
		if err != nil {
			t.Fatal(err)
		}
		auth, err := chain.Resolve(parsed)
		if err != nil {
			t.Fatal(err)
		}
		config, err := auth.Authorization()
		if err != nil || config.Username != want {
			t.Errorf("%s: expected %q, found %q, %v", repository, want, config.Username, err)
		}
	}
}

func TestMirrors(t *testing.T) {
	mirrors := []protocol.Mirror{{Prefix: "docker.io", Location: "m.example/hub"},
		{Prefix: "r.example/team", Location: "m.example/ours"}}
	for image, want := range map[string]string{
		"foo:v1":                "m.example/hub/library/foo:v1",
		"r.example/team:v1":     "m.example/ours:v1",
		"r.example/team/a:v1":   "m.example/ours/a:v1",
		"r.example/teams/a:v1":  "r.example/teams/a:v1",
		"m.example/ours/a:v1":   "m.example/ours/a:v1",
		"x.r.example/team/a:v1": "x.r.example/team/a:v1",
	} {
		names, err := Resolve(image, protocol.Registry{Mirrors: mirrors})
		if err != nil || names.Resolved.Name() != want {
			t.Errorf("%s: expected %s, found %v, %v", image, want, names.Resolved, err)
		}
	}
	digest := "@sha256:" + strings.Repeat("a", 64)
	names, err := Resolve("r.example/team/a"+digest, protocol.Registry{Mirrors: mirrors})
	if err != nil || names.Resolved.Name() != "m.example/ours/a"+digest {
		t.Errorf("found %v, %v", names.Resolved, err)
	}
	for _, broken := range [][]protocol.Mirror{
		append(mirrors, protocol.Mirror{Prefix: "r.example/team/", Location: "n.example/ours"}),
		{{Prefix: "r.example"}}, {{Location: "m.example"}},
		{{Prefix: "r.example", Location: "m.example/UPPER"}},
	} {
		_, err := Resolve("r.example/team/a:v1", protocol.Registry{Mirrors: broken})
		var typed *protocol.Error
		if !errors.As(err, &typed) || typed.Reason != protocol.InvalidRequest {
			t.Errorf("%v: found %v", broken, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]int64{
		"17": 17, "": 0, "-3": 0, "soon": 0,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90,
		now.Add(-time.Hour).Format(http.TimeFormat):       0,
	} {
		if got := retryAfterSeconds(value, now); got != want {
			t.Errorf("%q: expected %d, found %d", value, want, got)
		}
	}
}

func TestTheTypeOfADocument(t *testing.T) {
	const index, image = "application/vnd.oci.image.index.v1+json",
		"application/vnd.oci.image.manifest.v1+json"
	for _, c := range []struct{ data, header, want string }{
		{`{"manifests":[]}`, index, index},
		{`{"manifests":[]}`, "", index},
		{`{"layers":[],"config":{}}`, image, image},
		{`{"layers":[],"config":{}}`, image + "; charset=utf-8", image},
		{`{"mediaType":"` + index + `","manifests":[]}`, "", index},
		{`{"manifests":[]}`, image, ""},
		{`{"layers":[]}`, index, ""},
		{`{"mediaType":"` + image + `","manifests":[]}`, "", ""},
		{`{"mediaType":"` + image + `","layers":[]}`, "text/html", ""},
		{`{"manifests":[],"config":{}}`, index, ""},
	} {
		got, err := mediaTypeOf([]byte(c.data), types.MediaType(c.header))
		if (err == nil) != (c.want != "") || (err == nil && string(got) != c.want) {
			t.Errorf("%s, %q: expected %q, found %q, %v", c.data, c.header, c.want, got, err)
		}
	}
}
