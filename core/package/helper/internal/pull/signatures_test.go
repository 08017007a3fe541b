package pull

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"google.golang.org/protobuf/encoding/protojson"

	"oarlock.dev/fetch/internal/protocol"
	"oarlock.dev/fetch/internal/publish"
	"oarlock.dev/fetch/internal/testimage"
	"oarlock.dev/fetch/internal/testsigstore"
	"oarlock.dev/fetch/internal/trust"
)

const (
	identity = "https://example.com/team/workflow"
	issuer   = "https://issuer.example.com"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// attach makes any bytes a referrer of an image.
func attach(t *testing.T, r *testimage.Registry, digest name.Digest, signed []byte) {
	t.Helper()
	c := client(t, r)
	if err := publish.Attach(c, digest, must(c.Get(digest)), signed); err != nil {
		t.Fatal(err)
	}
}

// keylessBundle about an image, with a statement of some type.
func keylessBundle(v *testsigstore.Sigstore, digest name.Digest, predicateType string) []byte {
	return must(v.Bundle(identity, issuer, testsigstore.StatementAbout(digest, predicateType)))
}

func keylessPolicy(trusted json.RawMessage, who protocol.Identity) protocol.Policy {
	return protocol.Policy{TrustedRoot: trusted, Rules: []protocol.Rule{{Name: "ci", Match: "**",
		Mode: protocol.ModeKeyless, Identities: []protocol.Identity{who}}}}
}

func TestSignaturesByIdentity(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	v := must(testsigstore.New())
	digest := r.Push(t, "sample:v1", pluginImage(t))
	attach(t, r, digest, keylessBundle(v, digest, trust.SignPredicateType))
	trusted := must(v.TrustedRoot())
	for name, c := range map[string]struct {
		who    protocol.Identity
		root   json.RawMessage
		reason protocol.Reason // empty: it is accepted
		says   string
	}{
		"by value": {who: protocol.Identity{Issuer: issuer, Subject: identity}},
		"by expression": {who: protocol.Identity{IssuerRegExp: "https://issuer\\..*",
			SubjectRegExp: ".*/team/.*"}},
		"wrong identity": {who: protocol.Identity{Issuer: issuer,
			Subject: "https://example.com/other"},
			reason: protocol.SignatureInvalid, says: identity},
		"wrong issuer": {who: protocol.Identity{Issuer: "https://evil.example", Subject: identity},
			reason: protocol.SignatureInvalid, says: issuer},
		"a part of an identity": {who: protocol.Identity{Issuer: issuer,
			SubjectRegExp: "example.com/team"},
			reason: protocol.SignatureInvalid, says: identity},
		"another root": {who: protocol.Identity{Issuer: issuer, Subject: identity},
			root: must(must(testsigstore.New()).TrustedRoot()), reason: protocol.SignatureInvalid},
		"broken root": {who: protocol.Identity{Issuer: issuer, Subject: identity},
			root: json.RawMessage(`{"mediaType":"nonsense"}`), reason: protocol.TrustRootInvalid,
			says: "rules with keys still work"},
		"empty root": {who: protocol.Identity{Issuer: issuer, Subject: identity},
			root:   json.RawMessage(`{"mediaType":"` + root.TrustedRootMediaType01 + `"}`),
			reason: protocol.TrustRootInvalid, says: "certificate authorities"},
	} {
		t.Run(name, func(t *testing.T) {
			request := ask(t, r, "sample:v1")
			if c.root == nil {
				c.root = trusted
			}
			request.Policy = keylessPolicy(c.root, c.who)
			if c.reason != "" {
				pullFails(t, request, c.reason, c.says)
				return
			}
			if v := pullOK(t, request).Verification; !strings.Contains(v.Signer, identity) ||
				!strings.Contains(v.Signer, issuer) || v.FoundAt != "referrers" {
				t.Fatalf("found %+v", v)
			}
		})
	}
}

func TestABrokenTrustedRootFailsKeylessRulesOnly(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	key, public := newKey(t)
	r.Push(t, "sample:v1", pluginImage(t))
	sign(t, r, "sample:v1", key, false)
	request := ask(t, r, "sample:v1")
	request.Policy = keylessPolicy(json.RawMessage(`"broken"`),
		protocol.Identity{Issuer: issuer, Subject: identity})
	request.Policy.Rules = append(request.Policy.Rules, protocol.Rule{Name: "ours",
		Match: r.Host + "/sample", Mode: protocol.ModeKey, Keys: []string{public}})
	pullOK(t, request)
}

// Without a log entry nobody knows that the short-lived certificate was valid when it signed.
func TestAnIdentityNeedsItsLogEntry(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	v := must(testsigstore.New())
	digest := r.Push(t, "sample:v1", pluginImage(t))
	signed := &protobundle.Bundle{}
	if err := protojson.Unmarshal(keylessBundle(v, digest, trust.SignPredicateType),
		signed); err != nil {
		t.Fatal(err)
	}
	signed.VerificationMaterial.TlogEntries = nil
	attach(t, r, digest, must(protojson.Marshal(signed)))
	request := ask(t, r, "sample:v1")
	request.Policy = keylessPolicy(must(v.TrustedRoot()),
		protocol.Identity{Issuer: issuer, Subject: identity})
	pullFails(t, request, protocol.SignatureInvalid, "log")
}

func TestBundlesThatDoNotCount(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	v := must(testsigstore.New())
	policy := keylessPolicy(must(v.TrustedRoot()),
		protocol.Identity{Issuer: issuer, Subject: identity})
	image := pluginImage(t)
	other := r.Push(t, "other:v1", testimage.Image(t, "amd64"))
	for name, c := range map[string]struct {
		signed func(name.Digest) []byte
		says   string
	}{
		"of another digest": {func(name.Digest) []byte {
			return keylessBundle(v, other, trust.SignPredicateType)
		}, "digest"},
		"an attestation": {func(d name.Digest) []byte {
			return keylessBundle(v, d, "https://spdx.dev/Document")
		}, "found https://spdx.dev/Document"},
		"truncated": {func(d name.Digest) []byte {
			whole := keylessBundle(v, d, trust.SignPredicateType)
			return whole[:len(whole)/2]
		}, "expected a sigstore bundle"},
		"changed": {func(d name.Digest) []byte {
			signed := &protobundle.Bundle{}
			if err := protojson.Unmarshal(keylessBundle(v, other, trust.SignPredicateType),
				signed); err != nil {
				t.Fatal(err)
			}
			signed.GetDsseEnvelope().Payload = testsigstore.StatementAbout(d,
				trust.SignPredicateType)
			return must(protojson.Marshal(signed))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			target := strings.ReplaceAll(name, " ", "-") + ":v1"
			digest := r.Push(t, target, image)
			attach(t, r, digest, c.signed(digest))
			request := ask(t, r, target)
			request.Policy = policy
			pullFails(t, request, protocol.SignatureInvalid, c.says)
		})
	}
}

// onlySigTag removes the bundle that publish.Sign wrote beside the .sig tag.
func onlySigTag(w http.ResponseWriter, q *http.Request) bool {
	if strings.Contains(q.URL.Path, "/referrers/") {
		w.WriteHeader(http.StatusNotFound)
		return true
	}
	return false
}

func TestSigTags(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	key, public := newKey(t)
	_, otherPublic := newKey(t)
	digest := r.Push(t, "sample:v1", pluginImage(t))
	sign(t, r, "sample:v1", key, true)
	sign(t, r, "sample:v1", key, true) // a second signature is one more layer
	r.Break(onlySigTag)
	request := ask(t, r, "sample:v1")
	request.Policy.Rules = keyRule(public)
	if v := pullOK(t, request).Verification; v.FoundAt != "sig-tag" {
		t.Fatalf("found %+v", v)
	}
	request = ask(t, r, "sample:v1")
	request.Policy.Rules = keyRule(otherPublic)
	pullFails(t, request, protocol.SignatureInvalid, "2 that do not count")

	sigs := must(remote.Image(trust.SigTag(digest)))
	copyTo := func(target name.Digest) {
		t.Helper()
		if err := remote.Write(trust.SigTag(target), sigs); err != nil {
			t.Fatal(err)
		}
	}
	// The same image and its signature, copied to another repository.
	copyTo(r.Push(t, "elsewhere:v1", pluginImage(t)))
	request = ask(t, r, "elsewhere:v1")
	request.Policy.Rules = keyRule(public)
	pullFails(t, request, protocol.SignatureInvalid, "it is for repository "+r.Host+"/sample")
	// As a mirror of the first one it is right.
	request.Image = r.Host + "/sample:v1"
	request.Registry.Mirrors = []protocol.Mirror{{Prefix: r.Host + "/sample",
		Location: r.Host + "/elsewhere"}}
	pullOK(t, request)
	// The signature of one image under the tag of another.
	copyTo(r.Push(t, "sample:v2", testimage.Image(t, "amd64")))
	request = ask(t, r, "sample:v2")
	request.Policy.Rules = keyRule(public)
	pullFails(t, request, protocol.SignatureInvalid, "it is for digest "+digest.DigestStr())
}

// pushSigTag writes one signature as cosign did before there were bundles.
func pushSigTag(t *testing.T, digest name.Digest, payload []byte, annotations map[string]string) {
	t.Helper()
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		types.OCIConfigJSON)
	image := must(mutate.Append(base, mutate.Addendum{
		Layer: static.NewLayer(payload, trust.SimpleSigningType), Annotations: annotations}))
	if err := remote.Write(trust.SigTag(digest), v1.Image(image)); err != nil {
		t.Fatal(err)
	}
}

func TestSigTagsByIdentity(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	v := must(testsigstore.New())
	digest := r.Push(t, "sample:v1", pluginImage(t))
	payload := must(trust.SimpleSigningPayload(digest))
	entity := must(v.SignAtTimeWithVersion(identity, issuer, payload,
		testsigstore.SigningTime(), "v0.1"))
	entry := must(v.LogEntry(must(entity.TlogEntries())[0]))
	rekor := map[string]any{
		"SignedEntryTimestamp": entry.InclusionPromise.SignedEntryTimestamp,
		"Payload": map[string]any{"body": entry.CanonicalizedBody, "logIndex": entry.LogIndex,
			"integratedTime": entry.IntegratedTime, "logID": hex.EncodeToString(entry.LogId.KeyId)},
	}
	certificate := must(entity.VerificationContent()).Certificate().Raw
	annotations := map[string]string{
		trust.SignatureAnnotation: base64.StdEncoding.EncodeToString(
			must(entity.SignatureContent()).Signature()),
		"dev.sigstore.cosign/certificate": string(pem.EncodeToMemory(
			&pem.Block{Type: "CERTIFICATE", Bytes: certificate})),
		"dev.sigstore.cosign/bundle": string(must(json.Marshal(rekor))),
	}
	pushSigTag(t, digest, payload, annotations)
	request := ask(t, r, "sample:v1")
	request.Policy = keylessPolicy(must(v.TrustedRoot()),
		protocol.Identity{Issuer: issuer, Subject: identity})
	if v := pullOK(t, request).Verification; v.FoundAt != "sig-tag" ||
		!strings.Contains(v.Signer, identity) {
		t.Fatalf("found %+v", v)
	}
	request = ask(t, r, "sample:v1")
	request.Policy = keylessPolicy(must(v.TrustedRoot()),
		protocol.Identity{Issuer: issuer, Subject: "somebody else"})
	pullFails(t, request, protocol.SignatureInvalid, identity)
	pushSigTag(t, digest, append(payload, ' '), annotations)
	pullFails(t, request, protocol.SignatureInvalid, "signature")
}

// A place that cannot be asked is no place without a signature.
func TestALookUpThatFailsIsNotAMissingSignature(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	_, public := newKey(t)
	r.Push(t, "sample:v1", pluginImage(t))
	r.Break(func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.HasSuffix(q.URL.Path, ".sig") {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	request := ask(t, r, "sample:v1")
	request.Policy.Rules = keyRule(public)
	pullFails(t, request, protocol.RegistryUnavailable, "looking for a signature")
}

func TestDigestRules(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	digest := r.Push(t, "sample:v1", pluginImage(t))
	request := ask(t, r, "sample:v1")
	request.Policy.Rules = []protocol.Rule{{Name: "pinned", Match: "**", Mode: protocol.ModeDigest}}
	pullFails(t, request, protocol.DigestRequired, digest.DigestStr())
	request.Image = digest.Name()
	if v := pullOK(t, request).Verification; v.Mode != protocol.ModeDigest || v.Signer != "" {
		t.Fatalf("found %+v", v)
	}
}

// No byte is asked of a registry for an image that no rule allows.
func TestAnImageWithoutARuleIsNotAskedFor(t *testing.T) {
	r := testimage.NewRegistry(t, true)
	request := ask(t, r, "sample:v1")
	request.Policy.Rules[0].Match = "registry.example.com/**"
	pullFails(t, request, protocol.PolicyMissing, "no rule")
	if asked := r.Requests(); len(asked) != 0 {
		t.Fatalf("found requests %v", asked)
	}
}
