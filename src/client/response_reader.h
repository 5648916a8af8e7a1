// An answer as libcurl hands it over, line by line and piece by piece: held within bounds, told apart into head, body
// and trailers. Pure.
#pragma once

#include <cstddef>
#include <string_view>

#include "client/client.h"

namespace mcptrace::client {

class ResponseReader {
 public:
  explicit ResponseReader(std::size_t most_body) : most_body_(most_body) {}

  // A line of the head, of what came before it (100 Continue), or of the trailers, with its end. False: it is too much.
  bool on_line(std::string_view line);
  bool on_body(std::string_view bytes);

  [[nodiscard]] bool is_too_large() const { return too_large_; }
  [[nodiscard]] bool has_head() const { return has_head_; }
  Response& response() { return response_; }

 private:
  void on_field(std::string_view line);

  std::size_t most_body_;
  std::size_t head_bytes_ = 0;
  bool has_head_ = false, too_large_ = false;
  Response response_;
};

}  // namespace mcptrace::client
