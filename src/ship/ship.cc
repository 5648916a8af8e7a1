#include "ship/ship.h"

#include <algorithm>

namespace mcptrace::ship {
namespace {

bool is_named(const std::unique_ptr<Shipper>& shipper, const std::string& name) {
  return shipper->settings().name == name;
}

}  // namespace

void Ship::set(std::vector<Wanted> wanted) {
  wanted_.swap(wanted);  // `wanted`: what was
  for (auto& shipper : shippers_) {
    const auto was =
        std::ranges::find(wanted, shipper->settings().name, [](const Wanted& w) { return w.settings.name; });
    if (was != wanted.end() && std::ranges::find(wanted_, *was) != wanted_.end()) continue;
    shipper->stop();
    ending_.push_back(std::move(shipper));
  }
  std::erase(shippers_, nullptr);
  begin_missing();
}

void Ship::begin_missing() {
  for (const Wanted& wanted : wanted_) {
    const auto is_it = [&](const auto& shipper) { return is_named(shipper, wanted.settings.name); };
    if (std::ranges::any_of(shippers_, is_it) || std::ranges::any_of(ending_, is_it)) continue;
    if (auto shipper = Shipper::open(wanted.settings, place_, wanted.only)) {
      shippers_.push_back(*std::move(shipper));
    } else {
      errors_.push_back("destination '" + wanted.settings.name + "': " + shipper.error().message);
    }
  }
}

void Ship::try_again() {
  for (const auto& shipper : shippers_) shipper->try_again();
}

void Ship::pump(bool changed, bool hurry) {
  for (const auto& shipper : shippers_) shipper->pump(changed, hurry);
  for (auto& shipper : ending_) {
    if (!shipper->stopped()) continue;
    shipper->save();
    shipper.reset();
  }
  // Whoever waited for that name; what cannot begin is tried again by set().
  if (std::erase(ending_, nullptr) != 0) begin_missing();
}

std::optional<Nanos> Ship::next_deadline() const {
  std::optional<Nanos> next;
  for (const auto& shipper : shippers_) {
    if (const auto deadline = shipper->next_deadline()) next = std::min(next.value_or(*deadline), *deadline);
  }
  return next;
}

bool Ship::done() const {
  return ending_.empty() && shippers_.size() == wanted_.size() &&
         std::ranges::all_of(shippers_, [](const auto& shipper) { return shipper->done(); });
}

bool Ship::all_taken() const {
  return std::ranges::all_of(shippers_, [](const auto& shipper) { return shipper->all_taken(); });
}

bool Ship::has_more() const {
  return std::ranges::any_of(shippers_, [](const auto& shipper) { return shipper->has_more(); });
}

bool Ship::only_failures_left() const {
  return std::ranges::all_of(shippers_, [](const auto& shipper) { return shipper->done() || !shipper->does_well(); });
}

const Shipper* Ship::find(const std::string& name) const {
  const auto found = std::ranges::find_if(shippers_, [&](const auto& shipper) { return is_named(shipper, name); });
  return found == shippers_.end() ? nullptr : found->get();
}

void Ship::save() {
  for (const auto& shipper : shippers_) shipper->save();
}

}  // namespace mcptrace::ship
