// Faults J1-J15 and W19 of the fault list, as far as they lie between bytes and messages.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/utf8.h"
#include "mcp/recording_test_support.h"

namespace mcptrace::mcp {
namespace {

constexpr auto kServer = Direction::kServerToClient;

RequestId id_of(std::string_view json) {
  return scan_one(R"({"method":"ping","id":)" + std::string(json) + "}").message.id;
}

TEST(MessageFaults, J1WhatIsNoJsonIsSaidToBeNone) {
  for (const std::string_view line :
       {"hello", "hello world", "[INFO] started", "[INFO]", "{", R"({"id":1,"method":"ping")",
        R"({"id":1,"method":"ping"}})", R"({"id":1,"method":"ping"} x)", R"({"id":1}{"id":2})", R"({"a)", "\"abc",
        "\x1b[31mred", "}", "]"}) {
    const Recorded r = scan_one(line);
    EXPECT_EQ(r.message.kind, MessageKind::kNotJson) << line;
    EXPECT_EQ(r.message.bytes, line.size() + 1);
    EXPECT_FALSE(r.map.has_value());
    EXPECT_EQ(r.message.method, Method::kNone);
    EXPECT_EQ(r[Text::kId], "");
  }
  for (const std::string_view line : {"1", "\"text\"", "null", "true", "-1.5e3"}) {
    EXPECT_EQ(scan_one(line).message.kind, MessageKind::kNotMessage) << line;
  }
}

TEST(MessageFaults, J2DeepNestingIsPassedOver) {
  for (const std::size_t depth : {100u, 100000u}) {
    const std::string open(depth, '['), close(depth, ']');
    const Recorded r =
        scan_one(R"({"id":1,"params":{"name":"n","arguments":)" + open + close + R"(},"method":"tools/call"})");
    EXPECT_EQ(r.message.method, Method::kToolsCall);
    EXPECT_EQ(r[Text::kName], "n");
    EXPECT_EQ(scan_one(open).message.kind, MessageKind::kNotJson);
    EXPECT_EQ(scan_one(open + close).message.kind, MessageKind::kNotMessage);
    std::string objects;
    for (std::size_t i = 0; i < depth; ++i) objects += R"({"params":)";
    EXPECT_EQ(scan_one(objects).message.kind, MessageKind::kNotJson);
    EXPECT_EQ(scan_one(R"({"id":1,"method":")" + open + "\"}").message.method, Method::kUnknown);
  }
}

TEST(MessageFaults, J3BadUtf8PassesAndNulsDoNotStop) {
  const Recorded r =
      scan_one("{\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"\xff\xc0\xaf\xed\xa0\x80\\ud800\"}}");
  EXPECT_EQ(r.message.method, Method::kToolsCall);
  EXPECT_EQ(r[Text::kName], "\xff\xc0\xaf\xed\xa0\x80\xef\xbf\xbd");
  EXPECT_NE(r.message.name_print, 0u);
  const Recorded nul = scan_one(R"({"id":1,"method":"tools/call","params":{"name":"a\u0000b"}})");
  EXPECT_EQ(nul[Text::kName], std::string_view("a\0b", 3));
  EXPECT_EQ(scan_one("\xef\xbb\xbf{\"id\":1,\"method\":\"ping\"}").message.kind, MessageKind::kNotJson);
  EXPECT_EQ(scan_one(std::string("{\0\"\0i\0d\0\"\0:\0", 12)).message.kind, MessageKind::kNotJson);
}

TEST(MessageFaults, J4ACutNeverFallsIntoACharacter) {
  for (std::size_t before = 120; before <= 130; ++before) {
    for (const std::string_view character : {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
      std::string name(before, 'a');
      for (int i = 0; i < 8; ++i) name += character;
      const Recorded r = scan_one(R"({"id":1,"method":"tools/call","params":{"name":")" + name + "\"}}");
      EXPECT_TRUE(is_utf8(r[Text::kName])) << before;
      EXPECT_LE(r[Text::kName].size(), 128u);
      EXPECT_GT(r[Text::kName].size(), 124u);
      EXPECT_TRUE(name.starts_with(r[Text::kName]));
      EXPECT_EQ(r.message.name_print, print_of("tool-name", name));
    }
  }
}

TEST(MessageFaults, J5IdsKeepTheirTypeAndForm) {
  EXPECT_FALSE(id_of("1") == id_of("\"1\""));
  EXPECT_FALSE(id_of("1") == id_of("1.0"));
  EXPECT_TRUE(id_of("1") == id_of("1"));
  EXPECT_EQ(id_of("1").type, IdType::kInteger);
  EXPECT_EQ(id_of("1.0").type, IdType::kNumber);
  EXPECT_EQ(id_of("1e0").type, IdType::kNumber);
  EXPECT_EQ(id_of("\"\"").type, IdType::kString);
  EXPECT_EQ(id_of("null").type, IdType::kNull);
  for (const std::string_view odd : {"{}", "[]", "true", "false"}) {
    EXPECT_EQ(id_of(odd).type, IdType::kOther) << odd;
    EXPECT_TRUE(id_of(odd).usable());
    EXPECT_FALSE(id_of(odd) == id_of(odd)) << odd;
  }
}

TEST(MessageFaults, J5FormsOfOneNumberAreLooselyEqual) {
  for (const std::string_view form : {"7", "\"7\"", "7.0", "7e0", "70E-1", "0.7e1", "\"7.000\"", "0.07e+2"}) {
    EXPECT_EQ(id_of(form).loose, id_of("7").loose) << form;
  }
  for (const std::string_view form :
       {"8", "7.5", "-7", "\"07\"", "\"+7\"", "\" 7\"", "\"7a\"", "7e1", "\"\"", "\"7.\"", "\".7e1\""}) {
    EXPECT_NE(id_of(form).loose, id_of("7").loose) << form;
  }
  EXPECT_EQ(id_of("-0").loose, id_of("0").loose);
  EXPECT_EQ(id_of("0e9999").loose, id_of("0").loose);
  EXPECT_EQ(id_of("1.5").loose, id_of("\"1.5\"").loose);
  EXPECT_EQ(id_of(R"("\u0061")").loose, id_of("\"a\"").loose);
  EXPECT_FALSE(id_of(R"("\u0061")") == id_of("\"a\""));
  EXPECT_NE(id_of("9007199254740992").loose, id_of("9007199254740993").loose);
  EXPECT_NE(id_of("9007199254740991").loose, id_of("9007199254740992").loose);
  EXPECT_NE(id_of("18446744073709551616").loose, id_of("0").loose);
  EXPECT_NE(id_of("1e400").loose, id_of("1e401").loose);
  EXPECT_NE(id_of("1e-400").loose, id_of("0").loose);
  EXPECT_EQ(id_of("1e99999").type, IdType::kNumber);
}

TEST(MessageFaults, J5OfAnIdThatCannotBeShownThereIsAHash) {
  const auto scan = [](std::string_view id) { return scan_one(R"({"method":"ping","id":)" + std::string(id) + "}"); };
  EXPECT_EQ(scan("-12")[Text::kId], "-12");
  EXPECT_EQ(scan("\"a-b_c\"").message.id_print, 0u);
  const Recorded spaced = scan("\"a b\"");
  EXPECT_EQ(spaced[Text::kId], "a b");
  EXPECT_EQ(spaced.message.id_print, print_of("request-id", "a b"));
  EXPECT_FALSE(spaced.message.has(kIdCut));
  EXPECT_EQ(scan("1.0").message.id_print, print_of("request-id", "1.0"));
  for (const std::string& id : {"\"" + std::string(65, 'a') + "\"", std::string(400, '9'), std::string(R"("a\nb")"),
                                "\"" + std::string(1 << 20, 'x') + "\"", std::string("\"\xc3\xa9\"")}) {
    const Recorded r = scan(id);
    EXPECT_TRUE(r.message.has(kIdCut)) << id.substr(0, 80);
    EXPECT_NE(r.message.id_print, 0u);
    EXPECT_EQ(r[Text::kId], "");
  }
  EXPECT_EQ(scan(std::string(400, '9')).message.id.type, IdType::kInteger);
  EXPECT_EQ(scan(std::string(400, '9') + ".5").message.id.type, IdType::kNumber);
  std::string escaped = "\"";
  for (int i = 0; i < 64; ++i) escaped += "\\u0061";
  EXPECT_EQ(scan(escaped + "\"")[Text::kId], std::string(64, 'a'));
  EXPECT_FALSE(scan("\"" + std::string(1 << 20, 'x') + "\"").message.id ==
               scan("\"" + std::string((1 << 20) - 1, 'x') + "y\"").message.id);
}

TEST(MessageFaults, J7AnswersWithBothOrNeither) {
  EXPECT_EQ(scan_one(R"({"id":1,"result":{},"error":{"code":1,"message":""}})", kServer).message.kind,
            MessageKind::kError);
  EXPECT_EQ(scan_one(R"({"id":1,"jsonrpc":"2.0"})", kServer).message.kind, MessageKind::kNotMessage);
}

TEST(MessageFaults, J10BatchesOfAnySizeAreOneMessageAnElement) {
  std::string line = "[";
  for (int i = 0; i < 100000; ++i) line += (i == 0 ? R"({"id":1,"method":"ping"})" : R"(,{"id":1,"method":"ping"})");
  Recording sink = scan_line(line + "]");
  EXPECT_EQ(sink.messages.size(), 100000u);
  EXPECT_EQ(sink.messages.back().message.kind, MessageKind::kRequest);
  EXPECT_EQ(scan_one("[[]]").message.kind, MessageKind::kNotMessage);
  EXPECT_EQ(scan_line("[" + std::string(5000, '[') + std::string(5000, ']') + ",1,2]").messages.size(), 3u);
}

TEST(MessageFaults, J10ABatchThatBreaksIsSaidToBeNoJsonAtItsEnd) {
  Recording sink = scan_line(R"([{"id":1,"method":"ping"},)");
  ASSERT_EQ(sink.messages.size(), 2u);
  EXPECT_EQ(sink.messages[0].message.kind, MessageKind::kRequest);
  EXPECT_EQ(sink.messages[1].message.kind, MessageKind::kNotJson);
}

TEST(MessageFaults, J10ABatchOfNumbersDoesNotFloodAnybody) {
  std::string line = "[0";
  for (int i = 0; i < 100000; ++i) line += ",0";
  EXPECT_LE(scan_line(line + "]").messages.size(), 1000u);
}

TEST(MessageFaults, J11WhatAnotherReaderMaySeeOtherwiseIsAmbiguous) {
  for (
      const std::string_view line : {
          R"({"id":1,"method":"a","method":"b"})",
          R"({"id":1,"id":1,"method":"a"})",
          R"({"id":1,"method":"a","params":{},"params":{}})",
          R"({"id":1,"result":{},"result":{}})",
          R"({"id":1,"error":{},"error":null})",
          R"({"id":1,"method":"a","params":{"name":"x","name":"x"}})",
          R"({"id":1,"method":"a","params":{"_meta":{},"_meta":{}}})",
          R"({"id":1,"method":"a","params":{"_meta":{"traceparent":"a","traceparent":"a"}}})",
          R"({"id":1,"method":"a","params":{"_meta":{"tracestate":"a","tracestate":"a"}}})",
          R"({"id":1,"\u006dethod":"a"})",
          R"({"id":1,"method":"a","p\u0061rams":{}})",
          R"({"id":1,"method":"a","params":{"\u005fmeta":{}}})",
          R"({"id":1,"method":"a","params":{"_meta":{"trace\u0070arent":"x"}}})",
          R"({"id":1,"method":"a","params":{"_meta":{"\u0074\u0072\u0061\u0063\u0065\u0070\u0061\u0072\u0065\u006e\u0074":"x"}}})",
          R"({"id":1,"Method":"a"})",
          R"({"id":1,"method":"a","METHOD":"b"})",
          R"({"ID":1,"method":"a"})",
          R"({"id":1,"method":"a","Params":{}})",
          "{\"id\":1,\"method\":\"a\",\"param\xc5\xbf\":{}}",
          R"({"id":1,"method":"a","param\u017f":{}})",
          R"({"id":1,"method":"a","params":{"_Meta":{}}})",
          R"({"id":1,"method":"a","params":{"Name":"x"}})",
          "{\"id\":1,\"re\xc5\xbfult\":{}}",
      }) {
    EXPECT_TRUE(scan_one(line).message.has(kAmbiguous)) << line;
  }
  for (
      const std::string_view line : {
          R"({"id":1,"method":"a","x":1,"x":1})",
          R"({"id":1,"method":"a","params":{"arguments":{"a":1,"a":2,"Method":1,"\u0061":1}}})",
          R"({"id":1,"method":"a","params":{"protocolVersion":"1","_meta":{"io.modelcontextprotocol/protocolVersion":"1"}}})",
          R"({"id":1,"method":"a","params":{"\u0061":1,"uri":"x","title":"y"}})",
          R"({"id":1,"method":"a","params":{"progressToken":1,"_meta":{"progressToken":1}}})",
          R"({"id":1,"methods":"a","idx":1,"method":"b"})",
      }) {
    EXPECT_FALSE(scan_one(line).message.has(kAmbiguous)) << line;
  }
  EXPECT_EQ(scan_one(R"({"id":1,"\u006dethod":"ping"})").message.method, Method::kPing);
}

TEST(MessageFaults, WhatIsNoUtf8IsMarkedWhereverItIsAndHoweverItIsCut) {
  const auto scan = [](std::string_view line, std::size_t step) {
    Recording found;
    MessageScanner scanner = test_scanner();
    for (std::size_t at = 0; at < line.size(); at += step) {
      scanner.feed(line.substr(at, step));
      found.take(scanner);
    }
    scanner.end_line(line.size() + 1);
    found.take(scanner);
    return found;
  };
  const std::string long_text(3000, 'x');
  for (const std::string& fault : {"\xff", "\xc3", "\xe6\xb1", "\xed\xa0\x80", ""}) {
    for (const std::string& line : {
             R"({"id":1,"method":"a","params":{"x":")" + long_text + fault + long_text + "ä\"}}",
             R"({"id":1,"method":"a","params":{"x":{"ü":[[")" + fault + "\"]]}}}",
             "{\"" + fault + "\":1,\"id\":1,\"method\":\"ä\"}",
         }) {
      for (const std::size_t step : {1u, 7u, 64u, 100'000u}) {
        EXPECT_EQ(scan(line, step).messages.at(0).message.has(kInvalidUtf8), !fault.empty()) << line << step;
        const auto after = scan("[" + line + ",{\"id\":2,\"method\":\"b\"}]", step).messages;
        ASSERT_EQ(after.size(), fault.empty() ? 2u : 3u);
        EXPECT_FALSE(after[0].message.has(kInvalidUtf8));
        EXPECT_EQ(after.back().message.has(kInvalidUtf8), !fault.empty());
      }
    }
  }
}

TEST(MessageFaults, WhatIsNoUtf8IsForgottenWithItsLine) {
  Recording found;
  MessageScanner scanner = test_scanner();
  for (const std::string_view line : {R"({"x":")"
                                      "\xe6",
                                      R"({"id":1,"method":"a"})"}) {
    scanner.feed(line);
    scanner.end_line(line.size() + 1);
    found.take(scanner);
  }
  ASSERT_EQ(found.messages.size(), 2u);
  EXPECT_FALSE(found.messages[1].message.has(kInvalidUtf8));
}

TEST(MessageFaults, J13LongContextsAreCutAndMarked) {
  const auto scan = [](std::string_view key, std::size_t size) {
    return scan_one(R"({"id":1,"method":"ping","params":{"_meta":{")" + std::string(key) + "\":\"" +
                    std::string(size, 'a') + "\"}}}");
  };
  EXPECT_EQ(scan("traceparent", 256)[Text::kTraceparent].size(), 256u);
  EXPECT_FALSE(scan("traceparent", 256).message.has(kTraceparentCut));
  EXPECT_TRUE(scan("traceparent", 257).message.has(kTraceparentCut));
  EXPECT_EQ(scan("tracestate", 16447)[Text::kTracestate].size(), 16447u);
  EXPECT_EQ(scan("baggage", 8192)[Text::kBaggage].size(), 8192u);
  // Half of them would say something else; and the traceparent is none the worse for it.
  EXPECT_EQ(scan("tracestate", 16448)[Text::kTracestate], "");
  EXPECT_FALSE(scan("tracestate", 1 << 20).message.has(kTraceparentCut));
  EXPECT_EQ(scan("baggage", 8193)[Text::kBaggage], "");
  EXPECT_FALSE(scan("baggage", 64 << 10).message.has(kTraceparentCut));
  EXPECT_EQ(scan("sessionId", 64 << 10)[Text::kConversation].size(), 512u);
  EXPECT_FALSE(scan("sessionId", 64 << 10).message.has(kTraceparentCut));
}

TEST(MessageFaults, J14NamesOfAnyKindAreBounded) {
  for (const std::string& name :
       {std::string(1 << 20, 'x'), std::string("a\\nb"), std::string("\\u001b[31m"), std::string("<script>"),
        std::string("'; DROP TABLE"), std::string("%s%n"), std::string("\xe2\x80\xae"), std::string("${jndi}")}) {
    const Recorded r = scan_one(R"({"id":1,"method":"tools/call","params":{"name":")" + name + "\"}}");
    EXPECT_LE(r[Text::kName].size(), 128u);
    EXPECT_NE(r.message.name_print, 0u) << name.substr(0, 40);
    const Recorded method = scan_one(R"({"id":1,"method":")" + name + "\"}");
    EXPECT_EQ(method.message.method, Method::kUnknown);
    EXPECT_LE(method[Text::kMethod].size(), 128u);
    EXPECT_EQ(method.message.has(kMethodCut), name.size() > 128);
  }
}

TEST(MessageFaults, J15BothErasOnOnePipe) {
  Recording sink;
  MessageScanner scanner = test_scanner();
  for (const std::string_view line : {R"({"id":1,"method":"server/discover"})", R"({"id":2,"method":"initialize"})"}) {
    scanner.feed(line);
    scanner.end_line(line.size() + 1);
    sink.take(scanner);
  }
  EXPECT_TRUE(sink.messages[0].message.has(kModern));
  EXPECT_FALSE(sink.messages[1].message.has(kModern));
}

TEST(MessageFaults, W19BlankLinesAreNothing) {
  for (const std::string_view line : {"", " ", "\r", "\t \r"}) EXPECT_TRUE(scan_line(line).messages.empty());
  EXPECT_EQ(scan_one("{\"id\":1,\"method\":\"ping\"}\r").message.kind, MessageKind::kRequest);
}

// Every way to cut these into two, and all pieces of one size.
TEST(MessageFaults, CuttingNeverMatters) {
  const std::vector<std::string> lines = {
      R"({"jsonrpc":"2.0","id":"a\u0062\n","method":"tools\/call","params":{"name":"b\ud83d\ude00c","arguments":{"q":"\\\""},)"
      R"("_meta":{"a":[1,{"b":2}],"tracestate":"x=\"y","traceparent":"00-\u0061","sessionId":"s","progressToken":12.50}}})",
      R"({"id":12345,"result":{"tools":[{"name":"x\u0041"},{"description":"}]","name":"y"}],"resultType":"complete",)"
      R"("_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s\t","version":"v"}},"nextCursor":null}})",
      R"({"error":{"message":"\ud800\u0041 failed \\","code":-32601},"id":null,"result":null})",
      R"([{"id":1,"method":"x"},3,{"method":"notifications/progress","params":{"progressToken":"\u0031"}},[]])",
      R"( {"id":1,"\u006dethod":"ping","Params":{},"params":[1,2]} )"
      "\r",
      R"({"id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","clientInfo":{"name":"\u00e9","version":"1"}}})",
      R"([INFO] {"id":1})",
  };
  for (const std::string& line : lines) {
    const std::string whole = scan_line(line).log;
    const auto scan_pieces = [&](std::size_t first, std::size_t rest) {
      Recording sink;
      MessageScanner scanner = test_scanner();
      scanner.feed(std::string_view(line).substr(0, first));
      sink.take(scanner);
      for (std::size_t at = first; at < line.size(); at += rest) {
        const std::string piece = line.substr(at, rest);  // its memory goes away with it
        scanner.feed(piece);
        sink.take(scanner);
      }
      scanner.end_line(line.size() + 1);
      sink.take(scanner);
      return sink.log;
    };
    for (std::size_t first = 0; first <= line.size(); ++first)
      EXPECT_EQ(scan_pieces(first, line.size()), whole) << first;
    for (std::size_t size = 1; size <= 9; ++size) EXPECT_EQ(scan_pieces(0, size), whole) << size;
  }
}

}  // namespace
}  // namespace mcptrace::mcp
