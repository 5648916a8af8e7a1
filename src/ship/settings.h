// A destination as it is used: what the configuration says of it, with what its preset adds. Plain data, made by
// presets.h; secrets stand in it as references only, and are looked up for each request.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/clock.h"
#include "client/client.h"
#include "config/destination.h"

namespace mcptrace::ship {

struct HeaderSetting {
  enum class Form : std::uint8_t { kLiteral, kReference, kBearer, kBasic };
  std::string name;
  std::string value;  // a literal, or a reference to the secret
  Form form = Form::kLiteral;
  std::string user{};  // of kBasic
  bool operator==(const HeaderSetting&) const = default;
};

// Of one request, before compression, and of one span. Zero: none.
struct Limits {
  std::size_t batch_spans = 2'000;
  std::size_t batch_bytes = 3'000'000;
  std::size_t attribute_bytes = 0;
  std::size_t attribute_count = 0;
  std::size_t event_count = 0, link_count = 0;
  std::size_t event_attribute_count = 0, link_attribute_count = 0;
  bool operator==(const Limits&) const = default;
};

struct Settings {
  std::string name;
  std::string url;  // of traces
  config::Protocol protocol = config::Protocol::kHttpProtobuf;
  config::Compression compression = config::Compression::kGzip;
  std::vector<HeaderSetting> headers;
  client::Tls tls;
  std::string proxy;  // URL; "none"; empty: as the environment says
  Limits limits;
  Nanos timeout = std::chrono::seconds(10);
  Nanos delay = std::chrono::seconds(1);
  Nanos retry_first = std::chrono::seconds(5);
  Nanos retry_most = std::chrono::minutes(1);
  Nanos partial_after = std::chrono::minutes(10);
  Nanos max_age{};          // older spans are not found there; zero: all are
  bool ships_older = true;  // they are sent all the same
  double fresh_share = 0.5;
  std::string retired;  // what is to be said of a backend that is no more
  bool operator==(const Settings&) const = default;
};

}  // namespace mcptrace::ship
