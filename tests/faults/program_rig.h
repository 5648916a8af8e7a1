// `mcptrace run` itself under test: a home of its own, a client that talks through it, and what its spool holds.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "otlp/decode.h"
#include "rig.h"
#include "spool/record.h"
#include "trace/span_record.h"

namespace mcptrace::faults {

// A state directory that goes away with this.
class Home {
 public:
  Home();
  ~Home();
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string spool() const { return path_ + "/spool"; }

 private:
  std::string path_;
};

struct Run {
  std::vector<std::string> server = {"serve", "0"};  // MODE and ARG of faults_child
  bool inject = false;
  std::function<void()> prepare = {};  // as in Start
};
// mcptrace run with MCPTRACE_HOME=home.
Session start_run(const std::string& home, const Run& run = {});

// One line each, with its newline; `serve` answers tool_call() by answer() unless the tool is "never".
std::string tool_call(std::uint64_t id, std::string_view tool = "t");
std::string answer(std::uint64_t id);
// Sends it and takes the answer; false if that is not what came.
bool make_call(Session& session, std::uint64_t id);
// Calls [first, first + count), many in flight. False: other bytes came back.
bool make_calls(Session& session, std::uint64_t first, std::uint64_t count, std::string* sent = nullptr);
// Ends the client's side and takes the wait status.
std::optional<int> leave_and_wait(Session& session);

// The lines of `text` that the wrapper wrote.
std::vector<std::string> own_lines(const std::string& text);

// Peak resident memory of a living process.
std::uint64_t peak_kib(pid_t pid);
// The bound, where the number means something.
void expect_peak_below(pid_t pid, std::uint64_t kib);

// True as soon as `condition` is; false if it was not in time.
bool eventually(const std::function<bool()>& condition, milliseconds limit = kSoon);

struct Stored {
  spool::RecordType type;
  trace::SpanHeader header;
  otlp::Span span;
};
struct SpoolSize {
  std::uint64_t files = 0;
  std::uint64_t locked = 0;
  std::uint64_t damaged_places = 0;
};
// Every record with a span, of every file, oldest first. Fails the test for a file or record that cannot be read.
SpoolSize read_spool(const std::string& directory, const std::function<void(const Stored&)>& use);

std::string text_of(const otlp::Span& span, trace::Attr key);
std::int64_t number_of(const otlp::Span& span, trace::Attr key);  // 0: not there
// jsonrpc.request.id of a tools/call.
std::optional<std::uint64_t> call_id(const Stored& stored);

// What one session, or several in one spool, left: calls by their ids, each counted.
struct Account {
  explicit Account(const std::string& directory, std::uint64_t ids = 0);

  SpoolSize size;
  std::vector<std::uint8_t> spans;  // times that a call with this id was written as ended; ids from 0
  std::uint64_t calls = 0;          // their sum, ids beyond `ids` too
  std::uint64_t roots = 0, closes = 0, calls_open = 0;
  std::uint64_t dropped = 0, not_json_lines = 0, not_json_bytes = 0;  // by the roots
  std::uint64_t abandoned = 0, unobserved = 0;
  std::uint64_t repeated_spans = 0;  // span ids seen twice

  // Every call of [0, count) has one span, or is counted as lost: I7.
  void expect_all(std::uint64_t count) const;
};

}  // namespace mcptrace::faults
