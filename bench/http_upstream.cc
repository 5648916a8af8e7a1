// The server of the HTTP benchmarks: an MCP server over HTTP/1.1 with keep-alive, one thread, as quick as a program can
// be. Says "listening on PORT" on stdout when it does, on 127.0.0.1, and ends with SIGTERM.
//
//   http_upstream [ANSWER_BYTES]
//
// POST of initialize   a result, with a new Mcp-Session-Id
// POST of tools/call   a result of ANSWER_BYTES, with the request's id
// any other POST       202
// GET or POST of /events/RATE   an SSE stream: one event at once, then RATE a second (0: none), each with the time at
//                               which it was written ("at", nanoseconds of CLOCK_MONOTONIC)
//
// Bodies come with Content-Length; anything else closes the connection.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

struct Connection {
  std::string in;        // not yet a whole request
  std::string out;       // not yet taken by the kernel
  bool blocked = false;  // the kernel took no more; EPOLLOUT is asked for
  nanoseconds period{};  // of a stream's events; 0: nothing comes by itself
  Clock::time_point due;
  std::uint64_t events = 0;
};

struct Request {
  std::string_view target;
  std::string_view body;
  std::size_t bytes = 0;  // head and body
};

enum class Parsed { kWhole, kPart, kBad };

std::optional<std::size_t> content_length(std::string_view head) {
  constexpr std::string_view kName = "\r\ncontent-length:";
  for (std::size_t line = head.find("\r\n"); line != head.npos; line = head.find("\r\n", line + 2)) {
    if (head.size() - line < kName.size() || strncasecmp(head.data() + line, kName.data(), kName.size()) != 0) continue;
    return std::strtoul(head.data() + line + kName.size(), nullptr, 10);
  }
  return std::nullopt;
}

Parsed parse(std::string_view in, Request& request) {
  const std::size_t end = in.find("\r\n\r\n");
  if (end == in.npos) return Parsed::kPart;
  const std::string_view head = in.substr(0, end + 2);
  const std::size_t method_end = head.find(' ');
  const std::size_t target_end = method_end == head.npos ? head.npos : head.find(' ', method_end + 1);
  if (target_end == head.npos) return Parsed::kBad;
  request.target = head.substr(method_end + 1, target_end - method_end - 1);
  const auto length = content_length(head);
  if (!length && head.starts_with("POST")) return Parsed::kBad;
  request.bytes = end + 4 + length.value_or(0);
  if (in.size() < request.bytes) return Parsed::kPart;
  request.body = in.substr(end + 4, length.value_or(0));
  return Parsed::kWhole;
}

class Server {
 public:
  explicit Server(std::size_t answer_bytes) {
    tail_ = ",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"";
    tail_ += std::string(answer_bytes > 90 ? answer_bytes - 90 : 1, 'r') + "\"}],\"isError\":false}}";
  }

  int run() {
    if (!listen_on_loopback()) {
      std::perror("http_upstream");
      return 1;
    }
    epoll_event events[128];
    for (;;) {
      const int count = wait(events);
      if (count < 0 && errno != EINTR) return 1;
      for (int i = 0; i < count; ++i) {
        const int fd = events[i].data.fd;
        if (fd == listener_) {
          accept_all();
        } else if (!serve(fd, events[i].events)) {
          connections_.erase(fd);
          close(fd);
        }
      }
      tick();
    }
  }

 private:
  bool listen_on_loopback() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (bind(listener_, generic, size) != 0 || listen(listener_, 4096) != 0 ||
        getsockname(listener_, generic, &size) != 0) {
      return false;
    }
    watch(EPOLL_CTL_ADD, listener_, EPOLLIN);
    std::printf("listening on %d\n", ntohs(address.sin_port));
    return std::fflush(stdout) == 0;
  }

  void watch(int operation, int fd, std::uint32_t what) {
    epoll_event event{.events = what, .data = {.fd = fd}};
    epoll_ctl(epoll_, operation, fd, &event);
  }

  int wait(epoll_event (&events)[128]) {
    std::optional<Clock::time_point> next;
    for (const auto& [fd, connection] : connections_) {
      if (running_ == 0) break;
      if (connection->period.count() != 0 && (!next || connection->due < *next)) next = connection->due;
    }
    timespec left{};
    if (next) {
      const auto nanos = std::max(nanoseconds(0), nanoseconds(*next - Clock::now())).count();
      left = {nanos / 1'000'000'000, nanos % 1'000'000'000};
    }
    return epoll_pwait2(epoll_, events, 128, next ? &left : nullptr, nullptr);
  }

  void accept_all() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      connections_[fd] = std::make_unique<Connection>();
      watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
  }

  // False: the connection is done with.
  bool serve(int fd, std::uint32_t events) {
    Connection& connection = *connections_[fd];
    if ((events & EPOLLOUT) != 0 && !flush(fd, connection)) return ended(connection);
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return true;
    const ssize_t got = read(fd, buffer_, sizeof(buffer_));
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (got <= 0) return ended(connection);
    // Nearly always the whole request is in the buffer and need not be kept.
    std::string_view in(buffer_, static_cast<std::size_t>(got));
    const bool kept = !connection.in.empty();
    if (kept) in = connection.in.append(in);
    std::size_t used = 0;
    Request request;
    for (;;) {
      const Parsed parsed = parse(in.substr(used), request);
      if (parsed == Parsed::kBad) return ended(connection);
      if (parsed == Parsed::kPart) break;
      answer(request, connection);
      used += request.bytes;
    }
    if (kept) {
      connection.in.erase(0, used);
    } else {
      connection.in.assign(in.substr(used));
    }
    return flush(fd, connection) || ended(connection);
  }

  bool ended(const Connection& connection) {
    if (connection.period.count() != 0) --running_;
    return false;
  }

  void answer(const Request& request, Connection& connection) {
    constexpr std::string_view kEvents = "/events/";
    if (request.target.starts_with(kEvents)) {
      return open_stream(std::atoi(request.target.data() + kEvents.size()), connection);
    }
    constexpr std::string_view kMethod = "\"method\":\"";
    const std::size_t method = request.body.find(kMethod);
    const std::size_t id = request.body.find("\"id\":");
    std::string& out = connection.out;
    if (id == request.body.npos || method == request.body.npos) {
      out += "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
      return;
    }
    const std::string_view rest = request.body.substr(id + 5);
    const std::string_view value = rest.substr(0, rest.find_first_of(",}"));
    const bool initialize = request.body.substr(method + kMethod.size()).starts_with("initialize\"");
    const std::string_view tail = initialize ? kInitialized : std::string_view(tail_);
    constexpr std::string_view kHead = "{\"jsonrpc\":\"2.0\",\"id\":";
    out += "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    if (initialize) out += "Mcp-Session-Id: bench-session-" + std::to_string(++sessions_) + "\r\n";
    out += "Content-Length: " + std::to_string(kHead.size() + value.size() + tail.size()) + "\r\n\r\n";
    out.append(kHead).append(value).append(tail);
  }

  void open_stream(int rate, Connection& connection) {
    connection.out +=
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        "Transfer-Encoding: chunked\r\n\r\n";
    add_event(connection);
    if (rate <= 0) return;
    connection.period = nanoseconds(1'000'000'000 / rate);
    // Streams that were opened together do not all fire together.
    streams_ = (streams_ + 617) % 1000;
    connection.due = Clock::now() + connection.period + connection.period * streams_ / 1000;
    ++running_;
  }

  static void add_event(Connection& connection) {
    char event[256], chunk[16];
    const long long at = nanoseconds(Clock::now().time_since_epoch()).count();
    const int size = std::snprintf(event, sizeof(event),
                                   "id: %llu\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":"
                                   "\"notifications/message\",\"params\":{\"level\":\"info\",\"logger\":\"bench\","
                                   "\"data\":{\"at\":%lld}}}\n\n",
                                   static_cast<unsigned long long>(++connection.events), at);
    std::snprintf(chunk, sizeof(chunk), "%x\r\n", static_cast<unsigned>(size));
    connection.out.append(chunk).append(event, static_cast<std::size_t>(size)).append("\r\n");
  }

  void tick() {
    if (running_ == 0) return;
    for (auto& [fd, connection] : connections_) {
      if (connection->period.count() == 0 || Clock::now() < connection->due) continue;
      connection->due += connection->period;
      add_event(*connection);
      if (!flush(fd, *connection)) shutdown(fd, SHUT_RDWR);  // the next wait tells that it is over
    }
  }

  bool flush(int fd, Connection& connection) {
    if (connection.out.empty()) return true;
    const ssize_t wrote = send(fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (wrote < 0 && errno != EAGAIN) return false;
    connection.out.erase(0, wrote < 0 ? 0 : static_cast<std::size_t>(wrote));
    if (connection.blocked != !connection.out.empty()) {
      connection.blocked = !connection.blocked;
      watch(EPOLL_CTL_MOD, fd, connection.blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    return true;
  }

  static constexpr std::string_view kInitialized =
      ",\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{},\"logging\":{}},"
      "\"serverInfo\":{\"name\":\"bench\",\"version\":\"1.0.0\"}}}";

  int listener_ = -1, epoll_ = -1;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
  std::string tail_;
  std::uint64_t sessions_ = 0;
  int running_ = 0;  // streams with a rate
  int streams_ = 0;
  char buffer_[64 << 10];
};

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  const auto server = std::make_unique<Server>(argc > 1 ? static_cast<std::size_t>(std::atoi(argv[1])) : 1024);
  return server->run();
}
