#include "core/plugin/host/sandbox.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
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

// As of Landlock ABI 4.
struct landlock_port {
  std::uint64_t access = 0;
  std::uint64_t port = 0;
};

bool allow_connect(int rules, const std::vector<std::uint16_t>& ports) {
  constexpr int rule_net_port = 2;
  constexpr std::uint64_t connect_tcp = 2;
  bool done = true;
  for (const auto port : ports) {
    const landlock_port allowed{connect_tcp, port};
    done = done && ::syscall(SYS_landlock_add_rule, rules, rule_net_port, &allowed, 0) == 0;
  }
  return done;
}

// Files, and of the network those ports. The ports are a wall of their own: older kernels have the
// one of files only.
void restrict_reach(bool other_user, const std::vector<std::uint16_t>& ports, gaps& missing) {
  constexpr const char* ports_wall = "network.connectPorts (Landlock since Linux 6.7)";
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1U);
  if (abi < 1) {
    // A kernel without it: files are then kept by their permissions, if the child is another user.
    missing.expect(other_user && (errno == ENOSYS || errno == EOPNOTSUPP), "Landlock");
    missing.expect(ports.empty(), ports_wall);
    return;
  }
  std::size_t size = 0;
  const auto all = all_that(abi, size);
  const int rules = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &all, size, 0U));
  if (rules < 0) return missing.expect(false, "Landlock");
  for (const char* folder : {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"})
    allow_path(rules, folder, read_and_map);
  allow_path(rules, "/etc/ld.so.cache", LANDLOCK_ACCESS_FS_READ_FILE);
  missing.expect(allow_connect(rules, ports), ports_wall);
  missing.expect(::syscall(SYS_landlock_restrict_self, rules, 0) == 0, "Landlock");
  ::close(rules);
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

// What a TCP client with an event loop needs beside them.
constexpr const char* client_calls[] = {
    "connect",        "getsockname",     "getpeername",     "getsockopt",  "shutdown",
    "epoll_create1",  "epoll_ctl",       "epoll_wait",      "epoll_pwait", "eventfd2",
    "timerfd_create", "timerfd_settime", "timerfd_gettime",
};

struct socket_option {
  int level;
  int name;
};

// None that makes another protocol of a TCP socket (TCP_ULP): Landlock looks at TCP only.
constexpr socket_option client_options[] = {
    {SOL_SOCKET, SO_KEEPALIVE},      {SOL_SOCKET, SO_RCVBUF},     {SOL_SOCKET, SO_SNDBUF},
    {SOL_SOCKET, SO_RCVTIMEO},       {SOL_SOCKET, SO_SNDTIMEO},   {SOL_SOCKET, SO_LINGER},
    {SOL_SOCKET, SO_REUSEADDR},      {IPPROTO_TCP, TCP_NODELAY},  {IPPROTO_TCP, TCP_KEEPIDLE},
    {IPPROTO_TCP, TCP_KEEPINTVL},    {IPPROTO_TCP, TCP_KEEPCNT},  {IPPROTO_TCP, TCP_QUICKACK},
    {IPPROTO_TCP, TCP_USER_TIMEOUT}, {IPPROTO_IPV6, IPV6_V6ONLY},
};

bool allow(void* f, const char* name) {
  const int number = ::seccomp_syscall_resolve_name(name);
  return number < 0 || ::seccomp_rule_add(f, SCMP_ACT_ALLOW, number, 0) == 0;
}

template <class... Conditions>
bool allow_if(void* f, const char* name, Conditions... all) {
  const int number = ::seccomp_syscall_resolve_name(name);
  return ::seccomp_rule_add(f, SCMP_ACT_ALLOW, number, sizeof...(all), all...) == 0;
}

scmp_datum_t datum(int value) {
  return static_cast<scmp_datum_t>(value);
}

// TCP sockets only, and by that name: Landlock does not see what MPTCP, SCTP and SMC connect to.
// Names are not looked up, and nothing is local but the channel.
bool allow_client(void* f) {
  constexpr scmp_datum_t kind_bits = 0xf;
  bool ok = true;
  for (const char* name : client_calls)
    ok = ok && allow(f, name);
  for (const auto family : {AF_INET, AF_INET6}) {
    for (const auto protocol : {0, static_cast<int>(IPPROTO_TCP)}) {
      ok = ok && allow_if(f, "socket", SCMP_A0(SCMP_CMP_EQ, datum(family), 0),
                          SCMP_A1(SCMP_CMP_MASKED_EQ, kind_bits, SOCK_STREAM),
                          SCMP_A2(SCMP_CMP_EQ, datum(protocol), 0));
    }
  }
  for (const auto& option : client_options) {
    ok = ok && allow_if(f, "setsockopt", SCMP_A1(SCMP_CMP_EQ, datum(option.level), 0),
                        SCMP_A2(SCMP_CMP_EQ, datum(option.name), 0));
  }
  for (const auto command : {F_GETFD, F_SETFD, F_GETFL, F_SETFL}) {
    ok = ok && allow_if(f, "fcntl", SCMP_A1(SCMP_CMP_EQ, datum(command), 0));
  }
  return ok && allow_if(f, "ioctl", SCMP_A1(SCMP_CMP_EQ, FIONBIO, 0));
}

// For all threads, should the library have made some. "No new privileges" is set already.
bool load_filter(void* f) {
  return ::seccomp_attr_set(f, SCMP_FLTATR_CTL_NNP, 0) == 0 &&
         ::seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1) == 0 && ::seccomp_load(f) == 0;
}

bool restrict_calls(bool is_client) {
  const filter f(::seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!f) return false;
  bool ok = true;
  for (const char* name : allowed_calls)
    ok = ok && allow(f.get(), name);
  // Sending, but not what connects as well: Landlock does not look there.
  constexpr scmp_datum_t fast_open = MSG_FASTOPEN;
  ok = ok && allow_if(f.get(), "sendto", SCMP_A3(SCMP_CMP_MASKED_EQ, fast_open, 0));
  ok = ok && allow_if(f.get(), "sendmsg", SCMP_A2(SCMP_CMP_MASKED_EQ, fast_open, 0));
  ok = ok && (!is_client || allow_client(f.get()));
  // A thread, not a process. clone3 hides its flags in memory: glibc then takes clone.
  ok = ok && allow_if(f.get(), "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  ok = ok && ::seccomp_rule_add(f.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
  // abort() and raise(), and nobody else's threads.
  const auto self = datum(::getpid());
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
  missing.expect(
      request.memory_bytes_max == 0 ||
          limit(RLIMIT_DATA, request.memory_bytes_max + (request.workers + 2) * stack_bytes),
      "limit of memory");
#endif
  restrict_reach(request.child_user != 0, request.connect_ports, missing);
  missing.expect(restrict_calls(!request.connect_ports.empty()), "seccomp");
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
