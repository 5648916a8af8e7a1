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

struct Decider {
  void take(ClientFramer& framer) {
    while (const Message* message = framer.next()) {
      seen.add(*message);
      injected += framer.may() == NotInjected::kNone ? 1 : 0;
      framer.inject({"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03", seen.messages % 2 == 0 ? "a=b" : ""});
    }
  }
  Seen seen;
  std::uint64_t injected = 0;
};

void drain(ClientFramer& framer, Decider& decider, std::string& out) {
  decider.take(framer);
  while (!framer.ready().empty()) {
    for (const iovec& piece : framer.ready()) out.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    framer.sent();
    decider.take(framer);
  }
}

std::string run_client(std::string_view stream, std::size_t cut, bool inject, Nanos pace, Decider& decider) {
  ClientFramer framer(fuzz_key(), inject);
  Instant now{};
  std::string out;
  for (std::size_t at = 0; at < stream.size(); at += cut) {
    const std::string_view piece = stream.substr(at, cut);
    const std::span<char> room = framer.room();
    MCPTRACE_CHECK(room.size() >= piece.size());
    std::memcpy(room.data(), piece.data(), piece.size());
    framer.arrived(piece.size(), now);
    drain(framer, decider, out);
    now.boot += pace;
    if (const auto deadline = framer.deadline(); deadline && *deadline <= now.boot) framer.on_time(now);
    drain(framer, decider, out);
    MCPTRACE_CHECK(inject || out.size() == at + piece.size());
    MCPTRACE_CHECK(pace < kHoldTime || decider.injected > 0 || out.size() == at + piece.size());
  }
  framer.end(now);
  drain(framer, decider, out);
  MCPTRACE_CHECK(!framer.deadline());
  return out;
}

Seen run_server(std::string_view stream, std::size_t cut) {
  Seen seen;
  ServerFramer framer(fuzz_key());
  const auto take = [&] {
    while (const Found* found = framer.next()) {
      if (found->message != nullptr) seen.add(*found->message);
      seen.declared += found->declared.size();
    }
  };
  for (std::size_t at = 0; at < stream.size(); at += cut) {
    const std::string piece(stream.substr(at, cut));
    framer.passed(piece);
    take();
  }
  framer.end();
  take();
  return seen;
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
