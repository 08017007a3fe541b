// Package netplan picks the addresses and ports of a cluster, so that several can run side by
// side on one machine.
package netplan

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// The ranges below never change: they live in the cluster's own network namespace, where no other
// cluster sees them.
const (
	ServiceCIDR = "10.96.0.0/16"
	ClusterIP   = "10.96.0.1"  // the Service "kubernetes"
	DNSIP       = "10.96.0.10" // the Service "kube-dns"
	podPrefix   = "10.98"
)

// PodCIDR is the range of all pods, PodSubnet that of the pods of one node.
const PodCIDR = podPrefix + ".0.0/16"

// PodSubnet returns the pod addresses of the node with the given index.
func PodSubnet(nodeIndex int) string { return fmt.Sprintf("%s.%d.0/24", podPrefix, nodeIndex) }

// linkBase holds 16384 links of four addresses; the host sees these, so they must be free there.
var linkBase = netip.MustParseAddr("10.97.0.0")

const linkCount = 1 << 14

// A Link is the point-to-point network between the host and one node.
type Link struct {
	Host netip.Addr `json:"host"`
	Node netip.Addr `json:"node"`
}

// Prefix is the link's network.
func (l Link) Prefix() netip.Prefix { return netip.PrefixFrom(l.Host, 30).Masked() }

func link(n uint32) Link {
	base := binary.BigEndian.Uint32(linkBase.AsSlice()) + 4*n
	at := func(offset uint32) netip.Addr {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], base+offset)
		return netip.AddrFrom4(b)
	}
	return Link{Host: at(1), Node: at(2)}
}

// PickLink returns the first link at or after a start that depends on the seed and that overlaps
// with none of the used networks.
func PickLink(seed uint32, used []netip.Prefix) (Link, error) {
	for i := uint32(0); i < linkCount; i++ {
		candidate := link((seed + i) % linkCount)
		if candidate.freeOf(used) {
			return candidate, nil
		}
	}
	return Link{}, fmt.Errorf("expected a free /30 network in %s/16, found all in use; "+
		"stop other clusters or remove stale routes (`ip route`)", linkBase)
}

func (l Link) freeOf(used []netip.Prefix) bool {
	for _, p := range used {
		if p.Overlaps(l.Prefix()) {
			return false
		}
	}
	return true
}

// UsedNetworks lists what this machine has addresses in or routes to.
func UsedNetworks() ([]netip.Prefix, error) {
	var used []netip.Prefix
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	for _, addr := range addrs {
		if p, err := netip.ParsePrefix(addr.String()); err == nil {
			used = append(used, p.Masked())
		}
	}
	f, err := os.Open("/proc/net/route")
	if err != nil {
		return used, nil // no IPv4 routing table: nothing more is in use
	}
	defer f.Close()
	return append(used, parseRoutes(f)...), nil
}

// parseRoutes reads /proc/net/route; the default route is not a use.
func parseRoutes(r io.Reader) []netip.Prefix {
	var out []netip.Prefix
	for lines := bufio.NewScanner(r); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 8 {
			continue
		}
		dest, err1 := hexAddr(fields[1])
		mask, err2 := hexAddr(fields[7])
		if err1 != nil || err2 != nil {
			continue // the heading
		}
		ones, _ := net.IPMask(mask.AsSlice()).Size()
		if ones > 0 {
			out = append(out, netip.PrefixFrom(dest, ones).Masked())
		}
	}
	return out
}

// hexAddr parses an address that the kernel printed in host byte order (little-endian here).
func hexAddr(s string) (netip.Addr, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 4 {
		return netip.Addr{}, fmt.Errorf("expected 8 hexadecimal digits, found %q", s)
	}
	return netip.AddrFrom4([4]byte{b[3], b[2], b[1], b[0]}), nil
}

// The port range ends below Linux's ephemeral ports: an outgoing connection can never take the
// port of an API server that is stopped for a moment.
const firstPort, lastPort = 20000, 32000

// PickPorts returns n different ports of 127.0.0.1 that are free now. The choice is random so that
// clusters started at the same time do not race for the same ports.
func PickPorts(n int) ([]int, error) {
	var ports []int
	seen := map[int]bool{}
	for try := 0; try < 2000 && len(ports) < n; try++ {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if !seen[port] && PortFree(port) {
			ports = append(ports, port)
		}
		seen[port] = true
	}
	if len(ports) < n {
		return nil, fmt.Errorf("expected %d free ports on 127.0.0.1 between %d and %d, found %d; "+
			"stop programs that listen there", n, firstPort, lastPort, len(ports))
	}
	return ports, nil
}

// PortFree reports whether 127.0.0.1:port can be listened on.
func PortFree(port int) bool {
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}
