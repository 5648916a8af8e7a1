#include "mcp/splice.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "mcp/recording_test_support.h"
#include "mcp/testing.h"

namespace mcptrace::mcp {
namespace {

constexpr std::string_view kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

std::string removed_by(std::string_view line, const Edits& edits) {
  std::string removed;
  for (std::size_t i = 0; i < edits.count; ++i)
    removed += line.substr(edits.edit[i].offset, edits.edit[i].removed_size);
  return removed;
}

// Injects, and checks all that must hold whatever the line is; returns the spliced line.
std::string inject(std::string_view line, std::string_view tracestate) {
  const Recorded before = scan_one(line);
  EXPECT_TRUE(is_json(line)) << line;
  EXPECT_EQ(may_inject(before.message, *before.map), NotInjected::kNone) << line;
  Edits edits;
  edits.edit[0].inserted = "left from the last one";
  plan_splice(*before.map, {kParent, tracestate}, edits);
  const std::string spliced = mcp::apply(line, edits);
  EXPECT_EQ(undo(spliced, edits, removed_by(line, edits)), line);
  EXPECT_TRUE(is_json(spliced)) << spliced;

  const Recorded after = scan_one(spliced);
  EXPECT_EQ(after[Text::kTraceparent], kParent) << spliced;
  EXPECT_EQ(after[Text::kTracestate], tracestate) << spliced;
  EXPECT_EQ(after.map->tracestate.present(), !tracestate.empty()) << spliced;
  EXPECT_FALSE(after.message.has(kAmbiguous)) << spliced;
  Message same = after.message;
  same.bytes = before.message.bytes;
  constexpr std::uint32_t kPutIn = kHasParams | kHasMeta | kHasTraceparent;
  EXPECT_EQ(same.flags & kPutIn, kPutIn) << spliced;
  same.flags &= ~kPutIn;
  same.flags |= before.message.flags & kPutIn;
  same[Text::kTraceparent] = before.message[Text::kTraceparent];
  same[Text::kTracestate] = before.message[Text::kTracestate];
  for (std::size_t i = 0; i < kTextCount; ++i) {
    const auto text = static_cast<Text>(i);
    if (text == Text::kTraceparent || text == Text::kTracestate) continue;
    EXPECT_EQ(after.texts[i], before.texts[i]) << spliced;
    same[text] = before.message[text];
  }
  EXPECT_EQ(same.id, before.message.id);
  EXPECT_EQ(same.related, before.message.related);
  EXPECT_EQ(same.name_hash, before.message.name_hash);
  EXPECT_EQ(same.flags, before.message.flags) << spliced;
  EXPECT_EQ(same.method, before.message.method);
  return spliced;
}

constexpr std::string_view kMember = R"("traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03")";

TEST(Splice, WithoutParamsItMakesThem) {
  EXPECT_EQ(inject(R"({"id":1,"method":"ping"})", ""),
            R"({"id":1,"method":"ping","params":{"_meta":{)" + std::string(kMember) + "}}}");
  EXPECT_EQ(inject(R"( {"id":1,"method":"ping" } )"
                   "\r",
                   "a=b"),
            R"( {"id":1,"method":"ping" ,"params":{"_meta":{)" + std::string(kMember) +
                R"(,"tracestate":"a=b"}}} )"
                "\r");
}

TEST(Splice, EscapesATracestateWhereverItIsNeeded) {
  for (std::size_t size = 1; size <= 20; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (const char odd : {'"', '\\', '\x1f', '\0', ' ', '!', '#', '[', ']', '\x7f'}) {
        std::string tracestate(size, 'a');
        tracestate[at] = odd;
        inject(R"({"id":1,"method":"ping"})", tracestate);
        inject(R"({"id":1,"method":"ping","params":{"_meta":{"tracestate":null}}})", tracestate);
      }
    }
  }
}

TEST(Splice, WithoutMetaItMakesOne) {
  EXPECT_EQ(inject(R"({"id":1,"method":"ping","params":{}})", ""),
            R"({"id":1,"method":"ping","params":{"_meta":{)" + std::string(kMember) + "}}}");
  EXPECT_EQ(inject(R"({"id":1,"params":{ "name":"n"},"method":"tools/call"})", "a=b"),
            R"({"id":1,"params":{"_meta":{)" + std::string(kMember) +
                R"(,"tracestate":"a=b"}, "name":"n"},"method":"tools/call"})");
}

TEST(Splice, IntoAMetaItInsertsAtItsFront) {
  EXPECT_EQ(inject(R"({"id":1,"method":"ping","params":{"_meta":{ }}})", ""),
            R"({"id":1,"method":"ping","params":{"_meta":{)" + std::string(kMember) + " }}}");
  EXPECT_EQ(inject(R"({"id":1,"method":"ping","params":{"_meta":{"progressToken":1}}})", ""),
            R"({"id":1,"method":"ping","params":{"_meta":{)" + std::string(kMember) + R"(,"progressToken":1}}})");
}

TEST(Splice, AContextThatIsThereIsReplaced) {
  EXPECT_EQ(
      inject(R"({"id":1,"method":"ping","params":{"_meta":{"traceparent" : "old" , "x":1}}})", ""),
      R"({"id":1,"method":"ping","params":{"_meta":{"traceparent" : "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03" , "x":1}}})");
  EXPECT_EQ(inject(R"({"id":1,"method":"ping","params":{"_meta":{"traceparent":null,"tracestate":null}}})", "a=b"),
            R"({"id":1,"method":"ping","params":{"_meta":{)" + std::string(kMember) + R"(,"tracestate":"a=b"}}})");
}

// Every combination of: what is there, in which order, with what around it, how it is spaced, what goes in.
TEST(Splice, EveryCombinationIsCleanAndComesBack) {
  const std::vector<std::vector<std::string>> contexts = {
      {}, {"traceparent"}, {"tracestate"}, {"traceparent", "tracestate"}, {"tracestate", "traceparent"}};
  const std::string others[] = {
      "", R"("a":1)", R"("b":{"traceparent":"inner","x":[1,2]})", R"("c":[{"}":"]"}])", R"("d":true)", R"("e":"\",")"};
  const std::string separators[] = {",", " , ", ",\t"};
  int count = 0;
  for (const auto& context : contexts) {
    for (const std::string& before : others) {
      for (const std::string& between : others) {
        for (const std::string& after : others) {
          const std::string& separator = separators[static_cast<std::size_t>(count) % 3];
          std::string members;
          const auto add = [&](const std::string& member) {
            if (member.empty()) return;
            members += (members.empty() ? std::string() : separator) + member;
          };
          add(before);
          for (std::size_t i = 0; i < context.size(); ++i) {
            if (i > 0) add(between);
            const std::string space = count % 2 == 0 ? "" : " ";
            add("\"" + context[i] + "\"" + space + ":" + space + (count % 5 == 0 ? "null" : R"("o\"l,d")"));
          }
          add(after);
          const std::string line = R"({"id":1,"method":"ping","params":{"x":{},"_meta":{)" + members + "}}}";
          inject(line, "");
          inject(line, "vendor=value,other=1");
          ++count;
        }
      }
    }
  }
  EXPECT_EQ(count, 5 * 6 * 6 * 6);
}

TEST(Splice, AStateIsEscaped) {
  EXPECT_NE(inject(R"({"id":1,"method":"ping"})", R"(a="q\)").find(R"("tracestate":"a=\"q\\")"), std::string::npos);
  inject(R"({"id":1,"method":"ping"})", "a=\x01\x1f");
}

TEST(Splice, NothingIsAllocatedForASecondMessage) {
  Edits edits;
  const Recorded r = scan_one(R"({"id":1,"method":"ping"})");
  plan_splice(*r.map, {kParent, "a=b"}, edits);
  const char* const memory = edits.edit[0].inserted.data();
  plan_splice(*r.map, {kParent, "a=c"}, edits);
  EXPECT_EQ(edits.edit[0].inserted.data(), memory);
}

NotInjected judge(std::string_view line, Direction direction = Direction::kClientToServer) {
  const Recorded r = scan_one(line, direction);
  return may_inject(r.message, r.map.value_or(SpliceMap{}));
}

TEST(Splice, OnlyRequestsAndNotificationsWithMetaMayBeInjected) {
  EXPECT_EQ(judge(R"({"id":1,"method":"ping"})"), NotInjected::kNone);
  EXPECT_EQ(judge(R"({"id":1,"method":"initialize","params":{}})"), NotInjected::kInitialize);
  EXPECT_EQ(judge(R"({"id":1,"method":"initialize","params":{"_meta":{}}})"), NotInjected::kNone);
  EXPECT_EQ(judge(R"({"id":1.5,"method":"ping"})"), NotInjected::kNone);
  EXPECT_EQ(judge(R"({"id":1,"method":"ping"})", Direction::kServerToClient), NotInjected::kNotRequest);
  EXPECT_EQ(judge(R"({"method":"notifications/cancelled","params":{}})"), NotInjected::kNotRequest);
  EXPECT_EQ(judge(R"({"method":"notifications/cancelled","params":{"_meta":{}}})"), NotInjected::kNone);
  EXPECT_EQ(judge(R"({"id":1,"result":{"_meta":{}}})"), NotInjected::kNotRequest);
  EXPECT_EQ(judge(R"({"id":1,"error":{}})"), NotInjected::kNotRequest);
  EXPECT_EQ(judge("{}"), NotInjected::kNotRequest);
  EXPECT_EQ(judge("not json"), NotInjected::kNotRequest);
  EXPECT_EQ(judge(R"([{"id":1,"method":"ping"}])"), NotInjected::kBatch);
}

TEST(Splice, J12WhatCannotBeUnderstoodIsLeftAlone) {
  for (const std::string_view params :
       {"null", "[]", "[{}]", "5", "\"text\"", R"({"_meta":null})", R"({"_meta":[]})", R"({"_meta":"x"})",
        R"({"_meta":{"traceparent":5}})", R"({"_meta":{"traceparent":{}}})",
        R"({"_meta":{"traceparent":"a","tracestate":["x"]}})", R"({"_meta":{"tracestate":true}})"}) {
    EXPECT_EQ(judge(R"({"id":1,"method":"ping","params":)" + std::string(params) + "}"), NotInjected::kBadShape)
        << params;
  }
  EXPECT_EQ(judge(R"({"id":{},"method":"ping"})"), NotInjected::kBadShape);
  EXPECT_EQ(judge(R"({"method":"n","params":{"_meta":5}})"), NotInjected::kBadShape);
  EXPECT_EQ(judge(R"({"id":1,"method":"ping","params":{"_meta":{},"_meta":{}}})"), NotInjected::kAmbiguous);
  EXPECT_EQ(judge(R"({"id":1,"method":"ping","params":{"_meta":{"trace\u0070arent":"x"}}})"), NotInjected::kAmbiguous);
}

TEST(Splice, J12NothingOverAMebibyteIsInjected) {
  const auto line = [](std::size_t size) {
    std::string text = R"({"id":1,"method":"ping","params":{"a":")";
    text.resize(size - 4, 'x');
    return text + "\"}}";  // and its newline
  };
  EXPECT_EQ(judge(line(1 << 20)), NotInjected::kNone);
  EXPECT_EQ(judge(line((1 << 20) + 1)), NotInjected::kTooLarge);
}

}  // namespace
}  // namespace mcptrace::mcp
