#include "mcp/definition_hash.h"

#include <algorithm>
#include <cstring>

#include "json/text.h"

namespace mcptrace::mcp {
namespace {

constexpr std::uint64_t kPathDomain = 0x70617468, kValueDomain = 0x76616c75;

template <class Number>
std::string_view bytes_of(const Number& number) {
  return {reinterpret_cast<const char*>(&number), sizeof(number)};
}

}  // namespace

void DefinitionHash::begin() {
  sum_ = {};
  depth_ = 0;
  levels_[0] = {};
}

// `what`: a member's name, or an element's place.
std::uint64_t DefinitionHash::path_to(char what, std::string_view name) const {
  std::array<char, sizeof(std::uint64_t) + 1 + json::kMaxKey> bytes;
  std::memcpy(bytes.data(), &levels_[depth_].path, sizeof(std::uint64_t));
  bytes[sizeof(std::uint64_t)] = what;
  const std::size_t size = std::min(name.size(), json::kMaxKey);
  std::ranges::copy(name.substr(0, size), bytes.begin() + sizeof(std::uint64_t) + 1);
  return hash_({bytes.data(), sizeof(std::uint64_t) + 1 + size}, kPathDomain)[0];
}

void DefinitionHash::at(const json::Key& key, json::Kind kind) {
  if (key.text.data() == nullptr) {
    path_ = path_to('[', bytes_of(levels_[depth_].elements++));
  } else if (key.escaped) {
    std::array<char, json::kMaxKey> decoded;
    path_ = path_to('.', {decoded.data(), json::decode_string(key.text, decoded.data(), decoded.size())});
  } else {
    path_ = path_to('.', key.text);
  }
  kind_ = kind;
  decoder_ = {};
  size_ = 0;
  long_.reset();
  if (kind == json::Kind::kObject || kind == json::Kind::kArray) add();
}

void DefinitionHash::feed(std::string_view raw) {
  if (kind_ != json::Kind::kString) return append(raw);
  decoder_.feed(raw, [this](std::string_view decoded) { append(decoded); });
}

void DefinitionHash::append(std::string_view decoded) {
  if (!long_ && size_ + decoded.size() <= kWhole) {
    std::ranges::copy(decoded, bytes_.begin() + static_cast<std::ptrdiff_t>(kHead + size_));
    size_ += decoded.size();
    return;
  }
  if (!long_) long_.emplace(key_, "definition").update({bytes_.data() + kHead, size_});
  long_->update(decoded);
}

void DefinitionHash::end() {
  if (kind_ == json::Kind::kString) decoder_.finish([this](std::string_view decoded) { append(decoded); });
  if (long_) {
    const std::uint64_t print = long_->finish();
    std::memcpy(bytes_.data() + kHead, &print, sizeof(print));
    size_ = sizeof(print);
  }
  add();
}

void DefinitionHash::take(std::string_view decoded) {
  append(decoded);
  end();
}

void DefinitionHash::add() {
  std::memcpy(bytes_.data(), &path_, sizeof(path_));
  bytes_[sizeof(path_)] = static_cast<char>(kind_);
  bytes_[sizeof(path_) + 1] = long_ ? 'L' : 'T';
  const auto [low, high] = hash_({bytes_.data(), kHead + size_}, kValueDomain);
  sum_.high += high;
  sum_.low += low;
  if (sum_.low < low) ++sum_.high;
}

}  // namespace mcptrace::mcp
