//go:build linux

package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// InsideDir is where a node's processes find the cluster's folder: a short, fixed path, whatever
// the user chose, because unix sockets live below it.
const InsideDir = "/run/oarlock"

// A bind mounts a folder of the cluster over a system folder, so that the node's programs keep
// their default paths and write nothing to the host's.
type bind struct{ from, to string }

// enterNode gives this process, the init of a new pid and mount namespace, its own view of the file
// system and returns its run folder in that view.
func enterNode(opts Options) (string, error) {
	cluster, err := os.Open(opts.ClusterDir) // found through this even when /run hides it
	if err != nil {
		return "", err
	}
	defer cluster.Close()
	run, err := filepath.Rel(opts.ClusterDir, opts.RunDir)
	if err != nil {
		return "", err
	}
	m := &mounter{}
	// Private cuts the node off from the host; shared inside lets volumes propagate to pods.
	m.mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	m.mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, "")
	m.mount("tmpfs", "/run", "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=755")
	m.mkdir(InsideDir)
	m.mount(fmt.Sprintf("/proc/self/fd/%d", cluster.Fd()), InsideDir, "", syscall.MS_BIND, "")
	m.mount("tmpfs", "/tmp", "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=1777")
	m.mount("tmpfs", "/var/lib", "tmpfs", syscall.MS_NODEV, "mode=755")
	node := filepath.Join(InsideDir, opts.Node.Folder)
	for _, b := range []bind{
		{node + "/kubelet", "/var/lib/kubelet"},
		{node + "/containerd", "/var/lib/containerd"},
		{node + "/log", "/var/log"},
	} {
		m.mkdir(b.from)
		m.mkdir(b.to)
		m.mount(b.from, b.to, "", syscall.MS_BIND, "")
	}
	m.mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, "")
	m.shadowTunables()
	return filepath.Join(InsideDir, run), m.err
}

// hostTunables are kernel settings without a namespace that every kubelet sets. They are the
// host's, so the kubelet gets files of its own in their place.
var hostTunables = []string{
	"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
	"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
}

func (m *mounter) shadowTunables() {
	for _, name := range hostTunables {
		real, shadow := "/proc/sys/"+name, "/run/tunables/"+name
		value, err := os.ReadFile(real)
		if err != nil {
			continue // this kernel lacks it
		}
		m.mkdir(filepath.Dir(shadow))
		if m.err == nil {
			m.err = os.WriteFile(shadow, value, 0o644)
		}
		m.mount(shadow, real, "", syscall.MS_BIND, "")
	}
}

// mounter keeps the first error, so that a list of mounts reads as a list.
type mounter struct{ err error }

func (m *mounter) mount(from, to, kind string, flags uintptr, data string) {
	if m.err != nil {
		return
	}
	if err := syscall.Mount(from, to, kind, flags, data); err != nil {
		m.err = fmt.Errorf("mount %s on %s: %w", from, to, err)
	}
}

func (m *mounter) mkdir(path string) {
	if m.err == nil {
		m.err = os.MkdirAll(path, 0o755)
	}
}
