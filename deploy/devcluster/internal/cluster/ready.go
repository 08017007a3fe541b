package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const requestTimeout = 5 * time.Second

// client speaks to the API server as admin, without client-go: two kinds of request are all that
// is needed here.
func (c *Cluster) client() (*http.Client, error) {
	ca, err := os.ReadFile(c.pki.CertPath("ca"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	pair, err := tls.LoadX509KeyPair(c.pki.CertPath("client-admin"), c.pki.KeyPath("client-admin"))
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Timeout: requestTimeout,
		Transport: &http.Transport{
			Proxy: nil, // the cluster is on this machine, whatever HTTPS_PROXY says
			TLSClientConfig: &tls.Config{
				RootCAs: roots, Certificates: []tls.Certificate{pair},
			},
		},
	}, nil
}

// get returns an error unless the answer is 200.
func get(client *http.Client, url string) ([]byte, error) {
	return roundTrip(client, http.MethodGet, url, "", nil)
}

func roundTrip(client *http.Client, method, url, contentType string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: expected success, found %s: %s", method, url, resp.Status,
			firstLines(string(answer), 4))
	}
	return answer, nil
}

func firstLines(s string, n int) string {
	lines := strings.SplitN(strings.TrimSpace(s), "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], " | ")
}

// check answers whether a component does its work, nil meaning yes. Components that nothing outside
// can ask count as ready while they run; the API server's and the node's answers cover them.
func (c *Cluster) check(client *http.Client, name string) error {
	var err error
	node := c.nodeOf(name)
	base := node.address()
	switch node.local(name) {
	case apiServer:
		if _, err = get(client, c.URL()+"/readyz"); err == nil {
			_, err = get(client, c.URL()+"/api/v1/namespaces/default")
		}
	case controllerManager:
		_, err = get(client, fmt.Sprintf("https://%s:%d/healthz", base,
			c.State.Ports.ControllerManager))
	case scheduler:
		_, err = get(client, fmt.Sprintf("https://%s:%d/healthz", base, c.State.Ports.Scheduler))
	case registry:
		_, err = get(client, c.RegistryURL()+"/v2/")
	case kubeProxy:
		_, err = get(client, fmt.Sprintf("http://%s:10256/healthz", base))
	case coreDNS:
		_, err = get(client, fmt.Sprintf("http://%s:8181/ready", base))
	case containerd:
		err = c.checkRuntime(node)
	case kubelet:
		err = c.checkNode(client, node)
	}
	return err
}

// checkRuntime asks a node's containerd as the kubelet will, which ends when it gets no answer.
func (c *Cluster) checkRuntime(node NodeRef) error {
	init, err := c.supervisorAt(node).Identity()
	if err != nil {
		return err
	}
	socket := fmt.Sprintf("unix:///proc/%d/root/run/containerd/containerd.sock", init.PID)
	conn, err := grpc.NewClient(socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	_, err = cri.NewRuntimeServiceClient(conn).Version(ctx, &cri.VersionRequest{})
	return err
}

// checkNode asks for the condition Ready of a node, as this run of the kubelet reported it: the API
// server remembers that of an earlier run for a while.
func (c *Cluster) checkNode(client *http.Client, ref NodeRef) error {
	run, err := c.supervisorAt(ref).Get(ref.component(kubelet))
	if err != nil {
		return err
	}
	data, err := get(client, c.URL()+"/api/v1/nodes/"+ref.Name)
	if err != nil {
		return err
	}
	var node struct {
		Spec   struct{ Taints []struct{ Key string } }
		Status struct {
			Conditions []struct {
				Type, Status, Message string
				LastHeartbeatTime     time.Time
			}
		}
	}
	if err := json.Unmarshal(data, &node); err != nil {
		return err
	}
	for _, cond := range node.Status.Conditions {
		if cond.Type != "Ready" {
			continue
		}
		if cond.LastHeartbeatTime.Before(run.Started.Truncate(time.Second)) {
			return errors.New("the kubelet has not reported since its start")
		}
		if cond.Status != "True" {
			return fmt.Errorf("node %s: %s", ref.Name, cond.Message)
		}
		for _, taint := range node.Spec.Taints {
			if strings.HasPrefix(taint.Key, "node.kubernetes.io/") {
				return fmt.Errorf("node %s: taint %s", ref.Name, taint.Key)
			}
		}
		return nil
	}
	return errors.New("the node has no condition Ready yet")
}

// waitReady polls until all named components do their work, and fails at once when one of them
// has ended.
func (c *Cluster) waitReady(timeout time.Duration, names ...string) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	deadline := time.Now().Add(timeout)
	for _, name := range names {
		for {
			err := c.check(client, name)
			if err == nil {
				break
			}
			if ended := c.endedComponents(append(names, etcd, apiServer)); len(ended) > 0 {
				return fmt.Errorf("%w: %s\n%s", errEnded, strings.Join(ended, "\n"),
					c.logTail(ended))
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s: expected it to be ready within %s, found: %w; see %s",
					name, timeout, err, c.logPath(name))
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}

func (c *Cluster) logPath(name string) string {
	return filepath.Join(c.Dir, "logs", name+".log")
}

// errEnded marks the failure of a component that ended instead of becoming ready.
var errEnded = errors.New("a component ended early")

// endedComponents describes those of the named components that have been started and run no more.
func (c *Cluster) endedComponents(names []string) []string {
	list, err := c.list()
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, s := range list {
		if !s.Running && slices.Contains(names, s.Name) {
			out = append(out, fmt.Sprintf("%s: expected it to run, found: %s; see %s",
				s.Name, s.Exit, c.logPath(s.Name)))
		}
	}
	return out
}

// logTail shows why the first of the ended components ended.
func (c *Cluster) logTail(ended []string) string {
	name, _, _ := strings.Cut(ended[0], ":")
	data, err := os.ReadFile(c.logPath(name))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	const tail = 5
	return strings.Join(lines[max(0, len(lines)-tail):], "\n")
}
