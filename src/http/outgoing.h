// What goes out next on a connection, gathered so that it is one write: a head, and pieces of a body with their
// framing. Borrows all bytes but the framing's own; reused, so that nothing is allocated. One thread.
//
//   outgoing.start(chunked);
//   outgoing.add(head);
//   outgoing.begin_body(size); outgoing.add(piece); …; outgoing.end_body(is_the_last);
//   stream.write(outgoing.pieces());
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcptrace::http {

class Outgoing {
 public:
  // `chunked`: body bytes go out in chunks (RFC 9112 7.1); else as they are.
  void start(bool chunked) {
    pieces_.clear();
    chunked_ = chunked;
  }
  void add(std::string_view bytes) {
    if (!bytes.empty()) pieces_.push_back({const_cast<char*>(bytes.data()), bytes.size()});
  }
  // `size` bytes of the body are added between these two, as one chunk; at most once after start(). None is no chunk.
  void begin_body(std::uint64_t size);
  void end_body(bool last);

  [[nodiscard]] std::span<const iovec> pieces() const { return pieces_; }

 private:
  bool chunked_ = false, in_chunk_ = false;
  std::string chunk_head_;
  std::vector<iovec> pieces_;
};

}  // namespace mcptrace::http
