// The JSON scanner on any bytes: every kernel and every way of cutting the input say what a naive model says, and what
// simdjson says where simdjson takes it.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>

#include "json/scanner_model.h"

namespace json = mcptrace::json;

namespace {

void require(bool holds, const char* what, std::string_view input) {
  if (holds) return;
  std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(input.size()), input.data());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::minstd_rand random(static_cast<std::uint32_t>(size + 1));
  for (const json::Policy policy : {json::Policy::kEverything, json::Policy::kMessage, json::Policy::kMixed}) {
    const json::Report model = json::model_report(input, policy);
    for (const json::Kernel& kernel : json::kernels()) {
      require(json::scan_report(kernel, input, policy, [size] { return size; }) == model, kernel.name, input);
      const std::size_t largest = 1 + random() % 130;
      require(json::scan_report(kernel, input, policy, [&] { return 1 + random() % largest; }) == model, "cut", input);
    }
  }
  const std::string difference = json::difference_from_simdjson(input);
  require(difference.empty(), difference.c_str(), input);
  return 0;
}
