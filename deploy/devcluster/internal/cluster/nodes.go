package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"oarlock.dev/devcluster/internal/netplan"
	"oarlock.dev/devcluster/internal/supervisor"
)

// maxNodes is what one machine can hold rather than what the address ranges allow.
const maxNodes = 16

// component is the name in this cluster of a component of the node: those of the first node have
// plain names, the others are called like node-2/kubelet.
func (n NodeRef) component(name string) string {
	if n.Index <= 1 {
		return name
	}
	return n.Name + "/" + name
}

// local is the opposite of component.
func (n NodeRef) local(name string) string { return strings.TrimPrefix(name, n.Name+"/") }

// components of a further node, in the order of their start.
func (n NodeRef) components() []string {
	return []string{n.component(containerd), n.component(kubelet), n.component(kubeProxy)}
}

// address is where the node is reached from this machine and from the other nodes.
func (n NodeRef) address() string {
	if !n.Link.Node.IsValid() {
		return "127.0.0.1"
	}
	return n.Link.Node.String()
}

// furtherNodes are all but the one with the control plane.
func (c *Cluster) furtherNodes() []NodeRef {
	if len(c.State.Nodes) == 0 {
		return nil
	}
	return c.State.Nodes[1:]
}

// nodeOf tells on which node a component runs. At the level control-plane there is none.
func (c *Cluster) nodeOf(component string) NodeRef {
	for _, node := range c.furtherNodes() {
		if strings.HasPrefix(component, node.Name+"/") {
			return node
		}
	}
	if len(c.State.Nodes) == 0 {
		return NodeRef{}
	}
	return c.State.Nodes[0]
}

func (c *Cluster) supervisorAt(node NodeRef) supervisor.Client {
	if node.Index <= 1 {
		return c.supervisor()
	}
	return supervisor.Client{RunDir: c.inHost("nodes", node.Name, "run")}
}

func (c *Cluster) supervisorOf(component string) supervisor.Client {
	return c.supervisorAt(c.nodeOf(component))
}

// list returns the components of all nodes that run.
func (c *Cluster) list() ([]supervisor.Status, error) {
	var out []supervisor.Status
	for _, node := range append([]NodeRef{{}}, c.furtherNodes()...) {
		s := c.supervisorAt(node)
		if !s.Alive() {
			continue
		}
		list, err := s.List()
		if err != nil {
			return out, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// killAll ends every process of the cluster; it needs no state.
func (c *Cluster) killAll() error {
	if err := c.supervisor().Kill(); err != nil { // the other nodes end with it; wait for them
		return err
	}
	runDirs, err := filepath.Glob(c.inHost("nodes", "*", "run"))
	if err != nil {
		return err
	}
	for _, dir := range runDirs {
		if err := (supervisor.Client{RunDir: dir}).Kill(); err != nil {
			return err
		}
	}
	return nil
}

// bootNode starts a further node up to its containerd, and thaws a frozen one.
func (c *Cluster) bootNode(node NodeRef) error {
	logs := c.inHost("logs", node.Name)
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return err
	}
	first, err := c.supervisor().Identity()
	if err != nil {
		return err
	}
	s, err := supervisor.Ensure(supervisor.Options{
		ClusterDir: c.Dir, RunDir: c.supervisorAt(node).RunDir,
		Log:   filepath.Join(logs, "supervisor.log"),
		Node:  &supervisor.NodeOptions{Folder: filepath.Join("nodes", node.Name)},
		Owner: first,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", node.Name, err)
	}
	if err := s.SignalAll(syscall.SIGCONT); err != nil {
		return err
	}
	if err := c.connectToFirst(node); err != nil {
		return fmt.Errorf("%s: %w", node.Name, err)
	}
	return c.startComponents(node.component(containerd))
}

// connectToFirst links a further node to the first one, which routes for all.
func (c *Cluster) connectToFirst(node NodeRef) error {
	first := c.State.Nodes[0]
	firstInit, err := c.supervisor().Identity()
	if err != nil {
		return err
	}
	init, err := c.supervisorAt(node).Identity()
	if err != nil {
		return err
	}
	err = supervisor.EnsurePeerLink(node.Name, firstInit.PID, nodeDevice, init.PID)
	if err != nil {
		return err
	}
	bits := "/" + strconv.Itoa(node.Link.Prefix().Bits())
	err = c.supervisor().ConfigureNetwork(supervisor.NetworkConfig{
		Device: node.Name, Address: node.Link.Host.String() + bits,
		Routes: []supervisor.Route{{To: netplan.PodSubnet(node.Index), Via: node.address()}},
	})
	if err != nil {
		return err
	}
	err = c.supervisorAt(node).ConfigureNetwork(supervisor.NetworkConfig{
		Device: nodeDevice, Address: node.address() + bits,
		Routes:  []supervisor.Route{{To: "0.0.0.0/0", Via: node.Link.Host.String()}},
		Sysctls: []string{"net/ipv4/ip_forward=1"},
	})
	if err != nil {
		return err
	}
	return supervisor.EnsureHostRoute(first.HostDevice, supervisor.Route{
		To: node.Link.Prefix().String(), Via: first.address(),
	})
}

// nodeStatus is frozen when every process is.
func (c *Cluster) nodeStatus(node NodeRef, list []supervisor.Status) NodeStatus {
	st := NodeStatus{Name: node.Name, Address: node.address(), State: "stopped"}
	if !c.supervisorAt(node).Alive() {
		return st
	}
	st.State = "running"
	running, paused := 0, 0
	for _, s := range list {
		if s.Running && c.nodeOf(s.Name).Index == node.Index {
			running++
			if s.Paused {
				paused++
			}
		}
	}
	if running > 0 && paused == running {
		st.State = "frozen"
	}
	return st
}

// onNode runs a change of one of the further nodes of a running cluster.
func (c *Cluster) onNode(name string, change func(NodeRef) error) error {
	if !c.Exists() || !c.supervisor().Alive() {
		return fmt.Errorf("%s: expected a running cluster, found none; start it with "+
			"`devcluster up --dir %[1]s`", c.Dir)
	}
	return c.withLock(func() error {
		var names []string
		for _, node := range c.furtherNodes() {
			if node.Name == name {
				return change(node)
			}
			names = append(names, node.Name)
		}
		switch {
		case len(names) == 0:
			return fmt.Errorf("expected a cluster of several nodes, found one that also holds the "+
				"control plane; `devcluster up --dir %s --nodes 3` adds nodes", c.Dir)
		case len(c.State.Nodes) > 0 && c.State.Nodes[0].Name == name:
			return fmt.Errorf("%s holds the control plane: expected one of the nodes %s; its "+
				"components alone can be stopped, killed and paused", name,
				strings.Join(names, ", "))
		}
		return fmt.Errorf("expected one of the nodes %s, found %q", strings.Join(names, ", "), name)
	})
}

// StopNode shuts a node down as its operating system would: every process of it, those of pods
// too, is asked to end and has a few seconds for that. The kubelet ends first, so that it does not
// bring containers back.
func (c *Cluster) StopNode(name string) error {
	return c.onNode(name, func(node NodeRef) error {
		s := c.supervisorAt(node)
		if !s.Alive() {
			return nil
		}
		if err := s.SignalAll(syscall.SIGCONT); err != nil {
			return err
		}
		if err := s.Stop(node.component(kubelet), stopGrace); err != nil {
			return err
		}
		return s.ShutDown()
	})
}

// KillNode ends a node at once, as a power cut would.
func (c *Cluster) KillNode(name string) error {
	return c.onNode(name, func(node NodeRef) error { return c.supervisorAt(node).Kill() })
}

// FreezeNode stops every process of a node, those of pods too, where it is. They keep their
// connections and answer nothing.
func (c *Cluster) FreezeNode(name string) error {
	return c.onNode(name, func(node NodeRef) error {
		s := c.supervisorAt(node)
		if !s.Alive() {
			return fmt.Errorf("%s: expected a running node, found it stopped", name)
		}
		return s.SignalAll(syscall.SIGSTOP)
	})
}

// StartNode makes a stopped or frozen node run, and waits until it is ready for pods.
func (c *Cluster) StartNode(name string, timeout time.Duration) error {
	return c.onNode(name, func(node NodeRef) error {
		if err := c.bootNode(node); err != nil {
			return err
		}
		if err := c.waitReady(timeout, node.component(containerd)); err != nil {
			return err
		}
		rest := node.components()[1:]
		if err := c.startComponents(rest...); err != nil {
			return err
		}
		return c.waitReady(timeout, rest...)
	})
}
