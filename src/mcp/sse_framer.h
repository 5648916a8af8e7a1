// Server-sent events out of a byte stream (WHATWG HTML 9.2.6), for looking at only: the bytes themselves go on as they
// came. The data of an event whose type is `message` (or absent) is fed to a MessageScanner as it passes; nothing is
// kept but types, ids and the first 4 KiB of data. LF, CR, CRLF, cut anywhere; a BOM at the start; several data lines
// are one, joined by LF.
//
//   SseFramer framer(key);
//   framer.passed(piece);  // any number of times
//   while (const SseFound found = framer.next()) …   // at an event's blank line its message, then the event
//
// One object a stream, one thread. No limit on an event's size. An event's type may come after its data: what was fed
// is then abandoned, except what a scanner gives away early, the elements of a batch and the names of declared tools.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "mcp/message_scanner.h"
#include "mcp/sse_parts.h"

namespace mcptrace::mcp {

inline constexpr std::size_t kSseTypeBytes = 32;
inline constexpr std::size_t kSseDataBytes = 4096;

// What ended: an event was dispatched (there was data, perhaps empty) or an id was given alone. Borrows from the
// framer: valid until its next call.
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

// One of the two, or neither: there is nothing more in the bytes. An event comes after its message, so that an id line
// may stand before or after the data. (The elements of a batch come as their bytes pass.)
struct SseFound {
  const Found* found = nullptr;
  const SseEvent* event = nullptr;
  explicit operator bool() const { return found != nullptr || event != nullptr; }
};

class SseFramer {
 public:
  // `key` must outlive the framer.
  explicit SseFramer(const HashKey& key, ScanOptions options = {})
      : scanner_(Direction::kServerToClient, key, std::move(options)) {}

  void reset();  // for another stream
  // Bytes that passed. They stay valid until next() has given nothing.
  void passed(std::string_view bytes);
  SseFound next();
  // As SseEvent::id_print, of the event that is passing or was given.
  [[nodiscard]] std::uint64_t event_id() const { return id_; }
  // The stream ended. Data without its blank line is not dispatched (the standard discards it): tells whether there was
  // some. Then only reset().
  [[nodiscard]] bool end() const { return has_data_; }

 private:
  enum class Line : std::uint8_t {
    kMark,   // the stream has not begun: perhaps a byte order mark
    kName,   // at the beginning of a line, or in its field's name
    kSpace,  // after the colon
    kValue,
  };
  enum class FieldKind : std::uint8_t { kOther, kData, kEvent, kId };
  enum class Over : std::uint8_t { kNo, kYes, kGiven };

  void advance();
  std::size_t mark(std::string_view rest);
  std::size_t name(std::string_view rest);
  [[nodiscard]] FieldKind named_field() const;
  void begin_value(FieldKind field);
  void value(std::string_view piece);
  void end_line();

  void begin_data();
  void data(std::string_view piece);
  void keep(std::string_view piece);
  void keep_passing();
  void set_type();
  void end_event();

  [[nodiscard]] bool is_message() const { return type_.empty() || type_ == "message"; }
  void clear_event();

  MessageScanner scanner_;

  // What passes: looked at up to at_.
  std::string_view bytes_;
  std::size_t at_ = 0;
  LineEnds ends_;

  Line line_ = Line::kMark;
  FieldKind field_ = FieldKind::kOther;
  bool after_return_ = false;   // a line feed that comes now belongs to the line end before
  std::size_t mark_size_ = 0;   // bytes of a byte order mark so far
  std::array<char, 5> name_{};  // of the field, as long as it may be one that matters
  std::size_t name_size_ = 0;   // may be more than that
  SseIdPrint new_id_;
  bool new_id_has_nul_ = false;
  std::string new_type_;

  // The event.
  std::string type_;
  bool has_data_ = false;
  bool has_id_ = false;
  std::uint64_t data_bytes_ = 0;
  // Its data up to kSseDataBytes: of what may still turn out to be no message, too. What lies in the bytes that are
  // passing is copied only when it must be, and for most events that is never.
  std::string kept_;
  std::string_view passing_;
  bool kept_cut_ = false;
  bool lost_ = false;  // a message that was known to be one only when its data was cut
  Over over_ = Over::kNo;
  SseEvent event_;  // what is given of it

  std::uint64_t id_ = 0;
};

}  // namespace mcptrace::mcp
