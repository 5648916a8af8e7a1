#include "mcp/definition_hash.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "mcp/recording_test_support.h"

namespace mcptrace::mcp {
namespace {

// Of the tools in this array, in order; fed in pieces of that size.
std::vector<DeclaredTool> tools_of(const std::string& tools, std::size_t piece = 1 << 20) {
  const std::string line = R"({"jsonrpc":"2.0","id":1,"result":{"tools":[)" + tools + "]}}";
  Recording sink;
  MessageScanner scanner = test_scanner(Direction::kServerToClient);
  for (std::size_t at = 0; at < line.size(); at += piece) {
    scanner.feed(std::string_view(line).substr(at, piece));
    sink.take(scanner);
  }
  scanner.end_line(line.size() + 1);
  sink.take(scanner);
  EXPECT_EQ(sink.messages.size(), 1u);
  EXPECT_EQ(sink.messages.front().message.kind, MessageKind::kResult) << line;
  return sink.declared;
}
Definition of(const std::string& tool, std::size_t piece = 1 << 20) {
  const std::vector<DeclaredTool> tools = tools_of(tool, piece);
  EXPECT_EQ(tools.size(), 1u) << tool;
  return tools.empty() ? Definition{} : tools.front().definition;
}

const std::string kTool =
    R"({"name":"a","description":"does","inputSchema":{"type":"object","properties":{"x":{"type":"string"}},)"
    R"("required":["x","y"]},"annotations":{}})";

TEST(DefinitionHash, TheOrderOfMembersAndHowTheyAreWrittenDoNotMatter) {
  const Definition definition = of(kTool);
  EXPECT_NE(definition, Definition{});
  const std::string otherwise_ordered =
      R"({ "annotations": {}, "inputSchema" : {"required":["x","y"],"properties":{"x":{"type":"string"}},)"
      R"("type":"object"}, "description":"does","name":"a"})";
  const std::string with_escapes = R"({"name":"\u0061","description":"d\u006fes","inputSchema":{"typ\u0065":"object",)"
                                   R"("properties":{"x":{"type":"string"}},"required":["x","y"]},"annotations":{}})";
  EXPECT_EQ(of(otherwise_ordered), definition);
  EXPECT_EQ(of(with_escapes), definition);
  EXPECT_EQ(of(kTool.substr(0, kTool.size() - 1) + R"(,"_meta":{"t":1,"name":"b"}})"), definition);
}

TEST(DefinitionHash, EveryOtherDifferenceCounts) {
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> seen;
  for (const std::string& tool : {
           kTool,
           std::string(R"({"name":"a"})"),
           std::string(R"({"name":"b"})"),
           std::string(R"({"name":"a","x":{}})"),
           std::string(R"({"name":"a","x":[]})"),
           std::string(R"({"name":"a","x":""})"),
           std::string(R"({"name":"a","x":null})"),
           std::string(R"({"name":"a","x":1})"),
           std::string(R"({"name":"a","x":"1"})"),
           std::string(R"({"name":"a","x":true})"),
           std::string(R"({"name":"a","x":"true"})"),
           std::string(R"({"name":"a","x":["p","q"]})"),
           std::string(R"({"name":"a","x":["q","p"]})"),
           std::string(R"({"name":"a","x":["pq"]})"),
           std::string(R"({"name":"a","x":{"y":{"z":1}}})"),
           std::string(R"({"name":"a","x":{"y":1,"z":{}}})"),
           std::string(R"({"name":"a","x.y":1})"),
           std::string(R"({"name":"a","x":{"_meta":1}})"),
       }) {
    const Definition definition = of(tool);
    const auto [other, fresh] = seen.emplace(std::pair(definition.low, definition.high), tool);
    EXPECT_TRUE(fresh) << tool << " is as " << other->second;
  }
}

TEST(DefinitionHash, CuttingNeverMatters) {
  for (const std::size_t size : {10u, 4095u, 4096u, 4097u, 100'000u}) {
    const std::string tool = R"({"description":"\n)" + std::string(size, 'd') + R"(","name":"a","n":[1.5,false]})";
    const Definition definition = of(tool);
    for (const std::size_t piece : {1u, 7u, 64u, 1000u})
      EXPECT_EQ(of(tool, piece), definition) << size << " by " << piece;
    EXPECT_NE(of(R"({"description":"\n)" + std::string(size, 'd') + R"(e","name":"a","n":[1.5,false]})"), definition);
  }
}

TEST(DefinitionHash, EachToolHasItsOwn) {
  const std::string two = kTool + R"(,{"description":"no name"},{"name":"b"},)" + kTool;
  const std::vector<DeclaredTool> tools = tools_of(two);
  ASSERT_EQ(tools.size(), 3u);
  EXPECT_EQ(tools[0].name, plain_name_hash("a"));
  EXPECT_EQ(tools[0], tools[2]);
  EXPECT_EQ(tools[1].definition, of(R"({"name":"b"})"));
}

// What is nested deeper than the scanner enters, of whatever depth, counts as what kind it is, and disturbs nothing.
TEST(DefinitionHash, DeepNestingEndsWhereTheScannerDoes) {
  const auto deep = [](int levels, const std::string& inner) {
    std::string tool = R"({"x":)";
    for (int i = 0; i < levels; ++i) tool += R"({"y":)";
    return tool + inner + std::string(static_cast<std::size_t>(levels), '}') + R"(,"name":"a"})";
  };
  EXPECT_NE(of(deep(5, "1")), of(deep(5, "2")));
  for (const int levels : {10, 11, 12, 13, 14, 15, 16, 17, 100}) {
    const std::vector<DeclaredTool> tools = tools_of(deep(levels, "[1]") + "," + kTool);
    ASSERT_EQ(tools.size(), 2u) << levels;
    EXPECT_EQ(tools[1].definition, of(kTool)) << levels;
  }
  EXPECT_EQ(of(deep(50, "1")), of(deep(60, "2")));
}

}  // namespace
}  // namespace mcptrace::mcp
