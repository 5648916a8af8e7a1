#include "proxy/tracing.h"

#include "proxy/guarded_exchange.h"
#include "proxy/target.h"
#include "proxy/tracing_shared.h"

namespace mcptrace::proxy {
namespace {

constexpr std::size_t kMostIdle = 4;  // each is needed for as long as a piece is looked at, mostly
constexpr std::size_t kMostEndpoints = 16384;
// What a scanner or framer takes, its buffers included, rounded up.
constexpr std::size_t kScannerBytes = 32 << 10;
constexpr std::size_t kMostPaths = 4096;

observe::HttpPlacementOptions placement_options(const TracingOptions& options) {
  observe::HttpPlacementOptions placement;
  placement.name = options.name;
  placement.route_names = options.route_names;
  placement.gap = options.gap;
  placement.stretch_calls = options.stretch_calls;
  placement.inject = options.inject;
  placement.acceptance = options.acceptance;
  placement.parent = options.parent;
  return placement;
}

}  // namespace

TracingShared::TracingShared(TracingOptions options, const HashKey& key, Random& random, FactSink& sink)
    : options_(std::move(options)),
      budget_(options_.hold_bytes),
      key_(key),
      sink_(sink),
      placement_(placement_options(options_), key, random),
      seed_(random.u64()),
      whole_scanner_(mcp::Direction::kClientToServer, key, {options_.conversation_keys}) {
  // Giving back never fails.
  client_scanners_.reserve(kMostIdle);
  server_scanners_.reserve(kMostIdle);
  framers_.reserve(kMostIdle);
}

std::unique_ptr<mcp::MessageScanner> TracingShared::lend_scanner(mcp::Direction direction) {
  if (!budget_.has(kScannerBytes)) return nullptr;
  auto& idle = direction == mcp::Direction::kClientToServer ? client_scanners_ : server_scanners_;
  if (idle.empty()) {
    const mcp::ScanOptions options{options_.conversation_keys};
    idle.push_back(std::make_unique<mcp::MessageScanner>(direction, key_, options));
  }
  static_cast<void>(budget_.take(kScannerBytes));
  std::unique_ptr<mcp::MessageScanner> scanner = std::move(idle.back());
  idle.pop_back();
  return scanner;
}

void TracingShared::give_back(mcp::Direction direction, std::unique_ptr<mcp::MessageScanner> scanner) {
  if (scanner == nullptr) return;
  budget_.give(kScannerBytes);
  auto& idle = direction == mcp::Direction::kClientToServer ? client_scanners_ : server_scanners_;
  if (idle.size() >= kMostIdle) return;
  scanner->discard();
  idle.push_back(std::move(scanner));
}

std::unique_ptr<mcp::SseFramer> TracingShared::lend_framer() {
  if (!budget_.has(kScannerBytes)) return nullptr;
  if (framers_.empty()) {
    framers_.push_back(std::make_unique<mcp::SseFramer>(key_, mcp::ScanOptions{options_.conversation_keys}));
  }
  static_cast<void>(budget_.take(kScannerBytes));
  std::unique_ptr<mcp::SseFramer> framer = std::move(framers_.back());
  framers_.pop_back();
  return framer;
}

void TracingShared::give_back(std::unique_ptr<mcp::SseFramer> framer) {
  if (framer == nullptr) return;
  budget_.give(kScannerBytes);
  if (framers_.size() >= kMostIdle) return;
  framer->reset();
  framers_.push_back(std::move(framer));
}

void TracingShared::learn_endpoint(std::size_t route, std::string_view target, std::string_view uri,
                                   std::uint64_t exchange) {
  if (endpoints_.size() >= kMostEndpoints) return;
  endpoints_[endpoint_key(route, target)] = {std::string(target), std::string(uri), exchange};
}

void TracingShared::forget_endpoint(std::size_t route, std::string_view target, std::uint64_t exchange) {
  const auto found = endpoints_.find(endpoint_key(route, target));
  if (found != endpoints_.end() && found->second.exchange == exchange) endpoints_.erase(found);
}

std::string_view TracingShared::endpoint(std::size_t route, std::string_view target) const {
  if (endpoints_.empty()) return {};
  const auto found = endpoints_.find(endpoint_key(route, target));
  return found != endpoints_.end() && found->second.target == target ? found->second.uri : std::string_view{};
}

bool TracingShared::speaks_mcp(std::size_t route, std::string_view target) {
  const std::uint64_t path = endpoint_key(route, target.substr(0, target.find('?')));
  if (young_paths_.contains(path)) return true;
  if (!old_paths_.contains(path)) return false;
  keep_path(path);
  return true;
}

void TracingShared::learn_mcp(std::size_t route, std::string_view target) {
  keep_path(endpoint_key(route, target.substr(0, target.find('?'))));
}

void TracingShared::keep_path(std::uint64_t path) {
  if (young_paths_.size() >= kMostPaths) {
    old_paths_.swap(young_paths_);
    young_paths_.clear();
  }
  young_paths_.insert(path);
}

std::string resolve_endpoint(std::string_view target, std::string_view uri) {
  uri = uri.substr(0, uri.find('#'));
  if (const auto scheme = uri.find("://"); scheme != std::string_view::npos && scheme < uri.find_first_of("/?")) {
    uri.remove_prefix(scheme + 3);
    const auto path = uri.find_first_of("/?");
    if (path == std::string_view::npos) return "/";
    return resolve_reference("/", uri[path] == '/' ? uri.substr(path) : "/" + std::string(uri.substr(path)));
  }
  if (uri.starts_with("//")) {
    const auto path = uri.find('/', 2);
    return path == std::string_view::npos ? "/" : resolve_reference("/", uri.substr(path));
  }
  return resolve_reference(target, uri);
}

Tracing::Tracing(TracingOptions options, const HashKey& key, Random& random, FactSink& sink)
    : shared_(std::make_unique<TracingShared>(std::move(options), key, random, sink)) {}
Tracing::~Tracing() = default;

http::HoldBudget& Tracing::budget() { return shared_->budget(); }

void Tracing::wake() { shared_->sink().passed(); }

std::unique_ptr<ExchangeTap> Tracing::tap() { return std::make_unique<GuardedExchange>(*shared_); }

}  // namespace mcptrace::proxy
