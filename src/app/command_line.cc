#include "app/command_line.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <utility>

#include "base/shown.h"
#include "query/text.h"

namespace mcptrace::app {

class CommandLine::Impl {
 public:
  explicit Impl(std::string_view command) : command_(command) {
    app_.set_help_flag();
    app_.add_flag("-h,--help", help_);
    app_.allow_extras();
  }

  [[nodiscard]] Error error(std::string what) const {
    return {Errc::kInvalidArgument, std::move(what) + " (see mcptrace " + command_ + " --help)"};
  }

  [[nodiscard]] Error unknown(const std::string& argument) const {
    const std::string quoted = "'" + query::cut(query::display(shown(argument)), 80) + "'";
    if (argument.size() > 1 && argument.starts_with('-')) return error("unknown option " + quoted + " of " + command_);
    return error("unexpected argument " + quoted + " of " + command_);
  }

  // Values that were given have to be some.
  [[nodiscard]] Result<> check_values() const {
    for (const auto& [option, target] : values_) {
      if (option->count() != 0 && target->empty()) {
        return std::unexpected(error("option '" + option->get_name() + "' of " + command_ + " wants a value"));
      }
    }
    return {};
  }

  CLI::App app_;
  std::string command_;
  std::vector<std::pair<CLI::Option*, const std::string*>> values_;
  bool help_ = false;
};

CommandLine::CommandLine(std::string_view command) : impl_(std::make_unique<Impl>(command)) {}
CommandLine::~CommandLine() = default;

void CommandLine::flag(std::string_view name, bool& target) {
  impl_->app_.add_flag(std::string(name), target)->disable_flag_override();
}

void CommandLine::value(std::string_view name, std::string& target) {
  CLI::Option* const option = impl_->app_.add_option(std::string(name), target);
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  impl_->values_.emplace_back(option, &target);
}

void CommandLine::values(std::string_view name, std::vector<std::string>& target) {
  impl_->app_.add_option(std::string(name), target)->allow_extra_args(false);
}

void CommandLine::positional(std::string_view name, std::string& target) {
  impl_->values_.emplace_back(impl_->app_.add_option(std::string(name), target), &target);
}

Result<> CommandLine::parse(std::span<const std::string> arguments) {
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
    impl_->app_.parse(std::move(reversed));
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string what = error.what();  // "--limit: 1 required TEXT missing", "all was given a disallowed flag …"
    const bool flag = what.contains("flag override");
    const std::string name = what.substr(0, what.find_first_of(": ="));
    return std::unexpected(impl_->error("option '" + (name.starts_with('-') ? name : "--" + name) + "' of " +
                                        impl_->command_ + (flag ? " takes no value" : " wants a value")));
  } catch (const CLI::ParseError& error) {
    return std::unexpected(impl_->error(query::cut(query::display(shown(error.what())), 200)));
  }
  if (impl_->help_) return {};
  MCPTRACE_TRY_VOID(impl_->check_values());
  for (const std::string& rest : impl_->app_.remaining()) {
    if (rest != "--") return std::unexpected(impl_->unknown(rest));
  }
  return {};
}

std::size_t CommandLine::count_options(std::span<const std::string> arguments) const {
  const auto is_option = [](const std::string& argument) { return argument.size() > 1 && argument.starts_with('-'); };
  std::size_t at = 0;
  while (at < arguments.size() && arguments[at] != "--" && is_option(arguments[at])) {
    const CLI::Option* const option = impl_->app_.get_option_no_throw(arguments[at++]);
    const bool takes_value = option != nullptr && option->get_items_expected_max() > 0;
    if (takes_value && at < arguments.size() && arguments[at] != "--") ++at;
  }
  return at;
}

bool CommandLine::help_wanted() const { return impl_->help_; }

Result<std::chrono::seconds> parse_age(std::string_view option, std::string_view text) {
  const auto wrong = [&] {
    return std::unexpected(Error{Errc::kInvalidArgument,
                                 std::string(option) + " wants a number and s, m, h, d or w, like 30s or 2h; got '" +
                                     query::cut(query::display(shown(text)), 40) + "'"});
  };
  std::int64_t count = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (code != std::errc() || end + 1 != text.data() + text.size() || count < 1) return wrong();
  std::int64_t unit = 0;
  switch (*end) {
    case 's':
      unit = 1;
      break;
    case 'm':
      unit = 60;
      break;
    case 'h':
      unit = 3600;
      break;
    case 'd':
      unit = 86400;
      break;
    case 'w':
      unit = 604800;
      break;
    default:
      return wrong();
  }
  if (count > 100LL * 365 * 86400 / unit) return wrong();
  return std::chrono::seconds(count * unit);
}

Result<std::size_t> parse_size(std::string_view option, std::string_view text) {
  constexpr std::size_t kMost = std::size_t{1} << 40;
  std::size_t count = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const auto& [name, bytes] :
       {std::pair<std::string_view, std::size_t>{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}) {
    if (code == std::errc() && unit == name && count < kMost / bytes) return count * bytes;
  }
  return std::unexpected(Error{Errc::kInvalidArgument, std::string(option) +
                                                           " wants a number and KiB, MiB or GiB, like 64MiB; got '" +
                                                           query::cut(query::display(text), 40) + "'"});
}

}  // namespace mcptrace::app
