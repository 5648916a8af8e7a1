// HTTP/2 (RFC 9113) as far as a client needs it that sends unary calls: fields are not read, so HPACK is not either,
// and windows are opened as far as they go.
#include "span_sink.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/text.h"
#include "measure.h"

namespace mcptrace::bench {
namespace {

using namespace std::string_view_literals;

struct Counters {
  std::atomic<std::uint64_t> requests = 0, bytes = 0, spans = 0, bad = 0;
};

// Spans of an ExportTraceServiceRequest: field 1 (ResourceSpans), in it 2 (ScopeSpans), in it 2 (Span). False: it is
// no protobuf.
bool take_varint(std::string_view& in, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; !in.empty() && shift < 64; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(in.front());
    in.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool count_spans(std::string_view message, unsigned depth, std::uint64_t& spans) {
  constexpr std::uint64_t kPath[] = {1, 2, 2};
  while (!message.empty()) {
    std::uint64_t tag = 0, size = 0;
    if (!take_varint(message, tag)) return false;
    switch (tag & 7) {
      case 0:
        if (!take_varint(message, size)) return false;
        continue;
      case 1:
        size = 8;
        break;
      case 5:
        size = 4;
        break;
      case 2:
        if (!take_varint(message, size)) return false;
        break;
      default:
        return false;
    }
    if (size > message.size()) return false;
    if (tag == (kPath[depth] << 3 | 2)) {
      if (depth == 2)
        ++spans;
      else if (!count_spans(message.substr(0, size), depth + 1, spans))
        return false;
    }
    message.remove_prefix(size);
  }
  return true;
}

// `out` is kept from one body to the next. Empty: it could not be read.
std::string_view unpacked(std::string_view body, std::string_view encoding, std::string& out) {
  if (encoding.empty() || encoding == "identity") return body;
  if (out.empty()) out.resize(64 << 20);
  if (encoding == "zstd") {
    const std::size_t size = ZSTD_decompress(out.data(), out.size(), body.data(), body.size());
    return ZSTD_isError(size) != 0 ? std::string_view() : std::string_view(out.data(), size);
  }
  z_stream stream{};
  if (encoding != "gzip" || inflateInit2(&stream, 15 + 16) != Z_OK) return {};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool whole = inflate(&stream, Z_FINISH) == Z_STREAM_END;
  inflateEnd(&stream);
  return whole ? std::string_view(out.data(), stream.total_out) : std::string_view();
}

class Conversation {
 public:
  Conversation(UniqueFd socket, Counters& counters) : socket_(std::move(socket)), counters_(counters) {}

  void run() {
    constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    if (!need(kPreface.size())) return;
    if (!text().starts_with(kPreface)) return run_http1();
    drop(kPreface.size());
    run_http2();
  }

 private:
  [[nodiscard]] std::string_view text() const { return std::string_view(in_).substr(at_); }
  void drop(std::size_t size) { at_ += size; }

  // So many bytes are there; false: the client has gone.
  bool need(std::size_t size) {
    while (in_.size() - at_ < size) {
      if (!more()) return false;
    }
    return true;
  }

  bool more() {
    constexpr std::size_t kRead = 256 << 10;
    in_.erase(0, at_);
    at_ = 0;
    const std::size_t before = in_.size();
    in_.resize(before + kRead);
    const ssize_t got = ::read(socket_.get(), in_.data() + before, kRead);
    in_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return got > 0;
  }

  bool say(std::string_view text) {
    return ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }

  void count(std::string_view body, std::string_view encoding) {
    std::uint64_t spans = 0;
    const std::string_view plain = unpacked(body, encoding, unpacked_);
    if (plain.empty() || !count_spans(plain, 0, spans)) ++counters_.bad;
    ++counters_.requests;
    counters_.bytes += body.size();
    counters_.spans += spans;
  }

  void run_http1() {
    for (;;) {
      std::size_t end = 0;
      while ((end = text().find("\r\n\r\n")) == std::string_view::npos) {
        if (!more()) return;
      }
      std::string encoding, length;
      std::string_view head = text().substr(0, end);
      while (!head.empty()) {
        std::string_view line = take_until(head, '\n');
        if (line.ends_with('\r')) line.remove_suffix(1);
        const std::string_view name = take_until(line, ':');
        if (same_text(name, "content-length")) length = trim(line);
        if (same_text(name, "content-encoding")) encoding = trim(line);
        if (same_text(name, "expect") && !say("HTTP/1.1 100 Continue\r\n\r\n")) return;
      }
      const auto size = parse_number<std::size_t>(length);
      if (!size) return void(++counters_.bad);
      drop(end + 4);
      if (!need(*size)) return;
      count(text().substr(0, *size), encoding);
      drop(*size);
      if (!say("HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n")) return;
    }
  }

  static std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
    std::string bytes{static_cast<char>(payload.size() >> 16), static_cast<char>(payload.size() >> 8),
                      static_cast<char>(payload.size()), static_cast<char>(type), static_cast<char>(flags)};
    return bytes.append(number32(stream)).append(payload);
  }
  static std::string number32(std::uint32_t value) {
    return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
            static_cast<char>(value)};
  }

  enum Type : std::uint8_t { kData = 0, kHeaders = 1, kSettings = 4, kPing = 6, kWindowUpdate = 8 };
  enum Flag : std::uint8_t { kAck = 1, kEndStream = 1, kEndHeaders = 4, kPadded = 8 };

  void run_http2() {
    constexpr std::uint32_t kWindow = 0x7fffffff, kFirstWindow = 65'535, kMostTaken = 64 << 20;
    const std::string settings = std::string("\0\4"sv) + number32(kWindow) + std::string("\0\5"sv) + number32(1 << 20);
    if (!say(frame(kSettings, 0, 0, settings) + frame(kWindowUpdate, 0, 0, number32(kWindow - kFirstWindow)))) return;
    std::uint32_t taken = 0;
    for (;;) {
      if (!need(9)) return;
      const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text()[i]); };
      const std::size_t size = std::size_t{byte(0)} << 16 | std::size_t{byte(1)} << 8 | byte(2);
      const std::uint8_t type = byte(3), flags = byte(4);
      const std::uint32_t stream = std::uint32_t{byte(5)} << 24 | std::uint32_t{byte(6)} << 16 |
                                   std::uint32_t{byte(7)} << 8 | std::uint32_t{byte(8)};
      drop(9);
      if (!need(size)) return;
      std::string_view payload = text().substr(0, size);
      if (type == kData) {
        taken += static_cast<std::uint32_t>(size);
        if ((flags & kPadded) != 0) payload = payload.substr(1, size - 1 - static_cast<std::uint8_t>(payload[0]));
        calls_[stream].append(payload);
        if ((flags & kEndStream) != 0 && !answer(stream)) return;
      } else if ((type == kSettings || type == kPing) && (flags & kAck) == 0) {
        if (!say(frame(type, kAck, 0, type == kPing ? payload : ""))) return;
      }
      drop(size);
      if (taken >= kMostTaken && !say(frame(kWindowUpdate, 0, 0, number32(std::exchange(taken, 0))))) return;
    }
  }

  // ":status: 200" and "content-type: application/grpc", an empty message, "grpc-status: 0".
  bool answer(std::uint32_t stream) {
    const auto call = calls_.extract(stream);
    const std::string_view body = call.mapped();
    constexpr std::size_t kPrefix = 5;
    if (body.size() < kPrefix)
      ++counters_.bad;
    else
      count(body.substr(kPrefix), body[0] != 0 ? "gzip" : "");
    return say(frame(kHeaders, kEndHeaders, stream,
                     "\x88\x0f\x10\x10"
                     "application/grpc") +
               frame(kData, 0, stream, "\0\0\0\0\0"sv) +
               frame(kHeaders, kEndHeaders | kEndStream, stream,
                     "\0\x0bgrpc-status\1"
                     "0"sv));
  }

  UniqueFd socket_;
  Counters& counters_;
  std::string in_, unpacked_;
  std::size_t at_ = 0;
  std::map<std::uint32_t, std::string> calls_;
};

void pin_to_last_core() {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(sysconf(_SC_NPROCESSORS_ONLN) - 1), &set);
  sched_setaffinity(0, sizeof(set), &set);
}

// A thread a connection, until the process ends.
void serve(int listener, Counters& counters) {
  for (;;) {
    UniqueFd socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket.valid()) return;
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    std::thread([socket = std::move(socket), &counters]() mutable {
      Conversation(std::move(socket), counters).run();
    }).detach();
  }
}

[[noreturn]] void be_sink(int listener, int asked, int tell) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pin_to_last_core();
  Counters counters;
  std::thread([&] { serve(listener, counters); }).detach();
  char byte = 0;
  static_cast<void>(::read(asked, &byte, 1));  // its end is the question
  const SinkCounts counts{counters.requests, counters.bytes, counters.spans, counters.bad};
  static_cast<void>(::write(tell, &counts, sizeof(counts)));
  _exit(0);
}

}  // namespace

SpanSink::SpanSink() {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  int asked[2], told[2];
  if (::bind(listener.get(), generic, size) != 0 || ::listen(listener.get(), 16) != 0 ||
      ::getsockname(listener.get(), generic, &size) != 0 || ::pipe2(asked, O_CLOEXEC) != 0 ||
      ::pipe2(told, O_CLOEXEC) != 0) {
    fail("no port for the receiver");
  }
  port_ = ntohs(address.sin_port);
  pid_ = ::fork();
  if (pid_ < 0) fail("cannot fork");
  if (pid_ == 0) {
    ::close(asked[1]);
    be_sink(listener.get(), asked[0], told[1]);
  }
  ::close(asked[0]);
  ::close(told[1]);
  ask_.reset(asked[1]);
  told_.reset(told[0]);
}

SpanSink::~SpanSink() {
  if (pid_ > 0) stop();
}

SinkCounts SpanSink::stop() {
  SinkCounts counts;
  ask_.reset();
  if (::read(told_.get(), &counts, sizeof(counts)) != sizeof(counts)) fail("the receiver died");
  ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  return counts;
}

}  // namespace mcptrace::bench
