package registry

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

type dockerConfig struct {
	Auths map[string]dockerAuth `json:"auths"`
}

type dockerAuth struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	Auth          string `json:"auth"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

type credential struct {
	host string // may have * in its labels, as kubelet allows
	path string
	auth authn.AuthConfig
}

// keychain resolves as kubelet does: the longest path that matches wins.
type keychain []credential

const dockerHub = "index.docker.io"

func newKeychain(config json.RawMessage) (keychain, error) {
	if len(config) == 0 {
		return nil, nil
	}
	var parsed dockerConfig
	if err := json.Unmarshal(config, &parsed); err != nil {
		// The parser's own words could quote a secret.
		return nil, errors.New(`registry.dockerConfig: expected {"auths": {...}}, found other JSON`)
	}
	var chain keychain
	for key, entry := range parsed.Auths {
		auth, err := entry.config()
		if err != nil {
			return nil, fmt.Errorf("registry.dockerConfig: auths[%q]: %w", key, err)
		}
		host, rest := splitKey(key)
		chain = append(chain, credential{host: host, path: rest, auth: auth})
	}
	return chain, nil
}

func (a dockerAuth) config() (authn.AuthConfig, error) {
	out := authn.AuthConfig{Username: a.Username, Password: a.Password,
		IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken}
	if a.Auth == "" {
		return out, nil
	}
	decoded, err := base64.StdEncoding.DecodeString(a.Auth)
	name, password, found := strings.Cut(string(decoded), ":")
	if err != nil || !found {
		return out, errors.New("auth: expected base64 of NAME:PASSWORD")
	}
	out.Username, out.Password = name, strings.TrimRight(password, "\x00")
	return out, nil
}

// "https://host/v1/" and "host/path" alike.
func splitKey(key string) (host, rest string) {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	host, rest, _ = strings.Cut(strings.TrimRight(key, "/"), "/")
	if rest == "v1" || rest == "v2" {
		rest = ""
	}
	if host == "docker.io" || host == "registry-1.docker.io" {
		host = dockerHub
	}
	return host, rest
}

func (c credential) matches(host, repository string) bool {
	if c.path != "" && repository != c.path && !strings.HasPrefix(repository, c.path+"/") {
		return false
	}
	if c.host == host {
		return true
	}
	want, found := strings.Split(c.host, "."), strings.Split(host, ".")
	if len(want) != len(found) || !strings.Contains(c.host, "*") {
		return false
	}
	for i := range want {
		if ok, err := path.Match(want[i], found[i]); err != nil || !ok {
			return false
		}
	}
	return true
}

// Resolve is authn.Keychain's.
func (k keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	host := target.RegistryStr()
	_, repository, _ := strings.Cut(target.String(), "/")
	var best *credential
	for i := range k {
		c := &k[i]
		if !c.matches(host, repository) {
			continue
		}
		if best == nil || len(c.path) > len(best.path) ||
			(len(c.path) == len(best.path) && best.host != host && (c.host == host ||
				c.host > best.host)) {
			best = c
		}
	}
	if best == nil {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(best.auth), nil
}
