// Package proc identifies processes in a way that survives the reuse of pids.
package proc

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An Identity names one process for ever: the kernel reuses a pid, but not a pid together with its
// start time. Nothing in devcluster signals a process by pid alone or by name.
type Identity struct {
	PID        int    `json:"pid"`
	StartTicks uint64 `json:"startTicks"`
}

// Of reads the identity of a process; pid 0 means the calling process, as /proc sees it. That
// matters inside a new pid namespace, where os.Getpid() says 1 but the old /proc knows better.
func Of(pid int) (Identity, error) {
	id, _, err := read(pid)
	return id, err
}

func read(pid int) (Identity, byte, error) {
	path := "/proc/self/stat"
	if pid != 0 {
		path = "/proc/" + strconv.Itoa(pid) + "/stat"
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Identity{}, 0, err
	}
	return parseStat(string(data))
}

// parseStat splits after the last parenthesis because the command name may contain anything.
func parseStat(stat string) (Identity, byte, error) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 1 || end < open {
		return Identity{}, 0, fmt.Errorf("expected 'pid (name) state …', found %q", stat)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(stat[:open]))
	if err != nil {
		return Identity{}, 0, fmt.Errorf("pid in %q: %w", stat, err)
	}
	fields := strings.Fields(stat[end+1:])
	const startTimeField = 19 // field 22 of proc(5), counted from the state
	if len(fields) <= startTimeField {
		return Identity{}, 0, fmt.Errorf("expected 22 fields or more, found %q", stat)
	}
	ticks, err := strconv.ParseUint(fields[startTimeField], 10, 64)
	if err != nil {
		return Identity{}, 0, fmt.Errorf("start time in %q: %w", stat, err)
	}
	return Identity{PID: pid, StartTicks: ticks}, fields[0][0], nil
}

// State returns the process state letter of proc(5), or 0 when this process is gone. A zombie
// counts as gone: it holds no resource, and who reaps it is not our business.
func (id Identity) State() byte {
	if id.PID <= 0 {
		return 0
	}
	now, state, err := read(id.PID)
	if err != nil || now != id || state == 'Z' || state == 'X' {
		return 0
	}
	return state
}

// Alive reports whether exactly this process still runs.
func (id Identity) Alive() bool { return id.State() != 0 }

// Signal sends a signal to exactly this process; one that is gone is not an error. The pidfd is
// opened before the check, so the pid cannot change hands between check and signal.
func (id Identity) Signal(sig syscall.Signal) error {
	if id.PID <= 0 {
		return nil
	}
	p, err := os.FindProcess(id.PID)
	if err != nil {
		return err
	}
	defer p.Release() //nolint:errcheck // nothing to do about it
	if !id.Alive() {
		return nil
	}
	err = p.Signal(sig)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Open returns a file (a pidfd) that becomes readable when exactly this process ends.
func (id Identity) Open() (*os.File, error) {
	fd, err := unix.PidfdOpen(id.PID, 0)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", id.PID, err)
	}
	if !id.Alive() {
		unix.Close(fd) //nolint:errcheck // nothing to do about it
		return nil, fmt.Errorf("process %d: expected it to run, found it gone", id.PID)
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// WaitGone polls until the process is gone.
func (id Identity) WaitGone(timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for id.Alive() {
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d: expected it to end within %s, found it in state %c",
				id.PID, timeout, id.State())
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

// OutsidePID finds the pid, as this process sees it, of a process that was identified inside the
// pid namespace whose init is initPID. It is 0 when there is none. Start times are the same in
// every pid namespace.
func OutsidePID(initPID int, inside Identity) int {
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", initPID))
	if err != nil {
		return 0
	}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if own, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid)); err != nil ||
			own != namespace {
			continue
		}
		id, err := Of(pid)
		if err == nil && id.StartTicks == inside.StartTicks && innerPID(pid) == inside.PID {
			return pid
		}
	}
	return 0
}

// innerPID is the pid of a process in its innermost pid namespace.
func innerPID(pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(data), "\n") {
		if rest, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(rest)
			if len(fields) == 0 {
				return 0
			}
			inner, _ := strconv.Atoi(fields[len(fields)-1])
			return inner
		}
	}
	return 0
}
