package trust

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"

	"oarlock.dev/fetch/internal/registry"
)

// What cosign wrote before there were bundles: a tag with one layer per signature, the signature in
// annotations, the signed bytes ("simple signing") as the layer.
const (
	SimpleSigningType     = "application/vnd.dev.cosign.simplesigning.v1+json"
	SignatureAnnotation   = "dev.cosignproject.cosign/signature"
	certificateAnnotation = "dev.sigstore.cosign/certificate"
	rekorAnnotation       = "dev.sigstore.cosign/bundle"
	timestampAnnotation   = "dev.sigstore.cosign/rfc3161timestamp"
	simpleSigningKind     = "cosign container image signature"
)

// SigTag is where the signatures of a digest are.
func SigTag(digest name.Digest) name.Tag {
	return digest.Tag(strings.Replace(digest.DigestStr(), ":", "-", 1) + ".sig")
}

// SimpleSigningPayload is what is signed there.
func SimpleSigningPayload(digest name.Digest) ([]byte, error) {
	var signed simpleSigning
	signed.Critical.Identity.DockerReference = digest.Context().Name()
	signed.Critical.Image.DockerManifestDigest = digest.DigestStr()
	signed.Critical.Type = simpleSigningKind
	return json.Marshal(signed)
}

type simpleSigning struct {
	Critical struct {
		Identity struct {
			DockerReference string `json:"docker-reference"`
		} `json:"identity"`
		Image struct {
			DockerManifestDigest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
	Optional map[string]any `json:"optional"`
}

type rekorBundle struct {
	SignedEntryTimestamp []byte
	Payload              struct {
		Body           []byte `json:"body"`
		IntegratedTime int64  `json:"integratedTime"`
		LogIndex       int64  `json:"logIndex"`
		LogID          string `json:"logID"`
	}
}

// checkSimpleSigning: the signed bytes are about this digest of this repository. Its name may be
// that from before the mirror.
func checkSimpleSigning(payload []byte, digest string, names registry.Names) error {
	var signed simpleSigning
	if err := json.Unmarshal(payload, &signed); err != nil {
		return fmt.Errorf("expected a simple signing payload: %w", err)
	}
	critical := signed.Critical
	if critical.Type != simpleSigningKind {
		return fmt.Errorf("expected type %q, found %q", simpleSigningKind, critical.Type)
	}
	if critical.Image.DockerManifestDigest != digest {
		return fmt.Errorf("it is for digest %s, expected %s", critical.Image.DockerManifestDigest,
			digest)
	}
	reference, err := name.ParseReference(critical.Identity.DockerReference)
	if err != nil {
		return fmt.Errorf("expected a docker-reference: %w", err)
	}
	repository := reference.Context().Name()
	if repository != names.Asked.Context().Name() && repository != names.Resolved.Context().Name() {
		return fmt.Errorf("it is for repository %s, expected %s", repository,
			names.Resolved.Context().Name())
	}
	return nil
}

// legacyBundle is such a signature in today's form, so that one verifier judges both.
func legacyBundle(layer v1.Descriptor, payload []byte) (*bundle.Bundle, error) {
	raw, err := base64.StdEncoding.DecodeString(layer.Annotations[SignatureAnnotation])
	if err != nil || len(raw) == 0 {
		return nil, fmt.Errorf("expected a base64 signature in annotation %s", SignatureAnnotation)
	}
	sum := sha256.Sum256(payload)
	material := &protobundle.VerificationMaterial{}
	if text := layer.Annotations[certificateAnnotation]; text != "" {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			return nil, fmt.Errorf("expected PEM in annotation %s", certificateAnnotation)
		}
		chain := []*protocommon.X509Certificate{{RawBytes: block.Bytes}}
		material.Content = &protobundle.VerificationMaterial_X509CertificateChain{
			X509CertificateChain: &protocommon.X509CertificateChain{Certificates: chain}}
	} else {
		material.Content = &protobundle.VerificationMaterial_PublicKey{
			PublicKey: &protocommon.PublicKeyIdentifier{}}
	}
	if err := addRekor(material, layer.Annotations[rekorAnnotation]); err != nil {
		return nil, err
	}
	if err := addTimestamp(material, layer.Annotations[timestampAnnotation]); err != nil {
		return nil, err
	}
	mediaType, err := bundle.MediaTypeString("0.1")
	if err != nil {
		return nil, err
	}
	return bundle.NewBundle(&protobundle.Bundle{
		MediaType:            mediaType,
		VerificationMaterial: material,
		Content: &protobundle.Bundle_MessageSignature{
			MessageSignature: &protocommon.MessageSignature{
				MessageDigest: &protocommon.HashOutput{
					Algorithm: protocommon.HashAlgorithm_SHA2_256,
					Digest:    sum[:]},
				Signature: raw,
			}},
	})
}

func addRekor(material *protobundle.VerificationMaterial, text string) error {
	if text == "" {
		return nil
	}
	var entry rekorBundle
	if err := json.Unmarshal([]byte(text), &entry); err != nil {
		return fmt.Errorf("annotation %s: %w", rekorAnnotation, err)
	}
	logID, err := hex.DecodeString(entry.Payload.LogID)
	if err != nil {
		return fmt.Errorf("annotation %s: logID: %w", rekorAnnotation, err)
	}
	var kind struct {
		Kind       string `json:"kind"`
		APIVersion string `json:"apiVersion"`
	}
	if err := json.NewDecoder(bytes.NewReader(entry.Payload.Body)).Decode(&kind); err != nil {
		return fmt.Errorf("annotation %s: body: %w", rekorAnnotation, err)
	}
	if len(entry.SignedEntryTimestamp) == 0 {
		return errors.New("annotation " + rekorAnnotation + ": expected a SignedEntryTimestamp")
	}
	material.TlogEntries = append(material.TlogEntries, &protorekor.TransparencyLogEntry{
		LogIndex:       entry.Payload.LogIndex,
		LogId:          &protocommon.LogId{KeyId: logID},
		KindVersion:    &protorekor.KindVersion{Kind: kind.Kind, Version: kind.APIVersion},
		IntegratedTime: entry.Payload.IntegratedTime,
		InclusionPromise: &protorekor.InclusionPromise{
			SignedEntryTimestamp: entry.SignedEntryTimestamp},
		CanonicalizedBody: entry.Payload.Body,
	})
	return nil
}

func addTimestamp(material *protobundle.VerificationMaterial, text string) error {
	if text == "" {
		return nil
	}
	var stamp struct{ SignedRFC3161Timestamp []byte }
	if err := json.Unmarshal([]byte(text), &stamp); err != nil {
		return fmt.Errorf("annotation %s: %w", timestampAnnotation, err)
	}
	material.TimestampVerificationData = &protobundle.TimestampVerificationData{
		Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{
			{SignedTimestamp: stamp.SignedRFC3161Timestamp}}}
	return nil
}
