#include "mcp/sse_framer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "mcp/recording_test_support.h"

namespace mcptrace::mcp {
namespace {

constexpr std::string_view kPing = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";

std::string describe(const SseEvent& event) {
  std::string text = "event <" + std::string(event.type) + "> data <" + std::string(event.data) + ">";
  if (event.data_cut) text += " cut";
  if (event.has_data) text += " has_data";
  if (event.has_id) text += " has_id";
  if (event.is_message) text += " message";
  return text + " bytes " + std::to_string(event.bytes) + " id " + std::to_string(event.id_print) + "\n";
}

// Everything in order, and for each message the id in force.
struct Log {
  void pass(SseFramer& framer, std::string_view piece) {
    framer.passed(piece);
    while (const SseFound found = framer.next()) {
      EXPECT_NE(found.found == nullptr, found.event == nullptr);
      if (found.event != nullptr) {
        add(*found.event);
      } else {
        messages.add(*found.found);
        if (found.found->message == nullptr) continue;
        all += mcp::describe(*found.found->message);
        ids.push_back(framer.event_id());
      }
    }
  }
  void add(const SseEvent& event) {
    events.push_back(event);
    events.back().type = events.back().data = {};
    all += describe(event);
    lines.push_back(describe(event));
  }

  Recording messages;
  std::vector<SseEvent> events;
  std::vector<std::string> lines;
  std::vector<std::uint64_t> ids;
  std::string all;
};

struct Outcome {
  Log log;
  bool unfinished = false;
};

Outcome run(std::string_view stream, std::size_t cut = std::string_view::npos) {
  Outcome result;
  SseFramer framer(test_key());
  for (std::size_t at = 0; at < stream.size(); at += std::min(cut, stream.size())) {
    // A copy, so that nothing can rely on the piece before.
    const std::string piece(stream.substr(at, cut));
    result.log.pass(framer, piece);
  }
  result.unfinished = framer.end();
  return result;
}

// Checked whole, and in pieces of 1, 2 and 3 bytes.
Log parse(std::string_view stream) {
  Outcome whole = run(stream);
  for (const std::size_t cut : {1u, 2u, 3u}) {
    const Outcome pieces = run(stream, cut);
    EXPECT_EQ(pieces.log.all, whole.log.all) << stream << " in pieces of " << cut;
    EXPECT_EQ(pieces.log.ids, whole.log.ids);
    EXPECT_EQ(pieces.unfinished, whole.unfinished);
  }
  return whole.log;
}

std::string event(std::string_view type, std::string_view data, std::string_view flags, std::string_view id = "",
                  std::size_t bytes = std::string_view::npos) {
  const bool known = bytes != std::string_view::npos;
  return "event <" + std::string(type) + "> data <" + std::string(data) + ">" + std::string(flags) + " bytes " +
         std::to_string(known ? bytes : data.size()) + " id " + std::to_string(sse_id_print(id)) + "\n";
}

std::vector<std::string> lines_of(std::string_view stream) { return parse(stream).lines; }

using Lines = std::vector<std::string>;

TEST(SseFramer, GivesTheMessageOfAnEvent) {
  for (const std::string_view line_end : {"\n", "\r", "\r\n"}) {
    const std::string end(line_end);
    const Log log = parse("event: message" + end + "data: " + std::string(kPing) + end + end);
    ASSERT_EQ(log.messages.messages.size(), 1u);
    EXPECT_EQ(log.messages.messages[0].message.method, Method::kPing);
    EXPECT_EQ(log.messages.messages[0].message.bytes, kPing.size());
    EXPECT_EQ(log.lines, Lines{event("message", "", " has_data message", "", kPing.size())});
  }
}

TEST(SseFramer, TakesASpaceAfterTheColonOnceAndOnlyASpace) {
  EXPECT_EQ(lines_of("event:x\ndata:a\n\nevent: x\ndata: a\n\nevent:  x\ndata:  a\n\nevent:\tx\ndata:\ta\n\n"),
            (Lines{event("x", "a", " has_data"), event("x", "a", " has_data"), event(" x", " a", " has_data"),
                   event("\tx", "\ta", " has_data")}));
}

TEST(SseFramer, JoinsDataLinesByLineFeeds) {
  EXPECT_EQ(lines_of("event: x\ndata: YHOO\rdata: +2\r\ndata: 10\n\n"), Lines{event("x", "YHOO\n+2\n10", " has_data")});
  EXPECT_EQ(lines_of("event: x\ndata\n\nevent: x\ndata\ndata\n\nevent: x\ndata:\n"),
            (Lines{event("x", "", " has_data"), event("x", "\n", " has_data")}));
  const Log log = parse("data: {\"jsonrpc\":\"2.0\",\ndata: \"id\":1,\"method\"\ndata: :\"ping\"}\n\n");
  ASSERT_EQ(log.messages.messages.size(), 1u);
  EXPECT_EQ(log.messages.messages[0].message.method, Method::kPing);
}

TEST(SseFramer, PassesOverCommentsAndUnknownFields) {
  EXPECT_EQ(lines_of(": comment\n:\n::\n: data: x\n\nretry: 100\n\nfoo\nfoo: bar\ndatax: 1\ndat: 1\nData: 1\n data: "
                     "1\ndata : 1\neventx: y\nids: 1\n\n"),
            Lines{});
  EXPECT_EQ(lines_of("event: x\n: keep-alive\ndata: 1\n:\nretry: 5\ndata: 2\n\n"),
            Lines{event("x", "1\n2", " has_data")});
}

TEST(SseFramer, AnEventWithoutDataIsNone) {
  EXPECT_EQ(lines_of("event: x\n\ndata: a\nevent: y\n\n"), Lines{event("y", "a", " has_data")});
  // The type does not outlive its event.
  EXPECT_EQ(lines_of("event: x\n\ndata: \n\n"), Lines{event("", "", " has_data message")});
  EXPECT_EQ(lines_of("\n\n\r\r\r\n\r\n"), Lines{});
}

TEST(SseFramer, ThePrimingEventHasAnIdAndNoMessage) {
  const Log log = parse("id: 7\ndata: \n\n");
  EXPECT_EQ(log.lines, Lines{event("", "", " has_data has_id message", "7")});
  EXPECT_TRUE(log.messages.messages.empty());
}

TEST(SseFramer, AnIdStaysInForce) {
  EXPECT_EQ(lines_of("id: 1\n\nevent: x\ndata: a\n\nid\nevent: x\ndata: b\n\nevent: x\ndata: c\nid: 2\nid:3\n\n"),
            (Lines{event("", "", " has_id", "1"), event("x", "a", " has_data", "1"),
                   event("x", "b", " has_data has_id", ""), event("x", "c", " has_data has_id", "3")}));
}

TEST(SseFramer, AnIdWithANulIsIgnored) {
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(lines_of("id: 1\nid: 2\0\nevent: x\ndata: a\n\nid: \0\n\n"sv),
            Lines{event("x", "a", " has_data has_id", "1")});
}

TEST(SseFramer, TheIdInForceIsKnownWhenTheMessageComes) {
  const std::string ping(kPing);
  const Log log = parse("id: a\ndata: " + ping + "\n\ndata: " + ping + "\nid: b\n\ndata: " + ping + "\n\n");
  EXPECT_EQ(log.ids, (std::vector{sse_id_print("a"), sse_id_print("b"), sse_id_print("b")}));
}

TEST(SseFramer, IdPrintsTellIdsApart) {
  std::vector<std::uint64_t> prints;
  for (const std::size_t size : {0u, 1u, 127u, 128u, 129u, 256u, 1000u})
    prints.push_back(sse_id_print(std::string(size, 'x')));
  std::string other(1000, 'x');
  other[500] = 'y';
  prints.push_back(sse_id_print(other));
  EXPECT_EQ(prints[0], 0u);
  std::ranges::sort(prints);
  EXPECT_EQ(std::ranges::adjacent_find(prints), prints.end());
  EXPECT_EQ(parse("id: " + other + "\n\n").events.at(0).id_print, sse_id_print(other));
}

TEST(SseFramer, AByteOrderMarkIsOneOnlyAtTheStart) {
  const std::string mark = "\xef\xbb\xbf";
  EXPECT_EQ(lines_of(mark + "data: \n\n").size(), 1u);
  EXPECT_EQ(lines_of(mark + "\ndata: \n\n").size(), 1u);
  EXPECT_EQ(lines_of(mark + mark + "data: \n\n").size(), 0u);
  EXPECT_EQ(lines_of("\n" + mark + "data: \n\n").size(), 0u);
  for (const std::string_view part : {"\xef", "\xef\xbb", "\xbb", "\xef\xbf"}) {
    EXPECT_EQ(lines_of(std::string(part) + "data: \n\n").size(), 0u);
    EXPECT_EQ(lines_of(std::string(part) + "\ndata: \n\n").size(), 1u);
    EXPECT_EQ(lines_of(std::string(part) + ":\ndata: \n\n").size(), 1u);
  }
}

TEST(SseFramer, TheTypeMayComeAfterTheData) {
  const std::string ping(kPing);
  Log log = parse("data: " + ping + "\nevent: x\n\ndata: " + ping + "\n\n");
  EXPECT_EQ(log.messages.messages.size(), 1u);
  EXPECT_EQ(log.lines, (Lines{event("x", ping, " has_data"), event("", "", " has_data message", "", ping.size())}));

  log = parse("event: x\ndata: " + ping + "\nevent: message\n\n");
  EXPECT_EQ(log.messages.messages.size(), 1u);
  EXPECT_EQ(log.messages.messages[0].message.method, Method::kPing);
  EXPECT_EQ(log.lines, Lines{event("message", "", " has_data message", "", ping.size())});

  log = parse("data: " + ping.substr(0, 9) + "\nevent: x\nevent\ndata: " + ping.substr(9) + "\n\n");
  EXPECT_EQ(log.messages.messages.size(), 1u);
  EXPECT_EQ(log.messages.messages[0].message.method, Method::kPing);
}

TEST(SseFramer, ATypeTooLateForMuchDataLosesTheMessage) {
  const std::string data(kSseDataBytes + 1, ' ');
  const Log log = parse("event: x\ndata: " + data + "\nevent: message\ndata: {}\n\ndata: {}\n\n");
  EXPECT_EQ(log.messages.messages.size(), 1u);
  EXPECT_EQ(log.lines, (Lines{event("message", "", " cut has_data message", "", data.size() + 3),
                              event("", "", " has_data message", "", 2)}));
}

TEST(SseFramer, OtherDataIsGivenUpToItsLimit) {
  const std::string fits(kSseDataBytes, 'x');
  EXPECT_EQ(lines_of("event: endpoint\ndata: " + fits + "\n\n"), Lines{event("endpoint", fits, " has_data")});
  EXPECT_EQ(lines_of("event: endpoint\ndata: " + fits + "y\n\n"),
            Lines{event("endpoint", "", " cut has_data", "", fits.size() + 1)});
  EXPECT_EQ(lines_of("event: " + fits + "\ndata: a\n\n"),
            Lines{event(fits.substr(0, kSseTypeBytes), "a", " has_data")});
}

TEST(SseFramer, AnEventWithoutItsBlankLineIsNotDispatched) {
  for (const std::string_view stream :
       {"data: {}", "data: {}\n", "data", "data\n", "data:", "event: x\ndata: 1\nid: 2\n"}) {
    const Outcome cut = run(stream);
    EXPECT_EQ(cut.unfinished, stream != "data");  // a name without its end is none yet
    EXPECT_EQ(cut.log.all, "");
  }
  for (const std::string_view stream : {"", "data: {}\n\n", ": x", "event: x\n", "id: 7\n", "dat"}) {
    EXPECT_FALSE(run(stream).unfinished) << stream;
  }
}

TEST(SseFramer, ResetForgetsTheStreamBefore) {
  const std::string end =
      "\xef\xbb\xbf"
      "event: x\ndata: a\n\n";
  const Log fresh = parse(end);
  for (const std::string_view before : {"data: {\"id\":1,\"meth", "id: 3", "id: 3\n", "event: y", "event: y\n",
                                        "\xef\xbb", "data: a\r", ": c", "dat", "event: y\ndata: abc", "id: \0", "\n"}) {
    SseFramer framer(test_key());
    Log log;
    log.pass(framer, before);
    framer.reset();
    EXPECT_FALSE(framer.end());
    EXPECT_EQ(framer.event_id(), 0u);
    log.pass(framer, end);
    EXPECT_EQ(log.all, fresh.all) << before;
  }
}

TEST(SseFramer, ABigEventIsScannedAsItPasses) {
  const std::string piece(1 << 20, 'x'), begin = R"({"id":1,"result":{"text":")", end = "\"}}";
  SseFramer framer(test_key());
  Log log;
  log.pass(framer, "data: " + begin);
  for (int i = 0; i < 20; ++i) log.pass(framer, piece);
  log.pass(framer, end + "\r\n\r\n");
  ASSERT_EQ(log.messages.messages.size(), 1u);
  EXPECT_EQ(log.messages.messages[0].message.kind, MessageKind::kResult);
  EXPECT_EQ(log.events.at(0).bytes, 20 * piece.size() + begin.size() + end.size());
}

// The standard's algorithm on the whole stream at once.
class Model {
 public:
  std::string read(std::string stream) {
    if (stream.starts_with("\xef\xbb\xbf")) stream.erase(0, 3);
    std::size_t at = 0;
    while (true) {
      const std::size_t end = stream.find_first_of("\r\n", at);
      if (end == std::string::npos) return out_;
      line(stream.substr(at, end - at));
      at = end + (stream.compare(end, 2, "\r\n") == 0 ? 2 : 1);
    }
  }

 private:
  void line(const std::string& text) {
    if (text.empty()) return dispatch();
    const std::size_t colon = text.find(':');
    const std::string name = text.substr(0, colon);
    std::string value = colon == std::string::npos ? "" : text.substr(colon + 1);
    if (value.starts_with(' ')) value.erase(0, 1);
    if (name == "data") {
      data_ += value + "\n";
    } else if (name == "event") {
      const bool before = type_.empty() || type_ == "message", now = value.empty() || value == "message";
      if (!before && now && data_.size() > kSseDataBytes + 1) lost_ = true;
      type_ = value;
    } else if (name == "id" && value.find('\0') == std::string::npos) {
      id_ = value;
      has_id_ = true;
    }
  }
  void dispatch() {
    SseEvent event;
    const bool message = !data_.empty() && (type_.empty() || type_ == "message");
    event.has_data = !data_.empty();
    if (event.has_data) data_.pop_back();
    if (message && !lost_) {
      Recording sink;
      MessageScanner scanner = test_scanner(Direction::kServerToClient);
      scanner.feed(data_);
      scanner.end_line(data_.size());
      sink.take(scanner);
      for (const Recorded& kept : sink.messages) {
        Message copy = kept.message;
        for (std::size_t i = 0; i < kTextCount; ++i) copy.text[i] = kept.texts[i];
        out_ += mcp::describe(copy);
      }
    }
    const std::string type = type_.substr(0, kSseTypeBytes);
    event.type = type;
    event.has_id = has_id_;
    event.is_message = message;
    event.bytes = data_.size();
    event.data_cut = message ? lost_ : data_.size() > kSseDataBytes;
    if (!message && !event.data_cut) event.data = data_;
    event.id_print = sse_id_print(id_);
    if (event.has_data || has_id_) out_ += describe(event);
    data_.clear();
    type_.clear();
    has_id_ = lost_ = false;
  }

  std::string data_, type_, id_, out_;
  bool has_id_ = false, lost_ = false;
};

std::string random_stream(std::mt19937& random) {
  using std::string_view_literals::operator""sv;
  static const std::string big(kSseDataBytes - 2, 'x');
  static const std::vector<std::string_view> parts = {"data: ",
                                                      "data:",
                                                      "data",
                                                      "event: ",
                                                      "event:x",
                                                      "event: message",
                                                      "event",
                                                      "id: ",
                                                      "id",
                                                      "id: 1",
                                                      "retry: 1",
                                                      ":",
                                                      " ",
                                                      "\n",
                                                      "\n",
                                                      "\n",
                                                      "\r\n",
                                                      "\r\n",
                                                      "\r",
                                                      "\n\n",
                                                      "\r\n\r\n",
                                                      "{",
                                                      "}",
                                                      kPing,
                                                      "[1]",
                                                      "\0"sv,
                                                      "\xef",
                                                      "\xbb",
                                                      "\xbf",
                                                      "\xef\xbb\xbf",
                                                      "x",
                                                      "endpoint",
                                                      "/message?sessionId=1",
                                                      R"({"id":"a","result":{"isError":true}})",
                                                      "datax: 1",
                                                      big};
  std::string stream;
  for (std::size_t left = random() % 40; left > 0; --left) stream += parts[random() % parts.size()];
  return stream;
}

TEST(SseFramer, AgreesWithTheModelHoweverTheStreamIsCut) {
  std::mt19937 random(20260728);
  std::size_t events = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::string stream = random_stream(random);
    const std::string expected = Model().read(stream);
    events += expected.empty() ? 0 : 1;
    EXPECT_EQ(run(stream).log.all, expected) << stream;
    EXPECT_EQ(run(stream, 1 + random() % 7).log.all, expected) << stream;
    EXPECT_EQ(run(stream, 1 + random() % 5000).log.all, expected) << stream;
    if (HasFailure()) break;
  }
  EXPECT_GT(events, 1000u);
}

}  // namespace
}  // namespace mcptrace::mcp
