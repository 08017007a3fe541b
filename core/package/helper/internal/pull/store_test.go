package pull

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"oarlock.dev/fetch/internal/protocol"
	"oarlock.dev/fetch/internal/registry"
	"oarlock.dev/fetch/internal/testimage"
)

func storeFiles(t *testing.T, store string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(store, "*", "*", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("found %v, %v", files, err)
	}
	return files
}

func TestAStoredImageNeedsNoRegistry(t *testing.T) {
	for name, sigTag := range map[string]bool{"referrers": false, "sig-tag": true} {
		t.Run(name, func(t *testing.T) {
			r := testimage.NewRegistry(t, true)
			key, public := newKey(t)
			_, otherPublic := newKey(t)
			digest := r.Push(t, "sample:v1", pluginImage(t))
			sign(t, r, "sample:v1", key, sigTag)
			if sigTag {
				r.Break(onlySigTag)
			}
			store := filepath.Join(t.TempDir(), "store")
			stored := func(image, keys string) *protocol.Request {
				request := ask(t, r, image)
				request.Registry.StoreDir = store
				request.Policy.Rules = keyRule(keys)
				return request
			}
			first := pullOK(t, stored("sample:v1", public))
			r.Server.Close()
			again := pullOK(t, stored("sample@"+digest.DigestStr(), public))
			if again.Digest != first.Digest || again.Verification.FoundAt != name ||
				len(again.Files) != len(first.Files) {
				t.Fatalf("expected %+v, found %+v", first, again)
			}
			// The policy of now decides, and a tag means what the registry says.
			pullFails(t, stored("sample@"+digest.DigestStr(), otherPublic),
				protocol.RegistryUnavailable, "looking for a signature")
			pullFails(t, stored("sample:v1", public), protocol.RegistryUnavailable, "")
		})
	}
}

func TestADamagedStoreIsNeverBelieved(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	key, public := newKey(t)
	digest := r.Push(t, "sample:v1", pluginImage(t))
	sign(t, r, "sample:v1", key, false)
	store := filepath.Join(t.TempDir(), "store")
	request := func() *protocol.Request {
		request := ask(t, r, "sample@"+digest.DigestStr())
		request.Registry.StoreDir = store
		request.Policy.Rules = keyRule(public)
		return request
	}
	pullOK(t, request())
	for _, file := range storeFiles(t, store) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		// With the registry there, it is as if nothing had been stored.
		if answer := pullOK(t, request()); answer.Digest != digest.DigestStr() {
			t.Fatalf("found %s", answer.Digest)
		}
	}
	for _, file := range storeFiles(t, store) {
		if err := os.Truncate(file, 3); err != nil {
			t.Fatal(err)
		}
	}
	r.Server.Close()
	pullFails(t, request(), protocol.RegistryUnavailable, "")
}

// A registry that answers with another type for the same signed bytes changes what they mean.
func TestTheTypeOfADocumentIsWhatItSays(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	r.Push(t, "sample:v1", pluginImage(t))
	for name, c := range map[string]struct{ kind, body string }{
		"another type": {"application/vnd.oci.image.index.v1+json",
			`{"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[],"config":{}}`},
		"both": {"application/vnd.oci.image.index.v1+json",
			`{"mediaType":"application/vnd.oci.image.index.v1+json","layers":[],"manifests":[]}`},
		"neither":         {"application/vnd.oci.image.index.v1+json", `{}`},
		"no JSON":         {"application/vnd.oci.image.index.v1+json", `<html>`},
		"type of its own": {"application/vnd.oci.image.index.v1+json", `{"layers":[]}`},
		"says what it not": {"application/vnd.oci.image.index.v1+json",
			`{"mediaType":"application/vnd.oci.image.index.v1+json","layers":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			r.Break(func(w http.ResponseWriter, q *http.Request) bool {
				if !strings.HasSuffix(q.URL.Path, "/manifests/v1") {
					return false
				}
				w.Header().Set("Content-Type", c.kind)
				_, _ = w.Write([]byte(c.body))
				return true
			})
			pullFails(t, ask(t, r, "sample:v1"), protocol.InvalidImage, "sample:v1")
		})
	}
}

// A daemon that installs many plugins runs many helpers over one store.
func TestManyUseOneStore(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	key, public := newKey(t)
	r.Push(t, "sample:v1", pluginImage(t))
	sign(t, r, "sample:v1", key, false)
	store := filepath.Join(t.TempDir(), "store")
	const helpers = 16
	answers := make(chan *protocol.Answer, helpers)
	for range helpers {
		request := ask(t, r, "sample:v1")
		request.Registry.StoreDir = store
		request.Policy.Rules = keyRule(public)
		go func() { answers <- Run(t.Context(), request) }()
	}
	for range helpers {
		if answer := <-answers; answer.Error != nil {
			t.Error(answer.Error)
		}
	}
	for _, pattern := range []string{"*/*/.new-*", "*/.new-*"} {
		if left, err := filepath.Glob(filepath.Join(store, pattern)); err != nil || len(left) != 0 {
			t.Errorf("expected no half-written file, found %v, %v", left, err)
		}
	}
}

func TestPruningKeepsWhatIsNamedAndWhatWasPulledLast(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	key, public := newKey(t)
	store := filepath.Join(t.TempDir(), "store")
	pulled := func(image string) error {
		request := ask(t, r, image)
		request.Registry.StoreDir = store
		request.Policy.Rules = keyRule(public)
		if answer := Run(t.Context(), request); answer.Error != nil {
			return answer.Error
		}
		return nil
	}
	var images []string
	for i, tag := range []string{"v1", "v2", "v3"} {
		layer := testimage.Gzip(t, testimage.Archive(t, append(testimage.Plugin(),
			testimage.Entry{Name: "NOTICE", Body: strings.Repeat(tag, 1000)})...))
		digest := r.Push(t, "sample:"+tag, testimage.Image(t, "amd64", layer))
		sign(t, r, "sample:"+tag, key, false)
		images = append(images, r.Host+"/sample@"+digest.DigestStr())
		if err := pulled("sample:" + tag); err != nil {
			t.Fatal(err)
		}
		// Pulled in this order, whatever the clock's steps are.
		records, _ := filepath.Glob(filepath.Join(store, "records", "*.json"))
		for _, record := range records {
			data, _ := os.ReadFile(record)
			if strings.Contains(string(data), digest.DigestStr()) {
				at := time.Now().Add(time.Duration(i-10) * time.Hour)
				if err := os.Chtimes(record, at, at); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	r.Server.Close()
	prune := func(spare int64, keep ...string) *protocol.PruneAnswer {
		t.Helper()
		answer, err := registry.Prune(&protocol.PruneRequest{Version: protocol.Version,
			StoreDir: store, Keep: keep, SpareBytes: spare})
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	stored := func(want ...bool) {
		t.Helper()
		for i, image := range images {
			_, name, _ := strings.Cut(image, "/")
			if err := pulled(name); (err == nil) != want[i] {
				t.Fatalf("image %d: expected that it is stored: %v, found %v", i, want[i], err)
			}
		}
	}
	if got := prune(1<<30, images[0]); got.RemovedFiles != 0 || got.Busy {
		t.Fatalf("found %+v", got)
	}
	// An image that is named and was never pulled: what belongs to nothing known stays too.
	if err := os.WriteFile(filepath.Join(store, "blobs/sha256/unknown"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := r.Host + "/other@sha256:" + strings.Repeat("0", 64)
	if got := prune(1<<30, other); got.RemovedFiles != 0 {
		t.Fatalf("found %+v", got)
	}
	stored(true, true, true)
	if got := prune(1<<30, images...); got.RemovedFiles != 1 {
		t.Fatalf("found %+v", got)
	}
	if got := prune(0, images[0], images[2]); got.RemovedFiles == 0 || got.RemovedBytes == 0 {
		t.Fatalf("found %+v", got)
	}
	stored(true, false, true)
	prune(0)
	stored(false, false, false)
	files, err := filepath.Glob(filepath.Join(store, "*", "*"))
	if left, _ := filepath.Glob(filepath.Join(store, "blobs/sha256/*")); err != nil ||
		len(files) != 1 || len(left) != 0 {
		t.Fatalf("expected nothing but the folder of blobs, found %v, %v", files, left)
	}
}
