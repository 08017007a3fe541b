package trust

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"

	"oarlock.dev/fetch/internal/protocol"
	"oarlock.dev/fetch/internal/registry"
)

// Media and predicate types of today's signatures: a sigstore bundle that refers to the image and
// has an in-toto statement about its digest.
const (
	BundleTypePrefix  = "application/vnd.dev.sigstore.bundle"
	SignPredicateType = "https://sigstore.dev/cosign/sign/v1"
	EmptyConfigType   = "application/vnd.oci.empty.v1+json"
)

// Places where a signature is looked up.
const (
	atReferrers   = "referrers"
	atFallbackTag = "fallback-tag"
	atSigTag      = "sig-tag"
)

// Verify decides whether the image is trusted. `manifest` is what its digest was made from.
func Verify(client *registry.Client, names registry.Names, manifest *registry.Document,
	policy protocol.Policy, limits protocol.Limits) (*protocol.Verification, error) {
	rule, err := Select(policy, names.Resolved.Context())
	if err != nil {
		return nil, err
	}
	answer := &protocol.Verification{Rule: rule.Name, Mode: rule.Mode}
	switch rule.Mode {
	case protocol.ModeNone:
		return answer, nil
	case protocol.ModeDigest:
		if _, byDigest := names.Asked.(name.Digest); !byDigest {
			return nil, protocol.Errorf(protocol.DigestRequired,
				"rule %q trusts digests only: expected REPOSITORY@sha256:..., found %s, which is "+
					"%s "+
					"now", rule.Name, names, manifest.Digest)
		}
		return answer, nil
	}
	v, err := newVerifier(rule, policy)
	if err != nil {
		return nil, err
	}
	search := search{client: client, names: names, manifest: manifest, limits: limits, verifier: v}
	// A signature that was pulled before is as good as it was then, and needs no registry.
	if stored := client.Stored(); stored != nil {
		before := search
		before.client = stored
		if answer.Signer, answer.FoundAt, err = before.run(); err == nil {
			return answer, nil
		}
	}
	answer.Signer, answer.FoundAt, err = search.run()
	if err != nil {
		return nil, search.refusal(rule, err)
	}
	return answer, nil
}

// search goes through the places until a signature satisfies the rule.
type search struct {
	client   *registry.Client
	names    registry.Names
	manifest *registry.Document
	limits   protocol.Limits
	verifier *verifier

	tried    map[string]bool // digests of signature manifests
	problems []string        // why signatures that were found do not count
	failures []error         // places that could not be looked at
}

var errNoSignature = errors.New("no signature")

func (s *search) run() (signer, place string, err error) {
	s.tried = map[string]bool{}
	subject := s.names.Resolved.Context().Digest(s.manifest.Digest)
	tag := strings.Replace(s.manifest.Digest, ":", "-", 1)
	for _, look := range []struct {
		place string
		find  func() (string, error)
	}{
		{atReferrers, func() (string, error) { return s.referrers(subject) }},
		{atFallbackTag, func() (string, error) { return s.fallbackTag(subject.Tag(tag)) }},
		{atSigTag, func() (string, error) { return s.sigTag(SigTag(subject)) }},
	} {
		signer, err := look.find()
		if err == nil {
			return signer, look.place, nil
		}
		if !errors.Is(err, errNoSignature) {
			s.failures = append(s.failures, err)
			if protocol.AsError(err).Reason == protocol.DeadlineExceeded {
				break
			}
		}
	}
	return "", "", errNoSignature
}

// refusal: a place that could not be asked may have had the signature, so that is said first.
func (s *search) refusal(rule protocol.Rule, err error) error {
	if !errors.Is(err, errNoSignature) {
		return err
	}
	if len(s.failures) > 0 {
		failure := *protocol.AsError(s.failures[0])
		failure.Message = "looking for a signature: " + failure.Message
		return &failure
	}
	what := fmt.Sprintf("%s, digest %s, rule %q", s.names, s.manifest.Digest, rule.Name)
	if len(s.problems) == 0 {
		return protocol.Errorf(protocol.SignatureMissing,
			"%s: expected a signature, found none as a referrer, under the fallback tag or the "+
				".sig "+
				"tag; sign that digest (oarlock plugin sign, cosign sign)", what)
	}
	return protocol.Errorf(protocol.SignatureInvalid,
		"%s: expected a signature by %s, found %d that do not count: %s", what, wanted(rule),
		len(s.problems), strings.Join(s.problems, "; "))
}

func wanted(rule protocol.Rule) string {
	if rule.Mode == protocol.ModeKey {
		return "one of the rule's keys"
	}
	var all []string
	for _, identity := range rule.Identities {
		all = append(all, fmt.Sprintf("%s%s (issuer %s%s)", identity.Subject,
			identity.SubjectRegExp,
			identity.Issuer, identity.IssuerRegExp))
	}
	return strings.Join(all, " or ")
}

func (s *search) rejected(digest string, err error) {
	const most = 5 // of many bad ones, some are enough to see what is wrong
	if len(s.problems) < most {
		s.problems = append(s.problems, fmt.Sprintf("%s: %v", digest, err))
	}
}

func (s *search) referrers(subject name.Digest) (string, error) {
	descriptors, err := s.client.Referrers(subject)
	if err != nil {
		return "", err
	}
	return s.listed(descriptors)
}

// fallbackTag is asked also where the referrers API works: copied images often have only the tag.
func (s *search) fallbackTag(tag name.Tag) (string, error) {
	document, err := s.client.Lookup(tag)
	if err != nil {
		return "", err
	}
	if document == nil {
		return "", errNoSignature
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(document.Bytes))
	if err != nil {
		s.rejected(tag.Name(), fmt.Errorf("expected an image index: %w", err))
		return "", errNoSignature
	}
	return s.listed(index.Manifests)
}

func (s *search) listed(descriptors []v1.Descriptor) (string, error) {
	looked := int64(0)
	for _, d := range descriptors {
		if !mayBeBundle(d.ArtifactType) {
			continue // another kind of artefact
		}
		digest := d.Digest.String()
		if s.tried[digest] {
			continue
		}
		if looked++; looked > s.limits.Signatures {
			s.rejected(digest, fmt.Errorf("expected at most %d signatures", s.limits.Signatures))
			break
		}
		s.tried[digest] = true
		signer, err := s.referrer(s.names.Resolved.Context().Digest(digest))
		if err == nil || !errors.Is(err, errNoSignature) {
			return signer, err
		}
	}
	return "", errNoSignature
}

// mayBeBundle: some registries list the type of the configuration, which is the empty one, or none.
func mayBeBundle(artifactType string) bool {
	return artifactType == "" || artifactType == EmptyConfigType ||
		strings.HasPrefix(artifactType, BundleTypePrefix)
}

// referrer verifies the bundles of one manifest.
func (s *search) referrer(reference name.Digest) (string, error) {
	document, err := s.client.Lookup(reference)
	if err != nil {
		return "", err
	}
	if document == nil {
		s.rejected(reference.DigestStr(), errors.New("listed, but missing"))
		return "", errNoSignature
	}
	manifest, err := v1.ParseManifest(bytes.NewReader(document.Bytes))
	if err != nil {
		s.rejected(reference.DigestStr(), err)
		return "", errNoSignature
	}
	for _, layer := range s.some(manifest.Layers) {
		if !strings.HasPrefix(string(layer.MediaType), BundleTypePrefix) {
			continue
		}
		data, err := s.blob(layer)
		if err != nil {
			return "", err
		}
		signer, err := s.bundle(data)
		if err == nil {
			return signer, nil
		}
		s.rejected(reference.DigestStr(), err)
	}
	return "", errNoSignature
}

func (s *search) some(layers []v1.Descriptor) []v1.Descriptor {
	return layers[:min(int64(len(layers)), s.limits.Signatures)]
}

func (s *search) blob(layer v1.Descriptor) ([]byte, error) {
	var data bytes.Buffer
	err := s.client.Blob(s.names.Resolved.Context(), layer, s.limits.ManifestBytes, &data)
	return data.Bytes(), err
}

// bundle verifies one. The statement must be cosign's "this image is signed": an SBOM that the same
// key has attested for the image is no approval of the image.
func (s *search) bundle(data []byte) (string, error) {
	signed := &bundle.Bundle{}
	if err := signed.UnmarshalJSON(data); err != nil {
		return "", fmt.Errorf("expected a sigstore bundle: %w", err)
	}
	envelope, err := signed.Envelope()
	if err != nil {
		return "", errors.New("expected a bundle with a statement, found one with a bare signature")
	}
	payload, err := envelope.DecodeB64Payload()
	if err != nil {
		return "", err
	}
	var statement struct {
		PredicateType string `json:"predicateType"`
	}
	if err := json.Unmarshal(payload, &statement); err != nil {
		return "", fmt.Errorf("expected an in-toto statement: %w", err)
	}
	if statement.PredicateType != SignPredicateType {
		return "", fmt.Errorf("expected a statement of type %s, found %s", SignPredicateType,
			statement.PredicateType)
	}
	return s.verifier.verify(signed, s.manifest.Bytes)
}

func (s *search) sigTag(tag name.Tag) (string, error) {
	document, err := s.client.Lookup(tag)
	if err != nil {
		return "", err
	}
	if document == nil {
		return "", errNoSignature
	}
	manifest, err := v1.ParseManifest(bytes.NewReader(document.Bytes))
	if err != nil {
		s.rejected(tag.Name(), err)
		return "", errNoSignature
	}
	for _, layer := range s.some(manifest.Layers) {
		if layer.MediaType != SimpleSigningType {
			continue
		}
		payload, err := s.blob(layer)
		if err != nil {
			return "", err
		}
		signer, err := s.simple(layer, payload)
		if err == nil {
			return signer, nil
		}
		s.rejected(layer.Digest.String(), err)
	}
	return "", errNoSignature
}

func (s *search) simple(layer v1.Descriptor, payload []byte) (string, error) {
	signed, err := legacyBundle(layer, payload)
	if err != nil {
		return "", err
	}
	signer, err := s.verifier.verify(signed, payload)
	if err != nil {
		return "", err
	}
	return signer, checkSimpleSigning(payload, s.manifest.Digest, s.names)
}
