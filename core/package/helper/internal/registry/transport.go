package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"oarlock.dev/fetch/internal/protocol"
)

const headerLimit = 256 << 10

// guard is below everything that speaks to a registry or to a token server: nothing leaves in plain
// HTTP for a host that is not named insecure, no request with a body is sent on to another host,
// and no document (manifest, index, token) is larger than the limit.
type guard struct {
	inner         http.RoundTripper
	insecure      map[string]bool
	documentLimit int64
	retryAfter    *atomic.Pointer[string]
}

var errTooLarge = errors.New("larger than the limit")

func newGuard(r protocol.Registry, limits protocol.Limits) (*guard, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if r.CAPEM != "" && !roots.AppendCertsFromPEM([]byte(r.CAPEM)) {
		return nil, errors.New("registry.caPem: expected PEM certificates, found none")
	}
	insecure := map[string]bool{}
	for _, host := range r.Insecure {
		insecure[host] = true
	}
	return &guard{
		inner: &http.Transport{
			Proxy:       http.ProxyFromEnvironment,
			DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSClientConfig: &tls.Config{
				RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			MaxResponseHeaderBytes: headerLimit,
			MaxIdleConnsPerHost:    4,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // digests are over the bytes as they are stored
		},
		insecure:      insecure,
		documentLimit: limits.ManifestBytes,
		retryAfter:    &atomic.Pointer[string]{},
	}, nil
}

func (g *guard) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme != "https" && !g.insecure[request.URL.Host] {
		return nil, fmt.Errorf("expected https, found %s for %s, which is not named insecure",
			request.URL.Scheme, request.URL.Host)
	}
	response, err := g.inner.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusTooManyRequests {
		value := response.Header.Get("Retry-After")
		g.retryAfter.Store(&value)
	}
	if err := refuseResent(request, response); err != nil {
		response.Body.Close()
		return nil, err
	}
	if !strings.Contains(first(request).URL.Path, "/blobs/") {
		response.Body = &limitedBody{ReadCloser: response.Body, left: g.documentLimit}
	}
	return response, nil
}

// first is the request that redirects have led to this one: a blob may be served from anywhere.
func first(request *http.Request) *http.Request {
	for request.Response != nil && request.Response.Request != nil {
		request = request.Response.Request
	}
	return request
}

// A POST to a token server has the credentials in its body, which 307 and 308 would send again.
func refuseResent(request *http.Request, response *http.Response) error {
	if response.StatusCode/100 != 3 || request.Body == nil || request.Body == http.NoBody {
		return nil
	}
	target, err := response.Location()
	if err != nil || target.Host == request.URL.Host {
		return nil
	}
	return fmt.Errorf("%s answers a %s with a redirect to another host (%s): not followed",
		request.URL.Host, request.Method, target.Host)
}

type limitedBody struct {
	io.ReadCloser
	left int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
