// The baseline of ship_bench: the OpenTelemetry C++ SDK's own OTLP/HTTP exporter (protobuf, no compression: Debian's
// build has none). Not part of the project's build: script/otel-sdk builds it, where the SDK can be had.
//
//   sdk_export URL ATTRIBUTES_FILE SPANS
#include <opentelemetry/exporters/otlp/otlp_http_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_http_exporter_options.h>
#include <opentelemetry/sdk/instrumentationscope/instrumentation_scope.h>
#include <opentelemetry/sdk/resource/resource.h>
#include <opentelemetry/sdk/trace/exporter.h>
#include <opentelemetry/sdk/trace/recordable.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace common = opentelemetry::common;
namespace nostd = opentelemetry::nostd;
namespace otlp = opentelemetry::exporter::otlp;
namespace sdk = opentelemetry::sdk;
namespace trace = opentelemetry::trace;

constexpr std::size_t kBatch = 2000;  // as ours

struct Template {
  std::string name;
  std::vector<std::pair<std::string, std::string>> texts;
  std::vector<std::pair<std::string, std::int64_t>> numbers;
  std::vector<std::pair<std::string, double>> fractions;
  std::vector<std::pair<std::string, bool>> flags;
};

Template read_template(const char* path) {
  Template span;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string type, key, value;
    std::getline(words, type, '\t');
    std::getline(words, key, '\t');
    std::getline(words, value);
    if (type == "n") span.name = value;
    if (type == "s") span.texts.emplace_back(key, value);
    if (type == "i") span.numbers.emplace_back(key, std::stoll(value));
    if (type == "d") span.fractions.emplace_back(key, std::stod(value));
    if (type == "b") span.flags.emplace_back(key, value == "1");
  }
  return span;
}

template <class Id, std::size_t kSize>
Id id_of(std::uint64_t number) {
  std::uint8_t bytes[kSize] = {1};
  std::memcpy(bytes + kSize - sizeof(number), &number, sizeof(number));
  return Id(nostd::span<const std::uint8_t, kSize>(bytes));
}

void fill(sdk::trace::Recordable& out, const Template& span, std::uint64_t number) {
  const trace::SpanContext context(id_of<trace::TraceId, 16>(1 + number / 3000), id_of<trace::SpanId, 8>(1 + number),
                                   trace::TraceFlags(1), false);
  out.SetIdentity(context, id_of<trace::SpanId, 8>(number / 3000 + (std::uint64_t{1} << 40)));
  out.SetName(span.name);
  out.SetSpanKind(trace::SpanKind::kServer);
  out.SetStartTime(common::SystemTimestamp(std::chrono::nanoseconds(1'700'000'000'000'000'000 + number * 1'000'000)));
  out.SetDuration(std::chrono::nanoseconds(1'000'000));
  for (const auto& [key, value] : span.texts) out.SetAttribute(key, nostd::string_view(value));
  for (const auto& [key, value] : span.numbers) out.SetAttribute(key, value);
  for (const auto& [key, value] : span.fractions) out.SetAttribute(key, value);
  for (const auto& [key, value] : span.flags) out.SetAttribute(key, value);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  otlp::OtlpHttpExporterOptions options;
  options.url = argv[1];
  options.content_type = otlp::HttpRequestContentType::kBinary;
  options.timeout = std::chrono::seconds(60);
  const auto exporter = otlp::OtlpHttpExporterFactory::Create(options);
  const Template span = read_template(argv[2]);
  const auto resource = sdk::resource::Resource::Create({{"service.name", "everything"}});
  const auto scope = sdk::instrumentationscope::InstrumentationScope::Create("mcptrace");
  const std::uint64_t wanted = std::strtoull(argv[3], nullptr, 10);
  std::vector<std::unique_ptr<sdk::trace::Recordable>> batch;
  for (std::uint64_t sent = 0; sent < wanted; sent += batch.size()) {
    batch.clear();
    while (batch.size() < kBatch && sent + batch.size() < wanted) {
      auto one = exporter->MakeRecordable();
      fill(*one, span, sent + batch.size());
      one->SetResource(resource);
      one->SetInstrumentationScope(*scope);
      batch.push_back(std::move(one));
    }
    if (exporter->Export({batch.data(), batch.size()}) != sdk::common::ExportResult::kSuccess) {
      std::fprintf(stderr, "sdk_export: a batch was not taken\n");
      return 1;
    }
  }
  return 0;
}
