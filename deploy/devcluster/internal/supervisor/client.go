//go:build linux

package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"oarlock.dev/devcluster/internal/files"
	"oarlock.dev/devcluster/internal/proc"
)

// Options say what kind of supervisor to start.
type Options struct {
	ClusterDir string       `json:"clusterDir"`
	RunDir     string       `json:"runDir"` // below ClusterDir
	Log        string       `json:"-"`
	Node       *NodeOptions `json:"node,omitempty"` // nil: no namespaces
	// The supervisor ends when this process does; the zero value is no process.
	Owner proc.Identity `json:"owner"`
}

// NodeOptions are set for the init of a node.
type NodeOptions struct {
	Folder string `json:"folder"` // relative to ClusterDir
}

// Command is the hidden first argument that makes this binary a supervisor.
const Command = "__supervise"

const (
	lockFD       = 3 // first of exec.Cmd.ExtraFiles
	ownerFD      = 4 // the second, if there is an owner
	spawnTimeout = 30 * time.Second
)

// A Client talks to the supervisor of one run folder.
type Client struct{ RunDir string }

// Alive reports whether the supervisor, or one that is just being born, holds the lock.
func (c Client) Alive() bool {
	f, err := files.TryLock(lockPath(c.RunDir))
	if err == nil {
		f.Close()
		return false
	}
	return errors.Is(err, files.ErrLocked)
}

// Identity returns the supervisor's process as the host sees it.
func (c Client) Identity() (proc.Identity, error) {
	var id proc.Identity
	data, err := os.ReadFile(pidPath(c.RunDir))
	if err != nil {
		return id, err
	}
	if err := json.Unmarshal(data, &id); err != nil {
		return id, fmt.Errorf("%s: %w", pidPath(c.RunDir), err)
	}
	return id, nil
}

// Ensure starts the supervisor unless it runs, and waits until it answers.
func Ensure(opts Options) (Client, error) {
	c := Client{RunDir: opts.RunDir}
	if err := os.MkdirAll(opts.RunDir, 0o755); err != nil {
		return c, err
	}
	lock, err := files.TryLock(lockPath(opts.RunDir))
	switch {
	case errors.Is(err, files.ErrLocked): // it runs
	case err != nil:
		return c, err
	default:
		defer lock.Close() // the child keeps its own copy
		if err := c.killOrphans(); err != nil {
			return c, err
		}
		if err := spawn(opts, lock); err != nil {
			return c, err
		}
	}
	deadline := time.Now().Add(spawnTimeout)
	for {
		_, err := c.List()
		if err == nil {
			return c, nil
		}
		if time.Now().After(deadline) || (lock != nil && !c.spawned()) {
			return c, fmt.Errorf("the supervisor does not answer: %w; see %s", err, opts.Log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// spawned is false once the process written to the pid file has died; a missing or old file means
// that the child has not come that far yet.
func (c Client) spawned() bool {
	id, err := c.Identity()
	return err != nil || id.Alive()
}

func spawn(opts Options, lock *os.File) error {
	if err := os.Remove(pidPath(opts.RunDir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	arg, err := json.Marshal(opts)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(opts.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("/proc/self/exe", Command, string(arg))
	cmd.Args[0] = "devcluster"
	cmd.Env = []string{minimalPath}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{lock}
	if opts.Owner.PID != 0 {
		owner, err := opts.Owner.Open()
		if err != nil {
			return err
		}
		defer owner.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, owner)
	}
	// An own session: a Ctrl-C that ends the command must not reach the cluster.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if opts.Node != nil {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNS | syscall.CLONE_NEWPID |
			syscall.CLONE_NEWNET
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	go cmd.Wait() //nolint:errcheck // only so that an early death leaves no zombie
	return nil
}

// List returns the components in the order of their start.
func (c Client) List() ([]Status, error) {
	resp, err := exchange(c.RunDir, request{Op: opList})
	if err != nil {
		return nil, err
	}
	return resp.Components, nil
}

// Get returns one component; one that was never started is not running.
func (c Client) Get(name string) (Status, error) {
	list, err := c.List()
	for _, s := range list {
		if s.Name == name {
			return s, nil
		}
	}
	return Status{Name: name}, err
}

// Start runs a component unless it runs already.
func (c Client) Start(spec Spec) error {
	_, err := exchange(c.RunDir, request{Op: opStart, Spec: &spec})
	return err
}

// Signal sends a signal to a running component.
func (c Client) Signal(name string, sig syscall.Signal) error {
	_, err := exchange(c.RunDir, request{Op: opSignal, Name: name, Signal: int(sig)})
	return err
}

// SignalAll sends a signal to every process of a node but the supervisor, those of pods too.
func (c Client) SignalAll(sig syscall.Signal) error {
	_, err := exchange(c.RunDir, request{Op: opSignalAll, Signal: int(sig)})
	return err
}

// ShutDown asks the supervisor to end everything gracefully, and ends what is left after a while.
func (c Client) ShutDown() error {
	id, err := c.Identity()
	if err != nil {
		return err
	}
	if err := id.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	//nolint:errcheck // Kill looks after what takes longer
	id.WaitGone(shutDownGrace + 5*time.Second)
	return c.Kill()
}

// ConfigureNetwork sets up the node's side of its network.
func (c Client) ConfigureNetwork(cfg NetworkConfig) error {
	_, err := exchange(c.RunDir, request{Op: opNetwork, Network: &cfg})
	return err
}

// Stop ends a component: SIGTERM, and SIGKILL when that took too long. A stopped one is no error.
func (c Client) Stop(name string, grace time.Duration) error {
	status, err := c.Get(name)
	if err != nil || !status.Running {
		return err
	}
	if grace > 0 {
		if err := c.signalIfRunning(name, syscall.SIGTERM); err != nil {
			return err
		}
		//nolint:errcheck // a paused process gets the signal only when it goes on
		c.signalIfRunning(name, syscall.SIGCONT)
		if stopped, err := c.waitStopped(name, grace); stopped || err != nil {
			return err
		}
	}
	if err := c.signalIfRunning(name, syscall.SIGKILL); err != nil {
		return err
	}
	const killTimeout = 10 * time.Second
	stopped, err := c.waitStopped(name, killTimeout)
	if err == nil && !stopped {
		err = fmt.Errorf("%s: expected it to end within %s of SIGKILL, found it running",
			name, killTimeout)
	}
	return err
}

// signalIfRunning tolerates that the component ends between question and signal.
func (c Client) signalIfRunning(name string, sig syscall.Signal) error {
	err := c.Signal(name, sig)
	if err == nil {
		return nil
	}
	if status, listErr := c.Get(name); listErr == nil && !status.Running {
		return nil
	}
	return err
}

func (c Client) waitStopped(name string, timeout time.Duration) (bool, error) {
	deadline := time.Now().Add(timeout)
	for {
		status, err := c.Get(name)
		if err != nil || !status.Running {
			return true, err
		}
		if time.Now().After(deadline) {
			return false, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Kill ends the supervisor and with it every component, and waits until all are gone. It works
// whatever is left of them, and twice in a row.
func (c Client) Kill() error {
	const timeout = 10 * time.Second
	if _, err := os.Stat(c.RunDir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	deadline := time.Now().Add(timeout)
	for c.Alive() { // a newborn has the lock before it has written its identity
		if id, err := c.Identity(); err == nil && id.Alive() {
			if err := id.Signal(syscall.SIGKILL); err != nil {
				return fmt.Errorf("kill the supervisor (process %d): %w", id.PID, err)
			}
			if err := id.WaitGone(timeout); err != nil {
				return err
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("expected the supervisor to be gone within %s, found %s still "+
				"locked; `fuser %[2]s` names the process", timeout, lockPath(c.RunDir))
		}
		time.Sleep(10 * time.Millisecond)
	}
	// The lock falls a moment before the process, and the rest of a pid namespace, is gone.
	if id, err := c.Identity(); err == nil {
		if err := id.WaitGone(timeout); err != nil {
			return err
		}
	}
	return c.killOrphans()
}

// killOrphans ends children of a supervisor that has died. The kernel kills them too; this waits
// for it, because a new etcd cannot use the data while the old one is there.
func (c Client) killOrphans() error {
	data, err := os.ReadFile(childPath(c.RunDir))
	if err != nil {
		return nil // no child was ever started
	}
	var children []Status
	if json.Unmarshal(data, &children) != nil {
		return nil
	}
	for _, child := range children {
		if err := child.Process.Signal(syscall.SIGKILL); err != nil {
			return err
		}
	}
	for _, child := range children {
		if err := child.Process.WaitGone(10 * time.Second); err != nil {
			return fmt.Errorf("%s: %w", child.Name, err)
		}
	}
	return nil
}
