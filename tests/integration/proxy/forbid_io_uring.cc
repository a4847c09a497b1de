// Runs a program in an environment that forbids io_uring, as many containers do: io_uring_setup(2)
// fails with EPERM. With --and-aio, so does io_setup(2); with --and-aio-results, io_getevents(2).
//
//   forbid_io_uring [--and-aio | --and-aio-results] PROGRAM [ARGUMENT...]

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <string_view>

int main(int argc, char** argv) {
  const std::string_view option = argc > 1 ? argv[1] : "";
  unsigned other = SYS_io_uring_setup;
  if (option == "--and-aio") other = SYS_io_setup;
  if (option == "--and-aio-results") other = SYS_io_getevents;
  char** const program = argv + (other == SYS_io_uring_setup ? 1 : 2);
  if (*program == nullptr) return 2;
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, other, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog rules = {.len = sizeof(filter) / sizeof(*filter), .filter = filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &rules) != 0) {
    std::perror("seccomp");
    return 1;
  }
  execv(*program, program);
  std::perror(*program);
  return 1;
}
