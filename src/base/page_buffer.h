// Memory for read(2) to fill, beginning at a page, not initialised: its pages are touched as they are used.
//
// The kernel copies out of a pipe's pages with `rep movsb`. Where the destination lies 1 to 31 bytes further into its
// page than the source into its own, some processors (AMD Zen 3, measured) take three times as long for it. Data begins
// at the start of a pipe's pages, and a large block of malloc(3) at 16 bytes into one of its own.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace mcptrace {

inline constexpr std::size_t kPageBytes = 4096;

struct PageBufferDelete {
  void operator()(char* bytes) const { ::operator delete(bytes, std::align_val_t(kPageBytes)); }
};
using PageBuffer = std::unique_ptr<char[], PageBufferDelete>;

inline PageBuffer make_page_buffer(std::size_t bytes) {
  return PageBuffer(static_cast<char*>(::operator new(bytes, std::align_val_t(kPageBytes))));
}

}  // namespace mcptrace
