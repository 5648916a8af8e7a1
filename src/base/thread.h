// Threads whose stacks have a size of our own: the default is the limit of the process, for which there may be no room.
// Where no thread can be had, that is an error and no exception.
#pragma once

#include <pthread.h>

#include <cstddef>

#include "base/result.h"

namespace mcptrace {

// `main` must not throw; whoever calls this joins. Error: kIo.
Result<pthread_t> start_thread(std::size_t stack_bytes, void* (*main)(void*), void* argument);

}  // namespace mcptrace
