#include "mcp/long_hash.h"

#include <cstring>

namespace mcptrace::mcp {
namespace {

constexpr std::uint64_t kKeyedBytes = 64 << 10;

std::uint64_t step(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9fb21c651e98df25u;
  return hash ^ hash >> 29;
}

}  // namespace

void LongHash::update(std::string_view bytes) {
  if (total_ < kKeyedBytes) {
    const auto keyed = bytes.substr(0, kKeyedBytes - total_);
    hash_.update(keyed);
    total_ += keyed.size();
    bytes.remove_prefix(keyed.size());
  }
  if (!bytes.empty()) mix(bytes);
}

void LongHash::mix(std::string_view bytes) {
  const auto single = [&](char byte) {
    word_ |= static_cast<std::uint64_t>(static_cast<unsigned char>(byte)) << (total_ % 8 * 8);
    if (++total_ % 8 == 0) mixed_ = step(mixed_, word_), word_ = 0;
  };
  while (!bytes.empty() && total_ % 8 != 0) single(bytes.front()), bytes.remove_prefix(1);
  for (; bytes.size() >= 8; bytes.remove_prefix(8), total_ += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    mixed_ = step(mixed_, word);
  }
  for (const char byte : bytes) single(byte);
}

std::uint64_t LongHash::finish() {
  if (total_ > kKeyedBytes) {
    const std::uint64_t tail[] = {total_, step(mixed_, word_)};
    char bytes[sizeof(tail)];
    std::memcpy(bytes, tail, sizeof(tail));
    hash_.update_field({bytes, sizeof(bytes)});
  }
  return hash_.finish64();
}

}  // namespace mcptrace::mcp
