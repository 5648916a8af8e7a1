package interop;

import io.modelcontextprotocol.client.McpAsyncClient;
import io.modelcontextprotocol.client.McpClient;
import io.modelcontextprotocol.client.transport.HttpClientSseClientTransport;
import io.modelcontextprotocol.client.transport.HttpClientStreamableHttpTransport;
import io.modelcontextprotocol.client.transport.ServerParameters;
import io.modelcontextprotocol.client.transport.StdioClientTransport;
import io.modelcontextprotocol.json.McpJsonDefaults;
import io.modelcontextprotocol.spec.McpClientTransport;
import io.modelcontextprotocol.spec.McpError;
import io.modelcontextprotocol.spec.McpSchema;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import reactor.core.publisher.Mono;

/** A client of the Java SDK, which says what it got: Client stdio COMMAND ARGUMENT... | Client http|sse URL. With INTEROP_LEAVES it is gone when its patience is. */
public final class Client {
  private static McpAsyncClient client;
  private static final Duration LONG = Duration.ofSeconds(20);

  public static void main(String[] arguments) {
    int status = 0;
    try {
      drive(arguments);
    } catch (Exception error) {
      error.printStackTrace();
      status = 1;
    }
    System.exit(status);  // The SDK's threads would keep it alive.
  }

  private static void drive(String[] arguments) throws Exception {
    client = McpClient.async(transport(arguments)).clientInfo(McpSchema.Implementation.builder("java-sdk-client", "2.1.0").build())
        .requestTimeout(LONG).initializationTimeout(LONG)
        .progressConsumer(each -> Mono.fromRunnable(() -> progressed.add(each.progress()))).build();
    say("version", client.initialize().block().protocolVersion());
    say("list", client.listTools().block().tools().stream().map(McpSchema.Tool::name).sorted().toList());
    ask("echo", "echo", Map.of("message", "grüß dich 🙂 \u2028 \"x\""));
    ask("add", "add", Map.of("a", 2, "b", 40));
    ask("fail", "fail", Map.of());
    ask("bad", "add", Map.of("a", "x", "b", 1));
    ask("unknown", "no_such_tool", Map.of());
    ask("progress", "progress", Map.of("steps", 3));
    say("progressed", three());
    ask("slow", "slow", Map.of(), Duration.ofSeconds(1));
    if (System.getenv("INTEROP_LEAVES") != null) Runtime.getRuntime().halt(0);
    ask("after", "echo", Map.of("message", "still here"));
    // This SDK tells the server nothing of giving up; while the server answers this, it answers that too.
    ask("patient", "slow", Map.of());
    client.closeGracefully().block();
    say("closed", true);
  }

  private static final LinkedBlockingQueue<Double> progressed = new LinkedBlockingQueue<>();

  /** An answer in plain JSON has none before it. */
  private static List<Double> three() throws InterruptedException {
    List<Double> all = new ArrayList<>();
    long end = System.nanoTime() + 2_000_000_000L;
    while (all.size() < 3) {
      Double next = progressed.poll(end - System.nanoTime(), TimeUnit.NANOSECONDS);
      if (next == null) break;
      all.add(next);
    }
    return all;
  }

  private static McpClientTransport transport(String[] arguments) {
    String target = arguments[1];
    if (arguments[0].equals("stdio")) {
      var command = new ServerParameters.Builder(target).args(List.of(arguments).subList(2, arguments.length)).build();
      var transport = new StdioClientTransport(command, McpJsonDefaults.getMapper());
      transport.setStdErrorHandler(System.err::println);
      return transport;
    }
    URI uri = URI.create(target);
    String origin = uri.getScheme() + "://" + uri.getAuthority();
    return arguments[0].equals("sse")
        ? HttpClientSseClientTransport.builder(origin).sseEndpoint(uri.getPath()).build()
        : HttpClientStreamableHttpTransport.builder(origin).endpoint(uri.getPath()).build();
  }

  private static void ask(String step, String tool, Map<String, Object> arguments) throws Exception {
    ask(step, tool, arguments, LONG);
  }

  // The SDK's own requestTimeout is this operator too, but one for all requests, the first of a cold machine included.
  private static void ask(String step, String tool, Map<String, Object> arguments, Duration patience) throws Exception {
    try {
      var request = McpSchema.CallToolRequest.builder(tool).arguments(arguments).progressToken(step).build();
      var result = client.callTool(request).timeout(patience).block();
      StringBuilder words = new StringBuilder();
      for (var block : result.content()) {
        if (block instanceof McpSchema.TextContent text) words.append(text.text());
      }
      say(step, Map.of("error", Boolean.TRUE.equals(result.isError()), "text", words.toString()));
    } catch (McpError error) {
      say(step, error.getJsonRpcError() == null ? Map.of("raised", "McpError") : Map.of("code", error.getJsonRpcError().code()));
    } catch (RuntimeException error) {
      say(step, error.getCause() instanceof TimeoutException ? Map.of("timeout", true) : Map.of("raised", error.getClass().getSimpleName()));
    }
  }

  private static void say(String step, Object got) throws Exception {
    System.out.write((McpJsonDefaults.getMapper().writeValueAsString(List.of(step, got)) + "\n").getBytes("UTF-8"));
    System.out.flush();
  }
}
