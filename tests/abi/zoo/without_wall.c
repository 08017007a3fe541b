/* Stands in for oarlock-plugin-host: makes one system call fail, the one that this program is named
 * after, and becomes the real one. So looks a kernel that lacks a wall. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
  const char* name;
  unsigned int call;
  int error;
} walls[] = {
    {"capset", SYS_capset, EPERM},
    {"landlock", SYS_landlock_create_ruleset, ENOSYS},
    {"seccomp", SYS_seccomp, EPERM},
};

static int refuse(unsigned int call, int error) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char** argv) {
  for (size_t i = 0; argc > 0 && i < sizeof(walls) / sizeof(walls[0]); ++i) {
    if (strcmp(argv[0], walls[i].name) != 0) continue;
    if (refuse(walls[i].call, walls[i].error) != 0) return 1;
    execv(HOST_PROGRAM, argv);
  }
  return 1;
}
