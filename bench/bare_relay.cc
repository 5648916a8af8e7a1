// The baseline of the stdio benchmarks: the least that any wrapper has to do. Two blocking threads, 64 KiB each, fork
// and exec; no tracing, no signals, no half-closes beyond the client's, no code shared with src/stdio.
//
//   bare_relay CMD ARGS...
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <thread>

namespace {

// Copies until end of file, or until nobody reads.
void copy(int from, int to) {
  constexpr std::size_t kBytes = 64 << 10;
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBytes);
  for (;;) {
    const ssize_t got = read(from, buffer.get(), kBytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    for (ssize_t done = 0; done < got;) {
      const ssize_t wrote = write(to, buffer.get() + done, static_cast<std::size_t>(got - done));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return;
      done += wrote;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  int in[2], out[2];
  if (argc < 2 || pipe(in) != 0 || pipe(out) != 0) {
    std::fputs("usage: bare_relay CMD ARGS...\n", stderr);
    return 2;
  }
  const pid_t child = fork();
  if (child < 0) {
    std::perror("bare_relay: fork");
    return 126;
  }
  if (child == 0) {
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    for (const int fd : {in[0], in[1], out[0], out[1]}) close(fd);
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  signal(SIGPIPE, SIG_IGN);
  std::thread([to = in[1]] {
    copy(STDIN_FILENO, to);
    close(to);
  }).detach();
  copy(out[0], STDOUT_FILENO);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
