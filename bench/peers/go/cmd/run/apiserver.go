package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

var (
	myapps = schema.GroupVersionResource{
		Group: "example.com", Version: "v1alpha1", Resource: "myapps"}
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	namespaces  = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
)

// An apiServer is a real etcd and kube-apiserver on loopback, without a controller manager: nobody
// writes but the operator that is measured and this program.
type apiServer struct {
	tool, dir string
	client    dynamic.Interface
}

func (a *apiServer) run(argv ...string) ([]byte, error) {
	out, err := exec.Command(a.tool, argv...).Output()
	if failure, ok := err.(*exec.ExitError); ok {
		return nil, fmt.Errorf("%s %v: %s", a.tool, argv, failure.Stderr)
	}
	return out, err
}

func startAPIServer(tool, crds string) (*apiServer, error) {
	dir, err := os.MkdirTemp("", "operators-bench-")
	if err != nil {
		return nil, err
	}
	a := &apiServer{tool: tool, dir: dir}
	admin := filepath.Join(dir, "admin.kubeconfig")
	if _, err := a.run("up", "--dir", a.cluster(), "--level", "control-plane",
		"--kubeconfig", admin); err != nil {
		a.stop()
		return nil, err
	}
	if _, err := a.run("kubectl", "--kubeconfig", admin, "apply", "-f", crds); err != nil {
		a.stop()
		return nil, err
	}
	_, err = a.run("kubectl", "--kubeconfig", admin, "wait", "--for=condition=Established",
		"crd/myapps.example.com")
	if err == nil {
		a.client, err = clientFor(admin)
	}
	if err != nil {
		a.stop()
	}
	return a, err
}

func clientFor(kubeconfig string) (dynamic.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return dynamic.NewForConfig(config)
}

func (a *apiServer) cluster() string { return filepath.Join(a.dir, "cluster") }

func (a *apiServer) stop() {
	_, _ = a.run("down", "--dir", a.cluster(), "--purge")
	_ = os.RemoveAll(a.dir)
}

// kubeconfig makes one for a user of its own, so that the audit log tells who wrote.
func (a *apiServer) kubeconfig(user string) (string, error) {
	text, err := a.run("kubeconfig", "--dir", a.cluster(), "--user", user,
		"--group", "system:masters")
	if err != nil {
		return "", err
	}
	file := filepath.Join(a.dir, user+".kubeconfig")
	return file, os.WriteFile(file, text, 0o600)
}

// An answer is one line of the audit log: what a user asked for and what came back.
type answer struct {
	Verb, Stage string
	User        struct{ Username string }
	ObjectRef   struct{ Resource, Subresource, Namespace, Name string }
	Status      struct{ Code int } `json:"responseStatus"`
	Received    time.Time          `json:"requestReceivedTimestamp"`
	Done        time.Time          `json:"stageTimestamp"`
}

func (l answer) isWrite() bool { return l.Verb != "get" && l.Verb != "list" && l.Verb != "watch" }

// creates is a first write of a child; with server-side apply it is a patch that says 201.
func (l answer) creates() bool {
	return l.ObjectRef.Resource == "deployments" && l.isWrite() && l.Status.Code == 201
}

func (l answer) writesStatus() bool {
	return l.ObjectRef.Resource == "myapps" && l.ObjectRef.Subresource == "status" && l.isWrite()
}

// An auditTail reads what was added to the audit log for one user.
type auditTail struct {
	file   string
	offset int64
	user   string
}

func (a *apiServer) tail(user string) *auditTail {
	t := &auditTail{file: filepath.Join(a.cluster(), "audit.log"), user: user}
	if about, err := os.Stat(t.file); err == nil {
		t.offset = about.Size()
	}
	return t
}

func (t *auditTail) next() ([]answer, error) {
	file, err := os.Open(t.file)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := file.Seek(t.offset, 0); err != nil {
		return nil, err
	}
	var found []answer
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return found, nil // the rest of a line that is being written comes next time
		}
		t.offset += int64(len(line))
		var one answer
		if err := json.Unmarshal(line, &one); err != nil {
			return nil, err
		}
		if one.User.Username == t.user && one.Stage == "ResponseComplete" {
			found = append(found, one)
		}
	}
}
