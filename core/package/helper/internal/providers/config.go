package providers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"
)

// What kubelet reads from the file of --image-credential-provider-config. Fields that ask for what
// only a kubelet has (a pod's token) are unknown here, and refused.
type config struct {
	APIVersion string     `json:"apiVersion"`
	Kind       string     `json:"kind"`
	Providers  []provider `json:"providers"`
}

type provider struct {
	Name                 string     `json:"name"`
	MatchImages          []string   `json:"matchImages"`
	DefaultCacheDuration *duration  `json:"defaultCacheDuration"`
	APIVersion           string     `json:"apiVersion"`
	Args                 []string   `json:"args"`
	Env                  []variable `json:"env"`
}

type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// duration is written as "12h" or "10m30s".
type duration time.Duration

func (d *duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	parsed, err := time.ParseDuration(text)
	if err != nil || parsed < 0 {
		return fmt.Errorf("expected a duration such as 12h, found %q", text)
	}
	*d = duration(parsed)
	return nil
}

var configVersions = []string{"kubelet.config.k8s.io/v1", "kubelet.config.k8s.io/v1beta1"}
var protocolVersions = []string{"credentialprovider.kubelet.k8s.io/v1",
	"credentialprovider.kubelet.k8s.io/v1beta1"}

func oneOf(what, found string, expected []string) error {
	for _, one := range expected {
		if one == found {
			return nil
		}
	}
	return fmt.Errorf("%s: expected one of %s, found %q", what, strings.Join(expected, ", "), found)
}

func strictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func parseConfig(data []byte) (*config, error) {
	parsed := &config{}
	if err := strictly(data, parsed); err != nil {
		return nil, fmt.Errorf("expected a CredentialProviderConfig: %w", err)
	}
	if err := oneOf("apiVersion", parsed.APIVersion, configVersions); err != nil {
		return nil, err
	}
	if parsed.Kind != "CredentialProviderConfig" {
		return nil, fmt.Errorf("expected kind CredentialProviderConfig, found %q", parsed.Kind)
	}
	seen := map[string]bool{}
	for i := range parsed.Providers {
		p := &parsed.Providers[i]
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("provider %q: %w", p.Name, err)
		}
		if seen[p.Name] {
			return nil, fmt.Errorf("expected one provider called %q, found two", p.Name)
		}
		seen[p.Name] = true
	}
	return parsed, nil
}

func (p *provider) check() error {
	if p.Name == "" || p.Name == "." || p.Name == ".." || strings.ContainsAny(p.Name, "/ ") {
		return errors.New("expected the name of a program in the folder of providers")
	}
	if err := oneOf("apiVersion", p.APIVersion, protocolVersions); err != nil {
		return err
	}
	if p.DefaultCacheDuration == nil {
		return errors.New("expected defaultCacheDuration, found none; 0s: not cached")
	}
	if len(p.MatchImages) == 0 {
		return errors.New("expected matchImages, found none")
	}
	for _, pattern := range p.MatchImages {
		if _, err := parsePattern(pattern); err != nil {
			return fmt.Errorf("matchImages: %q: %w", pattern, err)
		}
	}
	return nil
}

// parsePattern of images: HOST[:PORT][/PATH], with * in the host's labels.
func parsePattern(text string) (*url.URL, error) {
	if strings.Contains(text, "://") {
		return nil, errors.New("expected HOST/PATH, found a scheme")
	}
	parsed, err := url.Parse("https://" + text)
	if err != nil || parsed.Host == "" {
		return nil, errors.New("expected HOST[:PORT][/PATH]")
	}
	for _, label := range strings.Split(parsed.Hostname(), ".") {
		if _, err := path.Match(label, ""); err != nil {
			return nil, err
		}
	}
	return parsed, nil
}

func (p *provider) matches(repository string) bool {
	for _, pattern := range p.MatchImages {
		if matches(pattern, repository) {
			return true
		}
	}
	return false
}

// matches as kubelet does: the port is the same, each label of the host is matched by its own, and
// the path begins with that of the pattern.
func matches(pattern, repository string) bool {
	want, err := parsePattern(pattern)
	if err != nil {
		return false
	}
	found, err := url.Parse("https://" + repository)
	if err != nil || want.Port() != found.Port() {
		return false
	}
	labels, of := strings.Split(want.Hostname(), "."), strings.Split(found.Hostname(), ".")
	if len(labels) != len(of) || !strings.HasPrefix(found.Path, want.Path) {
		return false
	}
	for i := range labels {
		if ok, err := path.Match(labels[i], of[i]); err != nil || !ok {
			return false
		}
	}
	return true
}
