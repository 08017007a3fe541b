//go:build linux

// Package cgroups makes and removes the cgroup root of a node, in cgroup v1 and v2.
package cgroups

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const mountPoint = "/sys/fs/cgroup"

// controllers are what the kubelet accounts with, where the host has them.
var controllers = []string{"cpuset", "cpu", "memory", "pids", "hugetlb", "io"}

// roots lists the hierarchies: the one of v2, or one per controller in v1 (where controllers may
// be mounted together and linked: a link is not a second hierarchy).
func roots() []string {
	if _, err := os.Stat(mountPoint + "/cgroup.controllers"); err == nil {
		return []string{mountPoint}
	}
	entries, _ := os.ReadDir(mountPoint)
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, filepath.Join(mountPoint, e.Name()))
		}
	}
	return out
}

// Create makes the group in every hierarchy: the kubelet refuses a --cgroup-root that is missing.
func Create(name string) error {
	for _, root := range roots() {
		if root == mountPoint {
			delegate(root)
		}
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("create cgroup: %w", err)
		}
		if strings.HasSuffix(root, "/cpuset") {
			if err := inheritCpuset(root, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// delegate turns on controllers for the children of a v2 group, one by one: a controller that the
// host does not offer must not keep the others off.
func delegate(dir string) {
	for _, c := range controllers {
		//nolint:errcheck // see above
		os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0o644)
	}
}

// inheritCpuset fills a new v1 cpuset, which starts without any CPU and accepts no process so.
func inheritCpuset(parent, dir string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Remove deletes the group with everything below it, in every hierarchy. The kernel finishes dead
// processes a moment after their parent is told, so busy groups are retried until the deadline.
func Remove(name string, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		err := removeOnce(name)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func removeOnce(name string) error {
	for _, root := range allRoots() {
		dir := filepath.Join(root, name)
		if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var groups []string
		//nolint:errcheck // what vanishes during the walk needs no removal
		filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				groups = append(groups, path)
			}
			return nil
		})
		for i := len(groups) - 1; i >= 0; i-- { // children before their parent
			err := syscall.Rmdir(groups[i])
			if err != nil && !errors.Is(err, syscall.ENOENT) {
				return fmt.Errorf("remove cgroup %[1]s: %[2]w; `cat %[1]s/cgroup.procs` lists the "+
					"processes that hold it", groups[i], err)
			}
		}
	}
	return nil
}

// allRoots adds v2's root also where v1 is in use beside it.
func allRoots() []string { return append(roots(), mountPoint) }
