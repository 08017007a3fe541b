package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// One pod on each node, with a volume of its own.
const spread = `apiVersion: v1
kind: Pod
metadata:
  name: %[1]s
  labels: {app: spread}
  annotations: {kubectl.kubernetes.io/default-container: probe}
spec:
  nodeSelector: {kubernetes.io/hostname: %[1]s}
  terminationGracePeriodSeconds: 0
  containers:
  - {name: myapp, image: "myapp:latest"}
  - {name: probe, image: "probe:1", volumeMounts: [{name: data, mountPath: /data}]}
  volumes:
  - name: data
    ephemeral:
      volumeClaimTemplate:
        spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
`

const spreadService = `apiVersion: v1
kind: Service
metadata: {name: spread}
spec: {selector: {app: spread}, ports: [{port: 80, targetPort: 8080}]}
`

var nodeNames = []string{"node-1", "node-2", "node-3"}

func TestNodesAreOneClusterAndFailAlone(t *testing.T) {
	d := needNode(t)
	d.upUntilTheEnd("--nodes", "2")
	d.loadImages()
	// A node joins a cluster that runs; images loaded before are there for it too.
	d.run("up", "--dir", d.dir, "--nodes", "3")
	manifest := spreadService + "---\n"
	for _, node := range nodeNames {
		manifest += fmt.Sprintf(spread, node)
	}
	d.apply(manifest)
	d.kubectl("wait", "--for=condition=Ready", "pod", "-l", "app=spread", "--timeout=60s")
	addresses := d.podAddresses()
	for _, from := range nodeNames {
		args := []string{"http://spread", "kubernetes.default"}
		for _, address := range addresses {
			args = append(args, "http://"+address+":8080")
		}
		args = append(args, "/data/node="+from)
		out, err := d.probe(from, args...)
		if err != nil || strings.Count(out, "200 OK myapp v1") != 1+len(nodeNames) {
			t.Errorf("from %s: %q, %v", from, out, err)
		}
	}
	for _, node := range nodeNames { // each volume is a folder of its own node
		data, err := os.ReadFile(d.volumeFile(node))
		if err != nil || string(data) != node {
			t.Errorf("volume of %s: found %q, %v", node, data, err)
		}
	}
	d.testFaults(addresses)
	for verb, node := range map[string]string{
		"kill": "node-1", "stop": "node-9", "break": "node-2",
	} {
		out, err := exec.Command(d.binary, "node", "--dir", d.dir, verb, node).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "expected") {
			t.Errorf("%s %s: expected a refusal, found %s", verb, node, out)
		}
	}
}

// testFaults takes a node away in each way, and back.
func (d devcluster) testFaults(addresses map[string]string) {
	t := d.t
	const victim, witness = "node-3", "node-2"
	for _, fault := range [][2]string{
		{"freeze", "frozen"}, {"kill", "stopped"}, {"stop", "stopped"},
	} {
		verb, state := fault[0], fault[1]
		d.run("node", verb, "--dir", d.dir, victim)
		status, err := exec.Command(d.binary, "status", "--dir", d.dir).Output()
		if err == nil || !strings.Contains(string(status), state) {
			t.Errorf("%s: expected a node that is %s, found %v\n%s", verb, state, err, status)
		}
		if out, err := d.probe("node-1", "http://"+addresses[victim]+":8080"); err == nil {
			t.Errorf("%s: the node still answers: %s", verb, out)
		}
		if out, err := d.probe("node-1", "http://"+addresses[witness]+":8080"); err != nil {
			t.Errorf("%s: another node fails too: %s, %v", verb, out, err)
		}
		d.run("node", "start", "--dir", d.dir, victim)
		d.run("status", "--dir", d.dir)
		d.eventually("the pod answers after "+verb, func() (string, bool) {
			addresses = d.podAddresses() // a new sandbox has a new one, at first none
			if addresses[victim] == "" {
				return "no address", false
			}
			out, err := d.probe(witness, "http://"+addresses[victim]+":8080")
			return out, err == nil && strings.HasPrefix(out, "200 OK")
		})
		d.eventually("the volume is there after "+verb, func() (string, bool) {
			out, err := d.probe(victim, "/data/node")
			return out, err == nil && out == victim
		})
	}
}

func (d devcluster) volumeFile(node string) string {
	d.t.Helper()
	found, _ := filepath.Glob(filepath.Join(d.dir, "nodes", node, "volumes", "*", "node"))
	if len(found) != 1 {
		d.t.Fatalf("expected one volume on %s, found %v", node, found)
	}
	return found[0]
}

func (d devcluster) podAddresses() map[string]string {
	d.t.Helper()
	out := map[string]string{}
	for _, node := range nodeNames {
		out[node] = d.kubectl("get", "pod", node, "-o", "jsonpath={.status.podIP}")
	}
	return out
}
