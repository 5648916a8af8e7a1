#include "query/text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <span>

namespace mcptrace::query {
namespace {

struct Range {
  char32_t first, last;
};

// Characters that are not seen, or that change how others are seen.
constexpr std::array kInvisible = std::to_array<Range>({
    {0x00, 0x1f},       {0x7f, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},      {0x61c, 0x61c},   {0x115f, 0x1160},
    {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},    {0x2060, 0x206f}, {0x3164, 0x3164},
    {0xfdd0, 0xfdef},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},    {0xfff0, 0xfffb}, {0xfffe, 0xffff},
    {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}, {0xf0000, 0x10ffff},
});
constexpr std::array kCombining = std::to_array<Range>({
    {0x300, 0x36f},
    {0x483, 0x489},
    {0x591, 0x5bd},
    {0x610, 0x61a},
    {0x64b, 0x65f},
    {0x6d6, 0x6dc},
    {0x900, 0x902},
    {0x93c, 0x93c},
    {0x941, 0x948},
    {0xe31, 0xe31},
    {0xe34, 0xe3a},
    {0xe47, 0xe4e},
    {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff},
    {0x20d0, 0x20ff},
    {0x302a, 0x302d},
    {0x3099, 0x309a},
    {0xfe20, 0xfe2f},
});
constexpr std::array kWide = std::to_array<Range>({
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x2e80, 0x303e},   {0x3041, 0x33ff},
    {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x18aff},
    {0x1b000, 0x1b2ff}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f19a}, {0x1f200, 0x1f64f},
    {0x1f680, 0x1f6ff}, {0x1f7e0, 0x1f7ff}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd},
});

bool within(std::span<const Range> ranges, char32_t c) {
  const auto it = std::ranges::upper_bound(ranges, c, {}, &Range::first);
  return it != ranges.begin() && c <= std::prev(it)->last;
}

// Takes one character off the front; `size` = its bytes. False: the first byte begins no valid character (size 1).
bool take(std::string_view text, char32_t& c, std::size_t& size) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  c = byte(0);
  size = 1;
  if (c < 0x80) return true;
  const std::size_t length = c >= 0xf0 && c <= 0xf4 ? 4 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xc2 && c < 0xe0 ? 2 : 0;
  if (length == 0 || text.size() < length) return false;
  char32_t value = c & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return false;
    value = value << 6 | (byte(i) & 0x3fu);
  }
  static constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kLeast[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return false;
  c = value;
  size = length;
  return true;
}

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
  int combining = 0;
  while (!text.empty()) {
    char32_t c = 0;
    std::size_t size = 0;
    const bool valid = take(text, c, size);
    const bool mark = valid && within(kCombining, c);
    combining = mark ? combining + 1 : 0;
    if (valid && !within(kInvisible, c) && combining <= 2 && !(mark && out.empty())) {
      out.append(text.substr(0, size));
    } else {
      out += c < 0x100 ? printed("\\x%02x", static_cast<unsigned>(c)) : printed("\\u{%x}", static_cast<unsigned>(c));
    }
    text.remove_prefix(size);
  }
  return out;
}

std::string display_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  while (!json.empty()) {
    char32_t c = 0;
    std::size_t size = 0;
    const bool valid = take(json, c, size);
    if (!valid) {
      out += "\\ufffd";
    } else if (c < 0x20 || !within(kInvisible, c)) {  // C0 inside strings is escaped already; outside it is white space
      out.append(json.substr(0, size));
    } else if (c < 0x10000) {
      out += printed("\\u%04x", static_cast<unsigned>(c));
    } else {
      const unsigned pair = static_cast<unsigned>(c) - 0x10000u;
      out += printed("\\u%04x\\u%04x", 0xd800u + (pair >> 10), 0xdc00u + (pair & 0x3ffu));
    }
    json.remove_prefix(size);
  }
  return out;
}

namespace {
std::size_t width_of(char32_t c) { return c < 0x300 ? 1 : within(kCombining, c) ? 0 : within(kWide, c) ? 2 : 1; }
}  // namespace

std::size_t columns(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    char32_t c = 0;
    std::size_t size = 0;
    take(text, c, size);
    width += width_of(c);
    text.remove_prefix(size);
  }
  return width;
}

std::string cut(std::string_view text, std::size_t limit) {
  if (columns(text) <= limit) return std::string(text);
  if (limit == 0) return {};
  std::size_t width = 0, used = 0;
  while (used < text.size()) {
    char32_t c = 0;
    std::size_t size = 0;
    take(text.substr(used), c, size);
    if (width + width_of(c) > limit - 1) break;
    width += width_of(c);
    used += size;
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
