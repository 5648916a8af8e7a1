#include "observe/declared_tools.h"

#include <algorithm>

namespace mcptrace::observe {
namespace {

constexpr std::size_t kMostOfPage = 16384;
constexpr std::size_t kMostOfRoutes = 16384;
constexpr std::size_t kMostOfSessions = 262144;
constexpr std::size_t kCrowded = 16384;

}  // namespace

void DeclaredTools::collect(std::span<const mcp::DeclaredTool> tools, std::vector<mcp::DeclaredTool>& page) {
  if (page.size() < kMostOfPage) page.insert(page.end(), tools.begin(), tools.end());
}

std::size_t DeclaredTools::learn(Session& session, const mcp::OpenCall& asked,
                                 const std::vector<mcp::DeclaredTool>& page, bool last) {
  const std::size_t before = session.declared_count();
  session.learn_page({.first = (asked.flags & mcp::kCursor) == 0,
                      .last = last,
                      .whole = page.size() < kMostOfPage && (asked.flags & mcp::kAmbiguous) == 0,
                      .asked = asked.start.boot},
                     page, kMostOfSessions - std::min(of_sessions_, kMostOfSessions));
  of_sessions_ += session.declared_count();
  of_sessions_ -= before;
  return declare(session.route, page);
}

// Whoever keeps them is asked only about what is not as it was here last.
std::size_t DeclaredTools::declare(std::uint16_t route, const std::vector<mcp::DeclaredTool>& tools) {
  std::vector<mcp::DeclaredTool> fresh;
  auto& known = by_route_[options_.place_of(route)];
  for (const mcp::DeclaredTool& tool : tools) {
    const auto found = known.find(tool.name);
    if (found == known.end()) {
      if (of_routes_ >= kMostOfRoutes) continue;
      ++of_routes_;
    } else if (found->second == tool.definition.low) {
      continue;
    }
    known[tool.name] = tool.definition.low;
    fresh.push_back(tool);
  }
  if (options_.declared == nullptr || fresh.empty()) return 0;
  return options_.declared->add(options_.route(route).server, fresh);
}

bool DeclaredTools::may_write(const mcp::OpenCall& call, const Session& session) const {
  if (call.method != mcp::Method::kToolsCall || call.name_print == 0) return false;
  return by_route_[options_.place_of(session.route)].contains(call.name_hash) ||
         (options_.declared != nullptr &&
          options_.declared->contains(options_.route(session.route).server, call.name_hash));
}

void DeclaredTools::forget(Session& session) {
  of_sessions_ -= session.declared_count();
  session.forget_declared();
}

bool DeclaredTools::is_crowded() const { return of_sessions_ > kCrowded; }

}  // namespace mcptrace::observe
