package confine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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
	os.Exit(0)
}

func TestWhatIsLeftOfAConfinedProcess(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "CONFINED_TO="+t.TempDir(), "OUTSIDE="+outside)
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if Version() < 2 {
		t.Skip("this kernel has no Landlock of version 2: no file is kept from the helper")
	}
	expected := []string{"write inside", "make a folder", "rename", "read /etc"}
	if found := strings.TrimSpace(string(out)); found != strings.Join(expected, "\n") {
		t.Fatalf("expected %q, found %q", expected, found)
	}
}
