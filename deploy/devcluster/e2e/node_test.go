package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"oarlock.dev/devcluster/internal/images"
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

func TestNodeRunsPods(t *testing.T) {
	d := needNode(t)
	d.upUntilTheEnd()
	d.loadImages()
	d.apply(deployment)
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
	t.Run("volumes", func(t *testing.T) { devcluster{t, d.binary, d.dir}.testVolumes() })
	t.Run("registry", func(t *testing.T) { devcluster{t, d.binary, d.dir}.testRegistry() })
}

const claim = `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
`

const claimant = `apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: probe
    image: probe:1
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
`

// A claim of the default class lives from its first pod to its own end.
func (d devcluster) testVolumes() {
	t := d.t
	d.apply(claim)
	d.apply(fmt.Sprintf(claimant, "writer"))
	d.kubectl("wait", "--for=condition=Ready", "pod/writer", "--timeout=60s")
	if out, err := d.probe("writer", "/data/row=kept"); err != nil {
		t.Fatal(err, out)
	}
	d.kubectl("delete", "pod", "writer", "--timeout=60s")
	d.apply(fmt.Sprintf(claimant, "reader"))
	d.kubectl("wait", "--for=condition=Ready", "pod/reader", "--timeout=60s")
	if out, err := d.probe("reader", "/data/row"); err != nil || out != "kept" {
		t.Errorf("expected what the first pod wrote, found %q, %v", out, err)
	}
	grow := exec.Command(d.binary, "kubectl", "--dir", d.dir, "--", "patch", "pvc", "data", "-p",
		`{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}`)
	if out, err := grow.CombinedOutput(); err == nil || !strings.Contains(string(out), "resize") {
		t.Errorf("a volume cannot grow: expected a refusal, found %s", out)
	}
	folders := func() (string, bool) {
		found, _ := filepath.Glob(filepath.Join(d.dir, "nodes", "*", "volumes", "pvc-*"))
		return fmt.Sprint(found), len(found) == 0
	}
	if seen, none := folders(); none {
		t.Error("expected the volume's folder, found", seen)
	}
	d.kubectl("delete", "pod/reader", "pvc/data", "--timeout=60s")
	d.eventually("the volume's folder is removed", folders)
	d.eventually("the volume is deleted", func() (string, bool) {
		out := d.kubectl("get", "pv", "-o", "name")
		return out, out == ""
	})
}

// A plain-HTTP registry of this machine, under the name that this machine calls it.
func (d devcluster) testRegistry() {
	t := d.t
	var status struct{ HostAddress string }
	if err := json.Unmarshal([]byte(d.run("status", "--dir", d.dir, "-o", "json")),
		&status); err != nil {
		t.Fatal(err)
	}
	handler, err := images.NewRegistry(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", status.HostAddress+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go server.Serve(listener) //nolint:errcheck // it ends with the test
	defer server.Close()
	img, err := images.Build(images.BuildOptions{Binary: d.buildProbe()})
	if err != nil {
		t.Fatal(err)
	}
	if err := images.Push("http://"+listener.Addr().String(), "team/elsewhere:1", img); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	d.run("trust-registry", "--dir", d.dir, "localhost:"+port)
	d.kubectl("run", "elsewhere", "--image=localhost:"+port+"/team/elsewhere:1")
	d.kubectl("wait", "--for=condition=Ready", "pod/elsewhere", "--timeout=60s")
	url := "http://" + listener.Addr().String() + "/v2/"
	if out, err := d.probe("elsewhere", url); err != nil || !strings.HasPrefix(out, "200 ") {
		t.Errorf("%s from a pod: %q, %v", url, out, err)
	}
	for _, bad := range []string{"localhost", "localhost:0", "example.com:5000", "localhost:1"} {
		out, err := exec.Command(d.binary, "trust-registry", "--dir", d.dir, bad).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "expected") {
			t.Errorf("%s: expected a refusal, found %s", bad, out)
		}
	}
}
