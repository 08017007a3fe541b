package netplan

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestPickLinkAvoidsWhatIsUsed(t *testing.T) {
	first, err := PickLink(7, nil)
	if err != nil {
		t.Fatal(err)
	}
	if first.Host.String() != "10.97.0.29" || first.Node.String() != "10.97.0.30" {
		t.Errorf("first: %+v", first)
	}
	second, _ := PickLink(7, []netip.Prefix{first.Prefix()})
	if second.Prefix() != netip.MustParsePrefix("10.97.0.32/30") {
		t.Errorf("second: %+v", second)
	}
	wide := []netip.Prefix{netip.MustParsePrefix("10.97.0.0/17")}
	third, _ := PickLink(7, wide)
	if third.Prefix() != netip.MustParsePrefix("10.97.128.0/30") {
		t.Errorf("third: %+v", third)
	}
	last, _ := PickLink(linkCount-1, nil)
	if last.Prefix() != netip.MustParsePrefix("10.97.255.252/30") {
		t.Errorf("last: %+v", last)
	}
	_, err = PickLink(7, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	if err == nil || !strings.Contains(err.Error(), "expected a free") {
		t.Errorf("all in use: %v", err)
	}
}

func TestParseRoutes(t *testing.T) {
	got := parseRoutes(strings.NewReader(
		"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n" +
			"eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n" +
			"odc\t1C00610A\t00000000\t0001\t0\t0\t0\tFCFFFFFF\t0\t0\t0\n"))
	if want := "[10.97.0.28/30]"; fmt.Sprint(got) != want {
		t.Errorf("expected %s, got %v", want, got)
	}
}

func TestPickPortsAreFreeAndDifferent(t *testing.T) {
	ports, err := PickPorts(50)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, port := range ports {
		if seen[port] || port < firstPort || port >= lastPort {
			t.Errorf("port %d: twice or out of range", port)
		}
		seen[port] = true
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", ports[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if PortFree(ports[0]) {
		t.Error("a port with a listener must not count as free")
	}
}
