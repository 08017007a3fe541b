package confine

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary again, confined for good: what it may still do goes to standard output.
func TestMain(m *testing.M) {
	own := os.Getenv("CONFINED_TO")
	if own == "" {
		os.Exit(m.Run())
	}
	if err := Process([]string{own}, nil); err != nil {
		os.Stdout.WriteString("refused: " + err.Error())
		os.Exit(1)
	}
	try := func(what string, err error) {
		if err == nil {
			os.Stdout.WriteString(what + "\n")
		}
	}
	_, err := os.ReadFile(os.Getenv("OUTSIDE"))
	try("read outside", err)
	try("write outside", os.WriteFile(os.Getenv("OUTSIDE")+"-new", nil, 0o600))
	try("write inside", os.WriteFile(filepath.Join(own, "a"), []byte("a"), 0o600))
	try("make a folder", os.MkdirAll(filepath.Join(own, "x/y"), 0o700))
	try("rename", os.Rename(filepath.Join(own, "a"), filepath.Join(own, "x/y/a")))
	try("link", os.Symlink("/etc", filepath.Join(own, "link")))
	_, err = os.ReadDir("/etc")
	try("read /etc", err)
	try("run a program", exec.Command("/bin/true").Run())
	try("listen", listen())
	_, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	try("open a local socket", err)
	try("signal its parent", unix.Kill(os.Getppid(), 0))
	_, err = unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
	try("make code", err)
	connection, err := net.Dial("tcp", os.Getenv("REGISTRY"))
	try("connect", err)
	if err == nil {
		_, err = io.ReadAll(connection)
		try("read what is sent", err)
	}
	// New threads, garbage and preemption.
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			runtime.LockOSThread()
			for range 1000 {
				_ = append(make([]byte, 0, 4096), "x"...)
			}
			runtime.GC()
		})
	}
	all.Wait()
	try("work with threads", nil)
	os.Exit(0)
}

func listen() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		err = listener.Close()
	}
	return err
}

func TestWhatIsLeftOfAConfinedProcess(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	registry, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	go func() {
		if connection, err := registry.Accept(); err == nil {
			_, _ = connection.Write([]byte("hello"))
			_ = connection.Close()
		}
	}()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "CONFINED_TO="+t.TempDir(), "OUTSIDE="+outside,
		"REGISTRY="+registry.Addr().String())
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	expected := []string{"write inside", "make a folder", "rename", "read /etc", "connect",
		"read what is sent", "work with threads"}
	if Version() < 2 { // no file is kept from the helper
		expected = slices.Concat([]string{"read outside", "write outside"}, expected[:3],
			[]string{"link"}, expected[3:])
	}
	if found := strings.TrimSpace(string(out)); found != strings.Join(expected, "\n") {
		t.Fatalf("expected %q, found %q", expected, found)
	}
}
