// Spans on their way to one destination, as they lie in the spool: what one request carries. Plain data; one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/destination.h"
#include "ledger/model.h"

namespace mcptrace::ship {

// How the pieces of one refused batch do.
struct Trial {
  std::size_t requests_left = 0;  // that may still be spent on finding what is refused
  bool accepted = false;          // one of the pieces was taken
};

class Batch {
 public:
  struct Span {
    ledger::SpanKey told;
    std::uint32_t resource = 0;
    std::uint32_t at = 0, size = 0;  // in bytes_
  };

  // `resource`: an OTLP Resource's bytes; `span`: a Span's. `told`: which span of the feed it is of.
  void add(const ledger::SpanKey& told, std::string_view resource, std::string_view span);
  [[nodiscard]] const std::vector<Span>& spans() const { return spans_; }
  [[nodiscard]] bool empty() const { return spans_.empty(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_.size(); }
  // Of two or more spans.
  [[nodiscard]] std::pair<Batch, Batch> halves() const;

  // Appends an ExportTraceServiceRequest, as protobuf or as JSON.
  void append_protobuf(std::string& out) const;
  Result<> append_json(std::string& out) const;

  // Of its first span, as they were read: who sends keeps that order.
  std::uint64_t number = 0;
  // Shared by the pieces that a refused batch was cut into; null: it was not refused.
  std::shared_ptr<Trial> trial;

 private:
  void copy(std::size_t from, std::size_t to, Batch& into) const;

  std::vector<std::string> resources_;
  std::vector<Span> spans_;
  std::string bytes_;
};

}  // namespace mcptrace::ship
