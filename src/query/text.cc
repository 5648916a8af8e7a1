#include "query/text.h"

#include <algorithm>
#include <cstdio>

#include "base/utf8.h"

namespace mcptrace::query {
namespace {

constexpr int kMostMarks = 4;  // on one character; Burmese has as many

std::string printed(const char* format, auto... values) {
  char buffer[96];
  const int size = std::snprintf(buffer, sizeof(buffer), format, values...);
  return std::string(buffer, static_cast<std::size_t>(std::clamp(size, 0, static_cast<int>(sizeof(buffer)) - 1)));
}

// Three digits that count: 1.23, 12.3, 123.
std::string three_digits(double value, const char* unit) {
  return printed(value < 9.995 ? "%.2f %s" : value < 99.95 ? "%.1f %s" : "%.0f %s", value, unit);
}

struct Civil {
  int year;
  unsigned month, day;
  int hour, minute, second;
  int nanos;
};

// In whole seconds, so that the ends of the range do not overflow.
Civil civil(Nanos since_epoch) {
  const auto second = std::chrono::floor<std::chrono::seconds>(since_epoch);
  std::int64_t nanos = since_epoch.count() % 1'000'000'000;
  if (nanos < 0) nanos += 1'000'000'000;
  const std::chrono::sys_seconds at(second);
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(at - day);
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          static_cast<int>(time.hours().count()),
          static_cast<int>(time.minutes().count()),
          static_cast<int>(time.seconds().count()),
          static_cast<int>(nanos)};
}

Civil local(Nanos wall, const LocalOffset& offset) { return civil(add(wall, offset ? Nanos(offset(wall)) : Nanos(0))); }

}  // namespace

std::string display(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  int marks = 0;
  while (!text.empty()) {
    const Character c = first_character(text);
    const std::string_view bytes = text.substr(0, c.size);
    const bool mark = c.good && is_mark(c.code);
    marks = mark ? marks + 1 : 0;
    if (!c.good) {
      for (const char byte : bytes) out += printed("\\x%02x", unsigned{static_cast<unsigned char>(byte)});
    } else if (is_visible(c.code) && marks <= kMostMarks && !(mark && out.empty())) {
      out.append(bytes);
    } else {
      out += printed(c.code < 0x100 ? "\\x%02x" : "\\u{%x}", unsigned{c.code});
    }
    text.remove_prefix(c.size);
  }
  return out;
}

std::string display_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  while (!json.empty()) {
    const Character c = first_character(json);
    if (!c.good) {
      out += "\\ufffd";
    } else if (c.code < 0x20 ||
               is_visible(c.code)) {  // C0 inside strings is escaped already; outside it is white space
      out.append(json.substr(0, c.size));
    } else if (c.code < 0x10000) {
      out += printed("\\u%04x", unsigned{c.code});
    } else {
      const unsigned pair = unsigned{c.code} - 0x10000u;
      out += printed("\\u%04x\\u%04x", 0xd800u + (pair >> 10), 0xdc00u + (pair & 0x3ffu));
    }
    json.remove_prefix(c.size);
  }
  return out;
}

std::size_t columns(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Character c = first_character(text);
    width += columns_of(c.code);
    text.remove_prefix(c.size);
  }
  return width;
}

std::string cut(std::string_view text, std::size_t limit) {
  if (columns(text) <= limit) return std::string(text);
  if (limit == 0) return {};
  std::size_t width = 0, used = 0;
  while (used < text.size()) {
    const Character c = first_character(text.substr(used));
    width += columns_of(c.code);
    if (width > limit - 1) break;
    used += c.size;
  }
  return std::string(text.substr(0, used)) + "…";
}

std::string pad(std::string_view text, std::size_t width, bool right_aligned) {
  std::string out = cut(text, width);
  const std::size_t spaces = width - columns(out);
  return right_aligned ? std::string(spaces, ' ') + out : out + std::string(spaces, ' ');
}

std::string format_duration(Nanos duration) {
  const std::int64_t ns = std::max<std::int64_t>(duration.count(), 0);
  const double value = static_cast<double>(ns);
  if (ns <= 1) return "0 s";
  if (ns < 999'500) return three_digits(value / 1e3, "µs");
  if (ns < 999'500'000) return three_digits(value / 1e6, "ms");
  if (ns < 59'950'000'000) return three_digits(value / 1e9, "s");
  const long long seconds = ns / 1'000'000'000 + (ns % 1'000'000'000 >= 500'000'000);
  if (seconds < 3600) return printed("%lldm %02llds", seconds / 60, seconds % 60);
  if (seconds < 86400) return printed("%lldh %02lldm", seconds / 3600, seconds / 60 % 60);
  return printed("%lldd %02lldh", seconds / 86400, seconds / 3600 % 24);
}

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return printed("%llu B", static_cast<unsigned long long>(bytes));
  static constexpr const char* kUnits[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < std::size(kUnits)) value /= 1000, ++unit;
  return printed("%.1f %s", value, kUnits[unit]);
}

std::string format_count(std::uint64_t count, std::string_view singular) {
  std::string text = std::to_string(count).append(" ").append(singular);
  if (count != 1) text += 's';
  return text;
}

std::string format_local(Nanos wall, const LocalOffset& offset) {
  const Civil c = local(wall, offset);
  return printed("%04d-%02u-%02u %02d:%02d:%02d", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

std::string format_clock(Nanos wall, const LocalOffset& offset) {
  const Civil c = local(wall, offset);
  return printed("%02d:%02d:%02d.%03d", c.hour, c.minute, c.second, c.nanos / 1'000'000);
}

std::string format_utc(Nanos wall) {
  const Civil c = civil(wall);
  return printed("%04d-%02u-%02uT%02d:%02d:%02d.%09dZ", c.year, c.month, c.day, c.hour, c.minute, c.second, c.nanos);
}

std::string format_ago(Nanos wall, Nanos now, const LocalOffset& offset) {
  using std::chrono::hours, std::chrono::minutes, std::chrono::seconds;
  const Nanos age = subtract(now, wall);
  if (age >= -seconds(1) && age < hours(24)) {
    if (age < minutes(1)) return printed("%llds ago", std::max<long long>(age / seconds(1), 0));
    if (age < hours(1)) return printed("%lldm ago", static_cast<long long>(age / minutes(1)));
    return printed("%lldh ago", static_cast<long long>(age / hours(1)));
  }
  const Civil then = local(wall, offset);
  if (then.year != local(now, offset).year) return printed("%04d-%02u-%02u", then.year, then.month, then.day);
  return printed("%02u-%02u %02d:%02d", then.month, then.day, then.hour, then.minute);
}

}  // namespace mcptrace::query
