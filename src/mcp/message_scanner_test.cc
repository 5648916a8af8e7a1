#include "mcp/message_scanner.h"

#include <gtest/gtest.h>

#include <string>

#include "mcp/recording_test_support.h"

namespace mcptrace::mcp {
namespace {

constexpr auto kServer = Direction::kServerToClient;

TEST(MessageScanner, SaysWhatAToolCallIs) {
  const Recorded r = scan_one(
      R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"/etc","name":"x"},)"
      R"("_meta":{"progressToken":"p1","traceparent":"00-aa-bb-01","tracestate":"a=b","baggage":"k=v"}}})");
  EXPECT_EQ(r.message.kind, MessageKind::kRequest);
  EXPECT_EQ(r.message.method, Method::kToolsCall);
  EXPECT_EQ(r.message.direction, Direction::kClientToServer);
  EXPECT_EQ(r.message.flags, kHasParams | kHasMeta | kHasTraceparent | kHasProgressToken | kJsonrpc2 | kNamesMcp);
  EXPECT_EQ(r.message.id.type, IdType::kInteger);
  EXPECT_EQ(r.message.related.type, IdType::kString);
  EXPECT_EQ(r[Text::kMethod], "");
  EXPECT_EQ(r[Text::kId], "7");
  EXPECT_EQ(r[Text::kName], "read_file");
  EXPECT_EQ(r[Text::kTraceparent], "00-aa-bb-01");
  EXPECT_EQ(r[Text::kTracestate], "a=b");
  EXPECT_EQ(r[Text::kBaggage], "k=v");
  EXPECT_EQ(r.message.name_hash, plain_name_hash("read_file"));
  EXPECT_EQ(r.message.name_print, 0u);
  EXPECT_EQ(r.message.id_print, 0u);
}

TEST(MessageScanner, KeysMayComeInAnyOrder) {
  const Recorded r = scan_one(
      R"({"params":{"_meta":{"traceparent":"t"},"arguments":{},"name":"echo"},"method":"tools/call","id":"x","jsonrpc":"2.0"})");
  EXPECT_EQ(r.message.method, Method::kToolsCall);
  EXPECT_EQ(r[Text::kName], "echo");
  EXPECT_EQ(r[Text::kId], "x");
  EXPECT_EQ(r[Text::kTraceparent], "t");
}

TEST(MessageScanner, NamesAndUrisOfOtherMethodsAreNotKept) {
  const Recorded read =
      scan_one(R"({"id":1,"method":"resources/read","params":{"uri":"file:///secret","name":"secret"}})");
  EXPECT_EQ(read[Text::kName], "");
  EXPECT_EQ(read.message.name_hash, 0u);
  EXPECT_NE(read.message.uri, 0u);
  for (const std::string& text : read.texts) EXPECT_EQ(text.find("secret"), std::string::npos);
  const Recorded prompt = scan_one(R"({"id":1,"method":"prompts/get","params":{"name":"ask"}})");
  EXPECT_EQ(prompt[Text::kName], "ask");
}

TEST(MessageScanner, InitializeGivesVersionAndPeer) {
  const Recorded request =
      scan_one(R"({"id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"name":"no"},)"
               R"("clientInfo":{"name":"cli","version":"1.2","title":"T"}}})");
  EXPECT_EQ(request[Text::kProtocolVersion], "2025-06-18");
  EXPECT_EQ(request[Text::kPeerName], "cli");
  EXPECT_EQ(request[Text::kPeerVersion], "1.2");
  EXPECT_FALSE(request.message.has(kModern));
  const Recorded answer = scan_one(
      R"({"id":0,"result":{"protocolVersion":"2025-03-26","serverInfo":{"version":"9","name":"srv"},"capabilities":{}}})",
      kServer);
  EXPECT_EQ(answer.message.kind, MessageKind::kResult);
  EXPECT_EQ(answer[Text::kProtocolVersion], "2025-03-26");
  EXPECT_EQ(answer[Text::kPeerName], "srv");
  EXPECT_EQ(answer[Text::kPeerVersion], "9");
}

TEST(MessageScanner, PeerInfoOfOtherMethodsIsNotKept) {
  const Recorded r =
      scan_one(R"({"id":0,"method":"x/y","params":{"protocolVersion":"1","clientInfo":{"name":"n","version":"v"}}})");
  EXPECT_EQ(r[Text::kProtocolVersion], "");
  EXPECT_EQ(r[Text::kPeerName], "");
  EXPECT_EQ(r[Text::kPeerVersion], "");
}

TEST(MessageScanner, TheModernEnvelopeIsRead) {
  const Recorded r = scan_one(
      R"({"id":1,"method":"tools/list","params":{"cursor":"c","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
      R"("io.modelcontextprotocol/clientCapabilities":{"x":{"name":"no"}},)"
      R"("io.modelcontextprotocol/clientInfo":{"name":"modern","version":"3"}}}})");
  EXPECT_EQ(r.message.flags, kHasParams | kHasMeta | kModern | kCursor | kNamesMcp | kHasEnvelope);
  EXPECT_EQ(r[Text::kProtocolVersion], "2026-07-28");
  EXPECT_EQ(r[Text::kPeerName], "modern");
  EXPECT_EQ(r[Text::kPeerVersion], "3");
}

bool names_mcp(std::string_view line) { return scan_one(line).message.has(kNamesMcp); }

TEST(MessageScanner, WhatOnlyMcpHasNamesIt) {
  for (const std::string_view method : {"server/discover", "tools/list", "tools/call", "tools/x", "prompts/get",
                                        "resources/read", "resources/subscribe", "resources/templates/list"}) {
    EXPECT_TRUE(names_mcp(R"({"method":")" + std::string(method) + R"(","id":1})")) << method;
  }
  for (const std::string_view method :
       {"ping", "message/send", "textDocument/hover", "tool/call", "Tools/list", "toolsx", "logging/setLevel",
        "completion/complete", "sampling/createMessage", "tasks/get", "notifications/initialized", "session/prompt"}) {
    EXPECT_FALSE(names_mcp(R"({"method":")" + std::string(method) + R"(","id":1})")) << method;
  }
  EXPECT_TRUE(names_mcp(R"({"method":"initialize","id":1,"params":{"protocolVersion":"2025-06-18"}})"));
  EXPECT_TRUE(names_mcp(R"({"params":{"protocolVersion":""},"method":"initialize","id":1})"));
  EXPECT_FALSE(names_mcp(R"({"method":"initialize","id":1,"params":{"protocolVersion":1}})"));           // ACP
  EXPECT_FALSE(names_mcp(R"({"method":"initialize","id":1,"params":{"processId":7,"rootUri":null}})"));  // LSP
  EXPECT_FALSE(names_mcp(R"({"method":"x","id":1,"params":{"protocolVersion":"2025-06-18"}})"));
  EXPECT_FALSE(names_mcp(R"({"method":"initialize","id":1,"params":{"x":{"protocolVersion":"1"}}})"));
  EXPECT_TRUE(names_mcp(R"({"method":"x","id":1,"params":{"_meta":{"io.modelcontextprotocol/logLevel":"info"}}})"));
  EXPECT_FALSE(names_mcp(R"({"method":"x","id":1,"params":{"_meta":{"progressToken":1}}})"));
  EXPECT_FALSE(names_mcp(R"({"method":"x","id":1,"params":{"io.modelcontextprotocol/logLevel":"info"}})"));
}

TEST(MessageScanner, OnlyVersionTwoOfJsonRpcIsIt) {
  const auto is = [](std::string_view member) {
    return scan_one("{" + std::string(member) + R"("id":1,"method":"ping"})").message.has(kJsonrpc2);
  };
  EXPECT_TRUE(is(R"("jsonrpc":"2.0",)"));
  EXPECT_TRUE(is(R"("jsonrpc" : "2\u002e0" ,)"));
  EXPECT_FALSE(is(""));
  EXPECT_FALSE(is(R"("jsonrpc":"1.0",)"));
  EXPECT_FALSE(is(R"("jsonrpc":"2.0.1",)"));
  EXPECT_FALSE(is(R"("jsonrpc":"",)"));
  EXPECT_FALSE(is(R"("jsonrpc":2.0,)"));
  EXPECT_FALSE(is(R"("jsonrpc":null,)"));
  EXPECT_FALSE(is(R"("jsonrpc":{"jsonrpc":"2.0"},)"));
  EXPECT_FALSE(is(R"("JSONRPC":"2.0",)"));
}

TEST(MessageScanner, AnErrorSaysThatItIsAboutMeta) {
  const auto is = [](std::string_view text, std::size_t piece = 1000) {
    const std::string line =
        R"({"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":")" + std::string(text) + "\"}}";
    const HashKey key({1});
    Recording sink;
    MessageScanner scanner(Direction::kServerToClient, key);
    for (std::size_t at = 0; at < line.size(); at += piece) {
      scanner.feed(std::string_view(line).substr(at, piece));
      sink.take(scanner);
    }
    scanner.end_line(line.size());
    sink.take(scanner);
    return sink.messages.at(0).message.has(kErrorNamesMeta);
  };
  for (const std::size_t piece : {1u, 2u, 3u, 7u, 1000u}) {
    EXPECT_TRUE(is("unknown field \\\"_meta\\\"", piece));
    EXPECT_TRUE(is("__meta", piece));
    EXPECT_TRUE(is("_me_meta", piece));
    EXPECT_FALSE(is("_met a", piece));
    EXPECT_FALSE(is("meta", piece));
    EXPECT_FALSE(is("", piece));
  }
  EXPECT_FALSE(scan_one(R"({"id":1,"error":{"code":1,"message":"x","data":"_meta"}})").message.has(kErrorNamesMeta));
  EXPECT_FALSE(scan_one(R"({"id":1,"result":{"message":"_meta"}})").message.has(kErrorNamesMeta));
}

TEST(MessageScanner, AnOlderVersionInTheEnvelopeIsNotModern) {
  const Recorded r = scan_one(
      R"({"id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}})");
  EXPECT_FALSE(r.message.has(kModern));
  EXPECT_EQ(r[Text::kProtocolVersion], "2025-11-25");
}

TEST(MessageScanner, MethodsThatOnlyModernHasAreModern) {
  EXPECT_TRUE(scan_one(R"({"id":1,"method":"server/discover"})").message.has(kModern));
  EXPECT_TRUE(scan_one(R"({"id":1,"method":"subscriptions/listen"})").message.has(kModern));
  EXPECT_TRUE(scan_one(R"({"method":"notifications/subscriptions/acknowledged"})", kServer).message.has(kModern));
  EXPECT_FALSE(scan_one(R"({"id":1,"method":"initialize"})").message.has(kModern));
}

TEST(MessageScanner, AResultSaysItsTypeStateAndServer) {
  const Recorded r = scan_one(
      R"({"id":1,"result":{"resultType":"input_required","requestState":"opaque","nextCursor":"n","isError":true,)"
      R"("_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"},)"
      R"("io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})",
      kServer);
  EXPECT_EQ(r.message.result_type, ResultType::kInputRequired);
  EXPECT_EQ(r.message.flags, kModern | kNextCursor | kIsError);
  EXPECT_EQ(r.message.request_state, print_of("request-state", "opaque"));
  EXPECT_EQ(r[Text::kPeerName], "s");
  EXPECT_EQ(r[Text::kProtocolVersion], "2026-07-28");
  EXPECT_EQ(scan_one(R"({"id":1,"result":{"resultType":"complete"}})").message.result_type, ResultType::kComplete);
  EXPECT_EQ(scan_one(R"({"id":1,"result":{"resultType":"task"}})").message.result_type, ResultType::kTask);
  EXPECT_EQ(scan_one(R"({"id":1,"result":{"resultType":"completely-else-and-long"}})").message.result_type,
            ResultType::kOther);
  EXPECT_EQ(scan_one(R"({"id":1,"result":{"resultType":5}})").message.result_type, ResultType::kOther);
  EXPECT_EQ(scan_one(R"({"id":1,"result":{}})").message.result_type, ResultType::kAbsent);
  EXPECT_FALSE(scan_one(R"({"id":1,"result":{"nextCursor":null,"isError":false}})").message.has(kNextCursor));
}

TEST(MessageScanner, ARetryEchoesTheState) {
  const Recorded r = scan_one(R"({"id":1,"method":"tools/call","params":{"name":"a","requestState":"op\u0061que"}})");
  EXPECT_EQ(r.message.request_state, print_of("request-state", "opaque"));
}

TEST(MessageScanner, TasksLeaveAHash) {
  const std::uint64_t task = print_of("task", "t-1");
  EXPECT_EQ(scan_one(R"({"id":1,"method":"tasks/get","params":{"taskId":"t-1"}})").message.task, task);
  EXPECT_EQ(scan_one(R"({"id":1,"result":{"task":{"taskId":"t-1","status":"working"}}})", kServer).message.task, task);
  EXPECT_EQ(scan_one(R"({"id":1,"result":{"taskId":"t-1","resultType":"task"}})", kServer).message.task, task);
}

TEST(MessageScanner, ErrorsLeaveCodeAndHash) {
  const Recorded r =
      scan_one(R"({"id":1,"error":{"code":-32602,"message":"no \"such\" tool","data":{"code":1}}})", kServer);
  EXPECT_EQ(r.message.kind, MessageKind::kError);
  EXPECT_TRUE(r.message.has(kHasErrorCode));
  EXPECT_EQ(r.message.error_code, -32602);
  EXPECT_EQ(r.message.error_print, print_of("error-message", "no \"such\" tool"));
  const Recorded odd = scan_one(R"({"error":{"code":1.5}})", kServer);
  EXPECT_EQ(odd.message.kind, MessageKind::kError);
  EXPECT_FALSE(odd.message.has(kHasErrorCode));
  EXPECT_EQ(odd.message.error_print, 0u);
  for (const std::string code : {"-32000.0", "-3.2e4", "-32000.000E0", "-320000e-1"}) {
    const Recorded whole = scan_one(R"({"id":1,"error":{"code":)" + code + "}}", kServer);
    EXPECT_TRUE(whole.message.has(kHasErrorCode)) << code;
    EXPECT_EQ(whole.message.error_code, -32000) << code;
  }
  for (const std::string code : {"-32000.5", "1e30", "\"-32000\"", "9223372036854775808"}) {
    EXPECT_FALSE(scan_one(R"({"id":1,"error":{"code":)" + code + "}}", kServer).message.has(kHasErrorCode)) << code;
  }
  EXPECT_EQ(scan_one(R"({"id":1,"error":"text"})", kServer).message.kind, MessageKind::kError);
}

TEST(MessageScanner, KindsFollowFromWhatIsThere) {
  EXPECT_EQ(scan_one(R"({"method":"a"})").message.kind, MessageKind::kNotification);
  EXPECT_EQ(scan_one(R"({"method":"a","id":null})").message.kind, MessageKind::kRequest);
  EXPECT_EQ(scan_one(R"({"id":null,"method":"notifications/a"})").message.kind, MessageKind::kNotification);
  EXPECT_EQ(scan_one(R"({"method":"a","id":0})").message.kind, MessageKind::kRequest);
  EXPECT_EQ(scan_one(R"({"method":5,"id":0})").message.kind, MessageKind::kNotMessage);
  EXPECT_EQ(scan_one(R"({"id":0,"result":null})").message.kind, MessageKind::kResult);
  EXPECT_EQ(scan_one(R"({"id":0,"result":{},"error":null})").message.kind, MessageKind::kResult);
  EXPECT_EQ(scan_one(R"({"id":0})").message.kind, MessageKind::kNotMessage);
  EXPECT_EQ(scan_one("{}").message.kind, MessageKind::kNotMessage);
  const Recorded both = scan_one(R"({"id":0,"result":{},"error":{}})");
  EXPECT_EQ(both.message.kind, MessageKind::kError);
  EXPECT_EQ(scan_one(R"({"error":{"code":1},"id":null})").message.id.type, IdType::kNull);
}

TEST(MessageScanner, RelatedIdsDependOnTheMethod) {
  const RequestId seven = scan_one(R"({"id":7,"method":"ping"})").message.id;
  EXPECT_EQ(scan_one(R"({"method":"notifications/cancelled","params":{"requestId":7}})").message.related, seven);
  const Recorded progress =
      scan_one(R"({"method":"notifications/progress","params":{"progressToken":7,"progress":1}})");
  EXPECT_EQ(progress.message.related, seven);
  EXPECT_TRUE(progress.message.has(kHasProgressToken));
  EXPECT_EQ(scan_one(R"({"id":1,"method":"ping","params":{"_meta":{"progressToken":7}}})").message.related, seven);
  EXPECT_EQ(scan_one(R"({"method":"notifications/resources/updated","params":{"uri":"u",)"
                     R"("_meta":{"io.modelcontextprotocol/subscriptionId":7}}})",
                     kServer)
                .message.related,
            seven);
  EXPECT_EQ(scan_one(R"({"method":"notifications/message","params":{"requestId":7}})").message.related.type,
            IdType::kAbsent);
}

TEST(MessageScanner, TheFirstConfiguredConversationKeyWins) {
  const std::string keys = R"("threadId":"t","vscode.conversationId":"v","sessionId":"s")";
  EXPECT_EQ(scan_one(R"({"id":1,"method":"ping","params":{"_meta":{)" + keys + "}}}")[Text::kConversation],
            "vscode.conversationId=v");
  EXPECT_EQ(
      scan_one(R"({"id":1,"method":"ping","params":{"_meta":{"sessionId":5,"threadId":"t"}}})")[Text::kConversation],
      "threadId=t");
  EXPECT_EQ(scan_one(R"({"id":1,"method":"ping","params":{"_meta":{"other":"t"}}})")[Text::kConversation], "");
}

TEST(MessageScanner, DeclaredToolsComeBeforeTheirResult) {
  std::string line = R"({"id":2,"result":{"tools":[)";
  std::vector<std::uint64_t> names;
  for (int i = 0; i < 150; ++i) {
    const std::string name = "tool" + std::to_string(i);
    names.push_back(plain_name_hash(name));
    line += (i == 0 ? "" : ",") + (R"({"description":"name","inputSchema":{"name":"no"},"name":")" + name) + "\"}";
  }
  Recording sink = scan_line(line + "],\"nextCursor\":\"x\"}}", kServer);
  EXPECT_TRUE(std::ranges::equal(sink.declared, names, {}, &DeclaredTool::name));
  ASSERT_EQ(sink.messages.size(), 1u);
  EXPECT_TRUE(sink.messages[0].message.has(kNextCursor));
  EXPECT_TRUE(sink.log.starts_with("declared 64\ndeclared 64\ndeclared 22\nkind ")) << sink.log;
}

TEST(MessageScanner, ANameIsComparedByTheSameHashWhereverItStands) {
  for (const std::string odd : {"two words", "l\xc3\xa4\xc3\x9f", ""}) {
    const Recorded odd_call = scan_one(R"({"id":1,"method":"tools/call","params":{"name":")" + odd + "\"}}");
    const Recording odd_list = scan_line(R"({"id":1,"result":{"tools":[{"name":")" + odd + "\"}]}}", kServer);
    ASSERT_EQ(odd_list.declared.size(), 1u);
    EXPECT_EQ(odd_list.declared[0].name, odd_name_hash(print_of("tool-name", odd)));
    EXPECT_EQ(odd_list.declared[0].name, odd_call.message.name_hash);
    EXPECT_NE(odd_list.declared[0].name, plain_name_hash(odd));
  }
  const std::string name(5000, 'n');
  const Recorded call = scan_one(R"({"id":1,"method":"tools/call","params":{"name":")" + name + "\"}}");
  const Recording list = scan_line(R"({"id":1,"result":{"tools":[{"name":")" + name + "\"}]}}", kServer);
  ASSERT_EQ(list.declared.size(), 1u);
  EXPECT_EQ(list.declared[0].name, call.message.name_hash);
  EXPECT_EQ(call.message.name_print, print_of("tool-name", name));
  EXPECT_TRUE(call.message.has(kNameCut));
  EXPECT_EQ(call[Text::kName], name.substr(0, 128));
}

TEST(MessageScanner, OnlyNamesWithoutThePlainFormAreHashedWithTheKey) {
  const auto print = [](std::string_view json_name) {
    return scan_one(R"({"id":1,"method":"tools/call","params":{"name":")" + std::string(json_name) + "\"}}")
        .message.name_print;
  };
  EXPECT_EQ(print("a-Z_0.9/x"), 0u);
  EXPECT_EQ(print(std::string(128, 'a')), 0u);
  EXPECT_EQ(print(std::string(129, 'a')), print_of("tool-name", std::string(129, 'a')));
  EXPECT_EQ(print("two words"), print_of("tool-name", "two words"));
  EXPECT_EQ(print(R"(tab\there)"), print_of("tool-name", "tab\there"));
  EXPECT_EQ(print(""), print_of("tool-name", ""));
}

TEST(MessageScanner, UnknownMethodsKeepTextAndHash) {
  const Recorded r = scan_one(R"({"id":1,"method":"x/y"})");
  EXPECT_EQ(r.message.method, Method::kUnknown);
  EXPECT_EQ(r[Text::kMethod], "x/y");
  EXPECT_EQ(r.message.method_print, print_of("method", "x/y"));
  const Recorded escaped = scan_one(R"({"id":1,"method":"tools\/c\u0061ll"})");
  EXPECT_EQ(escaped.message.method, Method::kToolsCall);
}

TEST(MessageScanner, PeersThatCannotBeWrittenLeaveAHash) {
  const auto scan = [](std::string_view name) {
    return scan_one(R"({"id":1,"method":"initialize","params":{"clientInfo":{"name":")" + std::string(name) +
                    R"(","version":"1"}}})");
  };
  EXPECT_EQ(scan(std::string(64, 'a')).message.peer_name_print, 0u);
  const Recorded longer = scan(std::string(65, 'a'));
  EXPECT_EQ(longer.message.peer_name_print, print_of("peer-name", std::string(65, 'a')));
  EXPECT_EQ(longer[Text::kPeerName].size(), 65u);
  const Recorded longest = scan(std::string(1000, 'a'));
  EXPECT_EQ(longest.message.peer_name_print, print_of("peer-name", std::string(1000, 'a')));
  EXPECT_EQ(scan("caf\xc3\xa9").message.peer_name_print, print_of("peer-name", "caf\xc3\xa9"));
  EXPECT_EQ(scan("x").message.peer_version_print, 0u);
  // Of 64 characters nothing is cut, of more it is seen.
  const auto crabs = [&scan](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += "🦀";
    return std::string(scan(text)[Text::kPeerName]);
  };
  EXPECT_EQ(crabs(64).size(), 64u * 4);
  EXPECT_EQ(crabs(100).size(), 65u * 4);
}

TEST(MessageScanner, BatchesAreGivenElementByElement) {
  Recording sink = scan_line(R"([{"id":1,"method":"ping"}, {"method":"notifications/initialized"},5,[],{}])");
  ASSERT_EQ(sink.messages.size(), 5u);
  const MessageKind kinds[] = {MessageKind::kRequest, MessageKind::kNotification, MessageKind::kNotMessage,
                               MessageKind::kNotMessage, MessageKind::kNotMessage};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(sink.messages[i].message.kind, kinds[i]) << i;
    EXPECT_TRUE(sink.messages[i].message.has(kInBatch));
    EXPECT_FALSE(sink.messages[i].map.has_value());
  }
  EXPECT_EQ(sink.messages[0].message.bytes, 24u);
  EXPECT_EQ(sink.messages[0].message.id, scan_one(R"({"id":1,"method":"ping"})").message.id);
  const Recorded empty = scan_one("[]");
  EXPECT_EQ(empty.message.kind, MessageKind::kNotMessage);
  EXPECT_TRUE(empty.message.has(kInBatch));
}

TEST(MessageScanner, AStateOfOneLineDoesNotReachTheNext) {
  Recording sink;
  MessageScanner scanner = test_scanner();
  const std::string lines[] = {
      R"({"id":1,"method":"tools/call","params":{"name":"n","task":{},"_meta":{"traceparent":"t","sessionId":"s"}},"x":1)",
      R"({"id":"1","method":"ping"})", R"({"method":"x"})"};
  for (const std::string& line : lines) {
    scanner.feed(line);
    scanner.end_line(line.size() + 1);
    sink.take(scanner);
  }
  EXPECT_EQ(sink.messages[0].message.kind, MessageKind::kNotJson);
  EXPECT_EQ(describe(sink.messages[1].message),
            scan_line(lines[1]).log.substr(0, describe(sink.messages[1].message).size()));
  EXPECT_EQ(sink.messages[2].message.id.type, IdType::kAbsent);
  EXPECT_EQ(sink.messages[2][Text::kTraceparent], "");
}

TEST(MessageScanner, BytesAreThoseOfTheLine) { EXPECT_EQ(scan_one(R"({"id":1,"method":"ping"})").message.bytes, 25u); }

}  // namespace
}  // namespace mcptrace::mcp
