// Makes the heads that go on: fields of the connection are dropped, framing is written anew, everything else goes as it
// came, in its order and spelling, duplicates too. And the answers that are ours. Pure; relay thread.
//
// What Connection names is dropped too (RFC 9110 7.6.1), except what an end-to-end exchange lives on: fields that
// head.h knows and passes on, Mcp-*, Content-*, Cookie, Set-Cookie, Cache-Control. A sender must not name those; one
// that does would take a request's credentials or session away behind the back of whoever set them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/head.h"

namespace mcptrace::http {

struct RequestOut {
  std::string_view target = {};
  std::string_view host = {};  // instead of the client's; empty: the client's
  BodyFraming framing = BodyFraming::kNone;
  std::uint64_t length = 0;  // kLength
  // Instead of the client's fields of these names; empty: those pass as they came.
  std::string_view traceparent = {}, tracestate = {};
  std::string_view proxy_authorization = {};  // for the proxy that it goes through; empty: none
  bool close = false;                         // say that this is the connection's last request
  bool with_expect = false;                   // ask the server to say 100 before the body is sent
};

// What `out` held is gone; its memory is used again.
void write_request_head(const RequestHead& head, const RequestOut& as, std::string& out);

struct ResponseOut {
  BodyFraming framing = BodyFraming::kNone;  // kNone: for HEAD and 304 the server's Content-Length stays
  std::uint64_t length = 0;                  // kLength
  bool close = false;                        // say that this is the connection's last answer
  bool interim = false;                      // 1xx: no framing, nothing about the connection
  bool http_10 = false;                      // the client speaks HTTP/1.0: staying open has to be said
};
void write_response_head(const ResponseHead& head, const ResponseOut& as, std::string& out);

// A whole answer of ours, after which the connection is closed:
// {"error":{"status":502,"route":"docs","reason":"the connection was refused"}}; without a route if that is empty.
// `with_body` false: the request was HEAD.
std::string error_response(int status, std::string_view route, std::string_view reason, bool with_body = true);

// "Bad Gateway"; of the statuses that are ours to send.
std::string_view reason_phrase(int status);

}  // namespace mcptrace::http
