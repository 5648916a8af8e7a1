// The relay and nothing else, as a program: faults_relay -- CMD ARGS...
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "stdio/relay.h"

int main(int argc, char** argv) {
  using namespace mcptrace;
  stdio::reserve_standard_fds();
  if (argc < 3) return 2;
  stdio::PlainClientTap client;
  stdio::PlainServerTap server;
  Log log(STDERR_FILENO);
  const stdio::RunOptions options{.command = std::vector<std::string>(argv + 2, argv + argc)};
  const Result<stdio::ChildExit> ended = stdio::run(options, client, server, log, [](int) {});
  if (!ended) {
    log.once(LogReason::kChild, ended.error().message);
    _exit(126);
  }
  stdio::exit_like(*ended);
}
