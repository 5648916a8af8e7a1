#include "base/keyed_hash.h"

#include <cstring>

#include "base/ids.h"

namespace mcptrace {

HashKey::HashKey(const std::array<std::uint8_t, 32>& secret) {
  crypto_auth_hmacsha256_init(&prepared_, secret.data(), secret.size());
}

KeyedHash::KeyedHash(const HashKey& key, std::string_view domain) : state_(key.prepared_) { update_field(domain); }

void KeyedHash::update(std::string_view bytes) {
  crypto_auth_hmacsha256_update(&state_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

void KeyedHash::update_field(std::string_view field) {
  std::array<char, 8> length;
  std::uint64_t size = field.size();
  for (char& byte : length) byte = static_cast<char>(size & 0xff), size >>= 8;
  update({length.data(), length.size()});
  update(field);
}

Digest KeyedHash::finish() {
  Digest digest;
  crypto_auth_hmacsha256_final(&state_, digest.data());
  return digest;
}

std::uint64_t KeyedHash::finish64() {
  const Digest digest = finish();
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | digest[i];
  return value;
}

std::string hex64(std::uint64_t value) {
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4) text[i] = "0123456789abcdef"[value & 15];
  return text;
}

std::string hex32_of(std::uint64_t value) { return hex64(value).substr(0, 8); }

std::uint64_t mix64(std::string_view bytes, std::uint64_t seed) {
  constexpr std::uint64_t kPrime = 0x9fb21c651e98df25u;
  std::uint64_t hash = seed ^ (bytes.size() * 0x9e3779b97f4a7c15u);
  const auto mix = [&](std::uint64_t word) {
    hash = (hash ^ word) * kPrime;
    hash ^= hash >> 32;
  };
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + i, 8);
    mix(word);
  }
  std::uint64_t rest = 0;
  if (i < bytes.size()) std::memcpy(&rest, bytes.data() + i, bytes.size() - i);
  mix(rest);
  mix(seed);
  return hash;
}

}  // namespace mcptrace
