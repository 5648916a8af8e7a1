#include "app/otel_environment.h"

#include "base/text.h"
#include "base/utf8.h"

namespace mcptrace::app {
namespace {

constexpr std::string_view kDestinationVariables[] = {"OTEL_EXPORTER_OTLP_ENDPOINT",
                                                      "OTEL_EXPORTER_OTLP_PROTOCOL",
                                                      "OTEL_EXPORTER_OTLP_HEADERS",
                                                      "OTEL_EXPORTER_OTLP_COMPRESSION",
                                                      "OTEL_EXPORTER_OTLP_TIMEOUT",
                                                      "OTEL_EXPORTER_OTLP_CERTIFICATE",
                                                      "OTEL_EXPORTER_OTLP_CLIENT_KEY",
                                                      "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
                                                      "OTEL_EXPORTER_OTLP_INSECURE",
                                                      "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                                                      "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
                                                      "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
                                                      "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
                                                      "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
                                                      "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
                                                      "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
                                                      "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
                                                      "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
                                                      "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
                                                      "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
                                                      "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
                                                      "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION",
                                                      "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT",
                                                      "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE",
                                                      "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY",
                                                      "OTEL_EXPORTER_OTLP_LOGS_INSECURE",
                                                      "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE"};

}  // namespace

bool is_true(const std::optional<std::string>& value) { return value && same_text(*value, "true"); }

Result<std::vector<std::pair<std::string, std::string>>> parse_resource_attributes(std::string_view value) {
  std::vector<std::pair<std::string, std::string>> attributes;
  while (!value.empty()) {
    const std::string_view member = take_until(value, ',');
    if (trim(member).empty()) continue;
    const std::size_t equals = member.find('=');
    const std::string_view key = trim(member.substr(0, equals));
    const auto decoded =
        equals == std::string_view::npos ? std::nullopt : percent_decode(trim(member.substr(equals + 1)));
    if (key.empty() || !decoded || !is_utf8(*decoded) || !is_utf8(key)) {
      return std::unexpected(
          Error{Errc::kInvalidArgument, "member " + std::to_string(attributes.size() + 1) + " is not key=value"});
    }
    attributes.emplace_back(key, *decoded);
  }
  return attributes;
}

Result<std::string> destination_of(const Variables& environment) {
  std::string text;
  const auto exporter = environment("OTEL_TRACES_EXPORTER");
  if (exporter && !exporter->empty() && !exporter->contains("otlp")) return text;
  for (const std::string_view name : kDestinationVariables) {
    const auto value = environment(name);
    if (!value || value->empty()) continue;
    if (value->find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos) {
      return std::unexpected(Error{Errc::kInvalidArgument, std::string(name) +
                                                               " is of more than one line: the destination that the "
                                                               "environment names is ignored"});
    }
    text.append(name).append("=").append(*value).append("\n");
  }
  return text;
}

}  // namespace mcptrace::app
