#include "base/thread.h"

namespace mcptrace {

Result<pthread_t> start_thread(std::size_t stack_bytes, void* (*main)(void*), void* argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_bytes);
  pthread_t thread{};
  const int failed = pthread_create(&thread, &attributes, main, argument);
  pthread_attr_destroy(&attributes);
  if (failed != 0) return std::unexpected(errno_error("starting a thread", failed));
  return thread;
}

}  // namespace mcptrace
