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
  stdio::exit_like(stdio::run(options, log, [&](int) -> stdio::Taps { return {client, server}; }));
}
