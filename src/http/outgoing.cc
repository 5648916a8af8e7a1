#include "http/outgoing.h"

#include <array>
#include <charconv>

namespace mcptrace::http {

void Outgoing::begin_body(std::uint64_t size) {
  in_chunk_ = chunked_ && size != 0;
  if (!in_chunk_) return;
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), size, 16).ptr;
  add(chunk_head_.assign(digits.data(), end).append("\r\n"));
}

void Outgoing::end_body(bool last) {
  if (in_chunk_) add("\r\n");
  if (chunked_ && last) add("0\r\n\r\n");
}

}  // namespace mcptrace::http
