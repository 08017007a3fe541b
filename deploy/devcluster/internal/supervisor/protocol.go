// Package supervisor keeps the processes of one cluster (at the level "node": of one node).
//
// The supervisor is a small process that outlives the command that started it. It is the parent of
// every component, so it always knows exactly which processes are its own; it dies with a lock file
// in its hand, so everyone else knows whether it lives; and its death ends every component. At the
// level "node" it is the first process (init) of a pid namespace of its own.
//
// Commands talk to it over a unix socket, one JSON request and one JSON answer per connection.
package supervisor

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"oarlock.dev/devcluster/internal/proc"
)

// A Spec is a process to run.
type Spec struct {
	Name string   `json:"name"`
	Path string   `json:"path"` // empty: this very binary, as the program called Name
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"` // added to a minimal environment
	Log  string   `json:"log"`           // file that gets stdout and stderr, appended
}

// A Status is what the supervisor knows about one component.
type Status struct {
	Name    string        `json:"name"`
	Running bool          `json:"running"`
	Paused  bool          `json:"paused,omitempty"`
	Started time.Time     `json:"started"`
	Process proc.Identity `json:"process"`        // as seen by the supervisor
	Exit    string        `json:"exit,omitempty"` // how the last run ended
}

// A NetworkConfig is what the supervisor of a node does to its own network namespace.
type NetworkConfig struct {
	Device  string   `json:"device"`
	Address string   `json:"address"` // with prefix length
	Routes  []Route  `json:"routes"`
	Sysctls []string `json:"sysctls"` // path=value, below /proc/sys
	// What comes from this network and leaves by the device gets the device's address.
	Masquerade string `json:"masquerade,omitempty"`
}

// A Route leads to a network, by way of a gateway if it has one.
type Route struct {
	To  string `json:"to"`
	Via string `json:"via,omitempty"`
}

type request struct {
	Op      string         `json:"op"`
	Name    string         `json:"name,omitempty"`
	Signal  int            `json:"signal,omitempty"`
	Spec    *Spec          `json:"spec,omitempty"`
	Network *NetworkConfig `json:"network,omitempty"`
}

type response struct {
	Error      string   `json:"error,omitempty"`
	Components []Status `json:"components,omitempty"`
}

// The operations of a request.
const (
	opList      = "list"
	opStart     = "start"
	opSignal    = "signal"
	opSignalAll = "signal-all"
	opNetwork   = "network"
)

const exchangeTimeout = 20 * time.Second

// Files of a supervisor below its run folder.
func socketPath(runDir string) string { return filepath.Join(runDir, "supervisor.sock") }
func lockPath(runDir string) string   { return filepath.Join(runDir, "supervisor.lock") }
func pidPath(runDir string) string    { return filepath.Join(runDir, "supervisor.pid") }
func childPath(runDir string) string  { return filepath.Join(runDir, "children.json") }

// shortSocketPath goes through /proc because a socket address holds 107 bytes only, and the
// cluster's folder may be anywhere. The folder must stay open while the path is in use.
func shortSocketPath(runDir string) (path string, folder *os.File, err error) {
	folder, err = os.Open(runDir)
	if err != nil {
		return "", nil, err
	}
	fd := strconv.Itoa(int(folder.Fd()))
	return filepath.Join("/proc/self/fd", fd, filepath.Base(socketPath(runDir))), folder, nil
}

func exchange(runDir string, req request) (*response, error) {
	path, folder, err := shortSocketPath(runDir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	conn, err := net.DialTimeout("unix", path, exchangeTimeout)
	if err != nil {
		return nil, fmt.Errorf("supervisor of %s: %w", runDir, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(exchangeTimeout)); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(conn).Encode(req); err != nil {
		return nil, fmt.Errorf("supervisor of %s: %w", runDir, err)
	}
	var resp response
	if err := json.NewDecoder(conn).Decode(&resp); err != nil {
		return nil, fmt.Errorf("supervisor of %s: expected an answer within %s: %w",
			runDir, exchangeTimeout, err)
	}
	if resp.Error != "" {
		return nil, fmt.Errorf("supervisor of %s: %s", runDir, resp.Error)
	}
	return &resp, nil
}
