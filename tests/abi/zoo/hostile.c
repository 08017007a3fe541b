/* A plugin that does, in plan(), what the planned object's name asks for: it dies, hangs, eats
 * memory, or reaches for what is not its own. What it reached is told as a failure's message. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "plain.h"

extern char** environ;

static char token_file[256];
static const oarlock_host* host_of_instance;
static const oarlock_plan_view* volatile kept_view;
static const oarlock_plan_out* volatile kept_out;
static int hangs_in_start;
static int hangs_in_stop;

static oarlock_str_view str(const char* text) {
  const oarlock_str_view view = {text, strlen(text)};
  return view;
}

/* 0 when the plugin got what it wanted, else the errno of the refusal. */
static long got(long result) {
  return result < 0 ? errno : 0;
}

static long read_file(const char* path) {
  char byte;
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return errno;
  return got(read(fd, &byte, 1) == 1 ? 0 : -1);
}

static long read_of_parent(const char* what) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/%s", (int)getppid(), what);
  return read_file(path);
}

static long read_memory_of_parent(void) {
  char bytes[8];
  const struct iovec here = {bytes, sizeof(bytes)};
  const struct iovec there = {(void*)&token_file, sizeof(bytes)};
  return got(process_vm_readv(getppid(), &here, 1, &there, 1, 0));
}

static long connect_out(void) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(443)};
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  (void)connect(fd, (const struct sockaddr*)&to, sizeof(to));
  close(fd);
  return 0;
}

/* The address at which clouds hand out credentials. */
static long connect_to_metadata(void) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  inet_pton(AF_INET, "169.254.169.254", &to.sin_addr);
  return got(connect(fd, (const struct sockaddr*)&to, sizeof(to)));
}

static long connect_to_port(const char* port, int protocol) {
  struct sockaddr_in to = {.sin_family = AF_INET};
  const int fd = socket(AF_INET, SOCK_STREAM, protocol);
  long refused = 0;
  if (fd < 0) return errno;
  to.sin_port = htons((uint16_t)strtol(port, NULL, 10));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  refused = got(connect(fd, (const struct sockaddr*)&to, sizeof(to)));
  close(fd);
  return refused;
}

/* Connects without connect(). */
static long send_to_port(const char* port) {
  struct sockaddr_in to = {.sin_family = AF_INET};
  const int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
  struct iovec text = {(void*)"x", 1};
  const struct msghdr message = {
      .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &text, .msg_iovlen = 1};
  long refused = 0;
  if (fd < 0) return errno;
  to.sin_port = htons((uint16_t)strtol(port, NULL, 10));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  refused = got(sendto(fd, "x", 1, MSG_FASTOPEN, (const struct sockaddr*)&to, sizeof(to)));
  if (refused == EPERM) refused = got(sendmsg(fd, &message, MSG_FASTOPEN));
  close(fd);
  return refused;
}

/* What makes another protocol of a socket. */
static long other_protocol(void) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  return got(setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 3));
}

static long listen_on_all(void) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  return got(bind(fd, (const struct sockaddr*)&at, sizeof(at)));
}

static long datagram_socket(void) {
  return got(socket(AF_INET, SOCK_DGRAM, 0));
}

/* A socket can have signals sent to a process of its owner's choice. */
static long signal_by_socket(void) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  return got(fcntl(fd, F_SETOWN, getppid()));
}

static long local_socket(void) {
  return got(socket(AF_UNIX, SOCK_STREAM, 0));
}

static long leak_descriptors(void) {
  for (int i = 0; i < 1000; ++i) {
    if (dup(STDIN_FILENO) < 0) return errno;
  }
  return 0;
}

static void* sleep_for_ever(void* nothing) {
  for (;;)
    sleep(1000);
  return nothing;
}

static void start_threads(void) {
  pthread_t made;
  pthread_attr_t small; /* else the limit of memory ends it first */
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536);
  for (int i = 0; i < 100; ++i)
    (void)pthread_create(&made, &small, sleep_for_ever, NULL);
}

static void flood_log(void) {
  static const char text[] = "again and again";
  const oarlock_str_view id = {OARLOCK_EXT_LOG, sizeof(OARLOCK_EXT_LOG) - 1};
  const oarlock_str_view message = {text, sizeof(text) - 1};
  const oarlock_host_log* log = host_of_instance->extension(host_of_instance->ctx, id);
  for (int i = 0; i < 100000; ++i) {
    log->write(host_of_instance->ctx, OARLOCK_LOG_WARN, message, NULL, 0);
  }
}

static long start_process(void) {
  const pid_t made = fork();
  if (made == 0) _exit(0);
  return got(made);
}

static long run_program(void) {
  char* const arguments[] = {"true", NULL};
  execve("/bin/true", arguments, environ);
  return errno;
}

static long write_file(void) {
  return got(open("/tmp/oarlock-hostile", O_WRONLY | O_CREAT, 0600));
}

/* The first descriptor that is neither a standard one nor the channel: 3 to 5, and 7 to 10 of four
 * workers. */
static long open_descriptors(void) {
  struct stat s;
  for (int fd = 6; fd < 1024; ++fd) {
    if (fd >= 7 && fd <= 10) continue;
    if (fstat(fd, &s) == 0) return 0;
  }
  return EBADF;
}

static long misbehave(const char* how) {
#define IS(word) (strcmp(how, (word)) == 0)
  if (IS("read-passwd")) return read_file("/etc/passwd");
  if (IS("read-token")) return read_file(token_file);
  if (IS("read-environ")) return read_of_parent("environ");
  if (IS("read-mem")) return read_of_parent("mem");
  if (IS("read-maps")) return read_of_parent("maps");
  if (IS("read-libc")) return read_file("/lib/x86_64-linux-gnu/libc.so.6");
  if (IS("read-vm")) return read_memory_of_parent();
  if (IS("write-file")) return write_file();
  if (IS("list-descriptors")) return open_descriptors();
  if (IS("environment")) return environ == NULL || environ[0] == NULL ? ENOENT : 0;
  if (IS("signal-parent")) return got(kill(getppid(), 0));
  if (IS("signal-all")) return got(kill(-1, 0));
  if (IS("signal-thread")) return got(syscall(SYS_tgkill, getppid(), getppid(), 0));
  if (IS("trace-parent")) return got(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
  if (IS("connect")) return connect_out();
  if (IS("metadata")) return connect_to_metadata();
  if (strncmp(how, "connect-", 8) == 0) return connect_to_port(how + 8, 0);
  if (strncmp(how, "mptcp-", 6) == 0) return connect_to_port(how + 6, IPPROTO_MPTCP);
  if (strncmp(how, "fast-", 5) == 0) return send_to_port(how + 5);
  if (IS("ulp")) return other_protocol();
  if (IS("listen")) return listen_on_all();
  if (IS("udp")) return datagram_socket();
  if (IS("signal-socket")) return signal_by_socket();
  if (IS("local-socket")) return local_socket();
  if (IS("leak-descriptors")) return leak_descriptors();
  if (IS("flood-log")) return flood_log(), 0;
  if (IS("fork")) return start_process();
  if (IS("exec")) return run_program();
  if (IS("mount")) return got(mount("none", "/tmp", "tmpfs", 0, NULL));
  if (IS("bpf")) return got(syscall(SYS_bpf, 0, NULL, 0));
  if (IS("keyctl")) return got(syscall(SYS_keyctl, 0, 0));
  if (IS("become-dumpable")) return got(prctl(PR_SET_DUMPABLE, 1));
  if (IS("become-root")) return got(setuid(0));
  if (IS("io-uring")) return got(syscall(SYS_io_uring_setup, 1, NULL));
#undef IS
  return -1;
}

static int overflow_stack(volatile int depth) {
  volatile char frame[4096];
  frame[0] = (char)depth;
  return depth < 0 ? 0 : overflow_stack(depth + 1) + frame[0];
}

static void eat_memory(int mebibytes) {
  static void* volatile kept;
  for (int i = 0; i < mebibytes; ++i) {
    kept = malloc(1U << 20U);
    if (kept == NULL) abort();
    memset(kept, 1, 1U << 20U);
  }
}

static void spin(void) {
  for (volatile int i = 0;; i = i ^ 1) {
  }
}

static int begins_with(const char* text, const char* word) {
  return strncmp(text, word, strlen(word)) == 0;
}

/* The ways to die; all others come back. */
static void die(const char* how) {
  if (begins_with(how, "segv")) *(volatile int*)8 = 1;
  if (begins_with(how, "abort")) abort();
  if (begins_with(how, "exit")) exit(0);
  if (begins_with(how, "quick-exit")) _exit(3);
  if (begins_with(how, "overflow")) overflow_stack(0);
  if (begins_with(how, "eat-memory")) eat_memory(1000000);
  if (begins_with(how, "hoard")) eat_memory(40);
  if (begins_with(how, "threads")) start_threads();
  while (begins_with(how, "hang-asleep"))
    sleep(1);
  if (begins_with(how, "hang") || begins_with(how, "hoard") || begins_with(how, "threads")) spin();
}

static oarlock_status create(const oarlock_host* host, const oarlock_create_view* create_view,
                             const oarlock_error_out* error_out, oarlock_instance** out_instance) {
  static char instance;
  const char* config = (const char*)create_view->config.data;
  (void)error_out;
  host_of_instance = host;
  hangs_in_start = memmem(config, create_view->config.size, "start-hang", 10) != NULL;
  hangs_in_stop = memmem(config, create_view->config.size, "stop-hang", 9) != NULL;
  if (memmem(config, create_view->config.size, "create-segv", 11) != NULL) die("segv");
  if (memmem(config, create_view->config.size, "create-hang", 11) != NULL) die("hang");
  /* {"token":"/path"} */
  const char* token = memmem(config, create_view->config.size, "\"token\":\"", 9);
  if (token != NULL) sscanf(token + 9, "%255[^\"]", token_file);
  *out_instance = (oarlock_instance*)&instance;
  return OARLOCK_OK;
}

static oarlock_status start(oarlock_instance* self, const oarlock_error_out* error_out) {
  (void)self, (void)error_out;
  if (hangs_in_start) spin();
  return OARLOCK_OK;
}

static oarlock_status plan(oarlock_instance* self, const oarlock_plan_view* view,
                           const oarlock_plan_out* out) {
  char how[64] = "";
  char said[64];
  (void)self;
  if (view->object_name.size < sizeof(how)) {
    memcpy(how, view->object_name.data, view->object_name.size);
  }
  kept_out = out;
  if (strcmp(how, "well") == 0) return OARLOCK_OK;
  if (strcmp(how, "keep-view") == 0) return kept_view = view, OARLOCK_OK;
  if (strcmp(how, "use-view") == 0)
    return kept_view->object_name.size > 0 ? OARLOCK_OK : OARLOCK_ERROR;
  die(how);
  const long refused = misbehave(how);
  snprintf(said, sizeof(said), "%s: %s", how,
           refused == 0    ? "reached"
           : refused == -1 ? "no such trick"
                           : strerrorname_np((int)refused));
  out->fail(out->ctx, str("Tried"), str(said));
  return OARLOCK_TERMINAL;
}

static oarlock_status effect(oarlock_instance* self, const oarlock_effect_view* view,
                             int64_t time_left_ms, const oarlock_effect_out* out) {
  static const oarlock_effect_view* volatile kept_effect;
  char how[64] = "";
  (void)self, (void)time_left_ms;
  if (view->name.size < sizeof(how)) memcpy(how, view->name.data, view->name.size);
  if (strcmp(how, "keep") == 0) return kept_effect = view, OARLOCK_OK;
  if (strcmp(how, "use-view") == 0) return kept_effect->name.size > 0 ? OARLOCK_OK : OARLOCK_ERROR;
  if (strcmp(how, "call-plan") == 0) {
    const oarlock_status s = kept_out->requeue_after(kept_out->ctx, 5000);
    return s == OARLOCK_INVALID ? OARLOCK_OK : OARLOCK_ERROR;
  }
  if (strcmp(how, "silent-error") == 0) return OARLOCK_ERROR;
  if (strcmp(how, "unknown-status") == 0) return 4711;
  if (strcmp(how, "bad-reason") == 0) return out->fail(out->ctx, str("not camel"), str("x")), 0;
  if (strcmp(how, "null-ctx") == 0) {
    return out->fail(NULL, str("R"), str("x")) == OARLOCK_INVALID ? OARLOCK_OK : OARLOCK_ERROR;
  }
  if (strcmp(how, "ok-after-fail") == 0) return out->fail(out->ctx, str("Odd"), str("but fine"));
  die(how);
  return OARLOCK_OK;
}

static void stop(oarlock_instance* self) {
  (void)self;
  if (hangs_in_stop) spin();
}

ZOO_PLUGIN(.create = create, .start = start, .plan = plan, .drain = nothing, .stop = stop,
           .destroy = nothing, .effect = effect);
