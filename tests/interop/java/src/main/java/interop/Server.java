package interop;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.modelcontextprotocol.json.McpJsonDefaults;
import io.modelcontextprotocol.json.McpJsonMapper;
import io.modelcontextprotocol.json.jackson3.JacksonMcpJsonMapper;
import io.modelcontextprotocol.server.McpServer;
import io.modelcontextprotocol.server.McpSyncServerExchange;
import io.modelcontextprotocol.server.transport.HttpServletSseServerTransportProvider;
import io.modelcontextprotocol.server.transport.HttpServletStatelessServerTransport;
import io.modelcontextprotocol.server.transport.HttpServletStreamableServerTransportProvider;
import io.modelcontextprotocol.server.transport.StdioServerTransportProvider;
import io.modelcontextprotocol.spec.McpSchema;
import io.modelcontextprotocol.spec.McpSchema.CallToolRequest;
import io.modelcontextprotocol.spec.McpSchema.CallToolResult;
import jakarta.servlet.http.HttpServlet;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.ServerConnector;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** A server of the Java SDK: Server stdio|http|sse [--stateless] [--strict]. The last makes Jackson refuse unknown members. */
public final class Server {
  private static final McpSchema.ServerCapabilities CAPABILITIES = McpSchema.ServerCapabilities.builder().tools(false).build();

  /** What a tool does; `exchange` is null where the server is stateless. */
  interface Tool extends BiFunction<McpSyncServerExchange, CallToolRequest, CallToolResult> {}

  public static void main(String[] arguments) throws Exception {
    List<String> options = List.of(arguments);
    McpJsonMapper json = options.contains("--strict") ? strict() : McpJsonDefaults.getMapper();
    switch (arguments[0]) {
      case "stdio" -> {
        stateful(McpServer.sync(new StdioServerTransportProvider(json, untilEnd(), System.out)), json);
        Thread.currentThread().join();
      }
      case "sse" -> {
        var transport = HttpServletSseServerTransportProvider.builder().jsonMapper(json).messageEndpoint("/message").sseEndpoint("/sse").build();
        stateful(McpServer.sync(transport), json);
        serve(transport);
      }
      default -> serve(options.contains("--stateless") ? stateless(json) : streamable(json));
    }
  }

  /** The SDK's server outlives its input; this one ends with it. */
  private static InputStream untilEnd() {
    return new FilterInputStream(System.in) {
      @Override
      public int read(byte[] into, int from, int length) throws IOException {
        int got = super.read(into, from, length);
        if (got < 0) System.exit(0);
        return got;
      }
    };
  }

  private static McpJsonMapper strict() {
    return new JacksonMcpJsonMapper(JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
        .changeDefaultPropertyInclusion(old -> old.withValueInclusion(JsonInclude.Include.NON_NULL)).build());
  }

  private static HttpServlet streamable(McpJsonMapper json) {
    var transport = HttpServletStreamableServerTransportProvider.builder().jsonMapper(json).mcpEndpoint("/mcp").build();
    var server = McpServer.sync(transport).serverInfo("java-sdk", "2.1.0").capabilities(CAPABILITIES).jsonMapper(json);
    tools().forEach((tool, act) -> server.toolCall(tool, act));
    server.build();
    return transport;
  }

  private static void stateful(McpServer.SingleSessionSyncSpecification server, McpJsonMapper json) {
    server.serverInfo("java-sdk", "2.1.0").capabilities(CAPABILITIES).jsonMapper(json);
    tools().forEach((tool, act) -> server.toolCall(tool, act));
    server.build();
  }

  private static HttpServlet stateless(McpJsonMapper json) {
    var transport = HttpServletStatelessServerTransport.builder().jsonMapper(json).messageEndpoint("/mcp").build();
    var server = McpServer.sync(transport).serverInfo("java-sdk", "2.1.0").capabilities(CAPABILITIES).jsonMapper(json);
    tools().forEach((tool, act) -> server.toolCall(tool, (context, request) -> act.apply(null, request)));
    server.build();
    return transport;
  }

  private static void serve(HttpServlet transport) throws Exception {
    var server = new org.eclipse.jetty.server.Server(new InetSocketAddress("127.0.0.1", 0));
    var context = new ServletContextHandler();
    var holder = new ServletHolder(transport);
    holder.setAsyncSupported(true);
    context.addServlet(holder, "/*");
    server.setHandler(context);
    server.start();
    System.err.println("listens on port " + ((ServerConnector) server.getConnectors()[0]).getLocalPort());
    server.join();
  }

  private static Map<McpSchema.Tool, Tool> tools() {
    Map<McpSchema.Tool, Tool> all = new LinkedHashMap<>();
    all.put(tool("echo", Map.of("message", "string")), (exchange, request) -> text((String) request.arguments().get("message")));
    all.put(tool("add", Map.of("a", "integer", "b", "integer")), (exchange, request) -> text(String.valueOf(
        ((Number) request.arguments().get("a")).intValue() + ((Number) request.arguments().get("b")).intValue())));
    all.put(tool("fail", Map.of()), (exchange, request) -> {
      throw new IllegalStateException("as it should");
    });
    all.put(tool("slow", Map.of()), (exchange, request) -> {
      try {
        Thread.sleep(3000);
      } catch (InterruptedException cancelled) {
        Thread.currentThread().interrupt();
      }
      return text("late");
    });
    all.put(tool("progress", Map.of("steps", "integer")), (exchange, request) -> {
      int steps = ((Number) request.arguments().get("steps")).intValue();
      for (int step = 1; exchange != null && step <= steps; step++) {
        exchange.progressNotification(new McpSchema.ProgressNotification(request.progressToken(), step, (double) steps, null));
      }
      return text("done");
    });
    return all;
  }

  private static McpSchema.Tool tool(String name, Map<String, String> types) {
    Map<String, Object> properties = new LinkedHashMap<>();
    types.forEach((key, type) -> properties.put(key, Map.of("type", type)));
    return McpSchema.Tool.builder(name, Map.of(
        "type", "object", "properties", properties, "required", List.copyOf(types.keySet()))).build();
  }

  private static CallToolResult text(String words) {
    return new CallToolResult.Builder().addTextContent(words).isError(false).build();
  }
}
