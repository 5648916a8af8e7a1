#include "denied.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <vector>

namespace mcptrace::faults {

void deny(const std::vector<Denied>& calls) {
  std::vector<sock_filter> program;
  const auto load = [&](std::size_t offset) {
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
  };
  for (const Denied& call : calls) {
    constexpr std::uint8_t kToNext = 4;
    load(offsetof(seccomp_data, nr));
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call.number), 0, kToNext));
    load(offsetof(seccomp_data, args) + call.argument * sizeof(std::uint64_t));  // its low half
    program.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, call.mask));
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call.value, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(call.error)));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    _exit(90);
  }
}

void deny_threads() {
  // The flags of clone3(2) lie in memory, where no filter looks; without it the C library takes clone(2).
  deny({{.number = SYS_clone3, .error = ENOSYS},
        {.number = SYS_clone, .error = EAGAIN, .argument = 0, .mask = CLONE_THREAD, .value = CLONE_THREAD}});
}

}  // namespace mcptrace::faults
