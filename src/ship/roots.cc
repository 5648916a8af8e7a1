// The file: lines of "root <trace id> <span id> <end, wall ns> <spans>" and "ours <session print> <wall ns>".
#include "ship/roots.h"

#include <algorithm>
#include <vector>

#include "base/fd.h"
#include "base/text.h"
#include "ledger/root_attributes.h"
#include "otlp/protobuf.h"
#include "spool/directory.h"

namespace mcptrace::ship {
namespace {

using ledger::SpanKey;
using trace::Attr;

// Sessions that end later than so many others may be sent a second time.
constexpr std::size_t kMostRoots = 20'000, kMostOurs = 50'000;
constexpr std::size_t kMostBytes = 16u << 20;

std::string bytes_of(const otlp::Span& span) {
  std::string bytes;
  otlp::append_protobuf(span, bytes);
  return bytes;
}

template <class Key, class Value, class When>
void keep_newest(std::map<Key, Value>& map, std::size_t most, When when) {
  if (map.size() <= most) return;
  std::vector<Nanos> times;
  for (const auto& [key, value] : map) times.push_back(when(value));
  const auto first_kept = times.begin() + static_cast<std::ptrdiff_t>(map.size() - most * 9 / 10);
  std::ranges::nth_element(times, first_kept);
  std::erase_if(map, [&](const auto& entry) { return when(entry.second) < *first_kept; });
}

}  // namespace

Roots::Roots(std::string file, const HashKey& key, Random& random)
    : file_(std::move(file)), key_(key), random_(random) {
  load();
}

void Roots::load() {
  const auto text = read_file(file_, kMostBytes);
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {
    std::string_view line = take_until(rest, '\n');
    const std::string_view kind = take_until(line, ' ');
    if (kind == "root") {
      SpanKey key;
      const bool known =
          parse_hex(take_until(line, ' '), key.trace_id.bytes) && parse_hex(take_until(line, ' '), key.span_id.bytes);
      const auto end = parse_number<std::int64_t>(take_until(line, ' '));
      const auto spans = parse_number<unsigned>(line);
      if (!known || !end || !spans) continue;
      const Sent sent{Nanos(*end), *spans};
      roots_[key] = {.sent = sent, .kept = sent, .noted = sent.end};
    } else if (kind == "ours") {
      const auto print = parse_number<std::uint64_t>(take_until(line, ' '), 16);
      const auto wall = parse_number<std::int64_t>(line);
      if (print && wall) ours_[*print] = Nanos(*wall);
    }
  }
}

void Roots::saw_initialize(std::uint64_t session_print, Nanos wall) {
  if (session_print == 0) return;
  Nanos& known = ours_[session_print];
  if (known >= wall) return;
  known = wall;
  changed_ = true;
}

// Random ids are nobody else's. A derived root is of whoever saw the handshake; without one (modern) of all.
bool Roots::is_ours(const trace::SpanHeader& header, const otlp::Span& root) const {
  if (!header.has(trace::kDerivedIds) || ours_.contains(header.session_print)) return true;
  return ledger::text_attribute(root, Attr::kEra) != "legacy";
}

// The same for whoever tells it again.
SpanId Roots::id_of_more(const SpanKey& root, unsigned number) const {
  KeyedHash hash(key_, "root-end");
  hash.update_field(root.trace_id.hex());
  hash.update_field(root.span_id.hex());
  if (number > 1) hash.update_field(std::to_string(number));
  const Digest digest = hash.finish();
  SpanId id;
  std::copy_n(digest.begin(), id.bytes.size(), id.bytes.begin());
  id.bytes[0] |= 1;
  return id;
}

Result<std::optional<std::string>> Roots::written(const trace::SpanHeader& header, std::string_view bytes) {
  MCPTRACE_TRY(otlp::Span span, otlp::decode_span(bytes));
  Root& root = roots_[ledger::key_of(header)];
  const bool first = root.sent.spans == 0;
  if (!first && span.end <= root.sent.end) return std::nullopt;
  const bool ours = is_ours(header, span);
  if (!first) span.start = std::max(span.start, root.sent.end);
  root.sent = {.end = span.end, .spans = root.sent.spans + 1};
  root.noted = span.end;
  changed_ = true;
  if (first && ours) return std::string(bytes);
  span.parent_id = span.span_id;
  span.links.clear();
  span.flags = (span.flags & 0xff) | 0x100;  // its parent is ours
  span.name = ours ? trace::kRootEndName : trace::kRootPartName;
  span.span_id = ours ? id_of_more(ledger::key_of(header), root.sent.spans - 1) : random_.span_id();
  return bytes_of(span);
}

Result<std::optional<std::string>> Roots::open(const trace::SpanHeader& header, std::string_view bytes, Nanos last) {
  const auto known = roots_.find(ledger::key_of(header));
  if (known != roots_.end() && known->second.sent.spans != 0) return std::nullopt;
  MCPTRACE_TRY(otlp::Span span, otlp::decode_span(bytes));
  if (!is_ours(header, span)) return std::nullopt;  // it is a part, at its end
  span.end = std::max(last, span.start + trace::kShortest);
  span.attributes.push_back({std::string(trace::attr_key(Attr::kPartial)), {true}});
  Root& root = roots_[ledger::key_of(header)];
  root.sent = {.end = span.end, .spans = 1};
  root.noted = span.end;
  changed_ = true;
  return bytes_of(span);
}

void Roots::forget_oldest() {
  keep_newest(roots_, kMostRoots, [](const Root& root) { return root.noted; });
  keep_newest(ours_, kMostOurs, [](Nanos wall) { return wall; });
}

Result<> Roots::save(const std::set<SpanKey>& undecided) {
  if (!changed_) return {};
  forget_oldest();
  changed_ = false;
  std::string text;
  for (auto& [key, root] : roots_) {
    if (undecided.contains(key)) {
      changed_ = true;  // once it is answered
    } else {
      root.kept = root.sent;
    }
    if (root.kept.spans == 0) continue;
    text.append("root ").append(key.trace_id.hex()).append(" ").append(key.span_id.hex()).append(" ");
    text.append(std::to_string(root.kept.end.count())).append(" ").append(std::to_string(root.kept.spans)).append("\n");
  }
  for (const auto& [print, wall] : ours_) {
    text.append("ours ").append(hex64(print)).append(" ").append(std::to_string(wall.count())).append("\n");
  }
  const std::size_t slash = file_.rfind('/');
  MCPTRACE_TRY(const UniqueFd directory, spool::make_directory(file_.substr(0, slash)));
  const std::string name = file_.substr(slash + 1);
  return replace_file(directory.get(), name, text, name + ".tmp");
}

}  // namespace mcptrace::ship
