#include "ship/aside.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/fd.h"
#include "otlp/encode.h"
#include "spool/spool_testing.h"

namespace mcptrace::ship {
namespace {

Batch batch_of(const std::string& name) {
  trace::SpanRecord record;
  record.trace_id.bytes.fill(1);
  record.span_id.bytes.fill(2);
  record.name = name;
  std::string bytes;
  otlp::encode_span(record, trace::Naming::kBoth, bytes);
  Batch batch;
  batch.add({record.trace_id, record.span_id}, "", bytes);
  return batch;
}

TEST(Aside, IsALineForItsOwnerAlone) {
  const spool::TempDirectory temp;
  ASSERT_TRUE(set_aside(temp.path(), batch_of("poison"), "HTTP 400: \"no\"", Nanos(12)));
  const std::string path = temp.path() + "/aside.jsonl";
  const auto text = read_file(path, 1 << 20);
  ASSERT_TRUE(text);
  EXPECT_TRUE(text->starts_with(R"({"time":"12","why":"HTTP 400: \"no\"","traces":{"resourceSpans":[)")) << *text;
  EXPECT_TRUE(text->contains(R"("name":"poison")") && text->ends_with("}\n")) << *text;
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

TEST(Aside, IsBoundedAndKeepsTheNewest) {
  const spool::TempDirectory temp;
  const std::string large(1 << 20, 'x');
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(set_aside(temp.path(), batch_of(std::to_string(i) + large), "no", Nanos(i)));
  std::uintmax_t bytes = 0, files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(temp.path())) bytes += entry.file_size(), ++files;
  EXPECT_EQ(files, 2u);
  EXPECT_LE(bytes, 20u << 20);
  const auto newest = read_file(temp.path() + "/aside.jsonl", 16 << 20);
  ASSERT_TRUE(newest);
  EXPECT_TRUE(newest->contains(R"({"time":"39")"));
}

TEST(Aside, WhereItCannotBeWrittenThatIsSaid) {
  const spool::TempDirectory temp;
  const auto kept = set_aside(temp.path() + "/missing", batch_of("poison"), "no", Nanos(0));
  ASSERT_FALSE(kept);
  EXPECT_TRUE(kept.error().message.contains("aside.jsonl"));
}

}  // namespace
}  // namespace mcptrace::ship
