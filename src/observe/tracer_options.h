// What the observer is told when it starts.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "mcp/fact.h"
#include "observe/declared_names.h"
#include "trace/conventions.h"
#include "trace/w3c.h"

namespace mcptrace::observe {

// One server: what its spans say of it, and what tells it from the others of the installation.
struct RouteText {
  std::string service_name;
  std::string server_address;     // over HTTP
  std::uint16_t server_port = 0;  // 0: not said
  std::string server{};           // whose tools those are that it declares (DeclaredNames)
};

struct TracerOptions {
  trace::Naming naming = trace::Naming::kBoth;
  std::string transport = "pipe";
  std::string instance_id{};  // service.instance.id
  std::vector<std::pair<std::string, std::string>>
      resource_attributes{};     // more of them, from OTEL_RESOURCE_ATTRIBUTES
  std::string command_print{};   // mcptrace.command
  std::string client_process{};  // mcp.client.process
  Nanos gap = std::chrono::minutes(30);
  std::optional<trace::TraceContext> environment{};
  std::string environment_state{};
  mcp::CallContext first{};  // Placement::first(): the session of a server that speaks before its client
  std::size_t max_open = 16384;
  std::size_t max_sessions = 8192;
  std::size_t max_exchanges = 32768;
  RouteText stdio{};                  // the server, where there are no routes
  std::vector<RouteText> routes{};    // of a proxy, by HttpFact::route; empty: over stdio
  DeclaredNames* declared = nullptr;  // what other processes saw declared; null: nothing. Must outlive the tracer.

  [[nodiscard]] bool over_http() const { return !routes.empty(); }
  [[nodiscard]] std::size_t place_of(std::uint16_t route) const {
    return over_http() ? std::min<std::size_t>(route, routes.size() - 1) : 0;
  }
  [[nodiscard]] const RouteText& route(std::uint16_t number) const {
    return over_http() ? routes[place_of(number)] : stdio;
  }
};

}  // namespace mcptrace::observe
