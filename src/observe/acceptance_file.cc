// The file, <directory>/<print>: lines of words.
//
//   version <hex>                                            of the server, in any hash
//   <method> accepted | doubted | strict | untried <alternations> <0|1: names _meta> <tool, hex> <since, seconds>
//
// Methods as they are spelled; `*` stands for all that nobody specified. A line that cannot be read is passed over.
#include "observe/acceptance_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <sstream>
#include <vector>

#include "base/fd.h"
#include "base/keyed_hash.h"
#include "base/text.h"
#include "spool/directory.h"

namespace mcptrace::observe {
namespace {

using State = Acceptance::State;
using mcp::Method;

constexpr Nanos kStrictFor = std::chrono::hours(24 * 30);
constexpr std::size_t kMostBytes = 8 << 10;
constexpr std::size_t kMostFiles = 256;
constexpr std::string_view kStates[] = {"untried", "accepted", "doubted", "strict"};

std::string_view spelling(std::size_t method) {
  if (method == static_cast<std::size_t>(Method::kUnknown)) return "*";
  return mcp::method_text(static_cast<Method>(method));
}

// Its content, if it is a file of ours.
std::string read_own(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  struct stat info;
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != ::geteuid()) return {};
  std::string text(kMostBytes, '\0');
  const ssize_t got = ::pread(fd.get(), text.data(), text.size(), 0);
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return text;
}

}  // namespace

AcceptanceFile::AcceptanceFile(Acceptance& acceptance, std::string directory, const std::string& print,
                               std::string label, Log& log)
    : acceptance_(acceptance), directory_(std::move(directory)), name_(print), label_(std::move(label)), log_(log) {}

AcceptanceFile::Content AcceptanceFile::parse(std::string_view text, Nanos wall) {
  Content content;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string method, state, tool;
    words >> method >> state;
    if (method == "version") {
      content.version = parse_number<std::uint64_t>(state, 16).value_or(0);
      continue;
    }
    Acceptance::Known known;
    int alternations = 0;
    std::int64_t seconds = 0;
    const auto* const which = std::ranges::find(kStates, state);
    if (!(words >> alternations >> known.names_meta >> tool >> seconds) || which == std::end(kStates)) continue;
    known.state = static_cast<State>(which - std::begin(kStates));
    known.alternations = static_cast<std::uint8_t>(std::clamp(alternations, 0, 2));
    known.tool = parse_number<std::uint64_t>(tool, 16).value_or(0);
    const Nanos since = std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, 1ll << 33));
    if (known.state == State::kStrict && (wall - since > kStrictFor || since > wall + kStrictFor)) continue;
    for (std::size_t i = 1; i < content.table.size(); ++i) {
      if (spelling(i) == method) content.table[i] = known, content.since[i] = since;
    }
  }
  return content;
}

std::string AcceptanceFile::write(const Content& content) {
  std::ostringstream out;
  out << "version " << hex64(content.version) << '\n';
  for (std::size_t i = 1; i < content.table.size(); ++i) {
    const Acceptance::Known& known = content.table[i];
    if (known == Acceptance::Known{}) continue;
    out << spelling(i) << ' ' << kStates[static_cast<std::size_t>(known.state)] << ' ' << int{known.alternations} << ' '
        << known.names_meta << ' ' << hex64(known.tool) << ' '
        << std::chrono::duration_cast<std::chrono::seconds>(content.since[i]).count() << '\n';
  }
  return out.str();
}

void AcceptanceFile::load(Nanos wall) {
  loaded_ = parse(read_own(directory_ + "/" + name_), wall);
  acceptance_.restore(loaded_.table, loaded_.version);
}

void AcceptanceFile::save(Nanos wall) {
  Content ours;
  if (!acceptance_.take_changes(ours.table, ours.version)) return;
  Content merged = parse(read_own(directory_ + "/" + name_), wall);
  merged.version = ours.version;
  for (std::size_t i = 0; i < ours.table.size(); ++i) {
    Acceptance::Known known = ours.table[i];
    known.refusals = 0;  // in a row: of one process
    if (known == loaded_.table[i]) continue;
    if (known.state == State::kStrict && loaded_.table[i].state != State::kStrict) merged.since[i] = wall;
    merged.table[i] = known;
  }
  say_strict(ours.table);
  loaded_.table = ours.table;
  for (Acceptance::Known& known : loaded_.table) known.refusals = 0;
  if (const auto written = replace(write(merged)); !written) {
    log_.once(LogReason::kAcceptance, "what the server refuses cannot be remembered: " + written.error().message);
  }
}

void AcceptanceFile::say_strict(const Acceptance::Table& table) {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].state != State::kStrict || loaded_.table[i].state == State::kStrict) continue;
    log_.once(LogReason::kStrictServer,
              label_ + " refuses requests that carry trace context in params._meta (" + std::string(spelling(i)) +
                  "): they go on without it from now on; --inject always puts it in all the same");
    return;
  }
}

// The oldest go.
void AcceptanceFile::make_room() const {
  std::error_code error;
  std::vector<std::pair<std::filesystem::file_time_type, std::filesystem::path>> files;
  for (std::filesystem::directory_iterator entry(directory_, error), end; entry != end; entry.increment(error)) {
    files.emplace_back(entry->last_write_time(error), entry->path());
  }
  if (files.size() < kMostFiles) return;
  std::ranges::sort(files);
  for (std::size_t i = 0; i + kMostFiles <= files.size(); ++i) std::filesystem::remove(files[i].second, error);
}

Result<> AcceptanceFile::replace(const std::string& text) const {
  MCPTRACE_TRY(const UniqueFd directory, spool::make_directory(directory_));
  if (::faccessat(directory.get(), name_.c_str(), F_OK, 0) != 0) make_room();
  Result<> done = replace_file(directory.get(), name_, text, name_ + "." + std::to_string(::getpid()));
  if (!done) return std::unexpected(std::move(done).error().with_context(directory_ + "/" + name_));
  return done;
}

}  // namespace mcptrace::observe
