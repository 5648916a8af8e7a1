#include "observe/declared_tools.h"

#include <gtest/gtest.h>

#include "base/testing.h"
#include "observe/traced_test_support.h"
#include "observe/tracer.h"

namespace mcptrace::observe {
namespace {

struct OtherProcesses final : DeclaredNames {
  bool contains(std::string_view server, std::uint64_t name) override { return server == "two" && name == 99; }
  std::size_t add(std::string_view server, std::span<const mcp::DeclaredTool> tools) override {
    for (const mcp::DeclaredTool& tool : tools) told.emplace_back(server, tool.name);
    return told.size();
  }
  std::vector<std::pair<std::string, std::uint64_t>> told;
};

TEST(DeclaredTools, AnOddNameMayBeWrittenIfItsServerDeclaredIt) {
  OtherProcesses others;
  TracerOptions options;
  options.routes = {{"a", {}, 0, "one"}, {"b", {}, 0, "two"}};
  options.declared = &others;
  DeclaredTools tools(options);
  Session one({}, {}), two({}, {});
  two.route = 1;
  mcp::OpenCall list, call;
  list.method = mcp::Method::kToolsList;
  call.method = mcp::Method::kToolsCall;
  call.name_print = 1;
  tools.learn(one, list, {{5}, {5}, {6}}, true);
  tools.learn(one, list, {{5}}, true);
  EXPECT_EQ(others.told, (std::vector<std::pair<std::string, std::uint64_t>>{{"one", 5}, {"one", 6}}));
  call.name_hash = 5;
  EXPECT_TRUE(tools.may_write(call, one));
  EXPECT_FALSE(tools.may_write(call, two));
  call.name_hash = 99;
  EXPECT_FALSE(tools.may_write(call, one));
  EXPECT_TRUE(tools.may_write(call, two));
  call.name_print = 0;  // a plain name needs nobody's leave
  EXPECT_FALSE(tools.may_write(call, two));
}

TEST(DeclaredTools, WhatSessionsRememberIsCountedAndForgotten) {
  const TracerOptions options;
  DeclaredTools tools(options);
  mcp::OpenCall list;
  std::vector<mcp::DeclaredTool> page;
  for (std::uint64_t name = 0; name < 10'000; ++name) page.push_back({name});
  Session one({}, {}), two({}, {});
  tools.learn(one, list, page, true);
  tools.learn(one, list, page, true);
  EXPECT_FALSE(tools.is_crowded());
  tools.learn(two, list, page, true);
  EXPECT_TRUE(tools.is_crowded());
  tools.forget(one);
  EXPECT_FALSE(tools.is_crowded());
  EXPECT_EQ(one.declared_count(), 0u);
  Session next({}, {});
  next.go_on_from(two);
  tools.inherited(next);
  EXPECT_TRUE(tools.is_crowded());
}

TEST(DeclaredTools, ACallSaysWhichDefinitionItsClientWasTold) {
  KeptRecords kept;
  Activity activity;
  SeededRandom random(1);
  Tracer tracer(TracerOptions{}, random, activity, kept);
  std::uint64_t id = 0;
  const auto ask = [&](mcp::Method method, std::vector<mcp::DeclaredTool> listed = {}) {
    const auto seconds = static_cast<std::int64_t>(++id);
    mcp::Fact request = TracedParts::request(1, id, seconds, method);
    request.message.name_hash = 7;
    request.message.flags = mcp::kJsonrpc2 | mcp::kNamesMcp;
    tracer.feed(mcp::Fact(request));
    mcp::Fact answer = request;
    answer.context = {};
    answer.message.direction = mcp::Direction::kServerToClient;
    if (!listed.empty()) {
      mcp::Fact tools = answer;
      tools.kind = mcp::FactKind::kDeclaredTools;
      tools.declared = listed;
      tracer.feed(mcp::Fact(tools));
    }
    answer.message.kind = mcp::MessageKind::kResult;
    tracer.feed(mcp::Fact(answer));
    return kept.records.back().header.definition;
  };
  EXPECT_EQ(ask(mcp::Method::kToolsCall), 0u);
  ask(mcp::Method::kToolsList, {{6, {1, 2}}, {7, {3, 4}}});
  EXPECT_EQ(ask(mcp::Method::kToolsCall), 3u);
  ask(mcp::Method::kToolsList, {{7, {5, 6}}});
  EXPECT_EQ(ask(mcp::Method::kToolsCall), 5u);
  ask(mcp::Method::kToolsList, {{6, {1, 2}}});
  EXPECT_EQ(ask(mcp::Method::kToolsCall), 0u);
}

}  // namespace
}  // namespace mcptrace::observe
