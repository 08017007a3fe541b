#include "core/plugin/host/sandbox.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <vector>

namespace oarlock::plugin::host {

namespace {

// One line of trouble per wall.
class gaps {
 public:
  void expect(bool stands, const char* wall) {
    if (stands) return;
    if (!text_.empty()) text_ += "; ";
    text_ += wall;
    text_ += ": ";
    text_ += std::strerror(errno);
  }
  [[nodiscard]] std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

bool limit(int resource, rlim_t most) {
  rlimit now{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &now) != 0) return false;
  if (now.rlim_max != RLIM_INFINITY && now.rlim_max < most) most = now.rlim_max;
  const rlimit wanted{most, most};
  return ::setrlimit(static_cast<__rlimit_resource>(resource), &wanted) == 0;
}

bool become(std::uint32_t user) {
  if (user == 0) return true;
  return ::setgroups(0, nullptr) == 0 && ::setresgid(user, user, user) == 0 &&
         ::setresuid(user, user, user) == 0;
}

bool drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  return ::syscall(SYS_capset, &header, none.data()) == 0;
}

// --- Landlock: which files can be reached at all ---

// As of Landlock ABI 6; older headers know only the first field.
struct landlock_rules {
  std::uint64_t files = 0;
  std::uint64_t network = 0;
  std::uint64_t scoped = 0;
};

constexpr std::uint64_t read_and_map =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE;

// What each ABI version can forbid; a kernel refuses bits that it does not know.
landlock_rules all_that(long abi, std::size_t& size) {
  landlock_rules out;
  out.files = (1ULL << 13U) - 1;
  if (abi >= 2) out.files |= 1ULL << 13U;  // linking and renaming
  if (abi >= 3) out.files |= 1ULL << 14U;  // truncating
  if (abi >= 5) out.files |= 1ULL << 15U;  // ioctl of devices
  size = sizeof(out.files);
  if (abi >= 4) {
    out.network = 3;  // TCP bind and connect
    size += sizeof(out.network);
  }
  if (abi >= 6) {
    out.scoped = 3;  // abstract sockets and signals out of it
    size += sizeof(out.scoped);
  }
  return out;
}

void allow_path(int rules, const char* path, std::uint64_t access) {
  const int at = ::open(path, O_PATH | O_CLOEXEC);
  if (at < 0) return;  // not on this system
  landlock_path_beneath_attr allowed{};
  allowed.allowed_access = access;
  allowed.parent_fd = at;
  ::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &allowed, 0);
  ::close(at);
}

bool restrict_files(bool other_user) {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1U);
  // A kernel without it: files are then kept by their permissions, if the child is another user.
  if (abi < 1) return other_user && (errno == ENOSYS || errno == EOPNOTSUPP);
  std::size_t size = 0;
  const auto all = all_that(abi, size);
  const int rules = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &all, size, 0U));
  if (rules < 0) return false;
  for (const char* folder : {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"})
    allow_path(rules, folder, read_and_map);
  allow_path(rules, "/etc/ld.so.cache", LANDLOCK_ACCESS_FS_READ_FILE);
  const bool done = ::syscall(SYS_landlock_restrict_self, rules, 0) == 0;
  ::close(rules);
  return done;
}

// --- seccomp: which calls can be made at all ---

struct filter_free {
  void operator()(void* f) const { ::seccomp_release(f); }
};
using filter = std::unique_ptr<void, filter_free>;

// What a computation with threads needs. Everything else answers EPERM: no new process, socket,
// signal to others, trace, mount, key or kernel program.
constexpr const char* allowed_calls[] = {
    "read",
    "write",
    "readv",
    "writev",
    "close",
    "fstat",
    "newfstatat",
    "lseek",
    "pread64",
    "recvfrom",
    "recvmsg",
    "sendto",
    "sendmsg",
    "poll",
    "ppoll",
    "mmap",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    "brk",
    "mincore",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "futex",
    "set_robust_list",
    "rseq",
    "exit",
    "exit_group",
    "getpid",
    "gettid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "sched_yield",
    "sched_getaffinity",
    "getcpu",
    "getrandom",
    "getrusage",
    "restart_syscall",
    "uname",
    "sysinfo",
    "membarrier",
    "seccomp",
#ifdef OARLOCK_SANITIZED
    "pipe",
    "pipe2",  // how the sanitizers find out whether memory can be read
#endif
};

bool allow(void* f, const char* name) {
  const int number = ::seccomp_syscall_resolve_name(name);
  return number < 0 || ::seccomp_rule_add(f, SCMP_ACT_ALLOW, number, 0) == 0;
}

bool allow_if(void* f, const char* name, scmp_arg_cmp condition) {
  const int number = ::seccomp_syscall_resolve_name(name);
  return ::seccomp_rule_add(f, SCMP_ACT_ALLOW, number, 1, condition) == 0;
}

// For all threads, should the library have made some. "No new privileges" is set already.
bool load_filter(void* f) {
  return ::seccomp_attr_set(f, SCMP_FLTATR_CTL_NNP, 0) == 0 &&
         ::seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1) == 0 && ::seccomp_load(f) == 0;
}

bool restrict_calls() {
  const filter f(::seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!f) return false;
  bool ok = true;
  for (const char* name : allowed_calls)
    ok = ok && allow(f.get(), name);
  // A thread, not a process. clone3 hides its flags in memory: glibc then takes clone.
  ok = ok && allow_if(f.get(), "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  ok = ok && ::seccomp_rule_add(f.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
  // abort() and raise(), and nobody else's threads.
  const auto self = static_cast<scmp_datum_t>(::getpid());
  ok = ok && allow_if(f.get(), "tgkill", SCMP_A0(SCMP_CMP_EQ, self, 0));
  ok = ok && allow_if(f.get(), "prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0));
  // Opening to read, for the dynamic loader, until close_files().
  constexpr scmp_datum_t writing = O_ACCMODE | O_CREAT | O_TRUNC;
  ok = ok && allow_if(f.get(), "openat", SCMP_A2(SCMP_CMP_MASKED_EQ, writing, O_RDONLY));
  return ok && load_filter(f.get());
}

void quiet_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  // What ends the daemon from a terminal ends it in its own order.
  std::signal(SIGINT, SIG_IGN);
}

}  // namespace

bool leave_parent(std::uint32_t workers, std::int32_t parent) {
  const auto first = static_cast<unsigned>(wire::first_worker_fd) + workers;
  if (::syscall(SYS_close_range, first, ~0U, 0U) != 0) {
    for (int fd = static_cast<int>(first); fd < 65536; ++fd)
      ::close(fd);
  }
  quiet_signals();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return ::getppid() == parent;
}

std::string put_up_walls(const wire::load_request& request) {
  gaps missing;
  missing.expect(become(request.child_user), "another user");
  // A change of user takes the death signal away.
  missing.expect(::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "end with the daemon");
  missing.expect(::prctl(PR_SET_DUMPABLE, 0) == 0, "non-dumpable");
  missing.expect(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
  missing.expect(drop_capabilities(), "no capabilities");
  missing.expect(limit(RLIMIT_CORE, 0), "no core files");
  missing.expect(limit(RLIMIT_NOFILE, 128), "limit of descriptors");
  missing.expect(limit(RLIMIT_FSIZE, 0), "no file may grow");
  missing.expect(limit(RLIMIT_NPROC, 4096), "limit of threads");
#ifndef OARLOCK_SANITIZED  // the sanitizers reserve more than any limit
  // Stacks count too.
  constexpr rlim_t stack_bytes = 8U << 20U;
  missing.expect(limit(RLIMIT_DATA, request.memory_bytes_max + (request.workers + 2) * stack_bytes),
                 "limit of memory");
#endif
  missing.expect(restrict_files(request.child_user != 0), "Landlock");
  missing.expect(restrict_calls(), "seccomp");
  return std::move(missing).text();
}

std::string close_files() {
  gaps missing;
  const filter f(::seccomp_init(SCMP_ACT_ALLOW));
  bool ok = f != nullptr;
  for (const char* name : {"openat", "open", "openat2", "creat"}) {
    const int number = ::seccomp_syscall_resolve_name(name);
    ok = ok && (number < 0 || ::seccomp_rule_add(f.get(), SCMP_ACT_ERRNO(EACCES), number, 0) == 0);
  }
  missing.expect(ok && load_filter(f.get()), "no more files");
  return std::move(missing).text();
}

}  // namespace oarlock::plugin::host
