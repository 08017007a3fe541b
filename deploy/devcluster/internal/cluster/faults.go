package cluster

import (
	"fmt"
	"slices"
	"syscall"
	"time"
)

// stopGrace bounds a graceful stop: an API server with open watches may take a minute by itself.
const stopGrace = 10 * time.Second

// onComponent runs a change of one component of a running cluster.
func (c *Cluster) onComponent(name string, change func() error) error {
	if !c.Exists() || !c.supervisor().Alive() {
		return fmt.Errorf("%s: expected a running cluster, found none; start it with "+
			"`devcluster up --dir %[1]s`", c.Dir)
	}
	if !slices.Contains(c.Components(), name) {
		return c.unknownComponent(name)
	}
	if node := c.nodeOf(name); !c.supervisorAt(node).Alive() {
		return fmt.Errorf("%s: expected its node to run, found it stopped; start it with "+
			"`devcluster node start --dir %s %s`", name, c.Dir, node.Name)
	}
	return c.withLock(change)
}

// StopComponent ends a component gracefully if it can.
func (c *Cluster) StopComponent(name string) error {
	return c.onComponent(name, func() error { return c.supervisorOf(name).Stop(name, stopGrace) })
}

// KillComponent ends a component at once, as a crash would.
func (c *Cluster) KillComponent(name string) error {
	return c.onComponent(name, func() error { return c.supervisorOf(name).Stop(name, 0) })
}

// StartComponent starts a stopped component with its old ports and data and waits until it is
// ready.
func (c *Cluster) StartComponent(name string, timeout time.Duration) error {
	return c.onComponent(name, func() error {
		if err := c.startComponents(name); err != nil {
			return err
		}
		return c.waitOne(name, timeout)
	})
}

// waitOne does not mind that other components are stopped: a fault test may want them so.
func (c *Cluster) waitOne(name string, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		status, err := c.supervisorOf(name).Get(name)
		if err != nil {
			return err
		}
		if !status.Running {
			return fmt.Errorf("%s: expected it to run, found: %s; see %s", name, status.Exit,
				c.logPath(name))
		}
		if err = c.probe(name); err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: expected it to be ready within %s, found: %w; see %s", name,
				timeout, err, c.logPath(name))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Pause freezes a component: it keeps its connections and answers nothing.
func (c *Cluster) Pause(name string) error {
	return c.onComponent(name, func() error {
		return c.supervisorOf(name).Signal(name, syscall.SIGSTOP)
	})
}

// ResumeComponent ends a pause.
func (c *Cluster) ResumeComponent(name string) error {
	return c.onComponent(name, func() error { return c.Resume(name) })
}

// Resume is ResumeComponent for callers that hold the cluster's lock.
func (c *Cluster) Resume(name string) error {
	return c.supervisorOf(name).Signal(name, syscall.SIGCONT)
}
