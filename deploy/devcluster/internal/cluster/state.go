// Package cluster starts, stops and inspects a Kubernetes cluster that lives in one folder.
package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/component-base/version"
	"oarlock.dev/devcluster/internal/files"
	"oarlock.dev/devcluster/internal/netplan"
	"oarlock.dev/devcluster/internal/pki"
	"oarlock.dev/devcluster/internal/supervisor"
)

// A Level says how much of Kubernetes runs.
type Level string

// The levels of `devcluster up --level`.
const (
	ControlPlane Level = "control-plane" // etcd and API server; no root needed
	Node         Level = "node"          // everything, with real pods
)

// Ports of the control plane.
type Ports struct {
	Etcd              int `json:"etcd"`
	EtcdPeer          int `json:"etcdPeer"`
	APIServer         int `json:"apiServer"`
	ControllerManager int `json:"controllerManager"`
	Scheduler         int `json:"scheduler"`
}

// nodeLevelPorts are fixed: the cluster has a network namespace of its own.
var nodeLevelPorts = Ports{2379, 2380, 6443, 10257, 10259}

// State is what cluster.json remembers. All of it is chosen at the first `up`; what runs is never
// written down here but asked from the supervisor.
type State struct {
	Name              string    `json:"name"`
	ID                string    `json:"id"`
	Level             Level     `json:"level"`
	With              []string  `json:"with,omitempty"`
	KubernetesVersion string    `json:"kubernetesVersion"`
	Ports             Ports     `json:"ports"`
	Nodes             []NodeRef `json:"nodes,omitempty"`
	Registries        []string  `json:"registries,omitempty"`  // trusted beside the own one
	Kubeconfigs       []string  `json:"kubeconfigs,omitempty"` // copies to keep current
}

// NodeRef is what is allocated for one node. The first one holds the control plane too; its link
// goes to the host, the links of the others go to it.
type NodeRef struct {
	Name       string       `json:"name"`
	Index      int          `json:"index"` // from 1; selects the pod subnet
	Link       netplan.Link `json:"link"`
	HostDevice string       `json:"hostDevice,omitempty"` // of the first node
	CgroupRoot string       `json:"cgroupRoot"`
}

// Cluster is an opened cluster folder.
type Cluster struct {
	Dir   string
	State State
	log   func(format string, args ...any)
	pki   pki.Store
}

// Open prepares the use of a folder; the folder and its state need not exist.
func Open(dir string, log func(format string, args ...any)) (*Cluster, error) {
	dir, err := resolve(dir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: dir, log: log, pki: pki.Store{Dir: filepath.Join(dir, "pki")}}
	return c, c.loadState()
}

// resolve makes a path absolute and free of links as far as it exists, so that a cluster has one
// name however it is spelled.
func resolve(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("--dir: expected the folder of the cluster, found nothing")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for head, tail := abs, ""; ; head, tail = filepath.Dir(head), filepath.Join(
		filepath.Base(head), tail) {
		if real, err := filepath.EvalSymlinks(head); err == nil {
			return filepath.Join(real, tail), nil
		} else if !errors.Is(err, fs.ErrNotExist) || head == filepath.Dir(head) {
			return "", err
		}
	}
}

// clusterID depends on the folder only: also when cluster.json is lost, `down` finds the cgroups
// and the network device of the cluster.
func clusterID(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:4])
}

func (c *Cluster) statePath() string { return filepath.Join(c.Dir, "cluster.json") }

func (c *Cluster) loadState() error {
	data, err := os.ReadFile(c.statePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var state State
	if err := json.Unmarshal(data, &state); err != nil || state.ID == "" {
		// Only a full disk or a foreign hand does this. All of it can be chosen again by `up`,
		// and `down` needs none of it.
		c.log("%s: expected the state of a cluster, found something else; starting afresh",
			c.statePath())
		c.State = State{}
		return nil
	}
	c.State = state
	return nil
}

// Exists reports whether `up` was ever called on this folder.
func (c *Cluster) Exists() bool { return c.State.ID != "" }

func (c *Cluster) saveState() error {
	data, err := json.MarshalIndent(c.State, "", "  ")
	if err != nil {
		return err
	}
	return files.WriteAtomic(c.statePath(), append(data, '\n'), 0o644)
}

// ensureState chooses at the first `up` and checks at every later one.
func (c *Cluster) ensureState(opts UpOptions, running bool) error {
	s := &c.State
	if !c.Exists() {
		if err := c.recoverLost(); err != nil {
			return err
		}
		running = false
		*s = State{ID: clusterID(c.Dir), Level: opts.Level, Name: opts.Name}
		if s.Name == "" {
			s.Name = filepath.Base(c.Dir)
		}
	}
	if opts.Level != "" && opts.Level != s.Level {
		return fmt.Errorf("--level: expected %s, the level that the cluster in %s was made with, "+
			"found %s; use another --dir, or `devcluster down --dir %[2]s --purge` first",
			s.Level, c.Dir, opts.Level)
	}
	if opts.Name != "" && opts.Name != s.Name {
		return fmt.Errorf("--name: expected %s, the name of the cluster in %s, found %s; leave it "+
			"out or use another --dir", s.Name, c.Dir, opts.Name)
	}
	for _, name := range opts.With {
		if !slices.Contains(s.With, name) {
			s.With = append(s.With, name)
		}
	}
	if opts.Kubeconfig != "" && !slices.Contains(s.Kubeconfigs, opts.Kubeconfig) {
		s.Kubeconfigs = append(s.Kubeconfigs, opts.Kubeconfig)
	}
	if !running {
		s.KubernetesVersion = version.Get().GitVersion
	}
	if err := c.allocate(opts.Nodes, running); err != nil {
		return err
	}
	return c.saveState()
}

// recoverLost ends what a cluster whose cluster.json is lost may still run.
func (c *Cluster) recoverLost() error {
	if err := c.killAll(); err != nil {
		return err
	}
	return c.releaseHost()
}

// allocate picks what the host must have free, and keeps an earlier choice while it is free.
func (c *Cluster) allocate(nodes int, running bool) error {
	if c.State.Level == Node {
		c.State.Ports = nodeLevelPorts
		return c.allocateNodes(nodes, running)
	}
	if nodes != 0 {
		return fmt.Errorf("--nodes: expected --level %s with it, found level %s", Node,
			c.State.Level)
	}
	if running {
		return nil
	}
	p := &c.State.Ports
	all := []*int{&p.Etcd, &p.EtcdPeer, &p.APIServer, &p.ControllerManager, &p.Scheduler}
	for _, port := range all {
		if *port != 0 && netplan.PortFree(*port) {
			continue
		}
		fresh, err := netplan.PickPorts(1)
		if err != nil {
			return err
		}
		if *port != 0 {
			c.log("port %d is taken by another program: using %d from now on", *port, fresh[0])
		}
		*port = fresh[0]
	}
	return nil
}

// withLock runs a change of the cluster while no other command changes it.
func (c *Cluster) withLock(change func() error) error {
	lock, err := files.Lock(filepath.Join(c.Dir, "lock"), lockTimeout)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := c.loadState(); err != nil {
		return err
	}
	return change()
}

const lockTimeout = 3 * time.Minute

// runDir holds the supervisor's socket, lock and pid file.
func (c *Cluster) runDir() string { return filepath.Join(c.Dir, "run") }

func (c *Cluster) supervisor() supervisor.Client {
	return supervisor.Client{RunDir: c.runDir()}
}

// inside is the path of a cluster file as the components see it.
func (c *Cluster) inside(elem ...string) string {
	base := c.Dir
	if c.State.Level == Node {
		base = supervisor.InsideDir
	}
	return filepath.Join(append([]string{base}, elem...)...)
}

// address is where the control plane is reached from this machine.
func (c *Cluster) address() string { return c.nodeOf(apiServer).address() }

// URL is the API server's.
func (c *Cluster) URL() string {
	return fmt.Sprintf("https://%s:%d", c.address(), c.State.Ports.APIServer)
}

// names of components, in the order of their start.
const (
	etcd              = "etcd"
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"
	registry          = "registry"
	containerd        = "containerd"
	kubelet           = "kubelet"
	kubeProxy         = "kube-proxy"
	coreDNS           = "coredns"
	provisioner       = "provisioner" // of the volumes of the default StorageClass
)

// Components lists what this cluster is made of.
func (c *Cluster) Components() []string {
	if c.State.Level == Node {
		out := []string{registry, containerd, etcd, apiServer, controllerManager, scheduler,
			kubelet, kubeProxy, coreDNS, provisioner}
		for _, node := range c.furtherNodes() {
			out = append(out, node.components()...)
		}
		return out
	}
	out := []string{etcd, apiServer}
	for _, name := range []string{controllerManager, scheduler} {
		if slices.Contains(c.State.With, strings.TrimPrefix(name, "kube-")) {
			out = append(out, name)
		}
	}
	return out
}
