package pull

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/sigstore/pkg/signature"

	"oarlock.dev/fetch/internal/protocol"
	"oarlock.dev/fetch/internal/publish"
	"oarlock.dev/fetch/internal/registry"
	"oarlock.dev/fetch/internal/testimage"
)

func TestMain(m *testing.M) {
	registry.Backoff.Duration = time.Millisecond
	os.Exit(m.Run())
}

func pluginImage(t *testing.T) v1.Image {
	t.Helper()
	return testimage.Image(t, "amd64", testimage.Gzip(t, testimage.Archive(t,
		testimage.Plugin()...)))
}

// ask is a request for an image of `r` that needs no signature.
func ask(t *testing.T, r *testimage.Registry, image string) *protocol.Request {
	t.Helper()
	return &protocol.Request{
		Version: protocol.Version, Image: r.Host + "/" + image, Architecture: "amd64",
		OutputDir: filepath.Join(t.TempDir(), "out"),
		Limits:    protocol.Limits{}.WithDefaults(),
		Registry:  protocol.Registry{Insecure: []string{r.Host}},
		Policy: protocol.Policy{Rules: []protocol.Rule{
			{Name: "all", Match: "**", Mode: protocol.ModeNone}}},
	}
}

func pullOK(t *testing.T, request *protocol.Request) *protocol.Answer {
	t.Helper()
	answer := Run(t.Context(), request)
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	if _, err := os.Stat(filepath.Join(request.OutputDir, "plugin.json")); err != nil {
		t.Fatal(err)
	}
	return answer
}

// pullFails also checks that nothing is left on the disk.
func pullFails(t *testing.T, request *protocol.Request, reason protocol.Reason,
	says string) *protocol.Error {
	t.Helper()
	answer := Run(t.Context(), request)
	if answer.Error == nil || answer.Error.Reason != reason ||
		!strings.Contains(answer.Error.Message, says) {
		t.Fatalf("expected %s with %q, found %v", reason, says, answer.Error)
	}
	if left, err := os.ReadDir(filepath.Dir(request.OutputDir)); err != nil || len(left) != 0 {
		t.Fatalf("expected nothing on the disk, found %v, %v", left, err)
	}
	return answer.Error
}

func TestPullsAnImage(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	digest := r.Push(t, "team/sample:v1", pluginImage(t))
	answer := pullOK(t, ask(t, r, "team/sample:v1"))
	if answer.Image != digest.Name() || answer.Digest != digest.DigestStr() ||
		answer.ManifestDigest != answer.Digest || len(answer.Files) != 4 ||
		answer.Verification.Rule != "all" {
		t.Fatalf("found %+v", answer)
	}
}

func TestPullsOurArchitectureOfAnIndex(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	other := testimage.Image(t, "arm64", testimage.Archive(t, testimage.Plugin()[:2]...))
	digest := r.Push(t, "sample:v1", testimage.Index(t, map[string]v1.Image{
		"amd64": pluginImage(t), "arm64": other}))
	answer := pullOK(t, ask(t, r, "sample:v1"))
	if answer.Digest != digest.DigestStr() || answer.ManifestDigest == answer.Digest ||
		len(answer.Files) != 4 {
		t.Fatalf("found %+v", answer)
	}
	request := ask(t, r, "sample:v1")
	request.Architecture = "riscv64"
	pullFails(t, request, protocol.NoSuchArchitecture, "linux/amd64, linux/arm64")
}

func TestAnImageOfAnotherArchitectureIsRefused(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	r.Push(t, "sample:v1", testimage.Image(t, "arm64", testimage.Archive(t, testimage.Plugin()...)))
	pullFails(t, ask(t, r, "sample:v1"), protocol.NoSuchArchitecture, "found linux/arm64")
}

func TestWhatIsNoPluginImageIsRefused(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	r.Push(t, "sample:v1", testimage.Image(t, "amd64", testimage.Archive(t,
		testimage.Plugin()[1:]...)))
	pullFails(t, ask(t, r, "sample:v1"), protocol.InvalidImage, "plugin.json")
	r.Push(t, "sample:v2", testimage.Image(t, "amd64", testimage.Archive(t,
		testimage.Entry{Name: "bin/sh", Mode: 0o755})))
	pullFails(t, ask(t, r, "sample:v2"), protocol.UnsafeArchive, "expected only")
}

func TestAnExistingOutputFolderIsRefused(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	r.Push(t, "sample:v1", pluginImage(t))
	request := ask(t, r, "sample:v1")
	if err := os.Mkdir(request.OutputDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if answer := Run(t.Context(), request); answer.Error == nil ||
		answer.Error.Reason != protocol.OutputFailed {
		t.Fatalf("found %+v", answer)
	}
}

func TestTheTagIsResolvedOnce(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	first := r.Push(t, "sample:v1", pluginImage(t))
	second := r.Push(t, "sample:v2", testimage.Image(t, "amd64",
		testimage.Archive(t, append(testimage.Plugin(), testimage.Entry{Name: "NOTICE"})...)))
	asked := 0
	r.Break(func(_ http.ResponseWriter, q *http.Request) bool {
		if strings.HasSuffix(q.URL.Path, "/manifests/v1") {
			if asked++; asked > 1 { // the tag moves at once
				q.URL.Path = strings.TrimSuffix(q.URL.Path, "v1") + "v2"
			}
		}
		return false
	})
	if answer := pullOK(t, ask(t, r, "sample:v1")); answer.Digest != first.DigestStr() ||
		asked != 1 {
		t.Fatalf("expected %s after one look at the tag, found %s after %d", first, answer.Digest,
			asked)
	}
	if answer := pullOK(t, ask(t, r, "sample:v1")); answer.Digest != second.DigestStr() {
		t.Fatalf("expected the moved tag in the next pull, found %s", answer.Digest)
	}
	// By digest, a tag that moved changes nothing.
	if answer := pullOK(t, ask(t, r,
		"sample@"+first.DigestStr())); answer.Digest != first.DigestStr() {
		t.Fatalf("found %s", answer.Digest)
	}
}

func status(code int, headers ...string) testimage.Fault {
	return func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.Contains(q.URL.Path, "/manifests/") {
			return false
		}
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		return true
	}
}

func TestRegistriesThatRefuseOrFail(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	r.Push(t, "sample:v1", pluginImage(t))
	for name, c := range map[string]struct {
		fault  testimage.Fault
		reason protocol.Reason
		says   string
	}{
		"401": {status(401), protocol.Unauthorized, "401"},
		"403": {status(403), protocol.Unauthorized, "403"},
		"404": {status(404), protocol.ImageNotFound, "check name and tag"},
		"429": {status(429, "Retry-After", "17"), protocol.RateLimited, "retry"},
		"500": {status(500), protocol.RegistryUnavailable, "500"},
		"503": {status(503), protocol.RegistryUnavailable, "503"},
	} {
		t.Run(name, func(t *testing.T) {
			r.Break(c.fault)
			failure := pullFails(t, ask(t, r, "sample:v1"), c.reason, c.says)
			if name == "429" && failure.RetryAfterSeconds != 17 {
				t.Fatalf("expected 17 s, found %d", failure.RetryAfterSeconds)
			}
		})
	}
	r.Break(nil)
	pullFails(t, ask(t, r, "sample:v9"), protocol.ImageNotFound, "v9")
}

func TestAFaultThatPassesIsTriedAgain(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	r.Push(t, "sample:v1", pluginImage(t))
	failures := 0
	r.Break(func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.Contains(q.URL.Path, "/manifests/") || failures == 2 {
			return false
		}
		failures++
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	pullOK(t, ask(t, r, "sample:v1"))
}

func TestARegistryThatIsDown(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	request := ask(t, r, "sample:v1")
	r.Server.Close()
	pullFails(t, request, protocol.RegistryUnavailable, "refused")
}

func TestASlowRegistryMeetsTheDeadline(t *testing.T) {
	for _, where := range []string{"/manifests/", "/blobs/"} {
		t.Run(where, func(t *testing.T) {
			r := testimage.NewRegistry(t, true)
			r.Push(t, "sample:v1", pluginImage(t))
			release := make(chan struct{})
			t.Cleanup(func() { close(release) })
			r.Break(func(w http.ResponseWriter, q *http.Request) bool {
				if !strings.Contains(q.URL.Path, where) {
					return false
				}
				w.Header().Set("Content-Length", "100")
				w.WriteHeader(http.StatusOK)
				w.(http.Flusher).Flush()
				select {
				case <-release:
				case <-q.Context().Done():
				}
				return true
			})
			request := ask(t, r, "sample:v1")
			request.TimeoutMillis = 300
			pullFails(t, request, protocol.DeadlineExceeded, "timeoutMillis")
		})
	}
}

func TestPlainHTTPNeedsAWord(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	r.Push(t, "sample:v1", pluginImage(t))
	request := ask(t, r, "sample:v1")
	request.Registry.Insecure = nil
	pullFails(t, request, protocol.RegistryUnavailable, "")
	for _, line := range r.Requests() {
		if strings.HasPrefix(line, "GET") && strings.Contains(line, "manifests") {
			t.Fatalf("expected no request in plain HTTP, found %s", line)
		}
	}
}

func TestACertificateNeedsItsCA(t *testing.T) {
	r := testimage.NewTLSRegistry(t)
	r.Push(t, "sample:v1", pluginImage(t))
	request := ask(t, r, "sample:v1")
	request.Registry.Insecure = nil
	pullFails(t, request, protocol.RegistryUntrusted, "caPem")
	request.Registry.CAPEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
		Bytes: r.Server.Certificate().Raw}))
	pullOK(t, request)
}

func TestBytesThatAreNotThoseOfTheDigest(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	digest := r.Push(t, "sample:v1", pluginImage(t))
	other := r.Push(t, "sample:v2", testimage.Image(t, "amd64"))
	r.Break(func(_ http.ResponseWriter, q *http.Request) bool {
		q.URL.Path = strings.Replace(q.URL.Path, digest.DigestStr(), other.DigestStr(), 1)
		return false
	})
	pullFails(t, ask(t, r, "sample@"+digest.DigestStr()), protocol.DigestMismatch,
		other.DigestStr())
}

// replaceBlob serves other bytes for the layer of the image.
func replaceBlob(t *testing.T, image v1.Image, serve func(http.ResponseWriter)) testimage.Fault {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	return func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.HasSuffix(q.URL.Path, "/blobs/"+digest.String()) {
			return false
		}
		serve(w)
		return true
	}
}

func TestLayersThatAreNotWhatTheManifestSays(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	image := pluginImage(t)
	r.Push(t, "sample:v1", image)
	layers, _ := image.Layers()
	size, _ := layers[0].Size()
	for name, c := range map[string]struct {
		serve  func(http.ResponseWriter)
		reason protocol.Reason
	}{
		"truncated": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			_, _ = w.Write(make([]byte, size/2))
		}, protocol.RegistryUnavailable},
		"shorter": {func(w http.ResponseWriter) { _, _ = w.Write([]byte("short")) },
			protocol.DigestMismatch},
		"longer": {func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, size+100)) },
			protocol.DigestMismatch},
		"other bytes": {func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, size)) },
			protocol.DigestMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			r.Break(replaceBlob(t, image, c.serve))
			pullFails(t, ask(t, r, "sample:v1"), c.reason, "")
		})
	}
}

func TestLimits(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	archive := testimage.Archive(t, testimage.Plugin()...)
	r.Push(t, "sample:v1", testimage.Image(t, "amd64", archive, testimage.Archive(t)))
	for name, limits := range map[string]protocol.Limits{
		"manifest": {ManifestBytes: 100},
		"layers":   {Layers: 1},
		"layer":    {LayerBytes: 100},
		"unpacked": {UnpackedBytes: 2000},
	} {
		t.Run(name, func(t *testing.T) {
			request := ask(t, r, "sample:v1")
			request.Limits = limits.WithDefaults()
			pullFails(t, request, protocol.ImageTooLarge, "expected")
		})
	}
}

// A layer of 2 GiB is refused by what the manifest says: not one byte of it is asked for.
func TestAHugeLayerIsNotAskedFor(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	image := pluginImage(t)
	r.Push(t, "sample:v1", image)
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	manifest = manifest.DeepCopy()
	manifest.Layers[0].Size = 2 << 30
	data, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	r.Break(func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.HasSuffix(q.URL.Path, "/manifests/v1") {
			return false
		}
		w.Header().Set("Content-Type", string(manifest.MediaType))
		_, _ = w.Write(data)
		return true
	})
	before := len(r.Requests())
	pullFails(t, ask(t, r, "sample:v1"), protocol.ImageTooLarge, "2147483648")
	for _, line := range r.Requests()[before:] {
		if strings.Contains(line, "/blobs/") {
			t.Fatalf("expected no blob to be asked for, found %s", line)
		}
	}
}

func dockerConfig(host, user, password string) json.RawMessage {
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	return json.RawMessage(fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, auth))
}

func TestCredentialsAreForTheirHostOnly(t *testing.T) {
	r, other := testimage.NewRegistry(t, true), testimage.NewRegistry(t, true)
	image := pluginImage(t)
	r.Push(t, "team/sample:v1", image)
	other.Push(t, "team/sample:v1", image)
	leaked := false
	other.Break(func(_ http.ResponseWriter, q *http.Request) bool {
		leaked = leaked || q.Header.Get("Authorization") != ""
		return false
	})
	sent, elsewhere := false, "/blobs/"
	r.Break(func(w http.ResponseWriter, q *http.Request) bool {
		if user, password, ok := q.BasicAuth(); !ok || user != "me" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		sent = true
		if strings.Contains(q.URL.Path, elsewhere) { // as registries do that store elsewhere
			http.Redirect(w, q, other.Server.URL+q.URL.Path, http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	request := ask(t, r, "team/sample:v1")
	request.Registry.Insecure = append(request.Registry.Insecure, other.Host)
	pullFails(t, request, protocol.Unauthorized, "imagePullSecret")
	for _, elsewhere = range []string{"/manifests/", "/blobs/"} {
		request.Registry.DockerConfig = dockerConfig(r.Host+"/team", "me", "secret")
		request.OutputDir = filepath.Join(t.TempDir(), "out")
		before := len(other.Requests())
		pullOK(t, request)
		if !sent || leaked || len(other.Requests()) == before {
			t.Fatalf("%s: expected the credentials at one host only: sent %v, leaked %v", elsewhere,
				sent, leaked)
		}
	}
	// Not even the redirect is followed when its host may not be spoken to in plain HTTP.
	request = ask(t, r, "team/sample:v1")
	request.Registry.DockerConfig = dockerConfig(r.Host, "me", "secret")
	pullFails(t, request, protocol.RegistryUnavailable, "insecure")
	// A longer path has other credentials.
	request.Registry.DockerConfig = json.RawMessage(fmt.Sprintf(
		`{"auths":{"%s":{"username":"me","password":"secret"},`+
			`"%s/team":{"username":"no","password":"no"}}}`,
		r.Host, r.Host))
	pullFails(t, request, protocol.Unauthorized, "401")
}

func TestMirrorsApplyBeforeTrust(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	digest := r.Push(t, "mirror/team/sample:v1", pluginImage(t))
	request := ask(t, r, "")
	request.Image = "registry.example.com/team/sample:v1"
	request.Registry.Mirrors = []protocol.Mirror{
		{Prefix: "registry.example.com", Location: r.Host + "/wrong"},
		{Prefix: "registry.example.com/team", Location: r.Host + "/mirror/team"}}
	request.Policy.Rules = []protocol.Rule{
		{Name: "asked", Match: "registry.example.com/**", Mode: protocol.ModeDigest},
		{Name: "resolved", Match: r.Host + "/mirror/**", Mode: protocol.ModeNone}}
	if answer := pullOK(t, request); answer.Image != digest.Name() ||
		answer.Verification.Rule != "resolved" {
		t.Fatalf("found %+v", answer)
	}
	request = ask(t, r, "")
	request.Image = "registry.example.com/team/sample@" + digest.DigestStr()
	request.Registry.Mirrors = []protocol.Mirror{{Prefix: "registry.example.com/te",
		Location: r.Host}}
	request.TimeoutMillis = 2000
	if names, err := registry.Resolve(request.Image, request.Registry); err != nil ||
		names.Resolved.Context().RegistryStr() != "registry.example.com" {
		t.Fatalf("expected prefixes to end at a '/', found %v, %v", names, err)
	}
}

func newKey(t *testing.T) (signature.SignerVerifier, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signature.LoadDefaultSignerVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return signer, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func client(t *testing.T, r *testimage.Registry) *registry.Client {
	t.Helper()
	c, err := registry.New(context.Background(), protocol.Registry{Insecure: []string{r.Host}},
		protocol.Limits{}.WithDefaults(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func sign(t *testing.T, r *testimage.Registry, image string, key signature.SignerVerifier,
	sigTag bool) {
	t.Helper()
	reference, err := registry.Parse(r.Host+"/"+image, []string{r.Host})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := publish.Sign(client(t, r), reference, key, sigTag); err != nil {
		t.Fatal(err)
	}
}

func keyRule(keys ...string) []protocol.Rule {
	return []protocol.Rule{{Name: "signed", Match: "**", Mode: protocol.ModeKey, Keys: keys}}
}

func TestSignaturesByKey(t *testing.T) {
	for name, referrers := range map[string]bool{"referrers": true, "fallback-tag": false} {
		t.Run(name, func(t *testing.T) {
			r := testimage.NewRegistry(t, referrers)
			key, public := newKey(t)
			_, otherPublic := newKey(t)
			r.Push(t, "sample:v1", testimage.Index(t, map[string]v1.Image{"amd64": pluginImage(t)}))
			request := ask(t, r, "sample:v1")
			request.Policy.Rules = keyRule(public)
			pullFails(t, request, protocol.SignatureMissing, "sign that digest")
			sign(t, r, "sample:v1", key, false)
			answer := pullOK(t, request)
			if v := answer.Verification; v.Rule != "signed" || v.Mode != protocol.ModeKey ||
				!strings.HasPrefix(v.Signer, "sha256:") {
				t.Fatalf("found %+v", v)
			}
			request = ask(t, r, "sample:v1")
			request.Policy.Rules = keyRule(otherPublic)
			pullFails(t, request, protocol.SignatureInvalid, "1 that do not count")
			request.Policy.Rules = keyRule(otherPublic, public)
			pullOK(t, request)
		})
	}
}

// A tag that moves to an image nobody signed is refused, whatever was signed before.
func TestASignatureIsForOneDigest(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	key, public := newKey(t)
	r.Push(t, "sample:v1", pluginImage(t))
	sign(t, r, "sample:v1", key, true)
	r.Push(t, "sample:v1", testimage.Image(t, "amd64", testimage.Archive(t, testimage.Plugin()...)))
	request := ask(t, r, "sample:v1")
	request.Policy.Rules = keyRule(public)
	pullFails(t, request, protocol.SignatureMissing, "sign that digest")
}
