package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"oarlock.dev/devcluster/internal/files"
)

// Down stops everything of the cluster, whatever state it is in, and with purge removes its data.
func (c *Cluster) Down(purge bool) error {
	if _, err := os.Stat(c.Dir); errors.Is(err, os.ErrNotExist) {
		c.log("%s: nothing to stop", c.Dir)
		return c.releaseHost()
	}
	if err := c.checkOurs(); err != nil {
		return err
	}
	lock, err := files.Lock(filepath.Join(c.Dir, "lock"), lockTimeout)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := c.killAll(); err != nil {
		return err
	}
	if err := c.releaseHost(); err != nil {
		return err
	}
	if !purge {
		c.log("%s: stopped; the data is kept in %s", c.displayName(), c.Dir)
		return nil
	}
	for _, path := range c.State.Kubeconfigs {
		if err := c.removeCopy(path); err != nil {
			return err
		}
	}
	if err := c.purge(); err != nil {
		return err
	}
	c.log("%s: stopped and removed", c.displayName())
	return nil
}

func (c *Cluster) displayName() string {
	if c.State.Name != "" {
		return c.State.Name
	}
	return c.Dir
}

// contents are the names of everything that a cluster makes in its folder, in the order of removal:
// what `down` needs to recognise the folder goes last.
var contents = []string{
	"audit-policy.yaml", "audit.log", "etcd", "kubeconfig", "kubeconfigs", "kubectl-cache", "nodes",
	"pki", "registry", "users", "logs", "run", "cluster.json", "lock",
}

// checkOurs keeps `up` out of folders that hold something else, and `down --purge` from deleting
// there.
func (c *Cluster) checkOurs() error {
	if c.Exists() {
		return nil
	}
	entries, err := os.ReadDir(c.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		// A name with a dot is a file that was being replaced when a command was interrupted.
		if !slices.Contains(contents, e.Name()) && !strings.HasPrefix(e.Name(), ".cluster.json.") &&
			!strings.HasPrefix(e.Name(), ".kubeconfig.") {
			return fmt.Errorf("%s: expected an empty folder or that of a cluster, found %s in it; "+
				"check --dir", c.Dir, e.Name())
		}
	}
	return nil
}

// purge removes what the cluster made, and the folder if nothing else is in it.
func (c *Cluster) purge() error {
	for _, name := range contents {
		if err := os.RemoveAll(c.inHost(name)); err != nil {
			return fmt.Errorf("remove the data: %w", err)
		}
		rest, err := filepath.Glob(c.inHost("." + name + ".*"))
		if err != nil {
			return err
		}
		for _, path := range rest {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("remove the data: %w", err)
			}
		}
	}
	if err := os.Remove(c.Dir); errors.Is(err, syscall.ENOTEMPTY) {
		c.log("%s: kept, it holds files that are not the cluster's", c.Dir)
	} else if err != nil {
		return fmt.Errorf("remove the data: %w", err)
	}
	return nil
}

// removeCopy deletes a kubeconfig written elsewhere, unless it has become something else.
func (c *Cluster) removeCopy(path string) error {
	ours, err := os.ReadFile(c.Kubeconfig())
	if err != nil {
		return nil
	}
	found, err := os.ReadFile(path)
	if err != nil || string(found) != string(ours) {
		return nil
	}
	return os.Remove(path)
}
