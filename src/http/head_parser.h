// The text of a complete head, as HeadScan found it, into names and values; and what the fields say of framing and
// connection. Strict in all that two readers could read in two ways (RFC 9112 2–6, RFC 9110 5 and 7). Pure; borrows
// from the text.
//
// Not Beast's parser, for that costs four times the instructions of this. It is the judge in tests/fuzz instead: what
// we accept it accepts too, and reads the same.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "http/head.h"
#include "http/message_parser.h"

namespace mcptrace::http {

// What the fields say, before it is known what it means together.
struct FramingFields {
  std::size_t lengths = 0, codings = 0, hosts = 0, connection_options = 0;
  std::uint64_t length = 0;
  std::string_view host;
  bool close = false, keep_alive = false, expects_continue = false;
  bool odd_option = false;  // of Connection: no token
  bool lookalike = false;   // a name that servers which make variables of names read as a framing field
};

class HeadParser {
 public:
  using LineEnds = std::span<const std::uint32_t>;

  // `text`: the first line to the empty one, each ending in CR LF and none of them folded, `lines` of them in all. True
  // if the head is well formed; then `head` has its fields, method and target or status and reason, version and
  // keep_alive.
  bool parse(std::string_view text, LineEnds ends, RequestHead& head);
  bool parse(std::string_view text, LineEnds ends, ResponseHead& head);

  // Of the head that was parsed: what began at `from` is at `to`.
  void head_moved(const char* from, const char* to, RequestHead& head);

  [[nodiscard]] const FramingFields& framing() const { return framing_; }
  [[nodiscard]] const ParseProblem& problem() const { return problem_; }

 private:
  bool bad(int status, std::string_view what);
  bool parse_fields(std::string_view text, LineEnds ends, Head& head);
  bool take_field(std::string_view line);
  bool note(const Field& field);
  bool note_length(std::string_view value);
  bool note_coding(std::string_view value);
  bool note_connection(std::string_view value);
  bool check_target(std::string_view target);
  bool check_host(const RequestHead& head);

  bool repairs_ = false;  // white space before a colon is removed in an answer, and refused in a request (RFC 9112 5.1)
  std::vector<Field> fields_;
  FramingFields framing_;
  ParseProblem problem_;
};

}  // namespace mcptrace::http
