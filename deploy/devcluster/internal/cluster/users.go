package cluster

import (
	"fmt"
	"path/filepath"
	"strings"

	"oarlock.dev/devcluster/internal/files"
	"oarlock.dev/devcluster/internal/kubeconfig"
	"oarlock.dev/devcluster/internal/pki"
)

// UserOptions describe a user to mint a kubeconfig for.
type UserOptions struct {
	Name    string
	Groups  []string
	KeyType pki.KeyType
	Files   bool // reference PEM files in the cluster's folder instead of inlining them
}

// MintKubeconfig issues a client certificate for a user and returns a kubeconfig with it.
func (c *Cluster) MintKubeconfig(opts UserOptions) ([]byte, error) {
	if opts.Name == "" {
		return nil, fmt.Errorf("--user: expected a user name, found nothing")
	}
	ca, err := c.pki.Load("ca")
	if err != nil {
		return nil, fmt.Errorf("%s: expected a cluster with its authority, found: %w; start it "+
			"with `devcluster up --dir %[1]s`", c.Dir, err)
	}
	pair, err := ca.Issue(pki.Leaf{
		CommonName: opts.Name, Organizations: opts.Groups, KeyType: opts.KeyType,
	})
	if err != nil {
		return nil, err
	}
	spec := kubeconfig.Spec{
		Cluster: c.State.Name, User: opts.Name, Server: c.URL(),
		CA:   kubeconfig.Source{Data: ca.CertPEM},
		Cert: kubeconfig.Source{Data: pair.CertPEM}, Key: kubeconfig.Source{Data: pair.KeyPEM},
	}
	if opts.Files {
		base := filepath.Join(c.Dir, "users", fileName(opts.Name))
		spec.CA = kubeconfig.Source{Path: c.pki.CertPath("ca")}
		spec.Cert, spec.Key = kubeconfig.Source{Path: base + ".crt"},
			kubeconfig.Source{Path: base + ".key"}
		if err := files.WriteAtomic(spec.Key.Path, pair.KeyPEM, 0o600); err != nil {
			return nil, err
		}
		if err := files.WriteAtomic(spec.Cert.Path, pair.CertPEM, 0o644); err != nil {
			return nil, err
		}
	}
	return kubeconfig.Render(spec), nil
}

// fileName keeps a user name such as system:serviceaccount:a:b, or one with slashes, inside its
// folder; different names stay different.
func fileName(user string) string {
	var b strings.Builder
	for i, r := range []byte(user) {
		plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			r == '-' || r == '_' || r == '.' && i > 0
		if plain {
			b.WriteByte(r)
		} else {
			fmt.Fprintf(&b, "%%%02x", r)
		}
	}
	return b.String()
}
