// The one thing of an answer's body that a reverse proxy must change: the URI in the `endpoint` event that opens an
// HTTP+SSE session (MCP 2024-11-05), to which the client is to POST. The client would else post past us, to a path that
// is not ours, or refuse another origin than the one it called.
//
// Bytes are held back only from the beginning of a `data` line on until it is clear that the stream's first event is no
// `endpoint` event, at most 8 KiB of them; then they go on as they came, as does everything after that event. What no
// URI can begin with (`{`) makes that clear at once. LF, CR
// and CRLF; cut anywhere. One stream at a time, one thread.
//
//   rewriter.begin(routes, route, {.scheme = "http", .host = "127.0.0.1:8080", .request_target = "/sse"});
//   out.clear(); rewriter.feed(piece, out); …           // appends what may go on
//   rewriter.finish(out);                               // the stream ended: what was held
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/client_uri.h"

namespace mcptrace::proxy {

inline constexpr std::size_t kMaxHeldBytes = 8 << 10;

class EndpointRewriter {
 public:
  // For another stream. `routes` outlives it, and so does what `client` borrows from.
  void begin(const RouteTable& routes, std::size_t route, const ClientView& client);

  // Appends to `out` what may go on.
  void feed(std::string_view bytes, std::string& out);
  void finish(std::string& out);

  // Nothing more will change: bytes may go past feed().
  [[nodiscard]] bool done() const { return stage_ == Stage::kPassing; }
  // After an `endpoint` event whose URI none of our targets leads to: the session cannot work, and somebody should say
  // so.
  [[nodiscard]] bool unreachable() const { return unreachable_; }
  // After one whose URI is of another origin: clients refuse it.
  [[nodiscard]] bool leads_away() const { return leads_away_; }

 private:
  enum class Stage : std::uint8_t { kLooking, kPassing };

  void take_line(std::string_view line, std::size_t line_begin);
  void take_value(std::string_view name, std::string_view value, std::size_t value_begin);
  enum class Part : std::uint8_t { kOther, kMayBeData, kNoEndpoint };
  [[nodiscard]] Part begun_line(std::string_view begun) const;
  void end_event(std::string& out);

  const RouteTable* routes_ = nullptr;
  std::size_t route_ = 0;
  ClientView client_;
  Stage stage_ = Stage::kPassing;
  bool unreachable_ = false, leads_away_ = false;
  bool first_line_ = true;  // a BOM may stand before it
  bool after_cr_ = false;   // an LF that comes next belongs to that CR
  bool is_endpoint_ = false, other_type_ = false;
  std::size_t data_lines_ = 0;
  std::size_t data_begin_ = 0, data_size_ = 0;  // in held_
  std::size_t line_ = 0;                        // where the line that is looked at begins, in held_
  std::size_t sent_ = 0;                        // of held_: has gone on, and is kept to be read with its line's rest
  std::string held_;
};

}  // namespace mcptrace::proxy
