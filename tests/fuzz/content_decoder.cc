// Encoded bodies: how they are cut changes neither what comes out nor the verdict; the limits hold.
#include "http/content_decoder.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"

namespace {

using namespace mcptrace;
using namespace mcptrace::http;

struct Outcome {
  std::string text;
  bool whole = false;
};

Outcome run(std::string_view coding, std::string_view body, std::size_t cut) {
  constexpr DecodeLimits kLimits{.bytes = 256 << 10, .ratio = 50, .free_bytes = 64 << 10};
  Outcome outcome;
  const auto decoder = ContentDecoder::make(coding, kLimits);
  bool stopped = false;
  for (std::size_t at = 0; at < body.size(); at += cut) {
    const std::string piece(body.substr(at, cut));
    const std::size_t before = outcome.text.size();
    const auto fed = decoder->feed(piece, [&](std::string_view text) {
      MCPTRACE_CHECK(!text.empty());
      outcome.text += text;
    });
    MCPTRACE_CHECK(!stopped || (!fed && outcome.text.size() == before));
    stopped = !fed;
  }
  outcome.whole = decoder->end().has_value();
  MCPTRACE_CHECK(!(stopped && outcome.whole));
  if (decoder->is_plain()) {
    MCPTRACE_CHECK(outcome.text == body);
    return outcome;
  }
  MCPTRACE_CHECK(outcome.text.size() <= kLimits.bytes);
  MCPTRACE_CHECK(outcome.text.size() <= std::max(kLimits.free_bytes, (body.size() + 1) * kLimits.ratio));
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static constexpr std::string_view kCodings[] = {"gzip", "deflate", "br", "zstd", "none"};
  if (size < 2) return 0;
  const std::string_view coding = kCodings[data[0] % 5];
  const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Outcome whole = run(coding, body, size);
  const Outcome pieces = run(coding, body, 1 + data[1] % 64);
  // Where a limit or an error stops it, a few bytes more or less may be out already.
  if (whole.whole && pieces.whole) MCPTRACE_CHECK(whole.text == pieces.text);
  const std::size_t common = std::min(whole.text.size(), pieces.text.size());
  MCPTRACE_CHECK(whole.text.compare(0, common, pieces.text, 0, common) == 0);
  return 0;
}
