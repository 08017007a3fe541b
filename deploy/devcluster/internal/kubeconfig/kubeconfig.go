// Package kubeconfig renders client-certificate kubeconfigs.
package kubeconfig

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// A Spec is one user on one cluster.
type Spec struct {
	Cluster, User, Server string
	CA, Cert, Key         Source
}

// A Source is either inline PEM data or the path of a PEM file.
type Source struct {
	Data []byte
	Path string
}

// Render writes the file. Quoting every value as JSON is valid YAML whatever the names contain.
func Render(s Spec) []byte {
	context := s.User + "@" + s.Cluster
	return []byte(fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: %[1]s
  cluster:
    server: %[2]s
    %[3]s
users:
- name: %[4]s
  user:
    %[5]s
    %[6]s
contexts:
- name: %[7]s
  context:
    cluster: %[1]s
    user: %[4]s
current-context: %[7]s
`, quote(s.Cluster), quote(s.Server), s.CA.field("certificate-authority"), quote(s.User),
		s.Cert.field("client-certificate"), s.Key.field("client-key"), quote(context)))
}

func (s Source) field(name string) string {
	if s.Path != "" {
		return name + ": " + quote(s.Path)
	}
	return name + "-data: " + base64.StdEncoding.EncodeToString(s.Data)
}

func quote(s string) string {
	out, _ := json.Marshal(s) // a string always marshals
	return string(out)
}
