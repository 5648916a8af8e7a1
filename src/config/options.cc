#include "config/options.h"

#include <algorithm>
#include <vector>

#include "config/words.h"

namespace mcptrace::config {
namespace {

using enum Type;

constexpr std::uint64_t kKiB = 1 << 10, kMillisecond = 1'000'000, kSecond = 1'000'000'000;

// In the order in which they are shown. Rows with an empty key are flags or variables alone.
constexpr Option kOptions[] = {
    // What `run` and `proxy` take.
    {.flag = "--upstream URL",
     .type = kUrl,
     .help = "the server: http:// or https://, with a path if it has one",
     .commands = kProxy},
    {.flag = "--route /P=URL",
     .help = "requests below /P go to URL, without /P; may be given several times",
     .commands = kProxy},
    {.flag = "--listen ADDR:PORT",
     .type = kAddress,
     .help = "where to listen (port 0: any free one, said on stderr)",
     .fallback = "127.0.0.1:0",
     .commands = kProxy},
    {.flag = "--config FILE",
     .variable = "MCPTRACE_CONFIG",
     .type = kPath,
     .help = "the configuration file, or none",
     .fallback = "the first there is of ~/.config/mcptrace/mcptrace.yaml, $XDG_CONFIG_HOME/mcptrace/mcptrace.yaml and "
                 "/etc/mcptrace/mcptrace.yaml",
     .commands = kAll},
    {.key = "home",
     .flag = "--home DIR",
     .variable = "MCPTRACE_HOME",
     .type = kPath,
     .help = "where the state lies: traces, the installation's secret",
     .fallback = "$XDG_STATE_HOME/mcptrace, else ~/.local/state/mcptrace",
     .commands = kAll},
    {.key = "name",
     .flag = "--name NAME",
     .variable = "OTEL_SERVICE_NAME",
     .help = "the service's name in traces",
     .fallback = "of run what the command starts: a package, script, image …; of proxy the server's address",
     .commands = kTracers},
    {.key = "inject",
     .flag = "--inject WHEN",
     .variable = "MCPTRACE_INJECT",
     .type = kChoice,
     .help = "put trace context into requests: auto (not where the server refuses it), always, or never (--no-inject: "
             "nothing is ever held back or changed)",
     .fallback = "auto",
     .choices = "auto always never",
     .commands = kTracers},
    {.key = "naming",
     .flag = "--naming SET",
     .variable = "MCPTRACE_NAMING",
     .type = kChoice,
     .help = "names of spans and attributes: guide, semconv or both",
     .fallback = "both",
     .choices = "guide semconv both",
     .commands = kTracers},
    {.key = "shapes",
     .type = kBoolean,
     .help = "logs tell the shape of tool arguments: names of keys, and types",
     .fallback = "true",
     .later = "logs",
     .commands = kTracers},
    {.key = "spool.size",
     .type = kSize,
     .help = "what the spool may take on disk; beyond it the oldest goes",
     .fallback = "512MiB",
     .commands = kTracers,
     .least = 1 << 20},
    {.key = "spool.fsync",
     .type = kChoice,
     .help = "when consumers make sure that what they took is on the disk",
     .fallback = "interval",
     .choices = "interval always",
     .later = "serve",
     .commands = kTracers},
    {.flag = "--host keep",
     .type = kChoice,
     .help = "the server sees the Host field that the client sent, not its own address",
     .choices = "keep",
     .commands = kProxy},
    {.flag = "--allow-host HOST",
     .help = "a name, besides loopback's, that clients may call the proxy by; may be given several times",
     .commands = kProxy},
    {.flag = "--allow-origin O",
     .help = "an origin, besides loopback's, whose web pages may use the proxy; may be given several times",
     .commands = kProxy},
    {.flag = "--tls-cert FILE, --tls-key FILE", .help = "serve HTTPS; read again at SIGHUP", .commands = kProxy},
    {.flag = "--upstream-ca FILE",
     .help = "trust this CA alone for https upstreams, instead of the system's store",
     .commands = kProxy},
    {.flag = "--upstream-proxy URL",
     .type = kProxyAddress,
     .help = "reach the servers through this proxy, http://[user:password@]host[:port]; or through none, whatever the "
             "environment says (none)",
     .commands = kProxy},
    {.flag = "--secret-file FILE",
     .help = "the key of session ids and fingerprints, the same for all replicas (64 hexadecimal digits)",
     .commands = kProxy},
    {.flag = "--conversation-header NAME",
     .help = "a request field that names the conversation; may be given several times",
     .commands = kProxy},
    {.flag = "--parent WHICH",
     .type = kChoice,
     .help = "a call's parent: the context in _meta, else the header's (meta); the other way round (header); or always "
             "its session (root)",
     .fallback = "meta",
     .choices = "meta header root",
     .commands = kProxy},
    {.flag = "--trust-proxy",
     .help = "whatever connects is a proxy that says in X-Forwarded-For or Forwarded who its client is, and in "
             "X-Forwarded-Proto and -Host or Forwarded what that called",
     .commands = kProxy},
    {.flag = "--trusted-proxy NETWORK",
     .help = "these proxies say so (10.0.0.0/8, or an address), also of each other; may be given several times",
     .commands = kProxy},
    {.flag = "--client-address",
     .help = "write the client's address and port onto spans; they are personal data",
     .commands = kProxy},
    {.flag = "--ready ADDR:PORT", .type = kAddress, .help = "answer GET /-/ready there", .commands = kProxy},
    {.flag = "--hold-budget SIZE",
     .type = kSize,
     .help = "how much of bodies is held in sum, for trace context and to read them; beyond it they pass as they come, "
             "without",
     .fallback = "64MiB",
     .commands = kProxy},
    {.flag = "--drain TIME",
     .type = kDuration,
     .help = "at SIGTERM, how long what is in flight may take",
     .fallback = "25s",
     .commands = kProxy},
    {.flag = "--flush TIME",
     .type = kDuration,
     .help =
         "at the end, wait so long at most until what was traced is delivered, like 5s; else what is left is sent by "
         "a process of its own",
     .commands = kTracers},
    {.variable = "MCPTRACE_DISABLED", .type = kBoolean, .help = "1 or true: nothing is traced, all passes as it is"},

    // Where telemetry is sent.
    {.key = "destinations[].name", .type = kName, .help = "what it is called; each its own", .required = true},
    {.key = "destinations[].preset",
     .type = kChoice,
     .help = "a backend's endpoint, header names and limits",
     .choices = "jaeger tempo grafana-cloud honeycomb lightstep axiom newrelic datadog datadog-agent collector"},
    {.key = "destinations[].region", .type = kName, .help = "the preset's region", .fallback = "the preset's"},
    {.key = "destinations[].key", .type = kReference, .help = "the credential that the preset asks for"},
    {.key = "destinations[].user", .help = "whose key it is, where a backend asks (Grafana Cloud's instance id)"},
    {.key = "destinations[].dataset", .help = "dataset or tenant, where a backend has them"},
    {.key = "destinations[].endpoint",
     .type = kEndpoint,
     .help = "base address; /v1/traces is appended",
     .fallback = "the preset's"},
    {.key = "destinations[].traces_endpoint", .type = kEndpoint, .help = "the address for traces, used as it is"},
    {.key = "destinations[].protocol",
     .type = kChoice,
     .help = "what is spoken",
     .fallback = "the preset's, else http/protobuf",
     .choices = "http/protobuf http/json grpc"},
    {.key = "destinations[].compression",
     .type = kChoice,
     .help = "of request bodies",
     .fallback = "the preset's, else gzip",
     .choices = "none gzip zstd"},
    {.key = "destinations[].headers.*",
     .type = kHeader,
     .help = "a header of each request: a text, or a reference; a credential is always a reference"},
    {.key = "destinations[].ca",
     .type = kPath,
     .help = "PEM file: trust these CAs alone",
     .fallback = "the system's store"},
    {.key = "destinations[].certificate", .type = kPath, .help = "PEM file: our own certificate, for mutual TLS"},
    {.key = "destinations[].certificate_key", .type = kPath, .help = "PEM file: its key"},
    {.key = "destinations[].insecure",
     .type = kBoolean,
     .help = "gRPC without TLS, where the endpoint names no scheme",
     .fallback = "false"},
    {.key = "destinations[].proxy",
     .type = kProxyAddress,
     .help = "address of the proxy to reach it through, or none",
     .fallback = "as HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say"},
    {.key = "destinations[].timeout",
     .type = kDuration,
     .help = "of one attempt",
     .fallback = "10s",
     .least = kMillisecond},
    {.key = "destinations[].delay", .type = kDuration, .help = "how long a batch waits to be filled", .fallback = "1s"},
    {.key = "destinations[].retry_first",
     .type = kDuration,
     .help =
         "the wait before the second attempt; it doubles with each failure, and up to half of it is added at random",
     .fallback = "5s",
     .least = kMillisecond},
    {.key = "destinations[].retry_most",
     .type = kDuration,
     .help = "what that wait grows to; a receiver may ask for more",
     .fallback = "1m",
     .least = kMillisecond},
    {.key = "destinations[].batch_spans",
     .type = kCount,
     .help = "at most so many spans a request",
     .fallback = "the preset's",
     .least = 1},
    {.key = "destinations[].batch_bytes",
     .type = kSize,
     .help = "at most so many bytes a request, before compression",
     .fallback = "the preset's",
     .least = kKiB},
    {.key = "destinations[].attribute_bytes",
     .type = kSize,
     .help = "longer texts are cut",
     .fallback = "the preset's",
     .least = 1},
    {.key = "destinations[].attribute_count",
     .type = kCount,
     .help = "at most so many attributes a span",
     .fallback = "the preset's",
     .least = 1},
    {.key = "destinations[].event_count",
     .type = kCount,
     .help = "at most so many events a span",
     .fallback = "no limit",
     .least = 1},
    {.key = "destinations[].link_count",
     .type = kCount,
     .help = "at most so many links a span",
     .fallback = "no limit",
     .least = 1},
    {.key = "destinations[].event_attribute_count",
     .type = kCount,
     .help = "at most so many attributes an event",
     .fallback = "no limit",
     .least = 1},
    {.key = "destinations[].link_attribute_count",
     .type = kCount,
     .help = "at most so many attributes a link",
     .fallback = "no limit",
     .least = 1},
    {.key = "destinations[].max_age",
     .type = kDuration,
     .help = "older spans are of no use there",
     .fallback = "the preset's",
     .least = kSecond},
    {.key = "destinations[].partial_after",
     .type = kDuration,
     .help = "a session's root is sent at the latest so long after its start",
     .fallback = "10m",
     .least = kSecond},
    {.key = "destinations[].fresh_share",
     .type = kRatio,
     .help = "the share of requests for what is new, while there is a backlog",
     .fallback = "0.5"},
    {.key = "destinations[].logs", .type = kBoolean, .help = "send logs, too", .fallback = "false", .later = "logs"},
    {.key = "destinations[].content",
     .type = kBoolean,
     .help = "send what `capture` keeps, too",
     .fallback = "false",
     .later = "content"},

    // Which of it is sent.
    {.key = "sampling.ratio",
     .variable = "OTEL_TRACES_SAMPLER",
     .type = kRatio,
     .help = "the share of tool calls that is kept, once there is more than the thresholds",
     .fallback = "1",
     .later = "sampling"},
    {.key = "sampling.threshold",
     .type = kCount,
     .help = "sessions an hour of a server, up to which everything is kept",
     .fallback = "1000",
     .later = "sampling"},
    {.key = "sampling.threshold_calls",
     .type = kCount,
     .help = "calls an hour of a server, up to which everything is kept",
     .fallback = "20000",
     .later = "sampling"},
    {.key = "sampling.notifications",
     .type = kRatio,
     .help = "the share of notifications and pings that is kept",
     .fallback = "0.01",
     .later = "sampling"},
    {.key = "sampling.first_calls",
     .type = kCount,
     .help = "calls of a new or changed tool that are all kept",
     .fallback = "1000",
     .later = "sampling"},
    {.key = "sampling.slow",
     .type = kDuration,
     .help = "calls that take so long are all kept",
     .fallback = "5s",
     .later = "sampling"},
    {.key = "sampling.rules[].server", .help = "for servers of this name (* stands for any text)", .later = "sampling"},
    {.key = "sampling.rules[].tool", .help = "for tools of this name", .later = "sampling"},
    {.key = "sampling.rules[].client", .help = "for clients of this name", .later = "sampling"},
    {.key = "sampling.rules[].ratio", .type = kRatio, .help = "in place of sampling.ratio", .later = "sampling"},
    {.key = "sampling.rules[].threshold",
     .type = kCount,
     .help = "in place of sampling.threshold",
     .later = "sampling"},
    {.key = "sampling.rules[].first_calls",
     .type = kCount,
     .help = "in place of sampling.first_calls",
     .later = "sampling"},

    // Parts that come.
    {.key = "capture[].server", .help = "the server", .later = "content", .required = true},
    {.key = "capture[].what[]",
     .type = kChoice,
     .help = "what of its content is kept",
     .choices = "arguments results errors stderr",
     .later = "content"},
    {.key = "cost[].server", .help = "the server", .later = "cost", .required = true},
    {.key = "cost[].tool", .help = "the tool (* stands for any text)", .later = "cost"},
    {.key = "cost[].per_call", .type = kMoney, .help = "what a call costs", .later = "cost"},
    {.key = "cost[].per_second", .type = kMoney, .help = "what a second of a call costs", .later = "cost"},
    {.key = "synthetic_secrets[]",
     .type = kReference,
     .help = "keys of probers whose calls count as synthetic",
     .later = "prober"},
    {.key = "metrics.listen",
     .type = kAddress,
     .help = "where metrics are read",
     .later = "metrics",
     .commands = kTracers},
    {.key = "log.file", .type = kPath, .help = "where logs are written, a JSON object a line", .later = "logs"},
    {.key = "log.size", .type = kSize, .help = "what it may take", .fallback = "100MiB", .later = "logs"},
    {.key = "serve.listen",
     .type = kAddress,
     .help = "where page and interfaces are served",
     .fallback = "127.0.0.1:7227",
     .later = "serve"},
    {.key = "serve.retention",
     .type = kDuration,
     .help = "how long spans are kept",
     .fallback = "30d",
     .later = "serve"},
    {.key = "serve.size", .type = kSize, .help = "what the store may take", .fallback = "10GiB", .later = "serve"},
    {.key = "targets[].name", .type = kName, .help = "what it is called", .later = "prober", .required = true},
    {.key = "targets[].url", .type = kUrl, .help = "an MCP server over HTTP", .later = "prober"},
    {.key = "targets[].command[]", .help = "or the command of one over stdio, word by word", .later = "prober"},
    {.key = "targets[].every",
     .type = kDuration,
     .help = "how often it is probed",
     .fallback = "60s",
     .later = "prober"},
    {.key = "targets[].service", .help = "whose traces explain it", .later = "prober"},
    {.key = "targets[].bearer", .type = kReference, .help = "the token that it asks for", .later = "prober"},
    {.key = "targets[].canary.tool", .help = "a harmless tool to call", .later = "prober"},
    {.key = "targets[].canary.expect", .help = "what its answer has to hold", .later = "prober"},
    {.key = "alerts.sinks[].name", .type = kName, .help = "what it is called", .later = "alerts", .required = true},
    {.key = "alerts.sinks[].webhook", .type = kUrl, .help = "where alerts are sent", .later = "alerts"},
    {.key = "alerts.sinks[].secret", .type = kReference, .help = "the key of their signatures", .later = "alerts"},
    {.key = "alerts.rules[].targets", .help = "for targets of this name (* stands for any text)", .later = "alerts"},
    {.key = "alerts.rules[].down_after",
     .type = kCount,
     .help = "failed probes in a row that make it down",
     .later = "alerts"},
    {.key = "alerts.rules[].up_after", .type = kCount, .help = "good ones that make it up", .later = "alerts"},
    {.key = "alerts.rules[].to[]", .type = kName, .help = "sinks", .later = "alerts"},
    {.key = "sources[].name", .type = kName, .help = "what it is called", .later = "sources", .required = true},
    {.key = "sources[].jaeger", .type = kUrl, .help = "a Jaeger that may be asked, too", .later = "sources"},
    {.key = "sources[].tempo", .type = kUrl, .help = "or a Tempo", .later = "sources"},
};

std::string alternatives(std::string_view choices) {
  const std::vector<std::string_view> words = split_words(choices);
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i != 0) text += i + 1 == words.size() ? " or " : ", ";
    text += words[i];
  }
  return text;
}

}  // namespace

std::span<const Option> options() { return kOptions; }

const Option* find_option(std::string_view key) {
  const auto* const found = std::ranges::find(kOptions, key, &Option::key);
  return found == std::end(kOptions) || key.empty() ? nullptr : found;
}

std::string wanted(const Option& option) {
  switch (option.type) {
    case kText:
      return "a text";
    case kName:
      return "letters, digits, - and _";
    case kPath:
      return "an absolute path";
    case kChoice:
      return alternatives(option.choices);
    case kSize:
      return "a size, like 64MiB";
    case kDuration:
      return "a duration, like 1h30m";
    case kRatio:
      return "a number from 0 to 1";
    case kCount:
      return "a whole number";
    case kBoolean:
      return "true or false";
    case kReference:
      return "env:NAME or file:PATH";
    case kUrl:
      return "an address, like https://example.com";
    case kEndpoint:
      return "an address, like http://127.0.0.1:4318";
    case kProxyAddress:
      return "an address, like http://proxy:3128, without user and password, or none";
    case kAddress:
      return "ADDRESS:PORT, like 127.0.0.1:9464";
    case kMoney:
      return "an amount and a currency, like 0.005 USD";
    case kHeader:
      return "a text, env:NAME or file:PATH";
  }
  return {};
}

}  // namespace mcptrace::config
