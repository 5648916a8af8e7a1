#include "app/proxy_options.h"

#include <unistd.h>

#include "base/shown.h"
#include "base/text.h"
#include "config/help.h"
#include "config/options.h"

namespace mcptrace::app {
namespace {

Error bad(std::string message) { return {Errc::kInvalidArgument, std::move(message)}; }

// "127.0.0.1:8080", "[::1]:0", "8080" (on 127.0.0.1), "localhost:8080" (the same).
Result<http::ListenAddress> parse_listen(std::string_view option, std::string_view text) {
  const auto wrong = [&] {
    return std::unexpected(
        bad(std::string(option) + " wants ADDRESS:PORT, like 127.0.0.1:8080; got '" + shown(text) + "'"));
  };
  http::ListenAddress address{.host = "127.0.0.1", .port = 0};
  const auto colon = text.rfind(':');
  std::string_view host = colon == std::string_view::npos ? std::string_view() : text.substr(0, colon);
  const auto port = parse_number<std::uint16_t>(colon == std::string_view::npos ? text : text.substr(colon + 1));
  if (!port || (colon == 0)) return wrong();
  address.port = *port;
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return wrong();
    host = host.substr(1, host.size() - 2);
  } else if (host.contains(':')) {
    return wrong();
  }
  if (!host.empty() && host != "localhost") address.host = host;
  return address;
}

Result<std::vector<proxy::Route>> parse_routes(const std::string& upstream, const std::vector<std::string>& texts) {
  std::vector<proxy::Route> routes;
  if (!upstream.empty()) {
    auto parsed = proxy::parse_upstream(upstream);
    if (!parsed) return std::unexpected(std::move(parsed).error().with_context("--upstream"));
    routes.push_back({.name = "default", .prefix = {}, .upstream = *std::move(parsed)});
  }
  for (const std::string& text : texts) {
    auto parsed = proxy::parse_route(text);
    if (!parsed) return std::unexpected(std::move(parsed).error().with_context("--route"));
    routes.push_back(*std::move(parsed));
  }
  if (routes.empty()) {
    return std::unexpected(
        bad("proxy wants a server to stand in front of: mcptrace proxy --upstream http://127.0.0.1:3001 (see mcptrace "
            "proxy --help)"));
  }
  return routes;
}

// Of each route. An option says it for all of them, whatever the variables say, and wherever the server is.
Result<> choose_forward_proxies(const World& world, std::string_view option, std::vector<proxy::Route>& routes) {
  if (option == "none") return {};
  std::optional<proxy::ForwardProxy> given;
  if (!option.empty()) {
    auto parsed = proxy::parse_forward_proxy(option);
    if (!parsed) return std::unexpected(std::move(parsed).error().with_context("--upstream-proxy"));
    given = *std::move(parsed);
  }
  for (proxy::Route& route : routes) {
    const proxy::UpstreamUrl& upstream = route.upstream;
    route.forward_proxy = given;
    if (given) continue;
    MCPTRACE_TRY(route.forward_proxy,
                 proxy::forward_proxy_of(world.environment, {upstream.tls, upstream.host, upstream.port}));
  }
  return {};
}

Result<observe::ParentOrder> parse_parent(std::string_view text) {
  if (text == "meta") return observe::ParentOrder::kMetaFirst;
  if (text == "header") return observe::ParentOrder::kHeaderFirst;
  if (text == "root") return observe::ParentOrder::kRootOnly;
  return std::unexpected(bad("--parent wants meta, header or root, got '" + shown(text) + "'"));
}

// sd_listen_fds(3): ours if LISTEN_PID is our own; the first is descriptor 3.
Result<int> inherited_listener(const World& world) {
  const auto count = world.environment("LISTEN_FDS"), pid = world.environment("LISTEN_PID");
  if (!count || count->empty() || *count == "0" || !pid || *pid != std::to_string(getpid())) return -1;
  if (*count != "1") return std::unexpected(bad("LISTEN_FDS=" + *count + ": one listening socket is what proxy takes"));
  return 3;
}

}  // namespace

std::string proxy_help() {
  return "Usage: mcptrace proxy --upstream URL [options]\n"
         "\n"
         "Stands in front of an MCP server over HTTP (Streamable HTTP, HTTP+SSE), passes everything between it and its "
         "clients,\n"
         "and traces the sessions.\n"
         "\n" +
         config::options_help(config::kProxy) +
         "\n"
         "Environment: MCPTRACE_CONFIG, MCPTRACE_HOME, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES,\n"
         "OTEL_EXPORTER_OTLP_ENDPOINT and its kin, LISTEN_FDS; MCPTRACE_DISABLED=1 or OTEL_SDK_DISABLED=true only "
         "passes\n"
         "requests on. HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say through which proxy servers on other "
         "machines are\n"
         "reached. The configuration file: docs/configuration.md.\n"
         "\n"
         "Examples:\n"
         "  mcptrace proxy --upstream http://127.0.0.1:3001 --listen 127.0.0.1:8080\n"
         "  mcptrace proxy --route /docs=https://docs.example.com/mcp --route /files=http://127.0.0.1:3002/mcp "
         "--listen "
         "127.0.0.1:8080\n"
         "\n"
         "In an MCP client's configuration, put the proxy's address in place of the server's:\n"
         "  { \"mcpServers\": { \"docs\": { \"url\": \"http://127.0.0.1:8080/mcp\" } } }\n";
}

Result<ParsedProxy> parse_proxy(const World& world, std::span<const std::string> args, Log& log) {
  ParsedProxy parsed;
  ProxyCommandOptions& options = parsed.options;
  proxy::ProxyOptions& proxy = options.proxy;
  std::string upstream, listen = "127.0.0.1:0", host, certificate, key, ready, drain = "25s", parent = "meta", through,
                        hold = "64MiB";
  std::vector<std::string> routes, allowed_hosts, allowed_origins, trusted_proxies;
  CommandLine line("proxy");
  const TraceOptionsReader trace(line);
  line.value("--upstream", upstream);
  line.values("--route", routes);
  line.value("--listen", listen);
  line.value("--host", host);
  line.values("--allow-host", allowed_hosts);
  line.values("--allow-origin", allowed_origins);
  line.value("--tls-cert", certificate);
  line.value("--tls-key", key);
  line.value("--upstream-ca", proxy.upstream_ca);
  line.value("--upstream-proxy", through);
  line.value("--secret-file", options.secret_file);
  line.values("--conversation-header", options.conversation_headers);
  line.flag("--trust-proxy", options.trust_proxy);
  line.values("--trusted-proxy", trusted_proxies);
  line.flag("--client-address", options.client_address);
  line.value("--parent", parent);
  line.value("--ready", ready);
  line.value("--drain", drain);
  line.value("--hold-budget", hold);
  MCPTRACE_TRY_VOID(line.parse(args));
  parsed.help = line.help_wanted();
  if (parsed.help) return parsed;
  MCPTRACE_TRY(static_cast<TraceOptions&>(options), trace.read(world, log));
  options.lives_long = true;
  MCPTRACE_TRY(proxy.routes, parse_routes(upstream, routes));
  MCPTRACE_TRY_VOID(choose_forward_proxies(world, through, proxy.routes));
  MCPTRACE_TRY(proxy.listen, parse_listen("--listen", listen));
  MCPTRACE_TRY(proxy.inherited_listener, inherited_listener(world));
  // Whoever listens on an address of its own is called by it.
  const bool any_address = proxy.listen.host == "0.0.0.0" || proxy.listen.host == "::";
  if (!any_address) {
    allowed_hosts.push_back(proxy.listen.host.contains(':') ? "[" + proxy.listen.host + "]" : proxy.listen.host);
  }
  MCPTRACE_TRY(proxy.access, http::Access::make(allowed_hosts, allowed_origins));
  if (!host.empty() && host != "keep") return std::unexpected(bad("--host wants keep, got '" + shown(host) + "'"));
  proxy.keep_host = host == "keep";
  MCPTRACE_TRY(options.parent, parse_parent(parent));
  for (const std::string& network : trusted_proxies) {
    auto added = options.trusted_proxies.add(network);
    if (!added) return std::unexpected(std::move(added).error().with_context("--trusted-proxy"));
  }
  proxy.trust_proxy = options.trust_proxy;
  proxy.trusted_proxies = options.trusted_proxies;
  if (certificate.empty() != key.empty()) {
    return std::unexpected(bad("--tls-cert and --tls-key go together: one of them is missing"));
  }
  if (!certificate.empty()) proxy.certificate = http::CertificateFiles{certificate, key};
  if (!ready.empty()) {
    MCPTRACE_TRY(proxy.ready, parse_listen("--ready", ready));
  }
  MCPTRACE_TRY(proxy.drain, parse_age("--drain", drain));
  MCPTRACE_TRY(options.hold_bytes, parse_size("--hold-budget", hold));
  return parsed;
}

}  // namespace mcptrace::app
