// Server-sent events out of a byte stream (WHATWG HTML 9.2.6), for looking at only: the bytes themselves go on as they
// came. The data of an event whose type is `message` (or absent) is fed to a MessageScanner as it passes; nothing is
// kept but types, ids and the first 4 KiB of data. LF, CR, CRLF, cut anywhere; a BOM at the start; several data lines
// are one, joined by LF.
//
//   SseFramer framer(std::move(scanner));
//   framer.passed(piece, sink);  // any number of times; at an event's blank line gives on_message(), then on_event()
//
// One object a stream, one thread. No limit on an event's size. An event's type may come after its data: what was fed
// is then abandoned, except what a scanner gives away early, the elements of a batch and the names of declared tools.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "mcp/message_scanner.h"

namespace mcptrace::mcp {

inline constexpr std::size_t kSseTypeBytes = 32;
inline constexpr std::size_t kSseDataBytes = 4096;

// What ended: an event was dispatched (there was data, perhaps empty) or an id was given alone. Borrows from the
// framer: valid during on_event().
struct SseEvent {
  std::string_view type;  // cut to kSseTypeBytes; empty = message
  std::string_view
      data;  // only of events that are no messages (`endpoint`): if at most kSseDataBytes; else empty, data_cut
  bool data_cut = false;  // of a message: its type came so late that the data was not scanned
  bool has_data = false;  // false: only an id was given, which changes what is in force
  bool has_id = false;    // this very event carried an `id` field
  std::uint64_t id_print =
      0;  // sse_id_print() of the last event id in force after this event; 0 = none was given, or it is empty
  std::uint64_t bytes = 0;  // of the data, its lines joined: Message::bytes of what was in it
  bool is_message = false;  // has data, and its type is message: the data went to the scanner
};

// In-memory hash of an event id, for comparing with a Last-Event-ID. 0 only if `id` is empty.
std::uint64_t sse_id_print(std::string_view id);

class SseSink : public MessageSink {
 public:
  // An event is complete. Its message comes just before, so that an id line may stand before or after the data:
  // SseFramer::event_id() is the one in force in both calls. (The elements of a batch come as their bytes pass.)
  virtual void on_event(const SseEvent& event) = 0;
};

class SseFramer {
 public:
  explicit SseFramer(MessageScanner scanner);
  ~SseFramer();
  SseFramer(SseFramer&&) noexcept;
  SseFramer& operator=(SseFramer&&) noexcept;

  void reset();  // for another stream; the scanner is reused
  // Not to be called from within the sink.
  void passed(std::string_view bytes, SseSink& sink);
  // As SseEvent::id_print, of the event that is passing.
  [[nodiscard]] std::uint64_t event_id() const;
  // The stream ended. Data without its blank line is not dispatched (the standard discards it): tells whether there was
  // some. Then only reset().
  bool end();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mcptrace::mcp
