// Keyed hashes: HMAC-SHA-256 (libsodium) under the installation's secret.
//
// Where a string from the wire may not be written (docs/architecture.md, What may be written), its fingerprint is:
// equal strings give equal fingerprints within an installation, and nobody without the secret can test a guess. Domains
// keep uses apart: the fingerprint of an error message says nothing about a session key of the same text.
//
//   KeyedHash hash(key, "error-message");
//   hash.update(piece); hash.update(more);
//   std::uint64_t print = hash.finish64();
#pragma once

#include <sodium/crypto_auth_hmacsha256.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace mcptrace {

using Digest = std::array<std::uint8_t, 32>;

// The secret itself; each copy is wiped when it goes.
struct Secret : std::array<std::uint8_t, 32> {
  Secret() = default;
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret() { explicit_bzero(data(), size()); }
};

// The installation's secret, ready for use: copying its prepared state saves two of four compressions a hash. As good
// as the secret, so wiped like it, here and in the hashes that are being made.
class HashKey {
 public:
  explicit HashKey(const std::array<std::uint8_t, 32>& secret);
  HashKey(const HashKey&) = default;
  HashKey& operator=(const HashKey&) = default;
  ~HashKey() { explicit_bzero(&prepared_, sizeof(prepared_)); }

 private:
  friend class KeyedHash;
  crypto_auth_hmacsha256_state prepared_;
};

class KeyedHash {
 public:
  KeyedHash(const HashKey& key, std::string_view domain);
  KeyedHash(const KeyedHash&) = default;
  KeyedHash& operator=(const KeyedHash&) = default;
  ~KeyedHash() { explicit_bzero(&state_, sizeof(state_)); }
  void update(std::string_view bytes);
  // A number, length-prefixed text: so that ("ab","c") and ("a","bc") differ.
  void update_field(std::string_view field);
  Digest finish();
  std::uint64_t finish64();  // the first 8 bytes, big endian

 private:
  crypto_auth_hmacsha256_state state_;
};

// 128 bits of SipHash under the secret: by what tables that live in memory know keys that others choose, and the terms
// of a tool's definition hash.
class TableHash {
 public:
  using Value = std::array<std::uint64_t, 2>;
  explicit TableHash(const HashKey& key);
  ~TableHash() { explicit_bzero(&key_, sizeof(key_)); }
  TableHash(const TableHash&) = default;
  TableHash& operator=(const TableHash&) = default;
  // Of different domains, however the bytes are chosen, no two are equal.
  [[nodiscard]] Value operator()(std::string_view bytes, std::uint64_t domain) const;

 private:
  std::array<std::uint64_t, 2> key_;
};

// 16 lower-case hexadecimal digits.
std::string hex64(std::uint64_t value);
// 8 lower-case hexadecimal digits of the upper half.
std::string hex32_of(std::uint64_t value);

// A fast, unkeyed 64-bit mix for tables that live in memory only. Never written anywhere.
std::uint64_t mix64(std::string_view bytes, std::uint64_t seed);

}  // namespace mcptrace
