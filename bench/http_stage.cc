#include "http_stage.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "measure.h"

namespace mcptrace::bench {
namespace {

constexpr std::uint64_t kSpoolLimit = 400ULL << 20;  // below the spool's own bound, beyond which the oldest goes
constexpr std::chrono::seconds kStartLimit{120};

std::uint16_t free_port() {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd.get(), generic, size) != 0 || getsockname(fd.get(), generic, &size) != 0) fail("no free port");
  return ntohs(address.sin_port);
}

// nginx as one would set it up by hand to stand before an MCP server: one worker, connections kept on both sides,
// nothing logged, streams not buffered. Written to `directory`, which it also writes to.
std::string nginx_configuration(const std::string& directory, std::uint16_t port, std::uint16_t upstream,
                                std::size_t routes) {
  std::string text = geteuid() == 0 ? "user root;\n" : "";
  text += "daemon off;\nworker_processes 1;\nworker_rlimit_nofile 16384;\nerror_log stderr warn;\npid " + directory +
          "/pid;\nevents { worker_connections 8192; }\nhttp {\n  access_log off;\n  keepalive_requests 1000000000;\n";
  for (const char* path : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    text += std::string("  ") + path + "_temp_path " + directory + "/" + path + ";\n";
  }
  text += "  upstream mcp {\n    server 127.0.0.1:" + std::to_string(upstream) +
          ";\n    keepalive 64;\n    keepalive_requests 1000000000;\n  }\n  server {\n    listen 127.0.0.1:" +
          std::to_string(port) +
          ";\n    proxy_http_version 1.1;\n    proxy_set_header Connection \"\";\n"
          "    location / { proxy_pass http://mcp; }\n"
          "    location /events/ { proxy_pass http://mcp; proxy_buffering off; proxy_read_timeout 1h; }\n";
  for (std::size_t i = 0; i < routes; ++i) {
    text += "    location /r" + std::to_string(i) + "/ { proxy_pass http://mcp/; }\n";
  }
  text += "  }\n}\n";
  std::filesystem::create_directories(directory);
  const std::string file = directory + "/nginx.conf";
  if (!(std::ofstream(file) << text).flush()) fail("cannot write " + file);
  return file;
}

void await_listener(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  for (int tries = 0; tries < 1000; ++tries) {
    const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return;
    usleep(5000);
  }
  fail("nobody listens on port " + std::to_string(port));
}

// Starts a program that says on `piped` which port it listens on.
std::unique_ptr<Process> start_listener(const std::vector<std::string>& command, int piped, const std::string& prefix,
                                        std::uint16_t& port) {
  auto process = std::make_unique<Process>(command, piped);
  const std::string said = process->read_until(prefix, kStartLimit);
  port = static_cast<std::uint16_t>(std::atoi(said.c_str() + said.rfind(prefix) + prefix.size()));
  return process;
}

}  // namespace

Stage::Stage(const Programs& programs, Subject subject, std::string state, std::size_t routes)
    : state_(std::filesystem::absolute(state).string()), subject_(subject) {
  std::filesystem::remove_all(state_);
  std::filesystem::create_directories(state_);
  upstream_ = start_listener({programs.upstream, "1024"}, STDOUT_FILENO, "listening on ", port_);
  if (subject == kNginx) start_nginx(programs, routes);
  if (subject == kMcptrace) start_mcptrace(programs, routes);
}

Stage::~Stage() { stop(); }

double Stage::cpu() const { return proxy_ ? cpu_seconds(proxy_->pid()) : 0; }
double Stage::resident() const { return proxy_ ? resident_kib(proxy_->pid()) : 0; }

bool Stage::finish(std::size_t calls, std::size_t more) {
  stop();
  if (subject_ != kMcptrace) return true;
  const Traced traced = read_spool(state_ + "/home/spool");
  if (traced.ok >= calls && traced.tool_calls <= calls + more && traced.dropped == 0 && !traced.damaged &&
      traced.bytes < kSpoolLimit) {
    return true;
  }
  std::fprintf(stderr,
               "http_bench: %zu calls were answered; the spool has %zu, %zu of them ended ok, %lld facts dropped, "
               "%.0f MiB%s: this run does not count\n",
               calls, traced.tool_calls, traced.ok, static_cast<long long>(traced.dropped),
               static_cast<double>(traced.bytes) / (1 << 20), traced.damaged ? ", damaged" : "");
  return false;
}

void Stage::start_nginx(const Programs& programs, std::size_t routes) {
  const std::uint16_t port = free_port();
  const std::string directory = state_ + "/nginx";
  const std::string file = nginx_configuration(directory, port, port_, routes);
  const std::vector<std::string> command{programs.nginx, "-e", "stderr", "-p", directory, "-c", file};
  proxy_ = std::make_unique<Process>(command, STDERR_FILENO);
  await_listener(port);
  port_ = port;
}

void Stage::start_mcptrace(const Programs& programs, std::size_t routes) {
  setenv("MCPTRACE_HOME", (state_ + "/home").c_str(), 1);
  const std::string upstream = "http://127.0.0.1:" + std::to_string(port_);
  std::vector<std::string> command = programs.mcptrace;
  command.insert(command.end(), {"--upstream", upstream, "--listen", "127.0.0.1:0"});
  for (std::size_t i = 0; i < routes; ++i) {
    command.insert(command.end(), {"--route", "/r" + std::to_string(i) + "=" + upstream});
  }
  proxy_ = start_listener(command, STDERR_FILENO, "mcptrace: listening on http://127.0.0.1:", port_);
}

void Stage::stop() {
  proxy_.reset();
  upstream_.reset();
}

}  // namespace mcptrace::bench
