// Package e2e holds the test with real pods. It needs root, the packages of level node and a built
// binary, and is skipped with the reason where one of them is missing.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: myapp}
spec:
  replicas: 3
  selector: {matchLabels: {app: myapp}}
  template:
    metadata: {labels: {app: myapp}}
    spec:
      containers: [{name: myapp, image: "myapp:latest"}]
---
apiVersion: v1
kind: Service
metadata: {name: myapp}
spec: {selector: {app: myapp}, ports: [{port: 80, targetPort: 8080}]}
`

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

func TestNodeRunsPods(t *testing.T) {
	d := needNode(t)
	before := leftovers(t, d.dir)
	t.Cleanup(func() {
		d.run("down", "--dir", d.dir, "--purge")
		d.run("down", "--dir", d.dir, "--purge") // twice is fine
		if after := leftovers(t, d.dir); after != before {
			t.Errorf("left behind after down: expected\n%s\nfound\n%s", before, after)
		}
	})
	d.run("up", "--dir", d.dir, "--level", "node")
	d.loadImages()
	manifest := filepath.Join(t.TempDir(), "myapp.yaml")
	if err := os.WriteFile(manifest, []byte(deployment), 0o644); err != nil {
		t.Fatal(err)
	}
	d.kubectl("apply", "-f", manifest)
	d.kubectl("run", "probe", "--image=probe:1")
	d.kubectl("wait", "--for=condition=Available", "deployment/myapp", "--timeout=60s")
	d.kubectl("wait", "--for=condition=Ready", "pod/probe", "--timeout=60s")
	for name, want := range map[string]string{
		"kubernetes.default":              "10.96.0.1",
		"kubernetes":                      "10.96.0.1",
		"http://myapp":                    "200 OK myapp v1 on myapp-",
		"http://myapp.default.svc/health": "200 OK",
	} {
		got := d.kubectl("exec", "probe", "--", "/probe", name)
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: expected %q, got %q", name, want, got)
		}
	}
	if logs := d.kubectl("logs", "deployment/myapp"); !strings.Contains(logs, "listens on") {
		t.Errorf("kubectl logs: %q", logs)
	}
}

func (d devcluster) loadImages() {
	d.t.Helper()
	dir := d.t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "probe"), "./probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		d.t.Fatalf("build probe: %v\n%s", err, out)
	}
	sample := filepath.Join(filepath.Dir(d.binary), "devcluster.d", "myapp-sample")
	for name, binary := range map[string]string{
		"myapp:latest": sample, "probe:1": filepath.Join(dir, "probe"),
	} {
		file := filepath.Join(dir, strings.ReplaceAll(name, ":", "-")+".tar")
		d.run("build-image", "--binary", binary, "--name", name, "--env", "VERSION=v1",
			"--out", file)
		d.run("load-image", "--dir", d.dir, file)
	}
}

// leftovers describes everything of the host that a cluster could leave behind.
func leftovers(t *testing.T, dir string) string {
	t.Helper()
	time.Sleep(200 * time.Millisecond) // the kernel finishes namespaces in the background
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	cgroups, _ := filepath.Glob("/sys/fs/cgroup/*/devcluster-*")
	more, _ := filepath.Glob("/sys/fs/cgroup/devcluster-*")
	links, _ := filepath.Glob("/sys/class/net/odc*")
	rules, _ := exec.Command("/usr/sbin/iptables-save").CombinedOutput()
	namespaces, _ := os.ReadDir("/run/netns")
	var processes []string
	cmdlines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range cmdlines {
		if text, _ := os.ReadFile(path); strings.Contains(string(text), dir) {
			processes = append(processes, string(text))
		}
	}
	return fmt.Sprintln(strings.Count(string(mounts), "\n"), len(cgroups), len(more), links,
		strings.Count(string(rules), "KUBE"), len(namespaces), processes)
}
