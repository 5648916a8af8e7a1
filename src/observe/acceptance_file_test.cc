#include "observe/acceptance_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace mcptrace::observe {
namespace {

using mcp::Method;
using mcp::NotInjected;

constexpr Nanos kNow = std::chrono::hours(24 * 365 * 50);
constexpr Nanos kDay = std::chrono::hours(24);

class AcceptanceFileTest : public testing::Test {
 protected:
  AcceptanceFileTest() {
    char path[] = "/tmp/mcptrace-accept-XXXXXX";
    EXPECT_NE(mkdtemp(path), nullptr);
    directory_ = path;
  }
  ~AcceptanceFileTest() override { std::filesystem::remove_all(directory_); }

  // A process of the server.
  struct Process {
    Process(const std::string& directory, const std::string& print, Nanos wall, Log& log)
        : file(acceptance, directory, print, "the server", log) {
      file.load(wall);
    }
    NotInjected call(Method method, bool taken, std::uint64_t tool = 0) {
      const NotInjected chosen = acceptance.choose(method, tool);
      const mcp::RequestId id{mcp::IdType::kInteger, ++last, last};
      acceptance.sent(id, method, tool, chosen);
      acceptance.answered(id, taken ? Acceptance::Answer::kResult : Acceptance::Answer::kRefusal);
      return chosen;
    }
    Acceptance acceptance;
    AcceptanceFile file;
    std::uint64_t last = 0;
  };
  Process process(Nanos wall = kNow) { return Process(servers(), "0123456789abcdef", wall, log_); }
  std::string servers() const { return directory_ + "/servers"; }
  std::string path() const { return servers() + "/0123456789abcdef"; }

  std::string directory_;
  Log log_{-1};
};

TEST_F(AcceptanceFileTest, WhatOneProcessLearnsTheNextKnows) {
  {
    auto first = process();
    first.call(Method::kToolsList, false);
    first.file.save(kNow);
  }
  {
    auto second = process();
    EXPECT_EQ(second.call(Method::kToolsList, true), NotInjected::kDoubted);
    second.call(Method::kUnknown, true);
    second.file.save(kNow);
  }
  auto third = process();
  EXPECT_EQ(third.call(Method::kToolsList, true), NotInjected::kStrict);
  EXPECT_EQ(third.call(Method::kToolsCall, true, 5), NotInjected::kStrict);
  Process other(servers(), "fedcba9876543210", kNow, log_);
  EXPECT_EQ(other.call(Method::kToolsList, true), NotInjected::kNone);
}

TEST_F(AcceptanceFileTest, NothingLearnedNothingWritten) {
  auto first = process();
  first.file.save(kNow);
  EXPECT_FALSE(std::filesystem::exists(servers()));
  first.call(Method::kToolsList, true);
  first.file.save(kNow);
  struct stat info;
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat(servers().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(AcceptanceFileTest, StrictIsForThirtyDays) {
  {
    auto first = process();
    first.call(Method::kToolsList, false);
    first.call(Method::kToolsList, true);
    first.file.save(kNow);
  }
  EXPECT_EQ(process(kNow + 29 * kDay).call(Method::kToolsList, true), NotInjected::kStrict);
  {
    // What is written later does not make it younger.
    auto later = process(kNow + 29 * kDay);
    later.acceptance.server_is(7);
    later.file.save(kNow + 29 * kDay);
  }
  EXPECT_EQ(process(kNow + 31 * kDay).call(Method::kToolsList, true), NotInjected::kNone);
}

TEST_F(AcceptanceFileTest, ProcessesThatRunAtOnceKeepWhatEachHasLearned) {
  auto one = process(), two = process();
  one.call(Method::kToolsCall, true, 5);
  two.call(Method::kToolsList, false);
  one.file.save(kNow);
  two.file.save(kNow);
  auto next = process();
  EXPECT_EQ(next.call(Method::kToolsList, true), NotInjected::kDoubted);
  EXPECT_EQ(next.call(Method::kToolsCall, false, 6), NotInjected::kNone);
  EXPECT_EQ(next.call(Method::kToolsCall, true, 6), NotInjected::kNone) << "accepted by what the other has seen";
}

TEST_F(AcceptanceFileTest, WhatCannotBeReadIsNothing) {
  std::filesystem::create_directory(servers());
  for (const std::string& text :
       {std::string("\xff\xfe\x00garbage\n\n", 12), std::string("tools/list strict\n"), std::string("version zz\n"),
        std::string("tools/list furious 0 0 0 0\n"), std::string("nobody/knows strict 0 0 0 99999999999\n"),
        std::string("tools/list strict 0 0 0 9999999999999999999999\n"), std::string(100000, 'x')}) {
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << text;
    EXPECT_EQ(process().call(Method::kToolsList, true), NotInjected::kNone) << text.substr(0, 40);
  }
  std::filesystem::remove(path());
  std::filesystem::create_directory(path());
  auto first = process();
  EXPECT_EQ(first.call(Method::kToolsList, true), NotInjected::kNone);
  first.file.save(kNow);  // says so, and goes on
}

TEST_F(AcceptanceFileTest, FilesAreFew) {
  std::filesystem::create_directory(servers());
  for (int i = 0; i < 300; ++i) std::ofstream(servers() + "/" + std::to_string(i)) << "x";
  auto first = process();
  first.call(Method::kToolsList, true);
  first.file.save(kNow);
  EXPECT_TRUE(std::filesystem::exists(path()));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(servers()), {}), 256);
}

}  // namespace
}  // namespace mcptrace::observe
