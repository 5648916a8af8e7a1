// Any bytes, cut and timed in any way, through both framers: nothing is lost or held too long, and how the stream was
// cut does not change what was seen.
//
// Input: the first byte says how the rest is cut; the rest is the stream.
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/check.h"
#include "mcp/client_framer.h"
#include "mcp/server_framer.h"

namespace {

using namespace mcptrace;
using namespace mcptrace::mcp;

const HashKey& fuzz_key() {
  static const HashKey key({});
  return key;
}

MessageScanner make_scanner(Direction direction) {
  return {direction, fuzz_key(), {.conversation_keys = default_conversation_keys()}};
}

// What must not depend on the cuts.
struct Seen {
  std::uint64_t messages = 0, bytes = 0, flags = 0, ids = 0, kinds = 0, texts = 0, declared = 0;
  void add(const Message& message) {
    ++messages;
    bytes += message.bytes;
    flags = flags * 31 + message.flags;
    ids = ids * 31 + message.id.exact + message.related.loose + message.name_hash;
    kinds = kinds * 31 + static_cast<std::uint64_t>(message.kind) * 64 + static_cast<std::uint64_t>(message.method);
    for (std::size_t i = 0; i < kTextCount; ++i) {
      MCPTRACE_CHECK(message.text[i].size() <= text_limit(static_cast<Text>(i)));
      texts = mix64(message.text[i], texts);
    }
  }
  bool operator==(const Seen&) const = default;
};

class Decider final : public ClientDecider {
 public:
  bool on_message(const Message& message, NotInjected may, Instant, Injection& injection) override {
    seen.add(message);
    injection = {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03", seen.messages % 2 == 0 ? "a=b" : ""};
    injected += may == NotInjected::kNone ? 1 : 0;
    return true;
  }
  void on_declared(std::span<const mcp::DeclaredTool> tools, Instant) override { seen.declared += tools.size(); }
  Seen seen;
  std::uint64_t injected = 0;
};

class Sink final : public MessageSink {
 public:
  void on_message(const Message& message, const SpliceMap*) override { seen.add(message); }
  void on_declared(std::span<const mcp::DeclaredTool> tools) override { seen.declared += tools.size(); }
  Seen seen;
};

void drain(ClientFramer& framer, std::string& out) {
  while (!framer.ready().empty()) {
    for (const iovec& piece : framer.ready()) out.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    framer.sent();
  }
}

std::string run_client(std::string_view stream, std::size_t cut, bool inject, Nanos pace, Decider& decider) {
  ClientFramer framer(make_scanner(Direction::kClientToServer), decider, inject);
  Instant now{};
  std::string out;
  for (std::size_t at = 0; at < stream.size(); at += cut) {
    const std::string_view piece = stream.substr(at, cut);
    const std::span<char> room = framer.room();
    MCPTRACE_CHECK(room.size() >= piece.size());
    std::memcpy(room.data(), piece.data(), piece.size());
    framer.arrived(piece.size(), now);
    drain(framer, out);
    now.boot += pace;
    if (const auto deadline = framer.deadline(); deadline && *deadline <= now.boot) framer.on_time(now);
    drain(framer, out);
    MCPTRACE_CHECK(inject || out.size() == at + piece.size());
    MCPTRACE_CHECK(pace < kHoldTime || decider.injected > 0 || out.size() == at + piece.size());
  }
  framer.end(now);
  drain(framer, out);
  MCPTRACE_CHECK(!framer.deadline());
  return out;
}

Seen run_server(std::string_view stream, std::size_t cut) {
  Sink sink;
  ServerFramer framer(make_scanner(Direction::kServerToClient));
  for (std::size_t at = 0; at < stream.size(); at += cut) framer.passed(std::string(stream.substr(at, cut)), sink);
  framer.end(sink);
  return sink.seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMostBytes = 32 << 10;
  if (size < 1 || size > kMostBytes) return 0;
  const std::size_t cut = 1 + data[0];
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);

  Decider whole, pieces, plain, slow;
  const std::string injected = run_client(stream, kMostBytes, true, {}, whole);
  MCPTRACE_CHECK(run_client(stream, cut, true, {}, pieces) == injected);
  MCPTRACE_CHECK(whole.seen == pieces.seen && whole.injected == pieces.injected);
  MCPTRACE_CHECK(run_client(stream, cut, false, {}, plain) == stream);
  MCPTRACE_CHECK(plain.seen == whole.seen);
  run_client(stream, cut, true, kHoldTime, slow);
  MCPTRACE_CHECK(slow.seen == whole.seen);
  if (whole.injected == 0) MCPTRACE_CHECK(injected == stream);
  MCPTRACE_CHECK(run_server(stream, cut) == run_server(stream, kMostBytes));
  return 0;
}
