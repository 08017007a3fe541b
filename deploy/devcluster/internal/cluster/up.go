package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"oarlock.dev/devcluster/internal/files"
	"oarlock.dev/devcluster/internal/supervisor"
)

// UpOptions are the flags of `devcluster up`. What is empty keeps its value of the first `up`.
type UpOptions struct {
	Level      Level
	Name       string
	Kubeconfig string
	With       []string
	Nodes      int // at level node; 0: as many as there are, at first one
	Timeout    time.Duration
}

// Up starts whatever of the cluster does not run and returns when all of it is ready. Every step
// may be repeated, so the way out of any interruption is to call it again.
func (c *Cluster) Up(opts UpOptions) error {
	began := time.Now()
	if err := opts.validate(); err != nil {
		return err
	}
	if opts.Level == Node || c.State.Level == Node {
		if err := preflight(); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	if err := c.checkOurs(); err != nil {
		return err
	}
	for _, dir := range []string{filepath.Join(c.Dir, "logs"), c.runDir()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return c.withLock(func() error {
		if !c.Exists() && opts.Level == "" {
			opts.Level = ControlPlane
		}
		if err := c.ensureState(opts, c.supervisor().Alive()); err != nil {
			return err
		}
		if c.healthy() {
			c.log("%s is up already: %s", c.State.Name, c.URL())
			return c.copyAdminConfig()
		}
		if err := c.startTwice(opts); err != nil {
			return err
		}
		c.log("%s is ready after %.1f s: Kubernetes %s at %s", c.State.Name,
			time.Since(began).Seconds(), c.State.KubernetesVersion, c.URL())
		c.log("kubeconfig: %s", c.Kubeconfig())
		return nil
	})
}

func (o *UpOptions) validate() error {
	if o.Level != "" && o.Level != ControlPlane && o.Level != Node {
		return fmt.Errorf("--level: expected %s or %s, found %q", ControlPlane, Node, o.Level)
	}
	if o.Nodes < 0 || o.Nodes > maxNodes {
		return fmt.Errorf("--nodes: expected 1 to %d, found %d", maxNodes, o.Nodes)
	}
	known := []string{"controller-manager", "scheduler"}
	for _, name := range o.With {
		if !slices.Contains(known, name) {
			return fmt.Errorf("--with: expected some of %s, found %q",
				strings.Join(known, ","), name)
		}
	}
	if o.Kubeconfig != "" {
		abs, err := filepath.Abs(o.Kubeconfig)
		if err != nil {
			return err
		}
		o.Kubeconfig = abs
	}
	return nil
}

// healthy is the quick way out for an `up` on a running cluster.
func (c *Cluster) healthy() bool {
	status, err := c.Status()
	return err == nil && status.Ready
}

// startTwice tries again when a component ended at once: most likely another program took one of
// the ports between their choice and their use, and a fresh start chooses others.
func (c *Cluster) startTwice(opts UpOptions) error {
	err := c.start(opts.Timeout)
	if !errors.Is(err, errEnded) {
		return err
	}
	c.log("%v", err)
	c.log("starting once more")
	if err := c.killAll(); err != nil {
		return err
	}
	if err := c.ensureState(opts, false); err != nil {
		return err
	}
	return c.start(opts.Timeout)
}

func (c *Cluster) start(timeout time.Duration) error {
	if err := c.prepareControlPlane(); err != nil {
		return err
	}
	if c.State.Level == Node {
		for _, node := range c.State.Nodes {
			if err := c.prepareNode(node); err != nil {
				return err
			}
		}
	}
	if err := c.startSupervisor(); err != nil {
		return err
	}
	if c.State.Level == Node {
		return c.startNodeLevel(timeout)
	}
	c.log("starting etcd and kube-apiserver at %s", c.URL())
	if err := c.startComponents(etcd, apiServer); err != nil {
		return err
	}
	if err := c.waitReady(timeout, apiServer); err != nil {
		return err
	}
	extra := c.Components()[2:]
	if len(extra) > 0 {
		c.log("starting %s", strings.Join(extra, ", "))
	}
	if err := c.startComponents(extra...); err != nil {
		return err
	}
	return c.waitReady(timeout, extra...)
}

func (c *Cluster) startSupervisor() error {
	opts := supervisor.Options{
		ClusterDir: c.Dir, RunDir: c.runDir(), Log: filepath.Join(c.Dir, "logs", "supervisor.log"),
	}
	if c.State.Level == Node {
		opts.Node = &supervisor.NodeOptions{Folder: filepath.Join("nodes", c.State.Nodes[0].Name)}
	}
	_, err := supervisor.Ensure(opts)
	return err
}

// startComponents starts those of the named components that do not run. A paused one goes on.
func (c *Cluster) startComponents(names ...string) error {
	for _, name := range names {
		spec, err := c.spec(name)
		if err != nil {
			return err
		}
		if err := c.supervisorOf(name).Start(spec); err != nil {
			return err
		}
		if status, err := c.supervisorOf(name).Get(name); err == nil && status.Paused {
			if err := c.Resume(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// spec says how to run a component. It depends on the state only, so a restart is a repetition.
func (c *Cluster) spec(name string) (supervisor.Spec, error) {
	switch name {
	case etcd:
		return c.etcdSpec(), nil
	case apiServer:
		return c.apiServerSpec(), nil
	case controllerManager:
		return c.controllerManagerSpec(), nil
	case scheduler:
		return c.schedulerSpec(), nil
	}
	if c.State.Level == Node {
		return c.nodeSpec(name)
	}
	return supervisor.Spec{}, c.unknownComponent(name)
}

func (c *Cluster) unknownComponent(name string) error {
	return fmt.Errorf("expected one of the components %s, found %q",
		strings.Join(c.Components(), ", "), name)
}

// Kubeconfig is the admin's.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.Dir, "kubeconfig") }

// copyAdminConfig puts the admin's kubeconfig where users look for it.
func (c *Cluster) copyAdminConfig() error {
	data, err := os.ReadFile(c.clientConfigPath("admin"))
	if err != nil {
		return err
	}
	for _, path := range append([]string{c.Kubeconfig()}, c.State.Kubeconfigs...) {
		if err := files.WriteAtomic(path, data, 0o600); err != nil {
			return fmt.Errorf("write kubeconfig: %w", err)
		}
	}
	return nil
}
