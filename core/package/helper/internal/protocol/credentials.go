package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// CredentialsRequest asks the administrator's credential providers about one image.
type CredentialsRequest struct {
	Version       int    `json:"version"`
	Image         string `json:"image"`
	TimeoutMillis int64  `json:"timeoutMillis,omitempty"` // of all providers together; 0: 60 s
	// Registry: only Insecure and Mirrors are looked at.
	Registry Registry `json:"registry"`
	// Config is kubelet's CredentialProviderConfig.
	Config json.RawMessage `json:"config"`
	BinDir string          `json:"binDir"` // absolute: where the providers' programs are
	// Cache is that of the answer before.
	Cache []CachedCredentials `json:"cache,omitempty"`
}

// CachedCredentials are what one provider said, and until when it counts.
type CachedCredentials struct {
	Provider string `json:"provider"`
	// Key is what it was said about: "image NAME", "registry HOST" or "global".
	Key     string                     `json:"key"`
	Expires time.Time                  `json:"expires"`
	Auths   map[string]PasswordOfAHost `json:"auths"`
}

// PasswordOfAHost is an entry of a dockerConfig.
type PasswordOfAHost struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// CredentialsAnswer has what a pull takes as registry.dockerConfig.
type CredentialsAnswer struct {
	Version      int    `json:"version"`
	Error        *Error `json:"error,omitempty"`
	DockerConfig struct {
		Auths map[string]PasswordOfAHost `json:"auths"`
	} `json:"dockerConfig"`
	Cache []CachedCredentials `json:"cache"`
	// Problems of providers, one sentence each: the others were asked all the same.
	Problems []string `json:"problems"`
}

// Check says what is wrong with a request.
func (r *CredentialsRequest) Check() error {
	switch {
	case r.Version != Version:
		return fmt.Errorf("expected a request of version %d, found %d; caller and helper must be "+
			"of one build", Version, r.Version)
	case r.Image == "":
		return errors.New("expected an image, found none")
	case !filepath.IsAbs(r.BinDir):
		return fmt.Errorf("expected an absolute binDir, found %q", r.BinDir)
	case r.TimeoutMillis < 0:
		return errors.New("expected a timeout above zero, found a negative one")
	}
	return nil
}
