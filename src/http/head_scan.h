// Looks for the end of a head, line by line, while its bytes arrive; every byte is looked at once however they are cut.
// Refuses what shows already in the lines: a bare LF, a folded line, a first line that is not HTTP/1's, too much of
// anything. What is in the lines is the parser's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "http/message_parser.h"

namespace mcptrace::http {

class HeadScan {
 public:
  enum class Kind : bool { kRequest, kResponse };
  enum class State : std::uint8_t { kNeedMore, kDone, kBad };

  explicit HeadScan(Kind kind) : kind_(kind) {}
  void reset();

  // `input`: always from the same first byte, and never shorter than before.
  State look(std::string_view input);

  // After kDone. The message begins behind the one empty line that a client may send before its request.
  [[nodiscard]] std::size_t begin() const { return begin_; }
  [[nodiscard]] std::size_t end() const { return line_; }
  // Where each line ends, counted from begin(): the place of its CR. The first line, the fields and the empty one.
  [[nodiscard]] std::span<const std::uint32_t> line_ends() const { return line_ends_; }
  [[nodiscard]] const ParseProblem& problem() const { return problem_; }

 private:
  State bad(int status, std::string_view what);
  State take_line(std::string_view line);
  State check_request_line(std::string_view line);
  State check_status_line(std::string_view line);
  State check_unfinished(std::string_view input);

  Kind kind_;
  std::size_t begin_ = 0;
  std::size_t line_ = 0;     // where the line that is looked at begins
  std::size_t scanned_ = 0;  // no LF from line_ to here
  std::vector<std::uint32_t> line_ends_;
  ParseProblem problem_;
};

}  // namespace mcptrace::http
