#include "http/access.h"

#include <algorithm>

#include "base/shown.h"
#include "base/text.h"
#include "http/authority.h"
#include "http/field_table.h"

namespace mcptrace::http {
namespace {

struct OriginParts {
  std::string_view scheme, rest;
  std::uint16_t default_port = 0;  // 0: not http or https
};

std::optional<OriginParts> split_origin(std::string_view origin) {
  const auto end = origin.find("://");
  if (end == origin.npos || end == 0 || end + 3 == origin.size()) return std::nullopt;
  OriginParts parts{origin.substr(0, end), origin.substr(end + 3)};
  if (same_text(parts.scheme, "http")) parts.default_port = 80;
  if (same_text(parts.scheme, "https")) parts.default_port = 443;
  return parts;
}

bool same_origin(std::string_view left, std::string_view right) {
  const auto a = split_origin(left), b = split_origin(right);
  if (!a || !b || !same_text(a->scheme, b->scheme)) return false;
  const auto first = parse_authority(a->rest), second = parse_authority(b->rest);
  if (first && second) return same_authority(*first, *second, a->default_port);
  return same_text(a->rest, b->rest);
}

}  // namespace

Result<Access> Access::make(const std::vector<std::string>& hosts, const std::vector<std::string>& origins) {
  Access access;
  for (const std::string& host : hosts) {
    const auto authority = parse_authority(host);
    if (!authority) {
      return std::unexpected(
          Error{Errc::kInvalidArgument, "an allowed host is host or host:port, got '" + shown(host) + "'"});
    }
    access.hosts_.push_back({std::string(authority->host), authority->port});
  }
  for (const std::string& origin : origins) {
    const auto parts = split_origin(origin);
    if (!parts || parts->rest.find_first_of("/?#@ ") != origin.npos ||
        (parts->default_port != 0 && !parse_authority(parts->rest))) {
      return std::unexpected(
          Error{Errc::kInvalidArgument, "an allowed origin is scheme://host[:port], got '" + shown(origin) + "'"});
    }
    access.origins_.push_back(origin);
  }
  return access;
}

bool Access::allows_host(std::string_view value) const {
  const auto authority = parse_authority(value);
  if (!authority) return false;
  if (is_loopback_host(authority->host)) return true;
  return std::ranges::any_of(hosts_, [&](const Host& host) {
    const bool default_port = authority->port == 0 && (host.port == 80 || host.port == 443);
    return same_text(host.name, authority->host) && (host.port == 0 || host.port == authority->port || default_port);
  });
}

bool Access::allows_origin(std::string_view value) const {
  const auto parts = split_origin(value);
  if (!parts) return false;  // null, and what is no origin
  if (parts->default_port != 0) {
    const auto authority = parse_authority(parts->rest);
    if (authority && is_loopback_host(authority->host)) return true;
  }
  return std::ranges::any_of(origins_, [&](const std::string& origin) { return same_origin(origin, value); });
}

std::optional<std::string_view> Access::check(const RequestHead& head) const {
  if (!allows_host(head.value(FieldName::kHost))) {
    return "Host is not a loopback name, nor one that --allow-host names";
  }
  for (const Field& field : head.fields) {
    if (field.id == FieldName::kOrigin && !allows_origin(field.value)) {
      return "Origin is not a loopback origin, nor one that --allow-origin names";
    }
  }
  return std::nullopt;
}

}  // namespace mcptrace::http
