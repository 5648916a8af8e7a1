#include "proxy/field_rewriter.h"

#include <algorithm>

#include "base/text.h"

namespace mcptrace::proxy {
namespace {

constexpr bool leads_on(http::FieldName id) {
  return id == http::FieldName::kLocation || id == http::FieldName::kContentLocation ||
         id == http::FieldName::kRefresh || id == http::FieldName::kLink;
}

std::string replaced(std::string_view text, std::string_view part, std::string_view by) {
  const auto begin = static_cast<std::size_t>(part.data() - text.data());
  return std::string(text.substr(0, begin)).append(by).append(text.substr(begin + part.size()));
}

}  // namespace

void FieldRewriter::begin(const RouteTable& routes, std::size_t route, const ClientView& client) {
  routes_ = &routes;
  route_ = route;
  client_ = client;
  leads_away_ = unreachable_ = false;
}

bool FieldRewriter::rewrite(const http::ResponseHead& head) {
  forget();
  bool changes = false;
  for (const http::Field& field : head.fields) {
    if (!leads_on(field.id)) continue;
    values_.push_back(map(head, field));
    changes |= values_.back() != field.value;
  }
  if (!changes) return false;
  fields_.assign(head.fields.begin(), head.fields.end());
  std::size_t next = 0;
  for (http::Field& field : fields_) {
    if (leads_on(field.id)) field.value = values_[next++];
  }
  return true;
}

void FieldRewriter::forget() {
  values_ = {};
  fields_ = {};
}

std::string FieldRewriter::map(const http::ResponseHead& head, const http::Field& field) {
  switch (field.id) {
    case http::FieldName::kRefresh:
      return map_refresh(field.value);
    case http::FieldName::kLink:
      return map_links(field.value);
    default:
      return map_location(field.value, field.id == http::FieldName::kLocation && is_redirection(head.status));
  }
}

// What is the upstream's and cannot be reached through us is made to say so: a bare path would mean another resource
// here, perhaps of another server.
std::string FieldRewriter::map_location(std::string_view uri, bool redirects) {
  ClientUri mapped = client_uri(*routes_, route_, uri, client_);
  // Back to where it was asked, by the other scheme: through us that would be the same again, for ever.
  if (redirects && mapped.other_scheme) {
    const auto target = split_url(mapped.uri);
    const auto asked = split_url(client_.request_target);
    const std::string_view to = target ? target->rest : std::string_view(mapped.uri);
    if (to.substr(0, to.find('#')) == (asked ? asked->rest : client_.request_target)) {
      mapped = {std::string(uri), ClientUri::Leads::kAway};
    }
  }
  if (redirects && mapped.leads != ClientUri::Leads::kToUs) leads_away_ = true;
  if (mapped.leads != ClientUri::Leads::kNowhere) return std::move(mapped.uri);
  unreachable_ |= redirects;
  if (split_url(uri) || uri.starts_with("//")) return std::move(mapped.uri);
  const UpstreamUrl& upstream = (*routes_)[route_].upstream;
  const auto sent = routes_->find(client_.request_target);
  if (!uri.starts_with('/') && !sent) return std::move(mapped.uri);
  return upstream.origin() + (uri.starts_with('/') ? std::string(uri) : resolve_reference(sent->target, uri));
}

// "5; url=/x", the URL in quotes or not.
std::string FieldRewriter::map_refresh(std::string_view value) {
  constexpr std::string_view kUrl = "url";
  const std::size_t separator = value.find_first_of(";,");
  if (separator == value.npos) return std::string(value);
  std::string_view rest = trim(value.substr(separator + 1));
  if (starts_with_text(rest, kUrl)) {
    const std::string_view assigned = trim(rest.substr(kUrl.size()));
    if (assigned.starts_with('=')) rest = trim(assigned.substr(1));
  }
  if (!rest.empty() && (rest.front() == '"' || rest.front() == '\'')) {
    const std::size_t end = rest.find(rest.front(), 1);
    rest = rest.substr(1, end == rest.npos ? end : end - 1);
  }
  return replaced(value, rest, map_location(rest, false));
}

// "<uri>; rel=next, <uri>; title=\"<a>\"" (RFC 8288 3).
std::string FieldRewriter::map_links(std::string_view value) {
  std::string out;
  bool quoted = false;
  while (!value.empty()) {
    const char c = value.front();
    if (c == '<' && !quoted) {
      const std::size_t end = value.find('>');
      if (end == value.npos) break;
      out.append("<").append(map_location(value.substr(1, end - 1), false));
      value.remove_prefix(end);
      continue;
    }
    const std::size_t size = c == '\\' && quoted ? std::min<std::size_t>(value.size(), 2) : 1;
    if (c == '"') quoted = !quoted;
    out.append(value.substr(0, size));
    value.remove_prefix(size);
  }
  return out.append(value);
}

}  // namespace mcptrace::proxy
