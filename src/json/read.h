// JSON that is ours to judge: whole documents, strictly. simdjson's includer. One thread an object.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mcptrace::json {

class Document {
 public:
  // Copies the text. Error: kCorrupt, with what is wrong with it.
  static Result<Document> parse(std::string_view text);
  ~Document();
  Document(Document&&) noexcept;

  // The value under these keys, one in the other; nothing if there is none, or one of another kind.
  [[nodiscard]] std::optional<std::string> text(std::initializer_list<std::string_view> path) const;
  // A number, or a string that is one, as OTLP writes those of 64 bits.
  [[nodiscard]] std::optional<std::int64_t> integer(std::initializer_list<std::string_view> path) const;

 private:
  class Impl;
  explicit Document(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mcptrace::json
