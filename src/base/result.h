// How a function of this project says that it failed.
//
// `Result<T>` is returned for every failure that the caller can expect: bad input, a file that cannot be opened, a
// limit. The message is one clause that names what was tried, the value and the place, so that a user can act on it.
// Nothing here throws. A broken invariant is no Result: see check.h.
//
//   Result<Config> load(std::string_view path);
//   MCPTRACE_TRY(Config config, load(path));            // returns the error to our own caller
//   return std::unexpected(Error{Errc::kInvalidArgument, "--limit wants a number from 1 to 10000, got 'x'"});
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace mcptrace {

enum class Errc : std::uint8_t {
  kInvalidArgument,  // the caller's or user's input cannot be used
  kNotFound,         // a thing named does not exist
  kAmbiguous,        // a name fits more than one thing
  kIo,               // the operating system refused; the message carries errno's text
  kCorrupt,          // stored bytes are not what was written
  kUnsupported,      // a newer version, or a form that we do not read
  kLimit,            // a bound was reached
};

struct [[nodiscard]] Error {
  Errc code;
  std::string message;

  // "opening the spool: " + message.
  Error with_context(std::string_view context) && {
    message.insert(0, ": ").insert(0, context);
    return std::move(*this);
  }
};

template <class T = void>
using Result = std::expected<T, Error>;

// An Errc::kIo error: "<what>: <text of errno>".
Error errno_error(std::string_view what, int error_number);

}  // namespace mcptrace

#define MCPTRACE_CONCAT_INNER(a, b) a##b
#define MCPTRACE_CONCAT(a, b) MCPTRACE_CONCAT_INNER(a, b)
#define MCPTRACE_TRY_IMPL(temporary, declaration, expression)           \
  auto temporary = (expression);                                        \
  if (!temporary) return std::unexpected(std::move(temporary).error()); \
  declaration = *std::move(temporary)
// Declares from a Result's value, or returns its error.
#define MCPTRACE_TRY(declaration, expression) \
  MCPTRACE_TRY_IMPL(MCPTRACE_CONCAT(try_result_, __LINE__), declaration, expression)
// The same for Result<void>.
#define MCPTRACE_TRY_VOID(expression)                                                                       \
  do {                                                                                                      \
    if (auto try_result = (expression); !try_result) return std::unexpected(std::move(try_result).error()); \
  } while (false)
