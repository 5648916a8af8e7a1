#include "app/shipping.h"

#include <array>
#include <new>

#include "app/producer.h"
#include "spool/destinations.h"

namespace mcptrace::app {
namespace {

constexpr Nanos kLookEvery = std::chrono::seconds(10);

}  // namespace

Shipping::Shipping(const World& world, const TraceOptions& options, std::string state, const HashKey& key, Log& log)
    : world_(world),
      log_(log),
      state_(std::move(state)),
      variables_(options.destination),
      flush_(options.flush),
      arguments_(options.ship_arguments) {
  if (!variables_.empty()) {
    KeyedHash hash(key, "destination");
    hash.update_field(variables_);
    name_ = spool::destination_name(hash.finish64());
    destinations_.push_back(name_);
  }
  if (!destinations_.empty() || options.ships) want(options.ship_variables);
  if (options.lives_long) configuration_ = flat_source(world, options.installation);
}

void Shipping::want(const std::vector<std::string>& variables) {
  starter_.emplace(state_, ship_program(world_, state_, variables, arguments_), world_.clock, log_);
}

void Shipping::attach(observe::ObserverOptions& observer) {
  if (!is_wanted() && !configuration_) return;
  observer.appended = [this] { appended(); };
  observer.count = [this](spool::NamedCounts& counts) {
    if (is_wanted()) counts.emplace(spool::kShipNotStarted, starter_->failures());
  };
  if (name_.empty()) return;
  observer.destination = name_;
  observer.leave_destination = [this] { leave_destination(); };
}

void Shipping::leave_destination() {
  const Result<> left = spool::leave_destination(state_, name_, variables_);
  if (!left) {
    log_.once(LogReason::kShip,
              "what is traced is kept and not sent, traffic is not affected: " + left.error().message);
  }
}

// Destinations that are new there, and what is looked up for them. A file that is broken changes nothing.
void Shipping::look_at_configuration() {
  const Nanos now = world_.clock.boot();
  if (!configuration_ || now < look_at_) return;
  look_at_ = now + kLookEvery;
  if (!configuration_->changed()) return;
  const config::FlatReading reading = configuration_->read();
  if (!reading.warning.empty()) return log_.once(LogReason::kConfigurationFile, reading.warning);
  if (reading.flat.destinations != 0 || reading.flat.metrics_listen) want(reading.flat.variables);
}

// Whoever is quiet for a day and appends again finds its destination there, too.
void Shipping::appended() {
  try {
    look_at_configuration();
    if (is_wanted() && starter_->check() && !name_.empty()) leave_destination();
  } catch (const std::bad_alloc&) {  // tracing goes on
  }
}

void Shipping::flush(const std::string& first_file) {
  if (!waits()) return;
  try {
    wait_for_delivery({.state = state_, .first_file = first_file, .destinations = destinations_, .limit = *flush_});
  } catch (const std::bad_alloc&) {  // our end is not to be another for that
  }
}

void Shipping::wait_for_delivery(const FlushOptions& options) {
  const Flushed flushed = app::flush(options, *starter_, world_.clock);
  if (flushed == Flushed::kAll) return;
  const std::string why = flushed == Flushed::kTimeIsOver ? "within " + std::to_string(options.limit.count()) + " s"
                                                          : "when a signal ended the waiting";
  log_.once(LogReason::kNotFlushed, "not all that was traced was delivered " + why +
                                        "; it is kept in the state directory, and sent when mcptrace next runs there");
}

}  // namespace mcptrace::app
