// Faults H7, H8, H10 and H12 against the parser of HTTP heads and the writer of those that go on: what is in
// http_head.cases, given whole and byte by byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "http/head_writer.h"
#include "http/message_parser.h"

namespace mcptrace::http {
namespace {

struct FaultCase {
  std::string id, verdict, about, bytes;
};

int hex(char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; }

// \r \n \t \0 \\ \xHH and {N*text}.
std::string decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      const char c = text[++i];
      if (c == 'x') {
        out += static_cast<char>(hex(text[i + 1]) << 4 | hex(text[i + 2]));
        i += 2;
      } else {
        out += c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c == '0' ? '\0' : c;
      }
    } else if (text[i] == '{') {
      const std::size_t star = text.find('*', i), end = text.find('}', i);
      const std::string part = decode(text.substr(star + 1, end - star - 1));
      for (int count = std::stoi(std::string(text.substr(i + 1, star))); count > 0; --count) out += part;
      i = end;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::vector<FaultCase> read_cases() {
  std::ifstream file(HTTP_HEAD_CASES);
  std::vector<FaultCase> cases;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("    ")) {
      cases.back().bytes += decode(std::string_view(line).substr(4));
      continue;
    }
    const std::size_t verdict = line.find(' ') + 1, about = line.find(' ', verdict) + 1;
    cases.push_back({line.substr(0, verdict - 1), line.substr(verdict, about - verdict - 1), line.substr(about), {}});
  }
  return cases;
}

// What becomes of the first message.
struct Outcome {
  int status = 0;  // 0: it was whole, or more of it is waited for
  bool whole = false;
  std::string head;  // as it goes on
  std::string body;
};

Outcome outcome_of(std::string_view bytes, std::size_t step) {
  RequestParser parser;
  Outcome outcome;
  std::size_t begin = 0, given = 0;
  while (true) {
    std::size_t used = 0;
    const ParseEvent event = parser.next(bytes.substr(begin, given - begin), used);
    begin += used;
    if (event == ParseEvent::kHead) {
      const RequestHead& head = parser.head();
      write_request_head(head, {.target = head.target, .framing = head.framing, .length = head.length}, outcome.head);
    } else if (event == ParseEvent::kBody) {
      outcome.body += parser.body();
    } else if (event == ParseEvent::kEnd) {
      outcome.whole = true;
      return outcome;
    } else if (event == ParseEvent::kBad) {
      EXPECT_FALSE(parser.problem().what.empty());
      outcome.status = parser.problem().status;
      return outcome;
    } else {
      if (given == bytes.size()) return outcome;
      given = std::min(given + step, bytes.size());
    }
  }
}

TEST(HttpHead, EveryCaseHasItsVerdict) {
  const std::vector<FaultCase> cases = read_cases();
  ASSERT_GT(cases.size(), 100u) << HTTP_HEAD_CASES;
  for (const FaultCase& fault : cases) {
    SCOPED_TRACE(fault.id + " " + fault.about);
    const Outcome whole = outcome_of(fault.bytes, fault.bytes.size());
    if (fault.verdict == "passes") {
      EXPECT_EQ(whole.status, 0);
      EXPECT_TRUE(whole.whole);
    } else {
      EXPECT_EQ(std::to_string(whole.status), fault.verdict);
    }
    // In small pieces another rule may be broken first, but one is.
    for (const std::size_t step : {std::size_t{1}, std::size_t{13}}) {
      const Outcome cut = outcome_of(fault.bytes, step);
      EXPECT_EQ(cut.status == 0, whole.status == 0) << "in pieces of " << step;
      EXPECT_EQ(cut.whole, whole.whole) << "in pieces of " << step;
      if (whole.whole) {
        EXPECT_EQ(cut.body, whole.body);
        EXPECT_EQ(cut.head, whole.head);
      }
    }
  }
}

// H7: what goes on has one framing, made by us, whatever the client's looked like.
TEST(HttpHead, H7WhatGoesOnIsFramedOnce) {
  for (const FaultCase& fault : read_cases()) {
    if (fault.verdict != "passes") continue;
    SCOPED_TRACE(fault.id + " " + fault.about);
    const Outcome first = outcome_of(fault.bytes, fault.bytes.size());
    std::string on = first.head + first.body;
    if (first.head.find("Transfer-Encoding: chunked\r\n") != std::string::npos) {
      on = first.head;
      if (!first.body.empty()) {
        char size[20];
        std::snprintf(size, sizeof(size), "%zx\r\n", first.body.size());
        on += size + first.body + "\r\n";
      }
      on += "0\r\n\r\n";
    }
    const Outcome second = outcome_of(on, on.size());
    EXPECT_TRUE(second.whole);
    EXPECT_EQ(second.body, first.body);
    EXPECT_EQ(second.head, first.head);
  }
}

std::string forwarded(std::string_view about) {
  for (const FaultCase& fault : read_cases()) {
    if (fault.about == about) return outcome_of(fault.bytes, fault.bytes.size()).head;
  }
  return {};
}

TEST(HttpHead, H12FieldsOfTheConnectionEndHere) {
  EXPECT_EQ(forwarded("fields of the connection"),
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n");
}

TEST(HttpHead, H12OtherFieldsGoOnByteForByte) {
  EXPECT_EQ(
      forwarded("duplicates and unknown fields"),
      "POST /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: a\r\nmcp-session-id: b\r\nMcp-Param-X: \xc3\xbc\r\n"
      "Content-Length: 5\r\n\r\n");
}

// H10: the cost of a head is bounded: nothing of it is looked at twice, however it is cut.
TEST(HttpHead, H10AHeadByteByByteIsRefusedAtItsBound) {
  RequestParser parser;
  std::string bytes = "GET /mcp HTTP/1.1\r\nHost: localhost\r\nX: ";
  std::size_t used = 0;
  ParseEvent event = parser.next(bytes, used);
  while (event == ParseEvent::kNeedMore && bytes.size() < 10 * kMaxHeadBytes) {
    bytes += 'x';
    event = parser.next(bytes, used);
  }
  EXPECT_EQ(event, ParseEvent::kBad);
  EXPECT_EQ(parser.problem().status, 431);
  EXPECT_EQ(bytes.size(), kMaxHeadBytes + 1);
}

}  // namespace
}  // namespace mcptrace::http
