package proc

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestParseStatSurvivesHostileNames(t *testing.T) {
	tail := " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"
	for _, name := range []string{"etcd", "a b", "x) S 1 (y", "((", ""} {
		id, state, err := parseStat("42 (" + name + ")" + tail)
		if err != nil || state != 'S' || id != (Identity{PID: 42, StartTicks: 4711}) {
			t.Errorf("name %q: got %+v %c %v", name, id, state, err)
		}
	}
	for _, bad := range []string{"", "42", "42 (x) S 1 2", "x (y)" + tail, "42 (x) S 1 2 3 4"} {
		if _, _, err := parseStat(bad); err == nil {
			t.Errorf("%q: expected an error", bad)
		}
	}
}

func TestIdentityOfSelf(t *testing.T) {
	byPid, err := Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	bySelf, err := Of(0)
	if err != nil || byPid != bySelf || !byPid.Alive() {
		t.Fatalf("self: %+v, by pid: %+v, err %v", bySelf, byPid, err)
	}
}

// The guarded accident: a recorded pid now belongs to somebody else.
func TestSignalSparesAReusedPid(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Skip("no sleep(1): ", err)
	}
	real, err := Of(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	stale := Identity{PID: real.PID, StartTicks: real.StartTicks - 1}
	if stale.Alive() {
		t.Error("an identity with another start time must not count as alive")
	}
	if err := stale.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	time.Sleep(20 * time.Millisecond)
	if !real.Alive() {
		t.Fatal("a process that was never ours has been killed")
	}
	if err := real.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := real.WaitGone(5 * time.Second); err != nil {
		t.Error("a zombie must count as gone: ", err)
	}
	cmd.Wait() //nolint:errcheck // killed on purpose
	if err := real.Signal(syscall.SIGKILL); err != nil {
		t.Error("signalling a process that is gone: ", err)
	}
}
