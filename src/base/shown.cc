#include "base/shown.h"

#include <algorithm>

namespace mcptrace {
namespace {

constexpr std::string_view kMore = "…";
constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

bool is_all(std::string_view text, std::string_view of) { return text.find_first_not_of(of) == text.npos; }

// Or none. "user:password" without its host looks like a host with something else for a port.
bool has_port(std::string_view authority) {
  const std::size_t colon = authority.find(':', authority.rfind(']') + 1);
  return colon == authority.npos || is_all(authority.substr(colon + 1), "0123456789");
}

// Of "user@host:port/path…": host and port, and that there was more.
std::string shown_place(std::string_view place) {
  const std::size_t end = std::min(place.find_first_of("/?#\\ \t"), place.size());
  std::string_view authority = place.substr(0, end);
  const std::string_view rest = place.substr(end);
  // A password may hold a slash: then this is not where the host ends.
  if (rest.contains('@')) return std::string(kMore);
  authority.remove_prefix(authority.rfind('@') + 1);
  if (!is_all(authority, std::string(kLetters) + ":[]") || !has_port(authority)) return std::string(kMore);
  std::string out(authority);
  if (rest.size() > 1) out.append("/").append(kMore);
  return out;
}

}  // namespace

std::string shown(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme == text.npos) {
    const std::size_t end = text.find_first_of("/?#=@\\");
    if (end == text.npos) return std::string(text);
    const bool user = text.contains('@');
    return std::string(user ? std::string_view{} : text.substr(0, end + 1)).append(kMore);
  }
  const std::string_view before = text.substr(0, scheme);
  std::string out(is_all(before, std::string(kLetters) + "=/") ? before : kMore);
  return out.append("://").append(shown_place(text.substr(scheme + 3)));
}

}  // namespace mcptrace
