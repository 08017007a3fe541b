package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"oarlock.dev/devcluster/internal/cgroups"
	"oarlock.dev/devcluster/internal/files"
	"oarlock.dev/devcluster/internal/images"
	"oarlock.dev/devcluster/internal/netplan"
	"oarlock.dev/devcluster/internal/pki"
	"oarlock.dev/devcluster/internal/supervisor"
)

const (
	nodeDevice   = "eth0" // the node's end of its link
	registryPort = 5000
	cniFolder    = "/usr/lib/cni"
	releaseLimit = 10 * time.Second
)

// inHost is the path of a cluster file as this process sees it.
func (c *Cluster) inHost(elem ...string) string {
	return filepath.Join(append([]string{c.Dir}, elem...)...)
}

// hostDevice and cgroupRoot are derived from the folder alone; see clusterID.
func hostDevice(id string, index int) string { return fmt.Sprintf("odc%s-%d", id, index) }
func cgroupRoot(id string, index int) string { return fmt.Sprintf("devcluster-%s-%d", id, index) }

// RegistryURL is the cluster's image registry, as the host and the pods reach it.
func (c *Cluster) RegistryURL() string {
	if c.State.Level != Node {
		return ""
	}
	return fmt.Sprintf("http://%s:%d", c.address(), registryPort)
}

// preflight refuses what cannot work, with everything that is missing at once.
func preflight() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("level %s: expected to run as root (pods need namespaces, mounts and "+
			"cgroups), found user id %d; use sudo, or --level %s", Node, os.Geteuid(), ControlPlane)
	}
	var missing []string
	for _, need := range []struct{ program, pkg string }{
		{"containerd", "containerd"}, {"runc", "runc"}, {"iptables", "iptables"},
		{"mount", "mount"}, {cniFolder + "/ptp", "containernetworking-plugins"},
	} {
		if _, err := lookPath(need.program); err != nil {
			missing = append(missing, need.pkg)
		}
	}
	if len(missing) > 0 {
		list := strings.Join(missing, " ")
		return fmt.Errorf("level %s: expected the Debian packages %s, found them missing; "+
			"`apt-get install --no-install-recommends %[2]s`", Node, list)
	}
	_, err := sidecar("pause")
	return err
}

// lookPath also searches the sbin folders, which are not on every root's PATH.
func lookPath(program string) (string, error) {
	path, err := exec.LookPath(program)
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if err == nil || filepath.IsAbs(program) {
			break
		}
		path, err = exec.LookPath(filepath.Join(dir, program))
	}
	return path, err
}

// sidecar finds a small program that was built next to this binary.
func sidecar(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), "devcluster.d", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("expected %s beside the binary, found: %w; build with build.sh", path,
			err)
	}
	return path, nil
}

// allocateNodes picks a network for each node, or keeps the one it has while it is free; nodes of a
// running cluster keep theirs. A device that an earlier run of this cluster left behind is removed
// first, so that its own address does not count as taken.
func (c *Cluster) allocateNodes(count int, running bool) error {
	if have := len(c.State.Nodes); count != 0 && count < have {
		return fmt.Errorf("--nodes: expected %d or more, as many as the cluster in %s has, found "+
			"%d; `devcluster node stop` stops one", have, c.Dir, count)
	}
	if !running {
		if err := c.releaseHost(); err != nil {
			return err
		}
	}
	used, err := netplan.UsedNetworks()
	if err != nil {
		return err
	}
	for i := len(c.State.Nodes) + 1; i <= max(1, count); i++ {
		c.State.Nodes = append(c.State.Nodes, NodeRef{Name: fmt.Sprintf("node-%d", i), Index: i})
	}
	seed, err := strconv.ParseUint(c.State.ID, 16, 32)
	if err != nil {
		return err
	}
	for i := range c.State.Nodes {
		n := &c.State.Nodes[i]
		if !running || n.CgroupRoot == "" {
			if n.Link, err = netplan.PickLink(uint32(seed), used); err != nil {
				return err
			}
		}
		n.CgroupRoot = cgroupRoot(c.State.ID, n.Index)
		if n.Index == 1 {
			n.HostDevice = hostDevice(c.State.ID, n.Index)
		}
		used = append(used, n.Link.Prefix())
	}
	return nil
}

// releaseHost removes what nodes leave on the host after their inits have died. It needs no state.
func (c *Cluster) releaseHost() error {
	if os.Geteuid() != 0 {
		return nil // then there never was a node
	}
	id := clusterID(c.Dir)
	if err := supervisor.RemoveLink(hostDevice(id, 1), releaseLimit); err != nil {
		return err
	}
	for i := 1; i <= maxNodes; i++ {
		if err := cgroups.Remove(cgroupRoot(id, i), releaseLimit); err != nil {
			return err
		}
	}
	return nil
}

// nodeClients are the identities of a node's components.
func nodeClients(node NodeRef) map[string]pki.Leaf {
	out := map[string]pki.Leaf{
		node.component(kubelet): {
			CommonName: "system:node:" + node.Name, Organizations: []string{"system:nodes"},
		},
		node.component(kubeProxy): {CommonName: "system:kube-proxy"},
	}
	if node.Index == 1 {
		out[coreDNS] = pki.Leaf{CommonName: dnsUser}
		out[provisioner] = pki.Leaf{CommonName: provisionerUser}
	}
	return out
}

// prepareNode writes the certificates and configuration files of a node.
func (c *Cluster) prepareNode(node NodeRef) error {
	ca, err := c.pki.Load("ca")
	if err != nil {
		return err
	}
	for name, leaf := range nodeClients(node) {
		if err := c.writeClientConfig(ca, name, leaf); err != nil {
			return err
		}
	}
	serving := pki.Leaf{
		CommonName: "system:node:" + node.Name, Organizations: []string{"system:nodes"},
		Hosts: []string{node.Name, node.address()},
	}
	if _, err := c.pki.Ensure(ca, node.component(kubelet), serving); err != nil {
		return err
	}
	for name, text := range c.nodeFiles(node) {
		path := c.inHost("nodes", node.Name, name)
		if err := files.WriteAtomic(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return cgroups.Create(node.CgroupRoot)
}

// startNodeLevel starts everything, in waves that follow the dependencies.
func (c *Cluster) startNodeLevel(timeout time.Duration) error {
	if err := c.connectToHost(c.State.Nodes[0]); err != nil {
		return err
	}
	c.log("starting etcd, kube-apiserver at %s, containerd and the image registry", c.URL())
	if err := c.startComponents(registry, containerd, etcd, apiServer); err != nil {
		return err
	}
	first := []string{apiServer, containerd}
	rest := []string{controllerManager, scheduler, kubelet, kubeProxy, coreDNS}
	for _, node := range c.furtherNodes() {
		if err := c.bootNode(node); err != nil {
			return err
		}
		first = append(first, node.component(containerd))
		rest = append(rest, node.component(kubelet), node.component(kubeProxy))
	}
	if err := c.waitReady(timeout, registry); err != nil {
		return err
	}
	if err := c.pushPauseImage(); err != nil {
		return err
	}
	if err := c.waitReady(timeout, first...); err != nil {
		return err
	}
	c.log("starting kube-controller-manager, kube-scheduler, kubelet, kube-proxy and DNS")
	if err := c.applyAddons(); err != nil {
		return err
	}
	if err := c.startComponents(rest...); err != nil {
		return err
	}
	if err := c.waitReady(timeout, rest...); err != nil {
		return err
	}
	return c.startComponents(provisioner) // claims wait for it, `up` need not
}

// connectToHost links the first node to this machine.
func (c *Cluster) connectToHost(node NodeRef) error {
	init, err := c.supervisor().Identity()
	if err != nil {
		return err
	}
	bits := "/" + strconv.Itoa(node.Link.Prefix().Bits())
	hostAddress := node.Link.Host.String() + bits
	err = supervisor.EnsureLink(node.HostDevice, nodeDevice, hostAddress, init.PID)
	if err != nil {
		return err
	}
	return c.supervisor().ConfigureNetwork(supervisor.NetworkConfig{
		Device: nodeDevice, Address: node.Link.Node.String() + bits,
		// Without a route the node itself could not reach a Service: the kernel looks for one
		// before kube-proxy's rules replace the address.
		Routes:  []supervisor.Route{{To: netplan.ServiceCIDR}},
		Sysctls: []string{"net/ipv4/ip_forward=1"},
		// This machine knows no way back to a pod: what pods ask of it comes from the node.
		Masquerade: netplan.PodCIDR,
	})
}

func (c *Cluster) pushPauseImage() error {
	binary, err := sidecar("pause")
	if err != nil {
		return err
	}
	img, err := images.Build(images.BuildOptions{Binary: binary, User: "65535"})
	if err != nil {
		return err
	}
	return images.Push(c.RegistryURL(), pauseImage, img)
}

// LoadImage pushes an image file into the cluster's registry.
func (c *Cluster) LoadImage(path, reference string) (string, error) {
	if c.State.Level != Node {
		return "", fmt.Errorf("%s: expected a cluster of level %s, which has a registry, found "+
			"level %q", c.Dir, Node, c.State.Level)
	}
	if !c.supervisor().Alive() {
		return "", fmt.Errorf("%s: expected a running cluster, found none; start it with "+
			"`devcluster up --dir %[1]s`", c.Dir)
	}
	return images.PushFile(c.RegistryURL(), path, reference)
}
