// The file: a line "<name> <value>" for each member.
#include "ship/status.h"

#include <algorithm>

#include "base/fd.h"
#include "base/text.h"
#include "spool/directory.h"

namespace mcptrace::ship {
namespace {

constexpr std::size_t kMostBytes = 64 << 10;

template <class StatusType>
void members(StatusType& status, auto&& visit) {
  visit("url", status.url);
  visit("protocol", status.protocol);
  visit("compression", status.compression);
  visit("delivered", status.delivered);
  visit("rejected", status.rejected);
  visit("set_aside", status.set_aside);
  visit("cut", status.cut);
  visit("late", status.late);
  visit("missed_files", status.missed_files);
  visit("missed_bytes", status.missed_bytes);
  visit("delivered_at", status.delivered_at);
  visit("error", status.error);
  visit("error_at", status.error_at);
  visit("next_try", status.next_try);
}

void append_value(std::string& out, const std::string& text) {
  std::ranges::transform(text, std::back_inserter(out), [](char c) { return c == '\n' ? ' ' : c; });
}
void append_value(std::string& out, std::uint64_t number) { out += std::to_string(number); }
void append_value(std::string& out, Nanos time) { out += std::to_string(time.count()); }

void take_value(std::string_view text, std::string& out) { out = text; }
void take_value(std::string_view text, std::uint64_t& out) { out = parse_number<std::uint64_t>(text).value_or(0); }
void take_value(std::string_view text, Nanos& out) { out = Nanos(parse_number<std::int64_t>(text).value_or(0)); }

}  // namespace

Result<Status> read_status(const std::string& directory) {
  MCPTRACE_TRY(const std::string text, read_file(directory + "/status", kMostBytes));
  Status status;
  std::string_view rest = text;
  while (!rest.empty()) {
    std::string_view line = take_until(rest, '\n');
    const std::string_view name = take_until(line, ' ');
    members(status, [&](std::string_view member, auto& value) {
      if (member == name) take_value(line, value);
    });
  }
  return status;
}

Result<> write_status(const std::string& directory, const Status& status) {
  std::string text;
  members(status, [&text](std::string_view name, const auto& value) {
    text.append(name).append(" ");
    append_value(text, value);
    text += '\n';
  });
  MCPTRACE_TRY(const UniqueFd open, spool::make_directory(directory));
  return replace_file(open.get(), "status", text, "status.tmp");
}

}  // namespace mcptrace::ship
