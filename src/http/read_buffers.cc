#include "http/read_buffers.h"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace mcptrace::http {
namespace {

constexpr std::chrono::seconds kTidyAfter{1};

}  // namespace

ReadBuffers::ReadBuffers(asio::execution_context& context)
    : service(context), tidying_(static_cast<asio::io_context&>(context).get_executor()) {}

ReadBuffers::~ReadBuffers() { std::free(spare_); }

ReadBuffers::Buffer ReadBuffers::lend() {
  if (!tidies_) tidy_later();
  char* const buffer = spare_ != nullptr ? spare_ : static_cast<char*>(std::malloc(kBytes));
  spare_ = nullptr;
  return {buffer, {this}};
}

void ReadBuffers::take_back(char* buffer) {
  if (spare_ == nullptr) {
    spare_ = buffer;
  } else {
    std::free(buffer);
  }
}

void ReadBuffers::tidy_later() {
  try {
    tidying_->expires_after(kTidyAfter);
    tidying_->async_wait([this](const error_code& error) {
      if (error) return;
      tidies_ = false;
      malloc_trim(0);
    });
    tidies_ = true;
  } catch (const std::bad_alloc&) {  // the next time, then
  }
}

}  // namespace mcptrace::http
