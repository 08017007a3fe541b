//go:build linux

package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"oarlock.dev/devcluster/internal/files"
	"oarlock.dev/devcluster/internal/proc"
)

// minimalPath lets the kubelet, containerd and the CNI plugins find their helpers, also when the
// user's own PATH lacks the sbin folders.
const minimalPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

type child struct {
	status Status
	seq    int // start order
}

// server is used by one goroutine only; connections and signals reach it through channels.
type server struct {
	runDir   string
	children map[string]*child
	seq      int
	// ownPIDs is set in a pid namespace: its pids mean nothing outside, and nothing in it outlives
	// the supervisor, so there is nothing to write down for killOrphans.
	ownPIDs bool
}

type call struct {
	req   request
	reply chan response
}

// Serve is the supervisor process. The lock file, taken by the parent, is inherited.
//
// The goroutine stays on one thread for ever because the kernel ties the death signal of a child
// to the thread that started it.
func Serve(opts Options) error {
	runtime.LockOSThread()
	syscall.CloseOnExec(lockFD)
	if opts.Owner.PID != 0 {
		go endWith(ownerFD)
	}
	self, err := proc.Of(0) // before /proc is replaced: the pid that the host sees
	if err != nil {
		return err
	}
	if err := writeJSON(pidPath(opts.RunDir), self); err != nil {
		return err
	}
	runDir := opts.RunDir
	if opts.Node != nil {
		if runDir, err = enterNode(opts); err != nil {
			return fmt.Errorf("set up the node's mounts: %w", err)
		}
	}
	listener, err := listen(runDir)
	if err != nil {
		return err
	}
	calls := make(chan call)
	go accept(listener, calls)
	s := &server{runDir: runDir, children: map[string]*child{}, ownPIDs: opts.Node != nil}
	return s.loop(calls)
}

// endWith ends this process, and so all that it supervises, when the process of a pidfd has ended.
func endWith(pidfd int) {
	syscall.CloseOnExec(pidfd)
	for {
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, -1); n > 0 || !errors.Is(err, unix.EINTR) {
			os.Exit(1)
		}
	}
}

func listen(runDir string) (net.Listener, error) {
	path, folder, err := shortSocketPath(runDir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	if err := os.Remove(socketPath(runDir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	old := syscall.Umask(0o077) // whoever may connect controls the cluster
	defer syscall.Umask(old)
	return net.Listen("unix", path)
}

func accept(listener net.Listener, calls chan<- call) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go func() {
			defer conn.Close()
			//nolint:errcheck // a peer that is gone gets no answer
			conn.SetDeadline(time.Now().Add(exchangeTimeout))
			var req request
			if json.NewDecoder(io.LimitReader(conn, 1<<20)).Decode(&req) != nil {
				return
			}
			reply := make(chan response, 1)
			calls <- call{req, reply}
			//nolint:errcheck // as above
			json.NewEncoder(conn).Encode(<-reply)
		}()
	}
}

func (s *server) loop(calls <-chan call) error {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE)
	dead := make(chan os.Signal, 1)
	signal.Notify(dead, syscall.SIGCHLD)
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	var deadline <-chan time.Time
	for {
		select {
		case c := <-calls:
			c.reply <- s.handle(c.req)
		case <-dead:
			s.reap()
		case <-end:
			s.terminate()
			deadline = time.After(shutDownGrace)
		case <-deadline:
			return nil
		}
		if deadline != nil && !s.anyLeft() {
			return nil
		}
	}
}

func (s *server) handle(req request) response {
	var err error
	switch req.Op {
	case opList:
	case opStart:
		err = s.start(req.Spec)
	case opSignal:
		err = s.signal(req.Name, syscall.Signal(req.Signal))
	case opSignalAll:
		err = s.signalNamespace(syscall.Signal(req.Signal))
	case opNetwork:
		err = configureNetwork(req.Network)
	default:
		err = fmt.Errorf("expected a known operation, found %q; the cluster was started by "+
			"another version of devcluster: `devcluster down`, then `devcluster up`", req.Op)
	}
	if err != nil {
		return response{Error: err.Error()}
	}
	return response{Components: s.list()}
}

// start runs a component unless it runs already.
func (s *server) start(spec *Spec) error {
	if spec == nil || spec.Name == "" {
		return errors.New("start: expected a component, found none")
	}
	if c := s.children[spec.Name]; c != nil && c.status.Running {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(spec.Log), 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(spec.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	path, arg0 := spec.Path, spec.Path
	if path == "" {
		// The very binary that the supervisor runs, even when the file has been rebuilt since.
		path, arg0 = "/proc/self/exe", spec.Name
	}
	started := time.Now()
	pid, err := syscall.ForkExec(path, append([]string{arg0}, spec.Args...), &syscall.ProcAttr{
		Dir:   s.runDir,
		Env:   append([]string{minimalPath, "HOME=" + s.runDir, "LANG=C.UTF-8"}, spec.Env...),
		Files: []uintptr{null.Fd(), log.Fd(), log.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return fmt.Errorf("start %s: %s: %w", spec.Name, path, err)
	}
	id, err := proc.Of(pid)
	if err != nil {
		id = proc.Identity{PID: pid}
	}
	s.seq++
	s.children[spec.Name] = &child{
		status: Status{Name: spec.Name, Running: true, Started: started, Process: id}, seq: s.seq,
	}
	if s.ownPIDs {
		return nil
	}
	return writeJSON(childPath(s.runDir), s.list())
}

func (s *server) signal(name string, sig syscall.Signal) error {
	c := s.children[name]
	if c == nil || !c.status.Running {
		return fmt.Errorf("%s: expected a running component, found it stopped; start it with "+
			"`devcluster start`", name)
	}
	return syscall.Kill(c.status.Process.PID, sig) // our unreaped child: the pid is surely its own
}

// shutDownGrace is the time that processes have to end by themselves.
const shutDownGrace = 5 * time.Second

// terminate asks the children to end; in a pid namespace everybody, as a machine that goes off.
func (s *server) terminate() {
	if s.ownPIDs {
		//nolint:errcheck // there is nobody
		s.signalNamespace(syscall.SIGTERM)
		return
	}
	for _, c := range s.children {
		if c.status.Running {
			//nolint:errcheck // a child that has just died
			syscall.Kill(c.status.Process.PID, syscall.SIGTERM)
		}
	}
}

// signalNamespace reaches every process of the pid namespace but its init, which this is. The
// kernel does so in one step: no child that is just being born escapes.
func (s *server) signalNamespace(sig syscall.Signal) error {
	if !s.ownPIDs || os.Getpid() != 1 {
		return errors.New("expected the supervisor of a node, found one without namespaces")
	}
	if err := syscall.Kill(-1, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

func (s *server) anyLeft() bool {
	if s.ownPIDs {
		return !errors.Is(syscall.Kill(-1, 0), syscall.ESRCH)
	}
	return s.running() > 0
}

// reap collects every dead child, also those inherited as init (containerd's shims).
func (s *server) reap() {
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		for _, c := range s.children {
			if c.status.Running && c.status.Process.PID == pid {
				c.status.Running = false
				c.status.Exit = describe(ws)
			}
		}
	}
}

func describe(ws syscall.WaitStatus) string {
	if ws.Signaled() {
		return fmt.Sprintf("ended by signal %d (%s)", ws.Signal(), ws.Signal())
	}
	return fmt.Sprintf("exit code %d", ws.ExitStatus())
}

func (s *server) running() int {
	n := 0
	for _, c := range s.children {
		if c.status.Running {
			n++
		}
	}
	return n
}

func (s *server) list() []Status {
	out := make([]Status, 0, len(s.children))
	for seq := 1; seq <= s.seq; seq++ {
		for _, c := range s.children {
			if c.seq == seq {
				st := c.status
				st.Paused = st.Running && st.Process.State() == 'T'
				out = append(out, st)
			}
		}
	}
	return out
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return files.WriteAtomic(path, append(data, '\n'), 0o644)
}
