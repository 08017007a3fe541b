//go:build amd64 || arm64

package confine

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// What Go's runtime, files in the helper's own folders and connections to registries need. All
// else fails as on a kernel that does not have it: no new program or process, no listening, no
// tracing, mounts, keys or kernel programs.
var allowedCalls = []uint32{
	// memory, threads, time
	unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_MREMAP, unix.SYS_MINCORE, unix.SYS_BRK,
	unix.SYS_FUTEX, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_GETTID,
	unix.SYS_GETPID, unix.SYS_GETPPID, unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID,
	unix.SYS_GETEGID, unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN,
	unix.SYS_SIGALTSTACK, unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ, unix.SYS_MEMBARRIER,
	unix.SYS_EXIT, unix.SYS_EXIT_GROUP, unix.SYS_RESTART_SYSCALL, unix.SYS_NANOSLEEP,
	unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_GETTIMEOFDAY, unix.SYS_GETRANDOM,
	unix.SYS_UNAME, unix.SYS_GETRUSAGE,
	// files
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_PREAD64,
	unix.SYS_PWRITE64, unix.SYS_LSEEK, unix.SYS_CLOSE, unix.SYS_OPENAT, unix.SYS_FSTAT,
	unix.SYS_NEWFSTATAT, unix.SYS_STATX, unix.SYS_FSTATFS,
	unix.SYS_GETDENTS64, unix.SYS_GETCWD, unix.SYS_READLINKAT,
	unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2, unix.SYS_MKDIRAT, unix.SYS_UNLINKAT,
	unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unix.SYS_FTRUNCATE,
	unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_FLOCK, unix.SYS_FCNTL, unix.SYS_UMASK,
	unix.SYS_UTIMENSAT, unix.SYS_COPY_FILE_RANGE, unix.SYS_SENDFILE, unix.SYS_SPLICE,
	unix.SYS_PIPE2,
	// connections; bind is how Go finds out whether there is IPv6
	unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_PWAIT2,
	unix.SYS_EVENTFD2, unix.SYS_PPOLL, unix.SYS_BIND, unix.SYS_CONNECT, unix.SYS_SHUTDOWN,
	unix.SYS_GETSOCKNAME, unix.SYS_GETPEERNAME, unix.SYS_SETSOCKOPT, unix.SYS_GETSOCKOPT,
	unix.SYS_SENDTO, unix.SYS_RECVFROM, unix.SYS_SENDMSG, unix.SYS_RECVMSG}

const (
	numberOffset       = 0 // of struct seccomp_data
	architectureOffset = 4
	argumentsOffset    = 16
)

var (
	pass = bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}
	deny = bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)}
)

// onlyIf allows a call if its argument passes one of the tests.
func onlyIf(call, argument uint32, test bpf.JumpTest, values ...uint32) []bpf.Instruction {
	block := []bpf.Instruction{bpf.LoadAbsolute{Off: argumentsOffset + 8*argument, Size: 4}}
	for _, value := range values {
		block = append(block, bpf.JumpIf{Cond: test, Val: value, SkipFalse: 1}, pass)
	}
	block = append(block, deny)
	return append([]bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpEqual, Val: call,
		SkipFalse: uint8(len(block))}}, block...)
}

func program() []bpf.Instruction {
	out := []bpf.Instruction{bpf.LoadAbsolute{Off: architectureOffset, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: architecture, SkipTrue: 1}, deny,
		bpf.LoadAbsolute{Off: numberOffset, Size: 4}}
	for _, call := range allowedCalls {
		out = append(out, bpf.JumpIf{Cond: bpf.JumpEqual, Val: call, SkipFalse: 1}, pass)
	}
	// A thread, not a process; its own threads, and nobody else's; no memory that is executed.
	out = append(out, onlyIf(unix.SYS_CLONE, 0, bpf.JumpBitsSet, unix.CLONE_THREAD)...)
	out = append(out, onlyIf(unix.SYS_TGKILL, 0, bpf.JumpEqual, uint32(os.Getpid()))...)
	out = append(out, onlyIf(unix.SYS_SOCKET, 0, bpf.JumpEqual, unix.AF_INET, unix.AF_INET6)...)
	for _, call := range []uint32{unix.SYS_MMAP, unix.SYS_MPROTECT} {
		out = append(out, onlyIf(call, 2, bpf.JumpBitsNotSet, unix.PROT_EXEC)...)
	}
	return append(out, deny)
}

// filterCalls of all threads, for good. "No new privileges" is set already. Left out where the
// kernel has no filters.
func filterCalls() error {
	raw, err := bpf.Assemble(program())
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, one := range raw {
		filter[i] = unix.SockFilter{Code: one.Op, Jt: one.Jt, Jf: one.Jf, K: one.K}
	}
	whole := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	thread, _, failed := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&whole)))
	switch {
	case errors.Is(failed, unix.ENOSYS), errors.Is(failed, unix.EINVAL):
		return nil
	case failed != 0:
		return fmt.Errorf("seccomp: %w", failed)
	case thread != 0:
		return fmt.Errorf("seccomp: thread %d cannot be confined", thread)
	}
	return nil
}
