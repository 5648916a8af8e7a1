#include "stdio_server.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "measure.h"

namespace mcptrace::bench {

StdioServer::StdioServer(const std::vector<std::string>& command) : buffer_(1 << 18) {
  int to[2], from[2];
  if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) fail("no pipe");
  in_.reset(to[1]);
  out_.reset(from[0]);
  const UniqueFd its_in(to[0]), its_out(from[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, its_in.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, its_out.get(), STDOUT_FILENO);
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  if (posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ) != 0) fail("cannot start " + command[0]);
  posix_spawn_file_actions_destroy(&actions);
}

void StdioServer::write(const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t wrote = ::write(in_.get(), bytes.data() + at, bytes.size() - at);
    if (wrote <= 0) fail("the server's stdin is closed");
    at += static_cast<std::size_t>(wrote);
  }
}

std::size_t StdioServer::read_lines(std::size_t at_least) {
  std::size_t lines = 0;
  while (lines < at_least) {
    const ssize_t got = read(out_.get(), buffer_.data(), buffer_.size());
    if (got <= 0) fail("the server's stdout is closed");
    lines += static_cast<std::size_t>(std::count(buffer_.data(), buffer_.data() + got, '\n'));
  }
  return lines;
}

void StdioServer::stop() {
  in_.reset();
  while (read(out_.get(), buffer_.data(), buffer_.size()) > 0) {
  }
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_ || status != 0) fail("a server ended with status " + std::to_string(status));
}

std::string tool_call_line(std::size_t id, std::size_t size) {
  std::string text = "{\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"arguments\":{\"message\":\"";
  const std::string tail = "\"}},\"jsonrpc\":\"2.0\",\"id\":" + std::to_string(id) + "}\n";
  text.append(size > text.size() + tail.size() ? size - text.size() - tail.size() : 1, 'q');
  return text + tail;
}

void call(StdioServer& server, std::size_t calls, std::size_t in_flight) {
  std::string batch;
  for (std::size_t sent = 0, answered = 0; answered < calls;) {
    batch.clear();
    for (; sent < calls && sent - answered < in_flight; ++sent) batch += tool_call_line(sent, 1024);
    server.write(batch);
    answered += server.read_lines(1);
  }
}

}  // namespace mcptrace::bench
