#include "spool/layout.h"

#include <algorithm>
#include <cstring>

#include "spool/crc32c.h"

namespace mcptrace::spool {
namespace {

constexpr std::string_view kMagic = "MCPSPOOL";
constexpr std::uint32_t kMaxFileHeaderBytes = 64u << 10;
constexpr std::uint16_t kTagsNotListed = 0xffff;

}  // namespace

std::uint32_t load32(const char* from) {
  std::uint32_t value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

void store32(char* to, std::uint32_t value) { std::memcpy(to, &value, sizeof(value)); }

std::string encode_file_header(const FileHeader& header) {
  std::string bytes(kFileHeaderBytes, '\0');
  const std::int64_t created = header.created.count();
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  store32(bytes.data() + 8, header.version);
  store32(bytes.data() + 12, header.size);
  std::memcpy(bytes.data() + 16, &created, sizeof(created));
  store32(bytes.data() + 24, header.salt);
  store32(bytes.data() + 28, crc32c(std::string_view(bytes).substr(0, 28)));
  return bytes;
}

std::optional<FileHeader> decode_file_header(std::string_view bytes) {
  if (!bytes.starts_with(kMagic) || crc32c(bytes.substr(0, 28)) != load32(bytes.data() + 28)) return std::nullopt;
  std::int64_t created;
  std::memcpy(&created, bytes.data() + 16, sizeof(created));
  const FileHeader header{.version = load32(bytes.data() + 8),
                          .size = load32(bytes.data() + 12),
                          .created = Nanos(created),
                          .salt = load32(bytes.data() + 24)};
  if (header.size < kFileHeaderBytes || header.size > kMaxFileHeaderBytes) return std::nullopt;
  return header;
}

std::optional<RecordHeader> decode_record_header(const char* at) {
  const std::uint32_t type_and_reserved = load32(at + 8);
  if (type_and_reserved == 0 || type_and_reserved > kLastPossibleType) return std::nullopt;
  const RecordHeader header{.payload_size = load32(at),
                            .crc = load32(at + 4),
                            .type = static_cast<std::uint8_t>(type_and_reserved),
                            .tag = load32(at + 12)};
  if (header.payload_size > kMaxPayloadBytes) return std::nullopt;
  return header;
}

void write_record_header(char* to, RecordType type, std::uint32_t tag, std::size_t payload_size) {
  store32(to, static_cast<std::uint32_t>(payload_size));
  store32(to + 4, 0);
  store32(to + 8, static_cast<std::uint32_t>(type));
  store32(to + 12, tag);
}

void append_record(std::string& out, RecordType type, std::uint32_t tag, std::string_view payload) {
  append_record(out, type, tag, payload.size(), [&](char* to) { return std::ranges::copy(payload, to).out; });
}

std::uint32_t record_crc(std::string_view record, std::uint32_t salt) { return crc32c(record.substr(8), salt); }

void seal_record(char* record, std::size_t size, std::uint32_t salt) {
  store32(record + 4, record_crc(std::string_view(record, size), salt));
}

std::optional<BlockHeader> decode_block_header(std::string_view payload) {
  if (payload.size() < kBlockHeaderBytes) return std::nullopt;
  const std::uint32_t tag_count = load32(payload.data() + 12) & 0xffff;
  const std::uint32_t coding = load32(payload.data() + 12) >> 16;
  if (coding > static_cast<std::uint32_t>(Coding::kLikeness)) return std::nullopt;
  BlockHeader header{.uncompressed_size = load32(payload.data()),
                     .records = load32(payload.data() + 4),
                     .types = load32(payload.data() + 8),
                     .tags_listed = tag_count != kTagsNotListed,
                     .tags = {},
                     .coding = static_cast<Coding>(coding),
                     .coded = payload.substr(kBlockHeaderBytes)};
  if (header.uncompressed_size > kMaxBlockBytes) return std::nullopt;
  if (header.tags_listed) {
    const std::size_t size = tag_count * sizeof(std::uint32_t);
    if (tag_count > kMaxListedTags || header.coded.size() < size) return std::nullopt;
    header.tags = header.coded.substr(0, size);
    header.coded.remove_prefix(size);
  }
  return header;
}

bool may_hold_tag(const BlockHeader& header, std::uint32_t tag) {
  if (!header.tags_listed) return true;
  for (std::size_t at = 0; at < header.tags.size(); at += sizeof(tag)) {
    if (load32(header.tags.data() + at) == tag) return true;
  }
  return false;
}

bool well_formed(std::string_view records, std::size_t count) {
  while (!records.empty()) {
    if (count == 0 || records.size() < kRecordHeaderBytes) return false;
    const auto header = decode_record_header(records.data());
    if (!header || header->type == static_cast<std::uint8_t>(RecordType::kBlock)) return false;
    if (header->record_size() > records.size()) return false;
    records.remove_prefix(header->record_size());
    --count;
  }
  return count == 0;
}

}  // namespace mcptrace::spool
