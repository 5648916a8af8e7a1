// Processes die at any instant, and many write at once: what was accepted is in the spool. An executable of its own,
// since it forks.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <map>

#include "base/random.h"
#include "base/testing.h"
#include "spool/file_calls.h"
#include "spool/spool_testing.h"

namespace mcptrace::spool {
namespace {

// A child that runs `body` and leaves with its answer.
pid_t start(const std::function<bool()>& body) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::_exit(body() ? 0 : 1);
}

int wait_for(pid_t pid) {
  int status = -1;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return status;
}

struct Pipe {
  Pipe() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
  UniqueFd out;
  UniqueFd in;
};

WriterOptions small_files(const std::string& directory) {
  return {.directory = directory, .file_bytes = 3000, .compress_from = 700, .name_prefix = "kill"};
}

std::string payload_of(std::uint32_t number) {
  return std::string(60 + number % 200, static_cast<char>('a' + number % 26));
}

// Writes records numbered from 0, a few a flush, and reports each time how many are accepted.
bool write_and_report(const std::string& directory, int report, std::uint32_t records, FileCalls* calls) {
  SystemClock clock;
  Writer writer(small_files(directory), clock, calls);
  for (std::uint32_t number = 0; number < records;) {
    for (std::uint32_t batch = number % 7 + 1; batch > 0 && number < records; --batch, ++number) {
      if (!writer.append(RecordType::kSpan, number, payload_of(number))) return false;
    }
    if (!writer.flush() || ::write(report, &number, sizeof(number)) != sizeof(number)) return false;
  }
  return true;
}

// What a process left that wrote records numbered from 0 and then died: the first so many of them, nothing else. How
// many.
std::uint32_t count_after_death(const std::string& directory) {
  std::uint32_t next = 0;
  std::uint64_t places = 0;
  const auto files = files_of(directory);
  for (const FileInfo& file : files) {
    EXPECT_FALSE(file.locked) << "the dead hold nothing";
    FileReader reader(file.path);
    for (const Kept& record : rest_of(reader)) {
      EXPECT_EQ(record, (Kept{RecordType::kSpan, next, payload_of(next)}));
      ++next;
    }
    EXPECT_FALSE(reader.error());
    EXPECT_EQ(reader.position(), file.bytes);
    places += reader.skipped().places;
    if (&file != &files.back()) {
      EXPECT_EQ(places, 0u);
    }
  }
  EXPECT_LE(places, 1u) << "half a record, at the end of the last file";
  return next;
}

// The last report in a pipe whose writer is gone; 0 if there was none.
std::uint32_t last_report(int fd) {
  std::uint32_t accepted = 0;
  for (std::uint32_t report; ::read(fd, &report, sizeof(report)) == sizeof(report);) accepted = report;
  return accepted;
}

// A fork of a process with AddressSanitizer's shadow memory costs ten times that of one without.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MCPTRACE_SLOW_FORK 1
#endif
#endif
#ifdef MCPTRACE_SLOW_FORK
constexpr int kRounds = 60;
#else
constexpr int kRounds = 200;
#endif

TEST(SpoolKill, AtRandomInstantsNothingAcceptedIsLost) {
  SeededRandom random(7);
  std::uint32_t most = 0;
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(round);
    TempDirectory temp;
    Pipe pipe;
    const pid_t child = start([&] { return write_and_report(temp.spool(), pipe.in.get(), 100'000, nullptr); });
    pipe.in.reset();
    std::uint32_t accepted = 0;
    for (std::uint64_t reports = random.u64() % 30; reports > 0; --reports) {
      ASSERT_EQ(::read(pipe.out.get(), &accepted, sizeof(accepted)), static_cast<ssize_t>(sizeof(accepted)));
    }
    for (volatile std::uint64_t spin = random.u64() % 20'000; spin > 0;) spin = spin - 1;
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(wait_for(child), SIGKILL);
    accepted = std::max(accepted, last_report(pipe.out.get()));
    EXPECT_GE(count_after_death(temp.spool()), accepted);
    most = std::max(most, accepted);
  }
  EXPECT_GT(most, 20u);
}

// Dies at the n-th call: before it, in the middle of it (a write of a part), or after it.
class DyingCalls final : public SystemFileCalls {
  [[noreturn]] static void die() {
    ::kill(::getpid(), SIGKILL);
    ::_exit(1);
  }
  template <class Call>
  auto around(Call call) {
    const bool mine = ++calls_ == at_;
    if (mine && when_ == When::kBefore) die();
    const auto result = call();
    if (mine) die();
    return result;
  }

 public:
  enum class When : std::uint8_t { kBefore, kWithin, kAfter };
  DyingCalls(int at, When when) : at_(at), when_(when) {}

  int create(int directory, const char* name) override {
    return around([&] { return SystemFileCalls::create(directory, name); });
  }
  int lock(int fd) override {
    return around([&] { return SystemFileCalls::lock(fd); });
  }
  ssize_t write(int fd, const void* bytes, std::size_t size) override {
    if (calls_ + 1 == at_ && when_ == When::kWithin) {
      static_cast<void>(SystemFileCalls::write(fd, bytes, size / 2));
      die();
    }
    return around([&] { return SystemFileCalls::write(fd, bytes, size); });
  }
  int allocate(int fd, off_t from, off_t size) override {
    return around([&] { return SystemFileCalls::allocate(fd, from, size); });
  }
  int rename(int directory, const char* from, const char* to) override {
    return around([&] { return SystemFileCalls::rename(directory, from, to); });
  }

 private:
  const int at_;
  const When when_;
  int calls_ = 0;
};

TEST(SpoolKill, AtEveryCallNothingAcceptedIsLost) {
  for (const auto when : {DyingCalls::When::kBefore, DyingCalls::When::kWithin, DyingCalls::When::kAfter}) {
    int n = 1;
    for (bool died = true; died; ++n) {
      SCOPED_TRACE(n);
      TempDirectory temp;
      Pipe pipe;
      const pid_t child = start([&] {
        DyingCalls calls(n, when);
        return write_and_report(temp.spool(), pipe.in.get(), 60, &calls);
      });
      pipe.in.reset();
      const int status = wait_for(child);
      died = status == SIGKILL;
      if (!died) ASSERT_EQ(status, 0);
      const std::uint32_t accepted = last_report(pipe.out.get());
      EXPECT_GE(count_after_death(temp.spool()), accepted);
      if (!died) {
        EXPECT_EQ(accepted, 60u);
      }
      // And the next process is not disturbed by what is left.
      SystemClock clock;
      Writer next(small_files(temp.spool()), clock);
      ASSERT_TRUE(next.append(RecordType::kSpan, 1, "next"));
      ASSERT_TRUE(next.flush());
    }
    EXPECT_GT(n, 20);
  }
}

constexpr std::uint32_t kRecordsEach = 20;

// Processes that begin together; `options` may bound the directory.
std::vector<pid_t> start_writers(std::uint32_t count, const WriterOptions& options, Pipe& gate) {
  std::vector<pid_t> children;
  for (std::uint32_t i = 0; i < count; ++i) {
    children.push_back(start([&options, &gate, i] {
      gate.in.reset();
      char byte;
      static_cast<void>(!::read(gate.out.get(), &byte, 1));  // until the parent lets go
      SystemClock clock;
      Writer writer(options, clock);
      for (std::uint32_t n = 0; n < kRecordsEach; ++n) {
        if (!writer.append(RecordType::kSpan, i * kRecordsEach + n, payload_of(n))) return false;
        if (n % 5 == 4 && !writer.flush()) return false;
      }
      return writer.counts().records == kRecordsEach;
    }));
  }
  gate.in.reset();
  return children;
}

TEST(SpoolKill, TwoHundredWritersAtOnceAllGetThrough) {
  TempDirectory temp;
  Pipe gate;
  for (const pid_t child : start_writers(200, {.directory = temp.spool()}, gate)) EXPECT_EQ(wait_for(child), 0);
  EXPECT_EQ(files_of(temp.spool()).size(), 200u);
  std::map<std::uint32_t, int> seen;
  for (const Kept& record : all_records(temp.spool())) ++seen[record.tag];
  EXPECT_EQ(seen.size(), 200 * kRecordsEach);
  for (const auto& [tag, times] : seen) EXPECT_EQ(times, 1) << tag;
}

TEST(SpoolKill, WritersThatMakeRoomAtOnceDoNotTripOverEachOther) {
  TempDirectory temp;
  WriterOptions options{.directory = temp.spool(), .total_files = 20, .look_after = {}};
  for (int i = 0; i < 100; ++i) {
    SystemClock clock;
    Writer writer({.directory = temp.spool()}, clock);
    ASSERT_TRUE(writer.append(RecordType::kSpan, 0, "old"));
  }
  Pipe gate;
  for (const pid_t child : start_writers(50, options, gate)) EXPECT_EQ(wait_for(child), 0);
  SystemClock clock;
  Writer last(options, clock);
  ASSERT_TRUE(last.append(RecordType::kSpan, 0, "last"));
  ASSERT_TRUE(last.flush());
  EXPECT_EQ(files_of(temp.spool()).size(), 21u);
}

TEST(SpoolKill, AReaderThatComesBackSeesEverythingOnceWhileFilesGo) {
  TempDirectory temp;
  WriterOptions options{.directory = temp.spool(), .file_bytes = 400};
  Pipe gate;
  const std::vector<pid_t> children = start_writers(50, options, gate);
  std::map<std::string, std::uint64_t> positions;
  std::map<std::uint32_t, int> seen;
  std::size_t gone = 0;
  for (bool last = false; !last;) {
    while (gone < children.size() && ::waitpid(children[gone], nullptr, WNOHANG) == children[gone]) ++gone;
    last = gone == children.size();  // one more round over what the last ones wrote
    for (const FileInfo& file : files_of(temp.spool())) {
      FileReader reader(file.path);
      if (reader.error()) continue;
      std::uint64_t& position = positions[file.path];
      reader.seek(position);
      while (const auto record = reader.next()) ++seen[record->tag];
      EXPECT_EQ(reader.skipped().bytes, 0u);
      position = reader.position();
      if (!file.locked) std::filesystem::remove(file.path);
    }
  }
  EXPECT_TRUE(files_of(temp.spool()).empty());
  EXPECT_EQ(seen.size(), 50 * kRecordsEach);
  for (const auto& [tag, times] : seen) EXPECT_EQ(times, 1) << tag;
}

}  // namespace
}  // namespace mcptrace::spool
