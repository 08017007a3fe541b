/* Stands in for oarlock-plugin-host: makes one system call fail, what this program is named after,
 * and becomes the real one. So looks a kernel that lacks a wall. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct wall {
  const char* name;
  unsigned int call;
  int error;
  unsigned int second; /* the call's second argument must be this; 0: any */
};

static const struct wall walls[] = {
    {"capset", SYS_capset, EPERM, 0},
    {"landlock", SYS_landlock_create_ruleset, ENOSYS, 0},
    {"ports", SYS_landlock_add_rule, EINVAL, 2}, /* LANDLOCK_RULE_NET_PORT */
    {"seccomp", SYS_seccomp, EPERM, 0},
};

static int refuse(const struct wall* w) {
  const unsigned char any = w->second == 0;
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, w->call, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, w->second, 0, any ? 0 : 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)w->error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char** argv) {
  for (size_t i = 0; argc > 0 && i < sizeof(walls) / sizeof(walls[0]); ++i) {
    if (strcmp(argv[0], walls[i].name) != 0) continue;
    if (refuse(&walls[i]) != 0) return 1;
    execv(HOST_PROGRAM, argv);
  }
  return 1;
}
