#include "config/help.h"

#include <algorithm>

#include "base/text.h"
#include "config/options.h"

namespace mcptrace::config {
namespace {

constexpr std::size_t kIndent = 21, kWidth = 118;

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Flags up to the second column; what does not fit there has a line of its own.
std::string first_column(std::string_view flag) {
  std::string text = "  " + std::string(flag);
  if (text.size() < kIndent) return text.append(kIndent - text.size(), ' ');
  return text.append("\n").append(kIndent, ' ');
}

void add_row(std::string& text, std::string_view flag, std::string_view help) {
  text += first_column(flag);
  for (std::size_t column = kIndent; !help.empty();) {
    const std::string_view word = take_until(help, ' ');
    const std::size_t width = characters(word);
    if (column + width + 1 > kWidth && column > kIndent) {
      text.append("\n").append(kIndent, ' ');
      column = kIndent;
    }
    if (column > kIndent) text += ' ';
    column += width + (column > kIndent ? 1 : 0);
    text += word;
  }
  text += "\n";
}

}  // namespace

std::string options_help(std::uint8_t command) {
  std::string text = "Options:\n";
  for (const Option& option : options()) {
    if (option.flag.empty() || (option.commands & command) == 0) continue;
    std::string help(option.help);
    if (!option.fallback.empty()) help += " (default: " + std::string(option.fallback) + ")";
    add_row(text, option.flag, help);
  }
  add_row(text, "-h, --help", "this text");
  return text;
}

}  // namespace mcptrace::config
