#include "json/read.h"

#include <simdjson.h>

#include "base/text.h"

namespace mcptrace::json {

class Document::Impl {
 public:
  [[nodiscard]] std::optional<simdjson::dom::element> find(std::initializer_list<std::string_view> path) const {
    simdjson::dom::element element = root;
    for (const std::string_view key : path) {
      if (element[key].get(element) != simdjson::SUCCESS) return std::nullopt;
    }
    return element;
  }

  simdjson::dom::parser parser;
  simdjson::dom::element root;
};

Document::Document(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Document::~Document() = default;
Document::Document(Document&&) noexcept = default;

Result<Document> Document::parse(std::string_view text) {
  auto impl = std::make_unique<Impl>();
  const auto error = impl->parser.parse(text.data(), text.size()).get(impl->root);
  if (error != simdjson::SUCCESS) {
    return std::unexpected(Error{Errc::kCorrupt, std::string("not JSON: ") + simdjson::error_message(error)});
  }
  return Document(std::move(impl));
}

std::optional<std::string> Document::text(std::initializer_list<std::string_view> path) const {
  const auto element = impl_->find(path);
  std::string_view text;
  if (!element || element->get(text) != simdjson::SUCCESS) return std::nullopt;
  return std::string(text);
}

std::optional<std::int64_t> Document::integer(std::initializer_list<std::string_view> path) const {
  const auto element = impl_->find(path);
  if (!element) return std::nullopt;
  std::int64_t number = 0;
  if (element->get(number) == simdjson::SUCCESS) return number;
  const auto digits = text(path);
  return digits ? parse_number<std::int64_t>(*digits) : std::nullopt;
}

}  // namespace mcptrace::json
