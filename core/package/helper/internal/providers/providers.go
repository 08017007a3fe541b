// Package providers asks programs of the administrator for the credentials of registries, as
// kubelet does (--image-credential-provider-config and -bin-dir). It runs in a process of its own,
// which never talks to a registry.
package providers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"oarlock.dev/fetch/internal/protocol"
	"oarlock.dev/fetch/internal/registry"
)

const (
	defaultTimeout = time.Minute
	outputLimit    = 1 << 20
	complaintLimit = 512
	cacheLimit     = 256 // entries
	requestLimit   = 8 << 20
)

// Ask every provider that matches the image, unless what it said before still counts.
func Ask(ctx context.Context, request *protocol.CredentialsRequest,
	now time.Time) *protocol.CredentialsAnswer {
	answer := &protocol.CredentialsAnswer{Version: protocol.Version}
	answer.DockerConfig.Auths = map[string]protocol.PasswordOfAHost{}
	answer.Cache, answer.Problems = []protocol.CachedCredentials{}, []string{}
	if err := ask(ctx, request, now, answer); err != nil {
		answer.Error = &protocol.Error{Reason: protocol.PolicyInvalid,
			Message: "credentialProviders: " + err.Error()}
	}
	return answer
}

func ask(ctx context.Context, request *protocol.CredentialsRequest, now time.Time,
	answer *protocol.CredentialsAnswer) error {
	names, err := registry.Resolve(request.Image, request.Registry)
	if err != nil {
		return err
	}
	parsed, err := parseConfig(request.Config)
	if err != nil {
		return err
	}
	timeout := time.Duration(request.TimeoutMillis) * time.Millisecond
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, cached := range request.Cache {
		if cached.Expires.After(now) && len(answer.Cache) < cacheLimit {
			answer.Cache = append(answer.Cache, cached)
		}
	}
	target := names.Resolved.Context()
	for i := range parsed.Providers {
		p := &parsed.Providers[i]
		if !p.matches(target.Name()) {
			continue
		}
		auths, problem := p.credentials(ctx, request.BinDir, target.Name(), now, answer)
		if problem != nil {
			answer.Problems = append(answer.Problems,
				fmt.Sprintf("credential provider %s: %v", p.Name, problem))
		}
		for key, auth := range auths {
			if _, found := answer.DockerConfig.Auths[key]; !found {
				answer.DockerConfig.Auths[key] = auth
			}
		}
	}
	return nil
}

// keysOf what may be cached about a repository, the narrowest first.
func keysOf(repository string) [3]string {
	host, _, _ := strings.Cut(repository, "/")
	return [3]string{"image " + repository, "registry " + host, "global"}
}

func (p *provider) credentials(ctx context.Context, folder, repository string, now time.Time,
	answer *protocol.CredentialsAnswer) (map[string]protocol.PasswordOfAHost, error) {
	keys := keysOf(repository)
	for _, key := range keys {
		for _, cached := range answer.Cache {
			if cached.Provider == p.Name && cached.Key == key {
				return cached.Auths, nil
			}
		}
	}
	said, err := p.run(ctx, folder, repository)
	if err != nil {
		return nil, err
	}
	lasts := time.Duration(*p.DefaultCacheDuration)
	if said.CacheDuration != nil {
		lasts = time.Duration(*said.CacheDuration)
	}
	key, known := map[string]string{"Image": keys[0], "Registry": keys[1],
		"Global": keys[2]}[said.CacheKeyType]
	if !known {
		return nil, fmt.Errorf("expected cacheKeyType Image, Registry or Global, found %q",
			said.CacheKeyType)
	}
	if lasts > 0 && len(answer.Cache) < cacheLimit {
		answer.Cache = append(answer.Cache, protocol.CachedCredentials{Provider: p.Name, Key: key,
			Expires: now.Add(lasts), Auths: said.Auth})
	}
	return said.Auth, nil
}

type response struct {
	APIVersion    string                              `json:"apiVersion"`
	Kind          string                              `json:"kind"`
	CacheKeyType  string                              `json:"cacheKeyType"`
	CacheDuration *duration                           `json:"cacheDuration"`
	Auth          map[string]protocol.PasswordOfAHost `json:"auth"`
}

// run the program. Errors never quote its output, only its complaints.
func (p *provider) run(ctx context.Context, folder, repository string) (*response, error) {
	question, err := json.Marshal(map[string]string{"apiVersion": p.APIVersion,
		"kind": "CredentialProviderRequest", "image": repository})
	if err != nil {
		return nil, err
	}
	out, complaints := &bounded{limit: outputLimit}, &bounded{limit: complaintLimit}
	cmd := exec.CommandContext(ctx, filepath.Join(folder, p.Name), p.Args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(question), out, complaints
	cmd.Env = os.Environ()
	for _, one := range p.Env {
		cmd.Env = append(cmd.Env, one.Name+"="+one.Value)
	}
	// It ends with us, and what it has started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	runtime.LockOSThread() // the death signal is that of the thread
	err = cmd.Run()
	runtime.UnlockOSThread()
	switch {
	case ctx.Err() != nil:
		return nil, errors.New("expected an answer in time, found none")
	case err != nil:
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(complaints.text.String()))
	case out.isOver:
		return nil, fmt.Errorf("expected an answer of at most %d bytes, found more", outputLimit)
	}
	said := &response{}
	if json.Unmarshal(out.text.Bytes(), said) != nil || said.APIVersion != p.APIVersion ||
		said.Kind != "CredentialProviderResponse" {
		return nil, fmt.Errorf("expected a CredentialProviderResponse of %s, found something else",
			p.APIVersion)
	}
	return said, nil
}

// bounded keeps the start of what is written.
type bounded struct {
	text   bytes.Buffer
	limit  int
	isOver bool
}

func (b *bounded) Write(data []byte) (int, error) {
	room := b.limit - b.text.Len()
	if len(data) > room {
		b.isOver = true
		b.text.Write(data[:room])
		return len(data), nil
	}
	return b.text.Write(data)
}

// Read a request.
func Read(in io.Reader) (*protocol.CredentialsRequest, error) {
	data, err := io.ReadAll(io.LimitReader(in, requestLimit))
	if err != nil {
		return nil, err
	}
	request := &protocol.CredentialsRequest{}
	if err := strictly(data, request); err != nil {
		return nil, errors.New("expected one JSON request, found something else")
	}
	return request, request.Check()
}
