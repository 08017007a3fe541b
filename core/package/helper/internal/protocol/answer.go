package protocol

import (
	"errors"
	"fmt"
)

// Reason is a stable word for what went wrong: the reason of a condition.
type Reason string

// Reasons.
const (
	InvalidRequest      Reason = "InvalidRequest"
	ImageNotFound       Reason = "ImageNotFound"
	Unauthorized        Reason = "Unauthorized"
	RateLimited         Reason = "RateLimited"
	RegistryUnavailable Reason = "RegistryUnavailable"
	RegistryUntrusted   Reason = "RegistryUntrusted"
	DeadlineExceeded    Reason = "DeadlineExceeded"
	DigestMismatch      Reason = "DigestMismatch"
	NoSuchArchitecture  Reason = "NoSuchArchitecture"
	InvalidImage        Reason = "InvalidImage"
	ImageTooLarge       Reason = "ImageTooLarge"
	UnsafeArchive       Reason = "UnsafeArchive"
	PolicyMissing       Reason = "PolicyMissing"
	PolicyAmbiguous     Reason = "PolicyAmbiguous"
	PolicyInvalid       Reason = "PolicyInvalid"
	DigestRequired      Reason = "DigestRequired"
	SignatureMissing    Reason = "SignatureMissing"
	SignatureInvalid    Reason = "SignatureInvalid"
	TrustRootInvalid    Reason = "TrustRootInvalid"
	OutputFailed        Reason = "OutputFailed"
)

// Error has a reason for machines and a message that says what was expected, what was found and
// what to do.
type Error struct {
	Reason  Reason `json:"reason"`
	Message string `json:"message"`
	// RetryAfterSeconds is what a registry that limits rates asked for; 0: it did not say.
	RetryAfterSeconds int64 `json:"retryAfterSeconds,omitempty"`
}

func (e *Error) Error() string { return string(e.Reason) + ": " + e.Message }

// Errorf makes an Error.
func Errorf(reason Reason, format string, arguments ...any) *Error {
	return &Error{Reason: reason, Message: fmt.Sprintf(format, arguments...)}
}

// AsError is the Error in err, or one that says the work in the output folder failed: all that
// reaches a registry has a reason already.
func AsError(err error) *Error {
	var typed *Error
	if errors.As(err, &typed) {
		return typed
	}
	return &Error{Reason: OutputFailed, Message: err.Error()}
}

// Answer to one request: Error, or all the rest.
type Answer struct {
	Version int    `json:"version"`
	Error   *Error `json:"error,omitempty"`
	// Image by digest, as it was pulled: mirrors applied.
	Image  string `json:"image,omitempty"`
	Digest string `json:"digest,omitempty"` // what the tag meant; what was verified
	// ManifestDigest is that of our architecture; the same as Digest without an index.
	ManifestDigest string        `json:"manifestDigest,omitempty"`
	Architecture   string        `json:"architecture,omitempty"`
	Verification   *Verification `json:"verification,omitempty"`
	Files          []File        `json:"files,omitempty"`
	Skipped        []string      `json:"skipped,omitempty"` // YAML: was not unpacked
}

// Verification says why the image is trusted.
type Verification struct {
	Rule string `json:"rule"`
	Mode string `json:"mode"`
	// Signer is the key, as sha256:..., or the identity and its issuer. Empty without a signature.
	Signer string `json:"signer,omitempty"`
	// FoundAt is where the signature was: referrers, fallback-tag or sig-tag.
	FoundAt string `json:"foundAt,omitempty"`
}

// File that was unpacked.
type File struct {
	Path   string `json:"path"` // below outputDir
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}
