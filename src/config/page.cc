#include "config/page.h"

#include <algorithm>

#include "config/options.h"
#include "config/words.h"

namespace mcptrace::config {
namespace {

constexpr std::string_view kStart = R"(# Configuration

<!-- Made of the table in src/config/options.cc: MCPTRACE_UPDATE_GOLDEN=1 config_test writes it. -->

Nothing has to be configured. What is, is said by a command's flags, by the environment, or in one file; flags win over the environment, that
over the file, that over defaults. `mcptrace config print` shows every value and where it comes from, `mcptrace config check` what is wrong with
the file, with line and column.

**Where the file is looked for**: `--config FILE`, else `$MCPTRACE_CONFIG`, else the first there is of `~/.config/mcptrace/mcptrace.yaml`,
`$XDG_CONFIG_HOME/mcptrace/mcptrace.yaml` and `/etc/mcptrace/mcptrace.yaml`.

**MCP clients start their servers with HOME, LOGNAME, PATH, SHELL, TERM and USER, and nothing else of your shell.** What you export there does
not reach `mcptrace run`. What is to hold for all sessions belongs into `~/.config/mcptrace/mcptrace.yaml`; what is to hold for one server into
`run`'s flags, or into `"env"` of the client's own configuration.

**A file that cannot be used** never stops a server: `run` and `proxy` go on with its last good copy, else with defaults, and say so in one line
on stderr. An unknown key is an error. They read no YAML themselves: what they need of the file lies as a copy in `config/` of the state
directory, made anew when the file was written. `home`, `name`, `naming`, `inject` and `spool` are for them as they are when they start.

**Secrets** are references: `env:NAME` is what the variable of that name holds, `file:/path` what the file holds, without line ends at its end.
They are read when they are used, and are never shown or logged. A credential that stands in the file itself is an error.

| written | what it is |
|---|---|
| size | `512KiB`, `64MiB`, `1GiB`, or a number of bytes |
| duration | `1h30m`, `250ms`, `30d`: numbers with `w`, `d`, `h`, `m`, `s`, `ms`, `us`, `ns` |
| ratio | a number from 0 to 1 |
| reference | `env:NAME` or `file:/path` |

An example:

```yaml
home: /var/lib/mcptrace
naming: semconv
destinations:
  - name: jaeger
    preset: jaeger
    endpoint: http://127.0.0.1:4318
  - name: honeycomb
    preset: honeycomb
    region: eu
    key: env:HONEYCOMB_API_KEY
```
)";

constexpr std::string_view kOtel = R"(
## OpenTelemetry's variables

Read as their specification says: empty counts as not set, names are compared without regard to case, what cannot be used is ignored and said
in one line.

| variables | what they do |
|---|---|
| `OTEL_EXPORTER_OTLP_ENDPOINT`, `_PROTOCOL`, `_HEADERS`, `_COMPRESSION`, `_TIMEOUT`, `_CERTIFICATE`, `_CLIENT_KEY`, `_CLIENT_CERTIFICATE`, `_INSECURE`, and the same with `OTEL_EXPORTER_OTLP_TRACES_`, which win | any of them makes a destination, for the sessions of the processes that have them; files by their absolute paths |
| `OTEL_TRACES_EXPORTER` | `otlp` makes one, too; `none`: none; others are not there |
| `OTEL_BSP_SCHEDULE_DELAY`, `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`, `OTEL_BSP_EXPORT_TIMEOUT` | its `delay`, `batch_spans`, and at most its `timeout` |
| `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`, `OTEL_ATTRIBUTE_COUNT_LIMIT`, and the same with `OTEL_SPAN_`, which win | its `attribute_bytes`, `attribute_count` |
| `OTEL_SPAN_EVENT_COUNT_LIMIT`, `OTEL_SPAN_LINK_COUNT_LIMIT`, `OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT`, `OTEL_LINK_ATTRIBUTE_COUNT_LIMIT` | its `event_count`, `link_count`, `event_attribute_count`, `link_attribute_count` |
| `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | `name`; attributes of the resource |
| `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` | `sampling.ratio`: `always_on`, `always_off`, `traceidratio`, alone or behind `parentbased_` |
| `OTEL_PROPAGATORS` | without `tracecontext`: `inject: never` |
| `OTEL_SDK_DISABLED` | `true`: nothing is traced, all passes as it is |
| `OTEL_CONFIG_FILE` | is not read, and in its place the exporter's, sampler's and propagators' variables do not count, as the specification wants |
)";

std::string type_of(const Option& option) {
  switch (option.type) {
    case Type::kText:
    case Type::kHeader:
      return "text";
    case Type::kName:
      return "name";
    case Type::kPath:
      return "path";
    case Type::kChoice: {
      std::string text;
      for (const std::string_view word : split_words(option.choices)) {
        text.append(text.empty() ? "`" : ", `").append(word).append("`");
      }
      return text;
    }
    case Type::kSize:
      return "size";
    case Type::kDuration:
      return "duration";
    case Type::kRatio:
      return "ratio";
    case Type::kCount:
      return "number";
    case Type::kBoolean:
      return "`true`, `false`";
    case Type::kReference:
      return "reference";
    case Type::kUrl:
    case Type::kEndpoint:
    case Type::kProxyAddress:
      return "address";
    case Type::kAddress:
      return "ADDRESS:PORT";
    case Type::kMoney:
      return "amount and currency";
  }
  return {};
}

std::string code(std::string_view text) { return text.empty() ? "" : "`" + std::string(text) + "`"; }

std::string what(const Option& option) {
  std::string text(option.help);
  if (!option.fallback.empty()) text += " (default: " + std::string(option.fallback) + ")";
  if (option.required) text += "; must be there";
  if (!option.later.empty()) text += ". *Without effect yet: waits for " + std::string(option.later) + "*";
  // Nothing may look like a tag or end the cell.
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}

std::string keys() {
  std::string text =
      "\n## Keys of the file\n\n`[]` stands for each element of a list, `*` for any name.\n\n"
      "| key | value | flag, variable | what it does |\n|---|---|---|---|\n";
  for (const Option& option : options()) {
    if (option.key.empty()) continue;
    std::string others = code(option.flag);
    if (!option.variable.empty()) others += (others.empty() ? "" : ", ") + code(option.variable);
    text += "| " + code(option.key) + " | " + type_of(option) + " | " + others + " | " + what(option) + " |\n";
  }
  return text;
}

std::string flags() {
  std::string text =
      "\n## What is a flag or a variable alone\n\n| flag, variable | of | what it does |\n|---|---|---|\n";
  for (const Option& option : options()) {
    if (!option.key.empty()) continue;
    std::string name = code(option.flag);
    if (!option.variable.empty()) name += (name.empty() ? "" : ", ") + code(option.variable);
    const bool all = option.commands == kAll || option.commands == kNobody;
    const std::string_view of = all ? "all" : option.commands == kProxy ? "`proxy`" : "`run`, `proxy`";
    text += "| " + name + " | " + std::string(of) + " | " + what(option) + " |\n";
  }
  return text;
}

}  // namespace

std::string configuration_page() { return std::string(kStart) + keys() + flags() + std::string(kOtel); }

}  // namespace mcptrace::config
