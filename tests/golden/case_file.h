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
//
// With `option: http`, of HTTP exchanges; #N is a client's connection:
//   0.000 #1 > POST /mcp               the request; then words: chunked, expect, cut, from=ADDRESS, route=N
//     Mcp-Session-Id: a                its header fields, and its body behind "| ", of type JSON unless it says so
//     | {"jsonrpc":"2.0",…}
//   0.010 #1 < 200                     the answer's head, likewise; with a body, that is all of the answer; `< 307
//   away`
//                                      redirects to another origin
//   0.011 #1 << data: {…}\n\n          a piece of the answer's body
//   0.012 #1 left                      the client's side of the connection ended
//   0.013 #1 end                       it is complete; end client, end left, end server [TYPE], end failed TYPE; with
//                                      `left` before: the client was gone, or took the answer
//   0.013 #1 bad_head, endpoint_away   the answer's head was refused; its endpoint is of another origin
//   9.000 shutdown
//
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
Result<Case> run_http_case(const Case& golden);

}  // namespace mcptrace::golden
