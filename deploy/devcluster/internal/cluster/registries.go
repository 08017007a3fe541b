package cluster

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"

	"oarlock.dev/devcluster/internal/files"
)

// A trusted registry is one of this machine that the nodes use over plain HTTP under its own name,
// beside the cluster's, which answers for all other names.

// registryEndpoint is where the nodes find the registry of that name: what this machine calls its
// loopback has another address in their network.
func (c *Cluster) registryEndpoint(name string) string {
	host, port, err := net.SplitHostPort(name)
	if err == nil && loopback(host) {
		name = net.JoinHostPort(c.State.Nodes[0].Link.Host.String(), port)
	}
	return "http://" + name
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// TrustRegistry makes all nodes pull images named HOST:PORT/... from that registry, and returns
// where they find it. It lasts over restarts of the cluster.
func (c *Cluster) TrustRegistry(name string) (string, error) {
	if c.State.Level != Node || !c.supervisor().Alive() {
		return "", fmt.Errorf("%s: expected a running cluster of level %s, found none; start it "+
			"with `devcluster up --dir %[1]s --level %[2]s`", c.Dir, Node)
	}
	host, port, err := net.SplitHostPort(name)
	if n, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || n == 0 {
		return "", fmt.Errorf("registry: expected HOST:PORT, as image names begin with it, "+
			"found %q", name)
	}
	own := c.State.Nodes[0].Link.Host.String()
	if !loopback(host) && host != own {
		return "", fmt.Errorf("registry %s: expected one of this machine, localhost:%s or "+
			"%s:%[2]s: the nodes reach no other", name, port, own)
	}
	endpoint := c.registryEndpoint(name)
	if err := answersLikeRegistry(endpoint); err != nil {
		return "", fmt.Errorf("registry %s: expected an answer at %s, where the nodes will ask, "+
			"found: %w; make it listen on %s or on 0.0.0.0", name, endpoint, err, own)
	}
	return endpoint, c.withLock(func() error {
		if !slices.Contains(c.State.Registries, name) {
			c.State.Registries = append(c.State.Registries, name)
		}
		for _, node := range c.State.Nodes {
			path := c.inHost("nodes", node.Name, "certs.d", name, "hosts.toml")
			if err := files.WriteAtomic(path, []byte(mirror(endpoint)), 0o644); err != nil {
				return err // containerd reads it at the next pull
			}
		}
		return c.saveState()
	})
}

// answersLikeRegistry accepts a registry that asks for a login too.
func answersLikeRegistry(endpoint string) error {
	client := &http.Client{Timeout: requestTimeout, Transport: &http.Transport{Proxy: nil}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(endpoint + "/v2/")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("GET /v2/: %s", resp.Status)
	}
	return nil
}
