// A session's root is sent to a destination once, though it is written again whenever the session goes on, and although
// a long one cannot wait for its end (docs/spans.md, Shipped): what comes after what was sent is a span of its own.
// Kept on disk beside the destination's cursor. Pure but for that; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/keyed_hash.h"
#include "base/random.h"
#include "base/result.h"
#include "ledger/entry.h"
#include "ledger/model.h"
#include "otlp/decode.h"

namespace mcptrace::ship {

class Roots {
 public:
  // `file`: where it is kept; what cannot be read there counts as not there. `key`: the installation's.
  Roots(std::string file, const HashKey& key, Random& random);

  // The session's handshake was seen by this installation: its root is ours to send.
  void saw_initialize(std::uint64_t session_print, Nanos wall);
  // The Span to be sent for a root that was written; nothing: what was sent tells all of it. An error: it is no span.
  Result<std::optional<std::string>> written(const trace::SpanHeader& header, std::string_view bytes);
  // The same for one that is still open, as it is until `last`: nothing if it was sent already.
  Result<std::optional<std::string>> open(const trace::SpanHeader& header, std::string_view bytes, Nanos last);

  // Keeps what was sent. `undecided`: of these the receiver has not answered yet.
  Result<> save(const std::set<ledger::SpanKey>& undecided);

 private:
  struct Sent {
    Nanos end{};         // so far
    unsigned spans = 0;  // that say so
    bool operator==(const Sent&) const = default;
  };
  struct Root {
    Sent sent, kept;  // `kept`: on disk
    Nanos noted{};    // wall: the root's end
  };

  void load();
  void forget_oldest();
  [[nodiscard]] bool is_ours(const trace::SpanHeader& header, const otlp::Span& root) const;
  SpanId id_of_more(const ledger::SpanKey& root, unsigned number) const;

  std::string file_;
  HashKey key_;
  Random& random_;
  std::map<ledger::SpanKey, Root> roots_;
  std::map<std::uint64_t, Nanos> ours_;  // session prints, and when that was
  bool changed_ = false;
};

}  // namespace mcptrace::ship
