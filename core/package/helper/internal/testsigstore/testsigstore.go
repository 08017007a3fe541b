// Package testsigstore is a Sigstore of a test's own: it signs for any identity, without a network.
package testsigstore

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"google.golang.org/protobuf/encoding/protojson"
)

// Sigstore is sigstore-go's virtual one; what it keeps to itself is added here.
type Sigstore struct {
	*ca.VirtualSigstore
}

// New has keys of its own: nothing that another one signed counts.
func New() (*Sigstore, error) {
	v, err := ca.NewVirtualSigstore()
	return &Sigstore{v}, err
}

// SigningTime is within the life of its certificates.
func SigningTime() time.Time { return time.Now().Add(5 * time.Minute) }

// StatementAbout an image, of some type.
func StatementAbout(digest name.Digest, predicateType string) []byte {
	return fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":`+
		`{"sha256":%q}}],"predicateType":%q,"predicate":{}}`,
		strings.TrimPrefix(digest.DigestStr(), "sha256:"), predicateType)
}

// Bundle is a statement that this identity has signed, as cosign attaches it to an image.
func (s *Sigstore) Bundle(identity, issuer string, statement []byte) ([]byte, error) {
	entity, err := s.AttestAtTime(identity, issuer, statement, SigningTime(), true)
	if err != nil {
		return nil, err
	}
	logged, err := entity.TlogEntries()
	if err != nil {
		return nil, err
	}
	var entries []*protorekor.TransparencyLogEntry
	for _, entry := range logged {
		whole, err := s.LogEntry(entry)
		if err != nil {
			return nil, err
		}
		entries = append(entries, whole)
	}
	material, err := entity.VerificationContent()
	if err != nil {
		return nil, err
	}
	signed, err := entity.SignatureContent()
	if err != nil {
		return nil, err
	}
	return protojson.Marshal(&protobundle.Bundle{
		MediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
		VerificationMaterial: &protobundle.VerificationMaterial{
			Content: &protobundle.VerificationMaterial_Certificate{
				Certificate: &protocommon.X509Certificate{RawBytes: material.Certificate().Raw}},
			TlogEntries: entries,
		},
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: statement, PayloadType: "application/vnd.in-toto+json",
			Signatures: []*protodsse.Signature{{Sig: signed.Signature()}}}},
	})
}

// LogEntry adds its kind and the log's promise.
func (s *Sigstore) LogEntry(entry *tlog.Entry) (*protorekor.TransparencyLogEntry, error) {
	out := entry.TransparencyLogEntry()
	var body struct{ Kind, APIVersion string }
	if err := json.Unmarshal(out.CanonicalizedBody, &body); err != nil {
		return nil, fmt.Errorf("the log entry's body: %w", err)
	}
	out.KindVersion = &protorekor.KindVersion{Kind: body.Kind, Version: body.APIVersion}
	promise, err := s.RekorSignPayload(tlog.RekorPayload{Body: entry.Body(),
		LogIndex: out.LogIndex, IntegratedTime: out.IntegratedTime,
		LogID: hex.EncodeToString(out.LogId.KeyId)})
	out.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: promise}
	return out, err
}

// TrustedRoot is what an administrator would trust, as trusted_root.json has it.
func (s *Sigstore) TrustedRoot() (json.RawMessage, error) {
	logs := s.RekorLogs()
	for id, log := range logs {
		decoded, err := hex.DecodeString(id) // it has the text
		if err != nil {
			return nil, err
		}
		log.ID = decoded
	}
	material, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		s.FulcioCertificateAuthorities(), nil, s.TimestampingAuthorities(), logs)
	if err != nil {
		return nil, err
	}
	return material.MarshalJSON()
}
