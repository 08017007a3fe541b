package cluster

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"oarlock.dev/devcluster/internal/proc"
	"oarlock.dev/devcluster/internal/supervisor"
)

// Status is the answer of `devcluster status`.
type Status struct {
	Name       string            `json:"name"`
	Level      Level             `json:"level"`
	Version    string            `json:"kubernetesVersion"`
	URL        string            `json:"url"`
	Registry   string            `json:"registry,omitempty"`
	Kubeconfig string            `json:"kubeconfig"`
	AuditLog   string            `json:"auditLog"`
	Ready      bool              `json:"ready"`
	Nodes      []NodeStatus      `json:"nodes,omitempty"`
	Components []ComponentStatus `json:"components"`
	// HostAddress is where nodes and pods reach programs of this machine, and Registries are those
	// that `devcluster trust-registry` was given.
	HostAddress string   `json:"hostAddress,omitempty"`
	Registries  []string `json:"registries,omitempty"`
}

// NodeStatus is one node of a cluster of level node.
type NodeStatus struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	State   string `json:"state"` // running, frozen or stopped
}

// ComponentStatus is one line of it.
type ComponentStatus struct {
	Name    string `json:"name"`
	PID     int    `json:"pid,omitempty"` // on the host
	State   string `json:"state"`         // running, paused or stopped
	Ready   bool   `json:"ready"`
	Message string `json:"message,omitempty"`
}

// Status asks the supervisor and every component. It is an error only when there is no cluster.
func (c *Cluster) Status() (*Status, error) {
	if !c.Exists() {
		return nil, fmt.Errorf("%s: expected a cluster, found none; start one with "+
			"`devcluster up --dir %[1]s`", c.Dir)
	}
	st := &Status{
		Name: c.State.Name, Level: c.State.Level, Version: c.State.KubernetesVersion, URL: c.URL(),
		Registry: c.RegistryURL(), Kubeconfig: c.Kubeconfig(), AuditLog: c.inHost("audit.log"),
		Ready: true,
	}
	list, err := c.list()
	if err != nil {
		c.log("%v", err)
	}
	if c.State.Level == Node && len(c.State.Nodes) > 0 {
		st.HostAddress, st.Registries = c.State.Nodes[0].Link.Host.String(), c.State.Registries
		for _, node := range c.State.Nodes {
			st.Nodes = append(st.Nodes, c.nodeStatus(node, list))
		}
	}
	pids := c.hostPIDs(list)
	for _, name := range c.Components() {
		cs := c.componentStatus(name, list, pids)
		st.Ready = st.Ready && cs.Ready
		st.Components = append(st.Components, cs)
	}
	return st, nil
}

func (c *Cluster) componentStatus(name string, list []supervisor.Status,
	pids map[string]int) ComponentStatus {
	cs := ComponentStatus{Name: name, State: "stopped", Message: "not started"}
	i := slices.IndexFunc(list, func(s supervisor.Status) bool { return s.Name == name })
	if i < 0 {
		return cs
	}
	if !list[i].Running {
		cs.Message = list[i].Exit
		return cs
	}
	cs.State, cs.PID, cs.Message = "running", pids[name], ""
	if list[i].Paused {
		cs.State, cs.Message = "paused", "stopped by SIGSTOP"
		return cs
	}
	err := c.probe(name)
	cs.Ready = err == nil
	if err != nil {
		cs.Message = err.Error()
	}
	return cs
}

func (c *Cluster) probe(name string) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	return c.check(client, name)
}

// hostPIDs translates the supervisor's pids to those that `ps` shows on the host.
func (c *Cluster) hostPIDs(list []supervisor.Status) map[string]int {
	out := map[string]int{}
	for _, s := range list {
		pid := s.Process.PID
		if c.State.Level == Node {
			if init, err := c.supervisorOf(s.Name).Identity(); err == nil {
				pid = proc.OutsidePID(init.PID, s.Process)
			}
		}
		out[s.Name] = pid
	}
	return out
}

// Print writes the status for people.
func (st *Status) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	ready := "ready"
	if !st.Ready {
		ready = "not ready"
	}
	fmt.Fprintf(t, "cluster\t%s (level %s)\nversion\t%s\nAPI\t%s\n",
		st.Name, st.Level, st.Version, st.URL)
	if st.Registry != "" {
		fmt.Fprintf(t, "registry\t%s\nthis machine\t%s (as nodes and pods reach it)\n",
			st.Registry, st.HostAddress)
	}
	for _, name := range st.Registries {
		fmt.Fprintf(t, "trusted registry\t%s\n", name)
	}
	fmt.Fprintf(t, "kubeconfig\t%s\naudit log\t%s\nstate\t%s\n", st.Kubeconfig, st.AuditLog, ready)
	if err := t.Flush(); err != nil {
		return err
	}
	if len(st.Nodes) > 0 {
		fmt.Fprintf(t, "\nNODE\tADDRESS\tSTATE\n")
		for _, n := range st.Nodes {
			fmt.Fprintf(t, "%s\t%s\t%s\n", n.Name, n.Address, n.State)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintf(t, "\nCOMPONENT\tPID\tSTATE\tREADY\tMESSAGE\n")
	for _, c := range st.Components {
		pid := "-"
		if c.PID != 0 {
			pid = fmt.Sprint(c.PID)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%t\t%s\n", c.Name, pid, c.State, c.Ready,
			firstLines(c.Message, 1))
	}
	return t.Flush()
}

// ErrNotReady makes `devcluster status` exit with 1 after it has printed everything.
var ErrNotReady = errors.New("the cluster is not ready")
