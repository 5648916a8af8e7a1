#include "base/result.h"

#include <cstring>

namespace mcptrace {

Error errno_error(std::string_view what, int error_number) {
  char text[128];
  return Error{Errc::kIo, std::string(what) + ": " + strerror_r(error_number, text, sizeof(text))};
}

}  // namespace mcptrace
