package trust

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"oarlock.dev/fetch/internal/protocol"
)

// verifier checks signatures for one rule.
type verifier struct {
	checks []check
}

// check is one key, or all identities of a keyless rule.
type check struct {
	signer   string // of a key
	verifier *verify.Verifier
	options  []verify.PolicyOption
}

func newVerifier(rule protocol.Rule, policy protocol.Policy) (*verifier, error) {
	if rule.Mode == protocol.ModeKeyless {
		return newKeyless(rule, policy)
	}
	v := &verifier{}
	for i, text := range rule.Keys {
		checks, err := keyChecks(text)
		if err != nil {
			return nil, protocol.Errorf(protocol.PolicyInvalid,
				"rule %q of the image policy: keys[%d]: %v", rule.Name, i, err)
		}
		v.checks = append(v.checks, checks...)
	}
	return v, nil
}

// KeyID is how answers name a public key.
func KeyID(key crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// verifiersOf a key: one, but two for Ed25519, which cosign signs with in two ways.
func verifiersOf(key crypto.PublicKey) ([]signature.Verifier, error) {
	plain, err := signature.LoadDefaultVerifier(key)
	if err != nil {
		return nil, err
	}
	edwards, isEd25519 := key.(ed25519.PublicKey)
	if !isEd25519 {
		return []signature.Verifier{plain}, nil
	}
	prehashed, err := signature.LoadED25519phVerifier(edwards)
	return []signature.Verifier{plain, prehashed}, err
}

func keyChecks(text string) ([]check, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "PUBLIC KEY" || len(bytes.TrimSpace(rest)) != 0 {
		return nil, errors.New("expected one PEM block PUBLIC KEY, as cosign.pub has it")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	id, err := KeyID(key)
	if err != nil {
		return nil, err
	}
	verifiers, err := verifiersOf(key)
	if err != nil {
		return nil, err
	}
	var checks []check
	for _, v := range verifiers {
		trusted := root.NewExpiringKey(v, time.Time{}, time.Time{})
		// One key is tried at a time, so the bundle's hint, which anybody can write, decides
		// nothing.
		material := root.NewTrustedPublicKeyMaterial(
			func(string) (root.TimeConstrainedVerifier, error) { return trusted, nil })
		withKey, err := verify.NewVerifier(material, verify.WithNoObserverTimestamps())
		if err != nil {
			return nil, err
		}
		checks = append(checks, check{signer: id, verifier: withKey,
			options: []verify.PolicyOption{verify.WithKey()}})
	}
	return checks, nil
}

// newKeyless needs the trusted root; a broken one fails keyless rules and no other.
func newKeyless(rule protocol.Rule, policy protocol.Policy) (*verifier, error) {
	if len(policy.TrustedRoot) == 0 {
		return nil, protocol.Errorf(protocol.TrustRootInvalid,
			"rule %q is keyless: expected policy.trustedRoot, found none", rule.Name)
	}
	material, err := root.NewTrustedRootFromJSON(policy.TrustedRoot)
	if err != nil {
		return nil, protocol.Errorf(protocol.TrustRootInvalid,
			"rule %q is keyless and policy.trustedRoot is not sigstore's trusted_root.json: %v; "+
				"rules "+
				"with keys still work", rule.Name, err)
	}
	if len(material.FulcioCertificateAuthorities()) == 0 {
		return nil, protocol.Errorf(protocol.TrustRootInvalid,
			"rule %q is keyless: expected certificate authorities in policy.trustedRoot, found "+
				"none",
			rule.Name)
	}
	withRoot, err := verify.NewVerifier(material, keylessOptions(material)...)
	if err != nil {
		return nil, err
	}
	only := check{verifier: withRoot}
	for _, identity := range rule.Identities {
		certificate, err := verify.NewShortCertificateIdentity(identity.Issuer,
			whole(identity.IssuerRegExp), identity.Subject, whole(identity.SubjectRegExp))
		if err != nil {
			return nil, protocol.Errorf(protocol.PolicyInvalid,
				"rule %q of the image policy: %v", rule.Name, err)
		}
		only.options = append(only.options, verify.WithCertificateIdentity(certificate))
	}
	return &verifier{checks: []check{only}}, nil
}

// whole makes an expression match all of a text: a part of an identity is another identity.
func whole(expression string) string {
	if expression == "" {
		return ""
	}
	return "^(?:" + expression + ")$"
}

// What the deployment of the root has is required: an admin's own Sigstore may lack a log of
// certificates, or have a time-stamping authority instead of a transparency log.
func keylessOptions(material root.TrustedMaterial) []verify.VerifierOption {
	var options []verify.VerifierOption
	if len(material.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	if len(material.RekorLogs()) > 0 {
		return append(options, verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
	}
	return append(options, verify.WithSignedTimestamps(1))
}

// verify returns who signed these very bytes.
func (v *verifier) verify(signed *bundle.Bundle, artifact []byte) (string, error) {
	var problems []error
	for _, c := range v.checks {
		result, err := c.verifier.Verify(signed,
			verify.NewPolicy(verify.WithArtifact(bytes.NewReader(artifact)), c.options...))
		if err != nil {
			if c.signer != "" {
				err = fmt.Errorf("key %s: %w", c.signer, err)
			}
			problems = append(problems, err)
			continue
		}
		if c.signer != "" {
			return c.signer, nil
		}
		summary := result.Signature.Certificate
		return fmt.Sprintf("%s (issuer %s)", summary.SubjectAlternativeName, summary.Issuer), nil
	}
	return "", errors.Join(problems...)
}
