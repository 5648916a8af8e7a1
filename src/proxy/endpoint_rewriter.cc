#include "proxy/endpoint_rewriter.h"

#include <algorithm>

namespace mcptrace::proxy {
namespace {

constexpr std::string_view kBom = "\xef\xbb\xbf";
constexpr std::string_view kData = "data";
constexpr char kObject = '{';  // of a message

}  // namespace

void EndpointRewriter::begin(const RouteTable& routes, std::size_t route, const ClientView& client) {
  routes_ = &routes;
  route_ = route;
  client_ = client;
  stage_ = Stage::kLooking;
  unreachable_ = leads_away_ = after_cr_ = is_endpoint_ = other_type_ = false;
  first_line_ = true;
  data_lines_ = 0;
  line_ = sent_ = 0;
  held_.clear();
}

void EndpointRewriter::finish(std::string& out) {
  out.append(held_, sent_);
  std::string().swap(held_);  // a stream may be idle for long from here on
  sent_ = 0;
  stage_ = Stage::kPassing;
}

void EndpointRewriter::feed(std::string_view bytes, std::string& out) {
  std::size_t scanned = held_.size();  // no line ends from line_ to here
  std::size_t keep = 0;                // what must not go on yet begins here
  held_.append(bytes);
  while (stage_ == Stage::kLooking) {
    if (after_cr_ && line_ < held_.size()) {
      after_cr_ = false;
      if (held_[line_] == '\n') ++line_;
    }
    if (data_lines_ == 0) keep = line_;
    const std::size_t end = held_.find_first_of("\r\n", std::max(scanned, line_));
    if (std::min(end, held_.size()) - keep > kMaxHeldBytes) return finish(out);
    if (end == held_.npos) break;
    const std::size_t begin = line_;
    after_cr_ = held_[end] == '\r';
    line_ = scanned = end + 1;
    if (end != begin) {
      take_line(std::string_view(held_).substr(begin, end - begin), begin);
      if (data_lines_ != 0 && (other_type_ || data_lines_ > 1 || held_[data_begin_] == kObject)) return finish(out);
    } else {
      end_event(out);
    }
  }
  if (stage_ == Stage::kPassing) return finish(out);
  const Part part = begun_line(std::string_view(held_).substr(line_));
  if (part == Part::kNoEndpoint) return finish(out);
  const std::size_t go = part == Part::kOther && data_lines_ == 0 ? held_.size() : keep;
  if (go > sent_) out.append(held_, sent_, go - sent_);
  sent_ = std::max(sent_, go) - keep;
  held_.erase(0, keep);
  line_ -= keep;
  data_begin_ -= std::min(data_begin_, keep);
}

// What the beginning of a line says of the whole.
EndpointRewriter::Part EndpointRewriter::begun_line(std::string_view begun) const {
  if (first_line_ && kBom.starts_with(begun.substr(0, kBom.size()))) {
    begun.remove_prefix(std::min(begun.size(), kBom.size()));
  }
  if (begun.size() <= kData.size()) return kData.starts_with(begun) ? Part::kMayBeData : Part::kOther;
  if (!begun.starts_with(kData) || begun[kData.size()] != ':') return Part::kOther;
  begun.remove_prefix(kData.size() + 1);
  if (begun.starts_with(' ')) begun.remove_prefix(1);
  return other_type_ || data_lines_ != 0 || begun.starts_with(kObject) ? Part::kNoEndpoint : Part::kMayBeData;
}

void EndpointRewriter::take_line(std::string_view line, std::size_t line_begin) {
  if (first_line_ && line.starts_with(kBom)) {
    line.remove_prefix(kBom.size());
    line_begin += kBom.size();
  }
  first_line_ = false;
  const std::size_t colon = std::min(line.find(':'), line.size());
  std::size_t value = std::min(colon + 1, line.size());
  if (value < line.size() && line[value] == ' ') ++value;
  take_value(line.substr(0, colon), line.substr(value), line_begin + value);
}

void EndpointRewriter::take_value(std::string_view name, std::string_view value, std::size_t value_begin) {
  if (name == "event") {
    is_endpoint_ = value == "endpoint";
    other_type_ = !value.empty() && !is_endpoint_;
  } else if (name == "data") {
    ++data_lines_;
    data_begin_ = value_begin;
    data_size_ = value.size();
  }
}

// At a blank line.
void EndpointRewriter::end_event(std::string& out) {
  first_line_ = false;
  const bool dispatched = data_lines_ != 0;
  if (dispatched && is_endpoint_ && data_lines_ == 1) {
    const std::string_view uri = std::string_view(held_).substr(data_begin_, data_size_);
    const ClientUri mapped = client_uri(*routes_, route_, uri, client_);
    unreachable_ = mapped.leads == ClientUri::Leads::kNowhere;
    leads_away_ = mapped.leads == ClientUri::Leads::kAway;
    held_.replace(data_begin_, data_size_, mapped.uri);
  }
  is_endpoint_ = other_type_ = false;
  data_lines_ = 0;
  if (dispatched) finish(out);
}

}  // namespace mcptrace::proxy
