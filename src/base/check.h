// MCPTRACE_CHECK(condition): a bug of ours, never a matter of input. Says where on stderr and aborts.
#pragma once

namespace mcptrace {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define MCPTRACE_CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::mcptrace::check_failed(#condition, __FILE__, __LINE__))
