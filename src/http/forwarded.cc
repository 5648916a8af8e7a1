#include "http/forwarded.h"

#include <arpa/inet.h>

#include <algorithm>
#include <optional>
#include <ranges>

#include "base/shown.h"
#include "base/text.h"
#include "http/authority.h"

namespace mcptrace::http {
namespace {

constexpr std::size_t kMostHops = 16;

using AddressBytes = std::array<std::uint8_t, 16>;

// Of a canonical address; IPv4 is mapped.
std::optional<AddressBytes> address_bytes(std::string_view text) {
  const std::string address = (text.contains(':') ? "" : "::ffff:") + std::string(text);
  AddressBytes bytes;
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return std::nullopt;
  return bytes;
}

// Or what was taken for one.
std::string shown_network(std::string_view text) {
  return text.find_first_not_of("0123456789abcdefABCDEF.:/") == text.npos ? std::string(text) : shown(text);
}

// A parameter of one element of Forwarded (RFC 7239 4).
std::string_view parameter_of(std::string_view element, std::string_view name) {
  while (!element.empty()) {
    std::string_view pair = trim(take_until(element, ';'));
    const std::size_t equals = pair.find('=');
    if (equals == pair.npos || !same_text(pair.substr(0, equals), name)) continue;
    pair.remove_prefix(equals + 1);
    const bool quoted = pair.size() >= 2 && pair.front() == '"' && pair.back() == '"';
    return quoted ? pair.substr(1, pair.size() - 2) : pair;
  }
  return {};
}

// Where the last element of the list begins, which is behind its last comma outside of quotes; nothing if a quote is
// not closed: a client may have opened it to make what a proxy added a part of its own words.
std::optional<std::size_t> last_element(std::string_view list) {
  std::size_t begin = 0;
  bool quoted = false;
  for (std::size_t at = 0; at < list.size(); ++at) {
    if (quoted && list[at] == '\\') {
      ++at;
    } else if (list[at] == '"') {
      quoted = !quoted;
    } else if (list[at] == ',' && !quoted) {
      begin = at + 1;
    }
  }
  if (quoted) return std::nullopt;
  return begin;
}

// Walks the fields of one name, which are one list, from the right.
std::string client_in(const RequestHead& head, FieldName name, const TrustedProxies& trusted) {
  std::string client;
  std::size_t hops = 0;
  for (const Field& field : std::views::reverse(head.fields)) {
    if (field.id != name) continue;
    for (std::string_view list = field.value; !list.empty();) {
      const auto begin = last_element(list);
      if (!begin || ++hops > kMostHops) return {};
      const std::string_view element = trim(list.substr(*begin));
      list = list.substr(0, *begin == 0 ? 0 : *begin - 1);
      if (element.empty()) continue;
      client = canonical_address(name == FieldName::kForwarded ? parameter_of(element, "for") : element);
      if (client.empty() || !trusted.contains(client)) return client;
    }
  }
  return client;
}

// Of the last field of this name.
std::string_view last_element_of(const RequestHead& head, std::string_view name) {
  for (const Field& field : std::views::reverse(head.fields)) {
    if (!same_text(field.name, name)) continue;
    const auto begin = last_element(field.value);
    return begin ? trim(field.value.substr(*begin)) : std::string_view{};
  }
  return {};
}

std::string_view agreed(std::string_view one, std::string_view other) {
  if (one.empty() || other.empty()) return one.empty() ? other : one;
  return same_text(one, other) ? one : std::string_view{};
}

}  // namespace

Result<> TrustedProxies::add(std::string_view text) {
  const auto wrong = [&] {
    return std::unexpected(Error{Errc::kInvalidArgument,
                                 "wants an address or a network, like 10.0.0.0/8; got '" + shown_network(text) + "'"});
  };
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string_view address = text.substr(0, slash);
  const std::string canonical = canonical_address(address);
  const bool ipv4 = !address.contains(':');
  if (canonical.empty() || address.starts_with('[') || canonical.contains(':') == ipv4) return wrong();
  const unsigned most = ipv4 ? 32 : 128;
  const auto bits = slash < text.size() ? parse_number<unsigned>(text.substr(slash + 1)) : most;
  if (!bits || *bits > most) return wrong();
  networks_.push_back({*address_bytes(canonical), *bits + (ipv4 ? 96 : 0)});
  return {};
}

bool TrustedProxies::contains(std::string_view address) const {
  if (networks_.empty()) return false;
  const auto bytes = address_bytes(address);
  if (!bytes) return false;
  return std::ranges::any_of(networks_, [&](const Network& network) {
    const std::size_t whole = network.bits / 8;
    if (!std::equal(bytes->begin(), bytes->begin() + static_cast<std::ptrdiff_t>(whole), network.address.begin()))
      return false;
    const unsigned rest = network.bits % 8;
    return rest == 0 || ((*bytes)[whole] ^ network.address[whole]) >> (8 - rest) == 0;
  });
}

std::string forwarded_client(const RequestHead& head, const TrustedProxies& trusted) {
  const bool has_list = head.find(FieldName::kXForwardedFor) != nullptr;
  if (!has_list) return client_in(head, FieldName::kForwarded, trusted);
  std::string client = client_in(head, FieldName::kXForwardedFor, trusted);
  // Proxies write one of them; the other one may be the client's own word, and nobody says which.
  const bool has_both = head.find(FieldName::kForwarded) != nullptr;
  if (has_both && client != client_in(head, FieldName::kForwarded, trusted)) return {};
  return client;
}

CalledBy forwarded_call(const RequestHead& head) {
  const std::string_view element = last_element_of(head, "Forwarded");
  return {agreed(last_element_of(head, "X-Forwarded-Proto"), parameter_of(element, "proto")),
          agreed(last_element_of(head, "X-Forwarded-Host"), parameter_of(element, "host"))};
}

}  // namespace mcptrace::http
