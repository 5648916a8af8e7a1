#include "base/keyed_hash.h"

#include <sodium/crypto_shorthash_siphash24.h>

#include <bit>
#include <cstring>

#include "base/ids.h"

namespace mcptrace {
namespace {

static_assert(std::endian::native == std::endian::little);

template <class Word>
std::uint64_t load(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

// The next `size` bytes as a little-endian number. Loads that overlap: a copy of unknown length is a call.
std::uint64_t load_up_to_7(const char* at, std::size_t size) {
  if (size >= 4) return load<std::uint32_t>(at) | load<std::uint32_t>(at + size - 4) << 8 * (size - 4);
  if (size == 0) return 0;
  const std::size_t middle = size / 2;
  return load<std::uint8_t>(at) | load<std::uint8_t>(at + middle) << 8 * middle |
         load<std::uint8_t>(at + size - 1) << 8 * (size - 1);
}

}  // namespace

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

TableHash::TableHash(const HashKey& key) {
  const Digest digest = KeyedHash(key, "tables").finish();
  std::memcpy(key_.data(), digest.data(), sizeof(key_));
}

TableHash::Value TableHash::operator()(std::string_view bytes, std::uint64_t domain) const {
  static_assert(sizeof(key_) == crypto_shorthash_siphashx24_KEYBYTES &&
                sizeof(Value) == crypto_shorthash_siphashx24_BYTES);
  const std::array<std::uint64_t, 2> key = {key_[0] ^ domain, key_[1]};
  Value value;
  crypto_shorthash_siphashx24(reinterpret_cast<unsigned char*>(value.data()),
                              reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                              reinterpret_cast<const unsigned char*>(key.data()));
  return value;
}

std::string hex64(std::uint64_t value) {
  std::string text(16, '0');
  write_hex(value, text.data());
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
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) mix(load<std::uint64_t>(at));
  mix(load_up_to_7(at, left));
  mix(seed);
  return hash;
}

}  // namespace mcptrace
