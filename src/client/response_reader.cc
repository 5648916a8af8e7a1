#include "client/response_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/text.h"

namespace mcptrace::client {
namespace {

constexpr std::size_t kMostHeadBytes = 64u << 10;  // of all lines, trailers too

}  // namespace

bool ResponseReader::on_line(std::string_view line) {
  head_bytes_ += line.size();
  too_large_ = too_large_ || head_bytes_ > kMostHeadBytes;
  if (too_large_) return false;
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (!has_head_ && line.starts_with("HTTP/")) {
    response_.headers.clear();
    take_until(line, ' ');
    response_.status = parse_number<int>(take_until(line, ' ')).value_or(0);
  } else if (line.empty()) {
    has_head_ = response_.status >= 200;
  } else {
    on_field(line);
  }
  return true;
}

void ResponseReader::on_field(std::string_view line) {
  Headers& fields = has_head_ ? response_.trailers : response_.headers;
  const std::size_t colon = line.find(':');
  // A line that goes on with the one before it is no field: who still writes them has nothing to say to us.
  if (is_blank(line.front()) || colon == line.npos || colon == 0) return;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(), lower);
  fields.emplace_back(std::move(name), trim(line.substr(colon + 1)));
}

bool ResponseReader::on_body(std::string_view bytes) {
  std::string& body = response_.body;
  too_large_ = too_large_ || bytes.size() > most_body_ - body.size();
  if (too_large_) return false;
  // No more than may come; in few steps, as the heap keeps what each of them leaves.
  if (bytes.size() > body.capacity() - body.size()) {
    body.reserve(std::min(most_body_, std::max(body.size() + bytes.size(), body.size() * 4)));
  }
  body += bytes;
  return true;
}

}  // namespace mcptrace::client
