// Package e2e holds the tests with real pods. They need root, the packages of level node and a
// built binary, and are skipped with the reason where one of them is missing.
package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type devcluster struct {
	t           *testing.T
	binary, dir string
}

func (d devcluster) run(args ...string) string {
	d.t.Helper()
	out, err := exec.Command(d.binary, args...).CombinedOutput()
	if err != nil {
		d.t.Fatalf("devcluster %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (d devcluster) kubectl(args ...string) string {
	d.t.Helper()
	return d.run(append([]string{"kubectl", "--dir", d.dir, "--"}, args...)...)
}

// needNode finds the binary: DEVCLUSTER, or the release build of this checkout.
func needNode(t *testing.T) devcluster {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("level node needs root")
	}
	binary := os.Getenv("DEVCLUSTER")
	if binary == "" {
		binary, _ = filepath.Abs("../../../build/bin/devcluster")
	}
	if _, err := os.Stat(binary); err != nil {
		t.Skip("no binary: run build.sh first, or set DEVCLUSTER: ", err)
	}
	programs := []string{"containerd", "runc", "/usr/lib/cni/ptp", "/usr/sbin/iptables"}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("missing package: ", err)
		}
	}
	return devcluster{t, binary, filepath.Join(t.TempDir(), "cluster")}
}

// upUntilTheEnd starts a cluster and checks at the end of the test that nothing of it is left.
func (d devcluster) upUntilTheEnd(flags ...string) {
	d.t.Helper()
	before := d.leftovers()
	d.t.Cleanup(func() {
		d.run("down", "--dir", d.dir, "--purge")
		d.run("down", "--dir", d.dir, "--purge") // twice is fine
		for what := range d.leftovers() {
			if !before[what] {
				d.t.Errorf("left behind after down: %s", what)
			}
		}
	})
	d.run(append([]string{"up", "--dir", d.dir, "--level", "node"}, flags...)...)
	if links, _ := filepath.Glob("/sys/class/net/odc*"); len(d.leftovers()) <= len(before) {
		d.t.Fatalf("expected to see the cluster's traces, found devices %v only", links)
	}
}

func (d devcluster) apply(manifest string) {
	d.t.Helper()
	cmd := exec.Command(d.binary, "kubectl", "--dir", d.dir, "--", "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(manifest)
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("kubectl apply: %v\n%s\n%s", err, out, manifest)
	}
}

// probe runs the program of that name in a pod.
func (d devcluster) probe(pod string, args ...string) (string, error) {
	d.t.Helper()
	cmd := append([]string{"kubectl", "--dir", d.dir, "--", "exec", pod, "--", "/probe"}, args...)
	out, err := exec.Command(d.binary, cmd...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// eventually waits for what a cluster does by itself.
func (d devcluster) eventually(what string, done func() (string, bool)) {
	d.t.Helper()
	const limit = 2 * time.Minute
	deadline := time.Now().Add(limit)
	for {
		seen, ok := done()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%s: not within %s; last seen: %s", what, limit, seen)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (d devcluster) buildProbe() string {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), "probe")
	build := exec.Command("go", "build", "-o", path, "./probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		d.t.Fatalf("build probe: %v\n%s", err, out)
	}
	return path
}

func (d devcluster) loadImages() {
	d.t.Helper()
	dir := d.t.TempDir()
	sample := filepath.Join(filepath.Dir(d.binary), "devcluster.d", "myapp-sample")
	for name, binary := range map[string]string{
		"myapp:latest": sample, "probe:1": d.buildProbe(),
	} {
		file := filepath.Join(dir, strings.ReplaceAll(name, ":", "-")+".tar")
		d.run("build-image", "--binary", binary, "--name", name, "--env", "VERSION=v1",
			"--out", file)
		d.run("load-image", "--dir", d.dir, file)
	}
}

// leftovers lists everything of the host that a cluster could leave behind. Its devices and cgroups
// are called after its folder, so that other clusters do not count.
func (d devcluster) leftovers() map[string]bool {
	d.t.Helper()
	time.Sleep(200 * time.Millisecond) // the kernel finishes namespaces in the background
	found := map[string]bool{}
	add := func(path string, matters func(line string) bool) {
		data, _ := os.ReadFile(path)
		for line := range strings.Lines(string(data)) {
			if matters(line) {
				found[path+": "+line] = true
			}
		}
	}
	sum := sha256.Sum256([]byte(d.dir))
	id := hex.EncodeToString(sum[:4])
	add("/proc/self/mountinfo", func(string) bool { return true })
	add("/proc/net/route", func(line string) bool { return strings.HasPrefix(line, "odc"+id) })
	rules, _ := exec.Command("/usr/sbin/iptables-save").CombinedOutput()
	for line := range strings.Lines(string(rules)) {
		if strings.Contains(line, "KUBE") || strings.Contains(line, "MASQUERADE") {
			found["rule "+line] = true
		}
	}
	for _, pattern := range []string{
		"/sys/fs/cgroup/*/devcluster-" + id + "*", "/sys/fs/cgroup/devcluster-" + id + "*",
		"/sys/class/net/odc" + id + "*", "/run/netns/*",
	} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			found[path] = true
		}
	}
	cmdlines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range cmdlines {
		if text, _ := os.ReadFile(path); strings.Contains(string(text), d.dir) {
			found["process "+string(text)] = true
		}
	}
	return found
}
