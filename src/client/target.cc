#include "client/target.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "http/authority.h"

namespace mcptrace::client {
namespace {

std::unexpected<Error> invalid(std::string_view what) {
  return std::unexpected(Error{Errc::kInvalidArgument, std::string(what)});
}

bool is_visible_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

Result<Via> parse_proxy(std::string_view url) {
  constexpr std::string_view kHttps = "https://";
  Via via;
  via.tls = starts_with_text(url, kHttps);
  if (via.tls) url.remove_prefix(kHttps.size());
  MCPTRACE_TRY(via.proxy, http::parse_forward_proxy(url, via.tls ? 443 : 80));
  return via;
}

}  // namespace

Result<Target> parse_target(std::string_view url) {
  const auto origin = http::split_url(url);
  if (!origin) return invalid("it is neither http:// nor https://");
  const std::size_t at = origin->authority.rfind('@');
  const std::string_view user = origin->authority.substr(0, at == std::string_view::npos ? 0 : at + 1);
  std::string host_and_port(origin->authority.substr(user.size()));
  const std::size_t host_end = std::min(host_and_port.find(':'), host_and_port.size());
  const bool dot = host_end > 1 && host_and_port[host_end - 1] == '.' && !host_and_port.starts_with('[');
  if (dot) host_and_port.erase(host_end - 1, 1);
  const auto authority = http::parse_authority(host_and_port);
  if (!authority) return invalid("its host or port cannot be read");
  if (!is_visible_ascii(user) || !is_visible_ascii(origin->rest)) {
    return invalid("it has a space, a control character or one beyond ASCII");
  }
  Target target;
  target.tls = origin->tls;
  target.port = authority->port != 0 ? authority->port : origin->tls ? 443 : 80;
  target.host = authority->is_ipv6() ? authority->host.substr(1, authority->host.size() - 2) : authority->host;
  std::ranges::transform(target.host, target.host.begin(), lower);
  target.lookup = target.host + (dot ? "." : "");
  target.place = (authority->is_ipv6() ? "[" + target.host + "]" : target.host) + ":" + std::to_string(target.port);
  target.url = (origin->tls ? "https://" : "http://") + std::string(user) + host_and_port + std::string(origin->rest);
  return target;
}

Result<std::optional<Via>> choose_proxy(std::string_view option, const Environment& environment, const Target& target) {
  if (option == "none") return std::nullopt;
  if (!option.empty()) return parse_proxy(option);
  const auto named = http::named_proxy(environment, {target.tls, target.host, target.port});
  if (!named) return std::nullopt;
  auto via = parse_proxy(named->url);
  if (!via) return std::unexpected(std::move(via).error().with_context(named->variable));
  return *std::move(via);
}

}  // namespace mcptrace::client
