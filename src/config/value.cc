#include "config/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "base/shown.h"
#include "base/text.h"
#include "base/utf8.h"
#include "config/words.h"

namespace mcptrace::config {
namespace {

constexpr std::size_t kMostText = 4096, kShown = 80;
constexpr std::int64_t kMostSeconds = 100LL * 365 * 86400;

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};
constexpr Unit kUnits[] = {{"ns", 1},
                           {"us", 1'000},
                           {"ms", 1'000'000},
                           {"s", 1'000'000'000},
                           {"m", 60'000'000'000},
                           {"h", 3'600'000'000'000},
                           {"d", 86'400'000'000'000},
                           {"w", 604'800'000'000'000}};

bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::ranges::all_of(text, [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_'; });
}

// Of what can be read as a line: no controls, and UTF-8.
bool is_text(std::string_view text) {
  return !text.empty() && text.size() <= kMostText && is_utf8(text) &&
         std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// HOST or HOST:PORT, [::1]:PORT; a name, nothing but what names are made of.
bool is_authority(std::string_view text, bool port_wanted) {
  std::string_view host = text;
  const std::size_t colon = text.find(':', text.rfind(']') + 1);
  if (colon != text.npos) {
    host = text.substr(0, colon);
    if (!parse_number<std::uint16_t>(text.substr(colon + 1))) return false;
  } else if (port_wanted) {
    return false;
  }
  const bool address = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
  if (address) {
    host = host.substr(1, host.size() - 2);
    return std::ranges::all_of(host, [](char c) { return hex_value(c) >= 0 || c == ':' || c == '.'; });
  }
  return !host.empty() && std::ranges::all_of(host, [](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
  });
}

bool is_url(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!starts_with_text(text, scheme)) continue;
    const std::string_view rest = text.substr(scheme.size());
    return is_authority(rest.substr(0, rest.find_first_of("/?#")), false) &&
           std::ranges::none_of(rest, [](char c) { return c == ' ' || c == '\\'; });
  }
  return false;
}

bool is_money(std::string_view text) {
  std::string_view rest = text;
  const std::string_view amount = take_until(rest, ' ');
  double value = 0;
  const auto [end, error] =
      std::from_chars(amount.data(), amount.data() + amount.size(), value, std::chars_format::fixed);
  return error == std::errc() && end == amount.data() + amount.size() && std::isfinite(value) && value >= 0 &&
         rest.size() == 3 && std::ranges::all_of(rest, [](char c) { return c >= 'A' && c <= 'Z'; });
}

// Of sizes, counts and durations: at least so much. Nothing: it is no such value.
std::optional<bool> is_enough(const Option& option, std::string_view text) {
  std::optional<std::uint64_t> value;
  if (option.type == Type::kSize) value = parse_size(text);
  if (option.type == Type::kCount) value = parse_number<std::uint64_t>(text);
  if (option.type == Type::kDuration) {
    if (const auto duration = parse_duration(text)) value = static_cast<std::uint64_t>(duration->count());
  }
  if (!value) return std::nullopt;
  return *value >= option.least;
}

std::string least_of(const Option& option) {
  if (option.type == Type::kDuration) return std::to_string(option.least / 1'000'000) + "ms";
  return std::to_string(option.least) + (option.type == Type::kSize ? " bytes" : "");
}

bool fits(const Option& option, std::string_view text) {
  switch (option.type) {
    case Type::kText:
      return true;
    case Type::kName:
      return is_name(text);
    case Type::kPath:
      return text.starts_with('/');
    case Type::kChoice:
      return is_word_of(option.choices, text);
    case Type::kSize:
    case Type::kDuration:
    case Type::kCount:
      return is_enough(option, text).has_value();
    case Type::kRatio:
      return parse_ratio(text).has_value();
    case Type::kBoolean:
      return parse_boolean(text).has_value();
    case Type::kReference:
      return is_reference(text);
    case Type::kUrl:
      return is_url(text);
    case Type::kEndpoint:
      return is_url(text) || is_authority(text, true);
    case Type::kProxyAddress:
      return text == "none" || is_url(text) || is_authority(text, true);
    case Type::kAddress:
      return is_authority(text, true);
    case Type::kMoney:
      return is_money(text);
    case Type::kHeader:
      return true;
  }
  return false;
}

Error bad(std::string message) { return {Errc::kInvalidArgument, std::move(message)}; }

Error unfit(const Option& option, std::string_view text) {
  std::string message = "wants " + wanted(option);
  // A literal in a reference's place is a secret, and a place may hold one.
  const bool secret = option.type == Type::kReference || option.type == Type::kHeader;
  if (secret) return bad(message + "; what stands there is not shown");
  message += ", got '" + clean_utf8(shown(text), kShown) + "'";
  if (option.type == Type::kChoice) {
    const auto choices = split_words(option.choices);
    const std::string_view meant = nearest(text, choices);
    if (!meant.empty()) message += "; did you mean '" + std::string(meant) + "'?";
  }
  return bad(message);
}

}  // namespace

std::optional<std::size_t> parse_size(std::string_view text) {
  constexpr std::size_t kMost = std::size_t{1} << 50;
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = parse_number<std::size_t>(text.substr(0, digits));
  const std::string_view unit = text.substr(digits);
  constexpr std::string_view kNames[] = {"", "KiB", "MiB", "GiB", "TiB"};
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if (count && unit == kNames[i] && *count < kMost >> (10 * i)) return *count << (10 * i);
  }
  return std::nullopt;
}

std::optional<Nanos> parse_duration(std::string_view text) {
  if (text == "0") return Nanos(0);
  if (text.empty()) return std::nullopt;
  std::int64_t sum = 0;
  while (!text.empty()) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto count = parse_number<std::int64_t>(text.substr(0, digits));
    text.remove_prefix(digits);
    const std::size_t letters = std::min(text.find_first_of("0123456789"), text.size());
    const auto* const unit = std::ranges::find(kUnits, text.substr(0, letters), &Unit::name);
    text.remove_prefix(letters);
    if (!count || unit == std::end(kUnits)) return std::nullopt;
    constexpr std::int64_t kMost = kMostSeconds * 1'000'000'000;
    if (*count > (kMost - sum) / unit->nanoseconds) return std::nullopt;
    sum += *count * unit->nanoseconds;
  }
  return Nanos(sum);
}

std::optional<double> parse_ratio(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good = error == std::errc() && end == text.data() + text.size() && value >= 0 && value <= 1;
  return good ? std::optional(value) : std::nullopt;
}

std::optional<bool> parse_boolean(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::string_view variable_of(std::string_view reference) {
  if (!reference.starts_with("env:")) return {};
  const std::string_view name = reference.substr(4);
  const bool good = !name.empty() && !is_digit(name.front()) &&
                    std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
  return good ? name : std::string_view();
}

bool is_reference(std::string_view text) { return !variable_of(text).empty() || text.starts_with("file:/"); }

bool is_header_name(std::string_view text) {
  return !text.empty() && text.size() <= 256 && std::ranges::all_of(text, [](char c) {
    return is_letter(c) || is_digit(c) || std::string_view("!#$%&'*+-.^_`|~").contains(c);
  });
}

bool is_credential(std::string_view header) {
  std::string name(header);
  std::ranges::transform(name, name.begin(), lower);
  constexpr std::string_view kParts[] = {"authorization", "cookie", "key",       "token",
                                         "secret",        "passw",  "signature", "credential"};
  return name == "x-honeycomb-team" ||
         std::ranges::any_of(kParts, [&](std::string_view part) { return name.contains(part); });
}

Result<> check_value(const Option& option, std::string_view name, std::string_view text) {
  if (!is_text(text)) {
    return std::unexpected(bad("wants " + wanted(option) + (text.empty() ? ", got nothing" : ", on one line")));
  }
  if (option.type == Type::kHeader) {
    if (!is_header_name(name)) return std::unexpected(bad("is no name of a header"));
    const bool form = text.starts_with("env:") || text.starts_with("file:");
    if (form && !is_reference(text)) return std::unexpected(unfit(option, text));
    if (!form && is_credential(name)) {
      return std::unexpected(bad("is a credential: write env:NAME or file:PATH in its place"));
    }
    return {};
  }
  if (!fits(option, text)) return std::unexpected(unfit(option, text));
  if (!is_enough(option, text).value_or(true)) {
    return std::unexpected(bad("wants at least " + least_of(option) + ", got '" + std::string(text) + "'"));
  }
  return {};
}

}  // namespace mcptrace::config
