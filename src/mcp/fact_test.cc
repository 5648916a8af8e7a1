#include "mcp/fact.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "mcp/recording_test_support.h"

namespace mcptrace::mcp {
namespace {

// Packed and read again; `record` is what the result borrows from.
Fact round_trip(const Fact& fact, std::vector<std::uint64_t>& record) {
  const Packing packing(fact);
  const std::size_t size = packing.size();
  record.assign(size / 8 + 2, 0x5555555555555555);
  char* const bytes = reinterpret_cast<char*>(record.data());
  packing.write(bytes);
  for (std::size_t i = size; i < record.size() * 8; ++i) EXPECT_EQ(bytes[i], 0x55) << "wrote beyond its size";
  EXPECT_EQ(time_of({bytes, size}), fact.at.boot);
  return unpack({bytes, size});
}

TEST(Fact, AMessageCrossesWhole) {
  Recording sink = scan_line(
      R"({"id":"a b","method":"initialize","params":{"protocolVersion":"2025-06-18","requestState":"s","taskId":"t",)"
      R"("clientInfo":{"name":"\u00e9","version":"\u00e9"},"_meta":{"traceparent":"p","tracestate":"t","baggage":"b",)"
      R"("sessionId":"c","progressToken":5}}})");
  Recorded& kept = sink.messages.at(0);
  Fact fact;
  fact.message = kept.message;
  for (std::size_t i = 0; i < kTextCount; ++i) fact.message.text[i] = kept.texts[i];
  fact.message.error_code = -5;
  fact.message.error_print = 1, fact.message.name_hash = 2, fact.message.name_print = 3, fact.message.method_print = 4;
  fact.message.direction = Direction::kServerToClient;
  fact.message.result_type = ResultType::kTask;
  fact.at = {Nanos(17), Nanos(19)};
  fact.context.session = 3;
  fact.context.not_injected = NotInjected::kTooSlow;
  fact.context.parent_source = ParentSource::kMeta;
  fact.context.trace_id.bytes[3] = 7;
  fact.context.randomness = 99;
  fact.trace_state = "ot=rv:1";

  std::vector<std::uint64_t> record;
  const Fact read = round_trip(fact, record);
  Message expected = fact.message;
  expected[Text::kBaggage] = expected[Text::kConversation] = {};
  EXPECT_EQ(describe(read.message), describe(expected));
  EXPECT_EQ(read.kind, FactKind::kMessage);
  EXPECT_EQ(read.at.wall, Nanos(17));
  EXPECT_EQ(read.at.boot, Nanos(19));
  EXPECT_EQ(read.context.session, 3u);
  EXPECT_EQ(read.context.not_injected, NotInjected::kTooSlow);
  EXPECT_EQ(read.context.parent_source, ParentSource::kMeta);
  EXPECT_EQ(read.context.trace_id, fact.context.trace_id);
  EXPECT_EQ(read.context.randomness, 99u);
  EXPECT_EQ(read.trace_state, "ot=rv:1");
  EXPECT_TRUE(read.declared.empty());
  EXPECT_LT(Packing(fact).size(), 600u);
}

TEST(Fact, DeclaredToolsCrossInPlace) {
  const std::vector<DeclaredTool> tools = {{1, {2, 3}}, {4, {}}, {0xffffffffffffffff, {5, 6}}};
  Fact fact;
  fact.kind = FactKind::kDeclaredTools;
  fact.declared = tools;
  std::vector<std::uint64_t> record;
  const Fact read = round_trip(fact, record);
  EXPECT_EQ(read.kind, FactKind::kDeclaredTools);
  EXPECT_TRUE(std::ranges::equal(read.declared, tools));
}

TEST(Fact, AnEmptyOneIsSmall) {
  Fact fact;
  std::vector<std::uint64_t> record;
  EXPECT_EQ(round_trip(fact, record).kind, FactKind::kMessage);
  EXPECT_LE(Packing(fact).size(), 320u);
}

TEST(Fact, LeavesBehindWhatOnlyTheRelayReads) {
  Fact fact;
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < kTextCount; ++i) texts.emplace_back(text_limit(static_cast<Text>(i)), 'x');
  for (std::size_t i = 0; i < kTextCount; ++i) fact.message.text[i] = texts[i];
  const std::string state(text_limit(Text::kTracestate), 's');
  fact.trace_state = state;
  std::vector<std::uint64_t> record;
  const Fact of_client = round_trip(fact, record);
  EXPECT_LT(Packing(fact).size(), 20u << 10);
  EXPECT_EQ(of_client.trace_state, state);
  EXPECT_EQ(of_client.message[Text::kTracestate], "");
  EXPECT_EQ(of_client.message[Text::kBaggage], "");
  EXPECT_EQ(of_client.message[Text::kConversation], "");
  fact.message.direction = Direction::kServerToClient;
  fact.trace_state = {};
  EXPECT_EQ(round_trip(fact, record).message[Text::kTracestate], texts[static_cast<std::size_t>(Text::kTracestate)]);
  EXPECT_LT(Packing(fact).size(), 20u << 10);
}

}  // namespace
}  // namespace mcptrace::mcp
