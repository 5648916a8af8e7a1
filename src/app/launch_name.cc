#include "app/launch_name.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "app/launchers.h"
#include "base/text.h"

namespace mcptrace::app {
namespace {

using Words = std::span<const std::string>;

constexpr std::size_t kMostChars = 64;
constexpr int kMostLaunchers = 16;  // that start one another
constexpr std::string_view kHidden = "_OTHER";
// What says nothing of a server: then its folder does, unless that is one of the second kind.
constexpr std::string_view kCommonScripts[] = {"index", "main", "server", "cli", "__main__"};
constexpr std::string_view kCommonFolders[] = {"dist", "build", "src"};
// Their folders are people.
constexpr std::string_view kHomes[] = {"home", "users", "media"};

bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
bool is_alphanumeric(char c) { return is_letter(c) || is_digit(c); }

bool is_one_of(std::string_view text, std::span<const std::string_view> list) {
  return std::ranges::find(list, text) != list.end();
}

// KEY=value; but "package==1.0" is none.
bool is_assignment(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos || equals == 0 || is_digit(word.front())) return false;
  const auto in_key = [](char c) { return is_alphanumeric(c) || c == '_'; };
  return std::ranges::all_of(word.substr(0, equals), in_key) && !word.substr(equals + 1).starts_with('=');
}

bool is_address(std::string_view word) { return word.contains("://"); }

std::string host_of(std::string_view address) {
  address.remove_prefix(address.find("://") + 3);
  address = address.substr(0, address.find_first_of("/?#\\"));
  address.remove_prefix(address.rfind('@') + 1);  // the user and the password; npos + 1 = 0
  const std::size_t colon = address.rfind(':');
  const bool port = colon != std::string_view::npos && std::ranges::all_of(address.substr(colon + 1), is_digit);
  return std::string(address.substr(0, port ? colon : address.size()));
}

// "@scope/name@1.2", "name==1.2", "name[extra]@latest". Empty: it is a path, an address, a repository, or nonsense.
std::string package_name(std::string_view text) {
  if (text.find_first_of(":\\") != std::string_view::npos) return {};
  std::size_t start = 0;
  if (text.starts_with('@')) start = text.find('/') + 1;
  text = text.substr(0, text.find_first_of("@[=<>!~;, ", std::max<std::size_t>(start, 1)));
  if (text.size() == start || text.find('/', start) != std::string_view::npos) return {};
  return std::string(text);
}

// "registry:5000/team/name:tag@sha256:…". Empty: it is no image's.
std::string image_name(std::string_view text) {
  const auto may_be_in = [](char c) { return is_alphanumeric(c) || std::string_view("._-/:@").contains(c); };
  if (text.empty() || !is_alphanumeric(text.front()) || !std::ranges::all_of(text, may_be_in)) return {};
  const std::size_t last = text.rfind('/') + 1;
  if (is_address(text) || text.substr(0, last).contains('@')) return {};
  return std::string(text.substr(last, text.find_first_of(":@", last) - last));
}

std::string module_name(std::string_view text) {
  const bool is_module = std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '_' || c == '.'; });
  return std::string(is_module ? text : std::string_view());
}

// A path of Linux or Windows without "." and, as far as that can be, without "..".
struct Path {
  bool absolute = false;
  std::vector<std::string_view> parts;
};

// Nothing: the word is no path, or more than one.
std::optional<Path> parse_path(std::string_view word) {
  const bool odd = std::ranges::any_of(word, [](char c) {
    return std::string_view("=?&#;,|<>*\"'`$%!").contains(c) || static_cast<unsigned char>(c) < ' ';
  });
  const std::size_t colon = word.rfind(':');  // only of a drive
  if (odd || word.contains(" -") || (colon != std::string_view::npos && colon != 1)) return std::nullopt;
  Path path{.absolute = word.starts_with('/'), .parts = {}};
  while (!word.empty()) {
    const std::string_view part = word.substr(0, word.find_first_of("/\\"));
    word.remove_prefix(std::min(word.size(), part.size() + 1));
    if (part.empty() || part == ".") continue;
    if (part == ".." && !path.parts.empty() && path.parts.back() != "..") {
      path.parts.pop_back();
    } else {
      path.parts.push_back(part);
    }
  }
  return path;
}

bool is_below_homes(const Path& path, std::size_t i) {
  return i > 0 &&
         std::ranges::any_of(kHomes, [&](std::string_view homes) { return same_text(path.parts[i - 1], homes); });
}

std::string_view without_extension(std::string_view file) {
  const std::size_t dot = file.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == file.size()) return file;
  const std::string_view extension = file.substr(dot + 1);
  const bool is_one = extension.size() <= 4 && is_letter(extension.front());
  return is_one && std::ranges::all_of(extension, is_alphanumeric) ? file.substr(0, dot) : file;
}

bool is_script(std::string_view word) {
  return word.find_first_of("/\\") != std::string_view::npos || word.ends_with(".py") || word.ends_with(".pyw");
}

// The words of a shell's line. None: it is more than one command, or holds what only a shell can know.
std::vector<std::string> shell_words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  line = line.substr(0, line.find_last_not_of(" \t\r\n") + 1);
  const auto end_word = [&] {
    if (in_word) words.push_back(std::move(word));
    word.clear();
    in_word = false;
  };
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '`' || (c == '$' && line.substr(i + 1).starts_with('('))) {
      if (quote != '\'') return {};
    }
    if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
      word += line[++i];
      in_word = true;
    } else if (quote != 0) {
      if (c != quote) word += c;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (c == ' ' || c == '\t') {
      end_word();
    } else if (c == '<' || c == '>') {  // what follows is no word of the command
      if (std::ranges::all_of(word, is_digit)) in_word = false;
      break;
    } else if (std::string_view(";&|()\n\r").contains(c)) {
      return {};
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) return {};
  end_word();
  return words;
}

// `list`: as in launchers.h.
bool has_option(std::string_view list, std::string_view option) {
  while (!list.empty()) {
    const std::string_view one = take_until(list, ' ');
    const bool longer = one.ends_with('*') && option.size() >= one.size();
    if (one == option || (longer && option.starts_with(one.substr(0, one.size() - 1)))) return true;
  }
  return false;
}

class Search {
 public:
  explicit Search(const LaunchUser& user) : user_(user), home_(parse_path(user.home).value_or(Path{})) {}

  // Empty, or whatever it is: fits() says whether it may be told.
  std::string command(Words words);
  [[nodiscard]] bool fits(std::string_view name) const;
  // The base name of what is executed.
  [[nodiscard]] std::string program_name(std::string_view word) const;

 private:
  std::string follow(const Launcher& launcher, Words words);
  std::string target(Launches kind, Words words, const std::string& package);
  [[nodiscard]] std::string script_name(std::string_view word) const;
  [[nodiscard]] bool is_person(std::string_view name) const;
  [[nodiscard]] bool is_persons(const Path& path, std::size_t i) const;

  LaunchUser user_;
  Path home_;
  std::string own_;     // of the launcher that was found last
  std::string folder_;  // in which it is to start its script
  int launchers_ = 0;
};

// A folder, or a file, that is called after whom it belongs to.
bool Search::is_persons(const Path& path, std::size_t i) const {
  const std::span<const std::string_view> up_to(path.parts.data(), i + 1);
  if (path.absolute && !home_.parts.empty() && std::ranges::equal(up_to, home_.parts)) return true;
  return is_below_homes(path, i) || (i == 0 && path.absolute && path.parts[0] == "root");
}

bool Search::is_person(std::string_view name) const {
  if (name.empty()) return false;
  const std::size_t last = home_.parts.size() - 1;
  return same_text(name, user_.logname) || same_text(name, user_.user) ||
         (!home_.parts.empty() && is_below_homes(home_, last) && same_text(name, home_.parts[last]));
}

bool Search::fits(std::string_view name) const {
  if (name.empty() || name.size() > kMostChars || !(is_alphanumeric(name.front()) || name.front() == '@')) return false;
  const auto may_be_in = [](char c) { return is_alphanumeric(c) || std::string_view("._-/").contains(c); };
  if (!std::ranges::all_of(name.substr(1), may_be_in)) return false;
  if (name.front() != '@') return !name.contains('/') && !is_person(name);
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos || slash == 1 || name.find('/', slash + 1) != std::string_view::npos)
    return false;
  return !is_person(name.substr(1, slash - 1)) && !is_person(name.substr(slash + 1));
}

// A word with a space in it may be a whole line.
std::string Search::program_name(std::string_view word) const {
  if (word.find_first_of(" \t") != std::string_view::npos) return {};
  const auto path = parse_path(word);
  if (!path || path->parts.empty() || is_persons(*path, path->parts.size() - 1)) return {};
  return std::string(path->parts.back());
}

std::string Search::script_name(std::string_view word) const {
  if (is_address(word)) return host_of(word);
  if (word.starts_with("npm:") || word.starts_with("jsr:")) return package_name(word.substr(4));
  const bool below_folder = !folder_.empty() && !word.starts_with('/');
  const std::string text = (below_folder ? folder_ + "/" : std::string()).append(word);
  const auto path = parse_path(text);
  if (!path || path->parts.empty()) return {};
  std::size_t i = path->parts.size() - 1;
  if (is_persons(*path, i)) return {};
  const std::string_view script = without_extension(path->parts[i]);
  if (!is_one_of(script, kCommonScripts)) return std::string(script);
  while (i-- > 0) {
    const std::string_view folder = path->parts[i];
    if (is_one_of(folder, kCommonScripts) || is_one_of(folder, kCommonFolders)) continue;
    // Beside where we are there may be anybody's.
    if (is_persons(*path, i) || (i > 0 && path->parts[i - 1] == "..")) break;
    return std::string(folder);
  }
  return {};
}

std::string Search::command(Words words) {
  while (!words.empty() && is_assignment(words.front())) words = words.subspan(1);
  if (words.empty()) return own_;
  std::string name = program_name(words.front());
  const Launcher* launcher = find_launcher(name);
  if (launcher == nullptr) return name;
  own_ = name;
  return follow(*launcher, words.subspan(1));
}

std::string Search::follow(const Launcher& first, Words words) {
  if (++launchers_ > kMostLaunchers) return own_;
  const Launcher* launcher = &first;
  std::string package;
  for (bool options = true; !words.empty(); words = words.subspan(1)) {
    const std::string& word = words.front();
    if (options && word == "--") {
      options = false;
      continue;
    }
    if (!options || !(word.starts_with('-') || has_option(launcher->flags, word))) {
      const Launcher* const sub = find_launcher(std::string(launcher->name) + " " + word);
      if (sub == nullptr) return target(launcher->launches, words, package);
      launcher = sub;
      continue;
    }
    const std::size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    const std::string option = word.substr(0, equals);
    if (has_option(launcher->flags, option)) continue;
    const auto* const telling = std::ranges::find_if(
        launcher->telling, [&](const Launcher::Telling& each) { return has_option(each.options, option); });
    const bool tells = telling != launcher->telling.end(), folder = has_option(launcher->folder, option);
    if (!tells && !folder && !has_option(launcher->values, option)) return own_;
    std::string value = equals == std::string::npos ? std::string() : word.substr(equals + 1);
    if (equals == std::string::npos) {
      words = words.subspan(1);
      if (words.empty()) return own_;
      value = words.front();
    }
    if (folder) folder_ = value;
    if (!tells) continue;
    if (telling->value != Launches::kPackage) return target(telling->value, Words(&value, 1), package);
    if (package.empty()) package = package_name(value);
  }
  return own_;
}

// `words` begin with what is launched. `package`: what an option says that it is of.
std::string Search::target(Launches kind, Words words, const std::string& package) {
  const std::string& word = words.front();
  std::string name;
  switch (kind) {
    case Launches::kNothing:
      break;
    case Launches::kPackage:
      name = package.empty() ? package_name(word) : package;
      if (const Launcher* inner = find_launcher(name)) {
        own_ = name;
        return follow(*inner, words.subspan(1));
      }
      break;
    case Launches::kModule:
      name = module_name(word);
      break;
    case Launches::kProgram:
      if (!is_script(word)) return command(words);
      [[fallthrough]];
    case Launches::kScript:
      name = script_name(word);
      break;
    case Launches::kImage:
      name = image_name(word);
      break;
    case Launches::kUrl:
      if (is_address(word)) name = host_of(word);
      break;
    case Launches::kCommand:
      return command(words);
    case Launches::kLine:
      return package.empty() ? command(shell_words(word)) : package;
  }
  return name.empty() ? own_ : name;
}

}  // namespace

std::string launch_name(std::span<const std::string> command, const LaunchUser& user) {
  Search search(user);
  std::string name = search.command(command);
  if (search.fits(name)) return name;
  name = search.program_name(command.front());
  const bool launcher = name.size() <= kMostChars && find_launcher(name) != nullptr;
  if (launcher || search.fits(name)) return name;
  return std::string(kHidden);
}

}  // namespace mcptrace::app
