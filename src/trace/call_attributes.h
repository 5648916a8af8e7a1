// What the spans of calls say in the same words where they are of one session, method and tool: their first attributes
// and their name, through the gate. Kept of those seen last, so that each span is made only of what is its own. Pure;
// used by SpanBuilder.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "mcp/call_table.h"
#include "trace/span_record.h"

namespace mcptrace::trace {

struct SessionText;

class CallAttributes {
 public:
  // `transport`: network.transport; must outlive this.
  CallAttributes(Naming naming, std::string_view transport) : naming_(naming), transport_(transport) {}

  struct Common : CommonAttributes {
    std::string_view span_name;
  };
  // Valid until the next call. `declared`: the tool's name may be written whatever its form.
  const Common& of(const mcp::OpenCall& call, const SessionText& session, bool declared);

 private:
  struct Entry {
    // What it was made from.
    mcp::Method method = mcp::Method::kNone;
    std::uint32_t flags = 0;
    bool declared = false, undeclared = false, guessed = false, own_version = false;
    std::uint64_t name_print = 0, method_print = 0;
    SpanId root_span_id;  // tells sessions apart, but one that has no id yet from what it becomes
    std::string name, method_text, version, session_id, client_name;

    std::string target, gated_method, span_name;
    Common common;

    [[nodiscard]] bool is_of(const mcp::OpenCall& call, const SessionText& session, bool declared) const;
  };

  void make(const mcp::OpenCall& call, const SessionText& session, bool declared, Entry& entry);
  std::string_view add_target(Entry& entry) const;

  Naming naming_;
  std::string_view transport_;
  std::uint32_t last_serial_ = 0;
  std::array<std::unique_ptr<Entry>, kMostCommon> entries_;
};

// "legacy" or "modern", by a message's flags (never by the server).
std::string_view era_text(std::uint32_t flags);
// Its attributes of the session, which are none where it has none.
void add_session(std::string_view session_id, bool guessed, std::uint32_t flags, std::vector<Attribute>& attributes);

}  // namespace mcptrace::trace
