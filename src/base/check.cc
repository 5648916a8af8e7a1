#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace mcptrace {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "mcptrace: bug at %s:%d: %s does not hold\n", file, line, condition);
  std::abort();
}

}  // namespace mcptrace
