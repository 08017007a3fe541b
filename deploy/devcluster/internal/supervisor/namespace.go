//go:build linux

package supervisor

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
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

// configureNetwork brings up the node's end of its link to the host. It may be repeated.
func configureNetwork(cfg *NetworkConfig) error {
	if cfg == nil {
		return fmt.Errorf("network: expected a configuration, found none")
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	device, err := netlink.LinkByName(cfg.Device)
	if err != nil {
		return fmt.Errorf("network device %s: %w", cfg.Device, err)
	}
	addr, err := netlink.ParseAddr(cfg.Address)
	if err != nil {
		return err
	}
	if err := netlink.AddrReplace(device, addr); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(device); err != nil {
		return err
	}
	for _, cidr := range cfg.Routes {
		_, dst, err := net.ParseCIDR(cidr)
		if err != nil {
			return err
		}
		route := &netlink.Route{LinkIndex: device.Attrs().Index, Dst: dst}
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("route %s: %w", cidr, err)
		}
	}
	for _, s := range cfg.Sysctls {
		key, value, _ := strings.Cut(s, "=")
		if err := os.WriteFile("/proc/sys/"+key, []byte(value), 0o644); err != nil {
			return fmt.Errorf("sysctl %s: %w", s, err)
		}
	}
	return nil
}

// EnsureLink makes the veth pair between the host and the node whose init is pid; the host's end
// gets the address. It may be repeated, and it replaces a pair whose other end is gone.
func EnsureLink(hostDevice, nodeDevice, hostAddress string, pid int) error {
	link, err := netlink.LinkByName(hostDevice)
	if err != nil {
		veth := &netlink.Veth{
			LinkAttrs:     netlink.LinkAttrs{Name: hostDevice},
			PeerName:      nodeDevice,
			PeerNamespace: netlink.NsPid(pid),
		}
		if err := netlink.LinkAdd(veth); err != nil {
			return fmt.Errorf("create veth %s: %w", hostDevice, err)
		}
		link = veth
	}
	addr, err := netlink.ParseAddr(hostAddress)
	if err != nil {
		return err
	}
	if err := netlink.AddrReplace(link, addr); err != nil {
		return fmt.Errorf("address %s on %s: %w", hostAddress, hostDevice, err)
	}
	return netlink.LinkSetUp(link)
}

// RemoveLink deletes the host's end of a veth pair, and the pair with it. The kernel does so by
// itself when the node's namespace ends, but later.
func RemoveLink(hostDevice string, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		link, err := netlink.LinkByName(hostDevice)
		if err != nil {
			if _, missing := err.(netlink.LinkNotFoundError); missing {
				return nil
			}
		} else if err = netlink.LinkDel(link); err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("remove veth %[1]s: %[2]w; try `ip link delete %[1]s`",
				hostDevice, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
