// What each backend wants of who sends to it: one row a backend. A new one is a row here, a section in docs/backends.md
// and a golden request. Sources: docs/backends.md names them.
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "ship/settings.h"

namespace mcptrace::ship {

struct Preset {
  std::string_view name;
  std::string_view endpoint{};  // base URL; "{region}" is replaced by what `regions` says
  struct Region {
    std::string_view name, text;
  };
  std::span<const Region> regions{};  // the first is the default; empty: `region` goes into the URL as it is
  bool needs_region = false;
  std::string_view key_header{};  // empty: it knows no key
  HeaderSetting::Form key_form = HeaderSetting::Form::kReference;
  bool needs_key = false;
  bool needs_user = false;
  std::string_view dataset_header{};  // empty: it knows none
  bool needs_dataset = false;
  std::span<const config::Protocol> protocols{};  // the first is the default
  Limits limits{};
  Nanos max_age{};  // docs/backends.md; zero: of any age
  std::string_view retired{};
};

std::span<const Preset> presets();

// Error: kInvalidArgument, which names the destination, what is missing or does not go together, and what to do.
Result<Settings> settings_of(const config::Destination& destination);

}  // namespace mcptrace::ship
