// Where telemetry is sent, as the configuration names it: texts checked for form, nothing looked up. What a preset
// adds, and what it comes to, is src/ship's.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace mcptrace::config {

enum class Protocol { kHttpProtobuf, kHttpJson, kGrpc };
enum class Compression { kNone, kGzip, kZstd };

// A secret is never in the configuration: "env:NAME" or "file:PATH", or, in `headers` alone, a literal.
struct Destination {
  std::string name;             // letters, digits, - and _; of the environment: "otel-" and 16 hexadecimal digits
  std::string preset;           // empty: none
  std::string region;           // as the preset names it; empty: its default
  std::string key;              // reference to the credential; empty: none
  std::string user;             // whose key it is, where a backend wants to know (Grafana Cloud's instance id)
  std::string dataset;          // Axiom's, Honeycomb Classic's, Tempo's tenant; empty: none
  std::string endpoint;         // base URL: /v1/traces is appended; empty: the preset's
  std::string traces_endpoint;  // used as it is; empty: made from `endpoint`
  std::optional<Protocol> protocol;
  std::optional<Compression> compression;
  std::vector<std::pair<std::string, std::string>> headers;  // value: a literal or a reference
  std::string ca, certificate, certificate_key;              // PEM files; empty: the system's store, none
  bool insecure = false;                                     // gRPC without TLS where the endpoint names no scheme
  std::string proxy;                                         // URL or "none"; empty: as the environment says
  std::optional<Nanos> timeout;                              // of one attempt
  std::optional<Nanos> delay;                                // a batch waits so long to be filled
  std::optional<Nanos> retry_first, retry_most;              // between attempts, after the first failure and after many
  std::optional<std::size_t> batch_spans, batch_bytes;       // of one request, before compression
  std::optional<std::size_t> attribute_bytes;                // longer texts are cut
  std::optional<std::size_t> attribute_count;                // of one span
  std::optional<std::size_t> event_count, link_count;        // the same
  std::optional<std::size_t> event_attribute_count, link_attribute_count;
  std::optional<Nanos> max_age;        // what is older is of no use there
  std::optional<Nanos> partial_after;  // a root is sent at the latest so long after its start
  std::optional<double> fresh_share;   // of the requests, for what is new, during a backlog
  bool logs = false, content = false;
};

}  // namespace mcptrace::config
