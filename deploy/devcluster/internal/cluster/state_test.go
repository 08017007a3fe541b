package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"oarlock.dev/devcluster/internal/netplan"
)

func quiet(string, ...any) {}

func openAt(t *testing.T, dir string) *Cluster {
	t.Helper()
	c, err := Open(dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestStateIsChosenOnceAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "one")
	c := openAt(t, dir)
	if err := c.ensureState(UpOptions{Level: ControlPlane}, false); err != nil {
		t.Fatal(err)
	}
	again := openAt(t, dir)
	if again.State.Ports != c.State.Ports || again.State.Name != "one" {
		t.Errorf("first %+v, then %+v", c.State, again.State)
	}
	with := UpOptions{With: []string{"scheduler"}}
	if err := again.ensureState(with, false); err != nil {
		t.Fatal(err)
	}
	if again.State.Ports != c.State.Ports {
		t.Error("free ports must be kept")
	}
	if got := again.Components(); len(got) != 3 || got[2] != scheduler {
		t.Errorf("components: %v", got)
	}
	if err := again.ensureState(UpOptions{Level: Node}, false); err == nil ||
		!strings.Contains(err.Error(), "expected control-plane") {
		t.Errorf("another level must be refused: %v", err)
	}
}

func TestDamagedStateIsReplaced(t *testing.T) {
	for _, damage := range []string{"", "{", "null", "[]", `{"name":"x"}`} {
		dir := t.TempDir()
		path := filepath.Join(dir, "cluster.json")
		if err := os.WriteFile(path, []byte(damage), 0o644); err != nil {
			t.Fatal(err)
		}
		c := openAt(t, dir)
		if c.Exists() {
			t.Errorf("%q counts as a cluster", damage)
		}
		if err := c.ensureState(UpOptions{Level: ControlPlane}, false); err != nil {
			t.Errorf("%q: %v", damage, err)
		}
		if !openAt(t, dir).Exists() {
			t.Errorf("%q: no state after recovery", damage)
		}
	}
}

func TestFoldersOfOthersAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"lock", "precious"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := openAt(t, dir)
	if err := c.Up(UpOptions{}); err == nil || !strings.Contains(err.Error(), "precious") {
		t.Errorf("up: %v", err)
	}
	if err := c.Down(true); err == nil || !strings.Contains(err.Error(), "precious") {
		t.Errorf("down: %v", err)
	}
}

func TestPurgeRemovesOnlyWhatIsTheClusters(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	c := openAt(t, dir)
	if err := c.ensureState(UpOptions{Level: ControlPlane}, false); err != nil {
		t.Fatal(err)
	}
	if err := c.prepareControlPlane(); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "notes")
	if err := os.WriteFile(foreign, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := openAt(t, dir).Down(true); err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 || entries[0].Name() != "notes" {
		t.Errorf("left: %v", entries)
	}
	for range 2 { // and again, on what is left of it and on nothing
		os.Remove(foreign) //nolint:errcheck // gone the second time
		if err := openAt(t, dir).Down(true); err != nil {
			t.Error(err)
		}
	}
}

func TestMintKubeconfig(t *testing.T) {
	c := openAt(t, filepath.Join(t.TempDir(), "c"))
	if err := c.ensureState(UpOptions{Level: ControlPlane}, false); err != nil {
		t.Fatal(err)
	}
	if err := c.prepareControlPlane(); err != nil {
		t.Fatal(err)
	}
	user := UserOptions{Name: "../a/b:c", Groups: []string{"g"}, Files: true}
	data, err := c.MintKubeconfig(user)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	cert := config.AuthInfos[user.Name].ClientCertificate
	if filepath.Dir(cert) != filepath.Join(c.Dir, "users") {
		t.Errorf("certificate outside its folder: %s", cert)
	}
	if _, err := os.Stat(cert); err != nil {
		t.Error(err)
	}
	if _, err := c.MintKubeconfig(UserOptions{}); err == nil {
		t.Error("a user without a name must be refused")
	}
}

func TestResolveGivesOneNameToOneFolder(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "real")
	if err := os.Mkdir(real, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	a, _ := resolve(filepath.Join(link, "x", "y"))
	b, _ := resolve(filepath.Join(real, "x", ".", "y"))
	if a != b || clusterID(a) != clusterID(b) {
		t.Errorf("%s and %s", a, b)
	}
}

func TestFurtherNodesAreAddedAndKept(t *testing.T) {
	c := openAt(t, t.TempDir())
	c.State = State{ID: clusterID(c.Dir), Level: Node}
	if err := c.allocateNodes(1, false); err != nil {
		t.Fatal(err)
	}
	first := c.State.Nodes[0]
	if err := c.allocateNodes(3, true); err != nil {
		t.Fatal(err)
	}
	if len(c.State.Nodes) != 3 || c.State.Nodes[0] != first {
		t.Fatalf("a running node has changed: %+v, then %+v", first, c.State.Nodes)
	}
	seen := map[string]bool{}
	for _, node := range c.State.Nodes {
		seen[node.address()], seen[node.CgroupRoot] = true, true
		if got := c.nodeOf(node.component(kubelet)); got != node {
			t.Errorf("%s: found %s", node.component(kubelet), got.Name)
		}
		if got := node.local(node.component(kubelet)); got != kubelet {
			t.Errorf("%s: found %s", node.Name, got)
		}
	}
	if len(seen) != 6 || c.State.Nodes[1].HostDevice != "" {
		t.Errorf("expected three networks and one host device, found %+v", c.State.Nodes)
	}
	if got := c.Components(); len(got) != 16 || got[15] != "node-3/kube-proxy" {
		t.Errorf("components: %v", got)
	}
	if err := c.allocateNodes(2, false); err == nil || !strings.Contains(err.Error(), "3 or more") {
		t.Errorf("fewer nodes: %v", err)
	}
	if err := (&UpOptions{Nodes: maxNodes + 1}).validate(); err == nil {
		t.Error("too many nodes must be refused")
	}
	flat := openAt(t, t.TempDir())
	if err := flat.ensureState(UpOptions{Level: ControlPlane, Nodes: 2}, false); err == nil {
		t.Error("nodes without level node must be refused")
	}
}

func TestRegistriesOfThisMachineHaveItsAddressInTheNodes(t *testing.T) {
	c := openAt(t, t.TempDir())
	c.State = State{ID: clusterID(c.Dir), Level: Node}
	if err := c.allocateNodes(1, false); err != nil {
		t.Fatal(err)
	}
	host := c.State.Nodes[0].Link.Host.String()
	for name, want := range map[string]string{
		"localhost:5001": host + ":5001", "127.0.0.1:5001": host + ":5001",
		host + ":5001": host + ":5001", "192.0.2.1:5001": "192.0.2.1:5001",
	} {
		if got := c.registryEndpoint(name); got != "http://"+want {
			t.Errorf("%s: expected http://%s, found %s", name, want, got)
		}
	}
	c.State.Registries = []string{"localhost:5001"}
	files := c.nodeFiles(c.State.Nodes[0])
	if got := files["certs.d/localhost:5001/hosts.toml"]; !strings.Contains(got, host+":5001") {
		t.Errorf("hosts.toml: %q", got)
	}
}

// The kubelet and the tools that read these names depend on their form.
func TestHostNamesFit(t *testing.T) {
	id := clusterID("/some/where")
	if device := hostDevice(id, 99); len(device) > 15 {
		t.Errorf("%s is too long for a network device", device)
	}
	if netplan.PodSubnet(1) != "10.98.1.0/24" {
		t.Error(netplan.PodSubnet(1))
	}
}
