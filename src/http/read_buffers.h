// Large buffers for reading, lent to whichever connection has more bytes than fit into its own at the moment: one is
// enough for most of the time, as a connection gives its buffer back once what is in it has gone on. What else was
// large for their sake leaves holes in the heap, which go back to the system a little later, together.
//
// One for each io_context; relay thread only.
#pragma once

#include <boost/asio/execution_context.hpp>
#include <memory>

#include "http/async.h"

namespace mcptrace::http {

class ReadBuffers final : public asio::execution_context::service {
 public:
  using key_type = ReadBuffers;
  static inline asio::execution_context::id id;
  static constexpr std::size_t kBytes = 96 << 10;

  struct GiveBack {
    ReadBuffers* to = nullptr;
    void operator()(char* buffer) const { to->take_back(buffer); }
  };
  using Buffer = std::unique_ptr<char[], GiveBack>;

  explicit ReadBuffers(asio::execution_context& context);
  ~ReadBuffers() override;
  // Null: there is no memory.
  Buffer lend();

 private:
  void take_back(char* buffer);
  void tidy_later();
  void shutdown() override { tidying_.reset(); }

  char* spare_ = nullptr;
  std::optional<Timer> tidying_;
  bool tidies_ = false;
};

}  // namespace mcptrace::http
