// Package confine takes from the helper what it does not need, before it reads the first byte of a
// registry: files outside of its own folders (a token of the daemon's among them), core dumps, new
// privileges, and the system calls that no download needs.
package confine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where the system's certificates, resolvers and time zones are. What is missing is left out.
var systemFolders = []string{"/etc", "/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates", "/usr/share/pki", "/var/lib/ca-certificates",
	"/run/systemd/resolve"}

const filesMax = 256

// Landlock calls a file's rights by these; later versions of the kernel know more.
const (
	readRights = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	// All of version 1, with the right to rename between folders of version 2.
	rightsV2 = unix.LANDLOCK_ACCESS_FS_REFER<<1 - 1
	rightsV3 = rightsV2 | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	// What the helper does in its own folders: files and folders, no links, sockets or devices.
	ownRights = readRights | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_REFER | unix.LANDLOCK_ACCESS_FS_TRUNCATE
)

// Version of Landlock that this kernel has; 0: none.
func Version() int {
	version, _, failed := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0,
		unix.LANDLOCK_CREATE_RULESET_VERSION)
	if failed != 0 {
		return 0
	}
	return int(version)
}

// Process confines this process to `own` folders, which exist, and to reading `readable` paths and
// the system's. Landlock is left out where the kernel lacks what renames need (version 2).
func Process(own, readable []string) error {
	limits := []struct {
		what  int
		value uint64
	}{{unix.RLIMIT_CORE, 0}, {unix.RLIMIT_NOFILE, filesMax}}
	for _, limit := range limits {
		var now unix.Rlimit
		if err := unix.Getrlimit(limit.what, &now); err != nil {
			return err
		}
		most := min(limit.value, now.Max)
		if err := unix.Setrlimit(limit.what, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return err
		}
	}
	// Nobody of the same user looks into it.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	if _, _, failed := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0,
		0, 0); failed != 0 {
		return fmt.Errorf("no new privileges: %w", failed)
	}
	if version := Version(); version >= 2 {
		if err := restrict(version, own, readable); err != nil {
			return err
		}
	}
	return filterCalls()
}

func restrict(version int, own, readable []string) error {
	rules := unix.LandlockRulesetAttr{Access_fs: rightsV2}
	if version >= 3 {
		rules.Access_fs = rightsV3
	}
	handle, _, failed := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET,
		uintptr(unsafe.Pointer(&rules)), unsafe.Sizeof(rules), 0)
	if failed != 0 {
		return fmt.Errorf("landlock: %w", failed)
	}
	set := os.NewFile(handle, "landlock")
	defer set.Close()
	for _, path := range append(append([]string{}, systemFolders...), readable...) {
		if err := allow(set, path, readRights&rules.Access_fs); err != nil &&
			!errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for _, path := range own {
		if err := allow(set, path, ownRights&rules.Access_fs); err != nil {
			return err
		}
	}
	if _, _, failed := syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set.Fd(), 0,
		0); failed != 0 {
		return fmt.Errorf("landlock: %w", failed)
	}
	return nil
}

func allow(set *os.File, path string, rights uint64) error {
	file, err := os.OpenFile(filepath.Clean(path), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.IsDir() {
		rights &^= unix.LANDLOCK_ACCESS_FS_READ_DIR
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(file.Fd())}
	if _, _, failed := syscall.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, set.Fd(),
		unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); failed != 0 {
		return fmt.Errorf("landlock: %s: %w", path, failed)
	}
	return nil
}
