package publish

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/protobuf/encoding/protojson"

	"oarlock.dev/fetch/internal/registry"
	"oarlock.dev/fetch/internal/trust"
)

const (
	inTotoType    = "application/vnd.in-toto+json"
	statementType = "https://in-toto.io/Statement/v1"
	bundleVersion = "0.3"
)

// Sign signs what a reference means now, and returns its digest. The signature is a sigstore bundle
// that refers to the image; `sigTag` adds the older form, for tools that know no other.
func Sign(client *registry.Client, reference name.Reference, key signature.SignerVerifier,
	sigTag bool) (name.Digest, error) {
	document, err := client.Get(reference)
	if err != nil {
		return name.Digest{}, err
	}
	digest := reference.Context().Digest(document.Digest)
	signed, err := signBundle(document.Digest, key)
	if err != nil {
		return digest, fmt.Errorf("signing %s: %w", digest, err)
	}
	if err := Attach(client, digest, document, signed); err != nil {
		return digest, client.Describe(err, "attaching the signature to "+digest.Name())
	}
	if !sigTag {
		return digest, nil
	}
	err = attachSigTag(client, digest, key)
	return digest, client.Describe(err, "writing the .sig tag of "+digest.Name())
}

type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     struct{}  `json:"predicate"`
}

type subject struct {
	Digest map[string]string `json:"digest"`
}

func signBundle(digest string, key signature.SignerVerifier) ([]byte, error) {
	algorithm, hex, _ := strings.Cut(digest, ":")
	payload, err := json.Marshal(statement{Type: statementType,
		PredicateType: trust.SignPredicateType,
		Subject:       []subject{{Digest: map[string]string{algorithm: hex}}}})
	if err != nil {
		return nil, err
	}
	raw, err := key.SignMessage(bytes.NewReader(dsse.PAE(inTotoType, payload)))
	if err != nil {
		return nil, err
	}
	hint, err := keyHint(key)
	if err != nil {
		return nil, err
	}
	mediaType, err := bundle.MediaTypeString(bundleVersion)
	if err != nil {
		return nil, err
	}
	signed := &protobundle.Bundle{
		MediaType: mediaType,
		VerificationMaterial: &protobundle.VerificationMaterial{
			Content: &protobundle.VerificationMaterial_PublicKey{
				PublicKey: &protocommon.PublicKeyIdentifier{Hint: hint}}},
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: payload, PayloadType: inTotoType,
			Signatures: []*protodsse.Signature{{Sig: raw}}}},
	}
	return protojson.Marshal(signed)
}

// keyHint as sigstore's clients write it.
func keyHint(key signature.SignerVerifier) (string, error) {
	public, err := key.PublicKey()
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// rawManifest is a manifest that the library uploads as it is; it sees the subject in it, and keeps
// the fallback tag where a registry has no referrers API.
type rawManifest struct {
	data []byte
	kind types.MediaType
}

func (m rawManifest) RawManifest() ([]byte, error)        { return m.data, nil }
func (m rawManifest) MediaType() (types.MediaType, error) { return m.kind, nil }

// Attach makes a bundle refer to an image.
func Attach(client *registry.Client, digest name.Digest, document *registry.Document,
	signed []byte) error {
	mediaType, err := bundle.MediaTypeString(bundleVersion)
	if err != nil {
		return err
	}
	config := static.NewLayer([]byte("{}"), trust.EmptyConfigType)
	layer := static.NewLayer(signed, types.MediaType(mediaType))
	manifest := struct {
		v1.Manifest
		ArtifactType string `json:"artifactType"`
	}{ArtifactType: mediaType}
	manifest.SchemaVersion = 2
	manifest.MediaType = types.OCIManifestSchema1
	subject, err := v1.NewHash(document.Digest)
	if err != nil {
		return err
	}
	manifest.Subject = &v1.Descriptor{MediaType: document.MediaType, Digest: subject,
		Size: int64(len(document.Bytes))}
	manifest.Annotations = map[string]string{
		"org.opencontainers.image.created":  time.Now().UTC().Format(time.RFC3339),
		"dev.sigstore.bundle.content":       "dsse-envelope",
		"dev.sigstore.bundle.predicateType": trust.SignPredicateType,
	}
	for _, blob := range []v1.Layer{config, layer} {
		if err := remote.WriteLayer(digest.Context(), blob, client.Options()...); err != nil {
			return err
		}
	}
	if manifest.Config, err = describeLayer(config); err != nil {
		return err
	}
	described, err := describeLayer(layer)
	if err != nil {
		return err
	}
	manifest.Layers = []v1.Descriptor{described}
	data, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	target := digest.Context().Digest(fmt.Sprintf("sha256:%x", sum))
	return remote.Put(target, rawManifest{data, types.OCIManifestSchema1}, client.Options()...)
}

func describeLayer(layer v1.Layer) (v1.Descriptor, error) {
	hash, err := layer.Digest()
	if err != nil {
		return v1.Descriptor{}, err
	}
	size, err := layer.Size()
	if err != nil {
		return v1.Descriptor{}, err
	}
	mediaType, err := layer.MediaType()
	return v1.Descriptor{MediaType: mediaType, Digest: hash, Size: size}, err
}

// attachSigTag appends to the signatures that the tag has.
func attachSigTag(client *registry.Client, digest name.Digest, key signature.SignerVerifier) error {
	payload, err := trust.SimpleSigningPayload(digest)
	if err != nil {
		return err
	}
	raw, err := key.SignMessage(bytes.NewReader(payload))
	if err != nil {
		return err
	}
	tag := trust.SigTag(digest)
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		types.OCIConfigJSON)
	existing, err := client.Lookup(tag)
	if err != nil {
		return err
	}
	if existing != nil {
		if base, err = remote.Image(tag, client.Options()...); err != nil {
			return err
		}
	}
	image, err := mutate.Append(base, mutate.Addendum{
		Layer: static.NewLayer(payload, trust.SimpleSigningType),
		Annotations: map[string]string{
			trust.SignatureAnnotation: base64.StdEncoding.EncodeToString(raw)},
	})
	if err != nil {
		return err
	}
	return remote.Write(tag, image, client.Options()...)
}
