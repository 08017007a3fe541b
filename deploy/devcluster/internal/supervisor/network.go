//go:build linux

package supervisor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

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
	for _, route := range cfg.Routes {
		if err := ensureRoute(device, route); err != nil {
			return err
		}
	}
	for _, s := range cfg.Sysctls {
		key, value, _ := strings.Cut(s, "=")
		if err := os.WriteFile("/proc/sys/"+key, []byte(value), 0o644); err != nil {
			return fmt.Errorf("sysctl %s: %w", s, err)
		}
	}
	if cfg.Masquerade == "" {
		return nil
	}
	return masquerade(cfg.Masquerade, cfg.Device)
}

func ensureRoute(device netlink.Link, route Route) error {
	_, dst, err := net.ParseCIDR(route.To)
	if err != nil {
		return err
	}
	via := net.ParseIP(route.Via)
	if via == nil && route.Via != "" {
		return fmt.Errorf("route to %s: expected an address as gateway, found %q", route.To,
			route.Via)
	}
	err = netlink.RouteReplace(&netlink.Route{LinkIndex: device.Attrs().Index, Dst: dst, Gw: via})
	if err != nil {
		return fmt.Errorf("route to %s: %w", route.To, err)
	}
	return nil
}

// EnsureHostRoute adds a route of this machine. It goes with its device.
func EnsureHostRoute(device string, route Route) error {
	link, err := netlink.LinkByName(device)
	if err != nil {
		return fmt.Errorf("network device %s: %w", device, err)
	}
	return ensureRoute(link, route)
}

// masquerade adds the rule unless it is there. No other goroutine of a supervisor waits for
// children, so none takes the exit code away.
func masquerade(from, device string) error {
	rule := []string{"POSTROUTING", "-s", from, "-o", device, "-j", "MASQUERADE"}
	iptables := func(verb string) ([]byte, error) {
		args := append([]string{"-w", "5", "-t", "nat", verb}, rule...)
		return exec.Command("iptables", args...).CombinedOutput()
	}
	if _, err := iptables("-C"); err == nil {
		return nil
	}
	if out, err := iptables("-A"); err != nil {
		return fmt.Errorf("iptables: %w: %s", err, out)
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

// EnsurePeerLink makes a veth pair between two nodes, given by their inits. It may be repeated, and
// it replaces a pair whose other end is gone with its node.
func EnsurePeerLink(device string, pid int, peerDevice string, peerPID int) error {
	near, nearFD, err := networkOf(pid)
	if err != nil {
		return err
	}
	defer nearFD.Close()
	defer near.Close()
	far, farFD, err := networkOf(peerPID)
	if err != nil {
		return err
	}
	defer farFD.Close()
	defer far.Close()
	if link, err := near.LinkByName(device); err == nil {
		if _, err := far.LinkByName(peerDevice); err == nil {
			return nil
		}
		var missing netlink.LinkNotFoundError
		if err := near.LinkDel(link); err != nil && !errors.As(err, &missing) &&
			!errors.Is(err, syscall.ENODEV) {
			return fmt.Errorf("remove veth %s: %w", device, err)
		}
	}
	err = near.LinkAdd(&netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: device},
		PeerName:  peerDevice, PeerNamespace: netlink.NsFd(int(farFD)),
	})
	if err != nil {
		return fmt.Errorf("create veth %s: %w", device, err)
	}
	return nil
}

// networkOf opens the network namespace of a process; both results are to be closed.
func networkOf(pid int) (*netlink.Handle, netns.NsHandle, error) {
	fd, err := netns.GetFromPid(pid)
	if err != nil {
		return nil, fd, fmt.Errorf("network of process %d: %w", pid, err)
	}
	handle, err := netlink.NewHandleAt(fd)
	if err != nil {
		fd.Close() //nolint:errcheck // nothing to do about it
		return nil, fd, fmt.Errorf("network of process %d: %w", pid, err)
	}
	return handle, fd, nil
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
