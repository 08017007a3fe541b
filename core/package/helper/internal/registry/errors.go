package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"oarlock.dev/fetch/internal/protocol"
)

// isNotFound: the registry answered, and has no such thing.
func isNotFound(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}

// retryAfterSeconds of a header: seconds, or a date. 0: it says nothing useful.
func retryAfterSeconds(value string, now time.Time) int64 {
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return max(seconds, 0)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(int64(at.Sub(now)/time.Second), 0)
	}
	return 0
}

// describe turns what a registry, the network or the library said into a reason.
func (c *Client) describe(err error, what string) error {
	var typed *protocol.Error
	if err == nil || errors.As(err, &typed) {
		return err
	}
	var answer *transport.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return protocol.Errorf(protocol.DeadlineExceeded,
			"%s: no complete answer within the request's time; is the registry slow, or the image "+
				"large? Raise timeoutMillis or retry", what)
	case errors.Is(err, errTooLarge):
		return protocol.Errorf(protocol.ImageTooLarge,
			"%s: expected a document of at most %d bytes, found more", what, c.guard.documentLimit)
	case errors.As(err, &answer):
		return c.describeStatus(answer, what)
	case isUntrusted(err):
		return protocol.Errorf(protocol.RegistryUntrusted,
			"%s: the registry's certificate is not trusted: %v; add its CA to registry.caPem", what,
			err)
	case strings.Contains(err.Error(), "does not match requested digest"):
		return protocol.Errorf(protocol.DigestMismatch, "%s: %v; the registry does not serve what "+
			"was asked for", what, err)
	}
	return protocol.Errorf(protocol.RegistryUnavailable, "%s: %v", what, err)
}

func isUntrusted(err error) bool {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var check *tls.CertificateVerificationError
	return errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) ||
		errors.As(err, &check)
}

func (c *Client) describeStatus(answer *transport.Error, what string) error {
	status := answer.StatusCode
	switch {
	case status == http.StatusNotFound:
		return protocol.Errorf(protocol.ImageNotFound,
			"%s: the registry has no such image (404); check name and tag", what)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return protocol.Errorf(protocol.Unauthorized,
			"%s: the registry refuses these credentials (%d); give others in an imagePullSecret",
			what, status)
	case status == http.StatusTooManyRequests:
		limited := protocol.Errorf(protocol.RateLimited,
			"%s: the registry limits the rate of requests (429); retry later or use a mirror", what)
		if value := c.guard.retryAfter.Load(); value != nil {
			limited.RetryAfterSeconds = retryAfterSeconds(*value, time.Now())
		}
		return limited
	}
	return protocol.Errorf(protocol.RegistryUnavailable, "%s: the registry answers %d %s; retry",
		what, status, http.StatusText(status))
}
