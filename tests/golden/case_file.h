// A golden case: one text file that holds a transcript with times and the records that it must give.
//
//   title: what it shows
//   option: naming=semconv            any number; see run_case.cc
//   --- transcript
//   0.000 > {"jsonrpc":"2.0",…}      the client wrote this line; "<" the server did; ">~" and "<~": without a newline
//   1.5 tick                         nothing but time passed
//   2.0 wall +3600                   the wall clock jumped by seconds
//   3.0 drop 5                       five facts were lost
//   3.5 end exit 0                   the traffic ended; end server exit 1, end server signal 9, end not_started 127
//   --- forwarded
//   …                                what the server was given, where that differs from what the client wrote
//   --- records
//   …
// Everything after a section's line up to the next "--- " line belongs to it, byte for byte.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace mcptrace::golden {

struct Case {
  std::string title;
  std::vector<std::string> options;
  std::string transcript, forwarded, records;
};

Result<Case> parse_case(const std::string& text);
std::string format_case(const Case& golden);

// Runs the transcript through framing, placement and tracer, and fills `forwarded` and `records` with what came out.
Result<Case> run_case(const Case& golden);

}  // namespace mcptrace::golden
