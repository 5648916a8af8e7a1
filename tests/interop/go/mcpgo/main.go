// A server and a client of mark3labs' mcp-go:
// mcpgo server stdio|http|sse [--stateless] [--json] | mcpgo client stdio COMMAND ARGUMENT... | mcpgo client http|sse URL
// With INTEROP_LEAVES the client is gone when its patience is.
package main

import (
	"context"
	"errors"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"mcptrace.test/interop/said"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

func main() {
	run := drive
	if os.Args[1] == "server" {
		run = serve
	}
	if err := run(context.Background(), os.Args[2], os.Args[3:]); err != nil {
		said.Fatal(err)
	}
}

func newServer() *server.MCPServer {
	made := server.NewMCPServer("mcp-go", "1.2.1", server.WithToolCapabilities(false))
	made.AddTool(mcp.NewTool("echo", mcp.WithString("message", mcp.Required())),
		func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText(request.GetString("message", "")), nil
		})
	made.AddTool(mcp.NewTool("add", mcp.WithNumber("a", mcp.Required()), mcp.WithNumber("b", mcp.Required())),
		func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			a, err := request.RequireInt("a")
			if err != nil {
				return mcp.NewToolResultError(err.Error()), nil
			}
			return mcp.NewToolResultText(strconv.Itoa(a + request.GetInt("b", 0))), nil
		})
	// An error of the handler is one of JSON-RPC here.
	made.AddTool(mcp.NewTool("fail"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return nil, errors.New("as it should")
	})
	made.AddTool(mcp.NewTool("slow"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(3 * time.Second):
			return mcp.NewToolResultText("late"), nil
		}
	})
	made.AddTool(mcp.NewTool("progress", mcp.WithNumber("steps", mcp.Required())),
		func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			steps := request.GetInt("steps", 0)
			for step := 1; step <= steps; step++ {
				if err := made.SendNotificationToClient(ctx, "notifications/progress", map[string]any{
					"progressToken": request.Params.Meta.ProgressToken, "progress": step, "total": steps,
				}); err != nil {
					return nil, err
				}
			}
			return mcp.NewToolResultText("done"), nil
		})
	return made
}

func serve(_ context.Context, transport string, options []string) error {
	made := newServer()
	switch transport {
	case "stdio":
		return server.ServeStdio(made)
	case "sse":
		return said.Serve(server.NewSSEServer(made))
	default:
		return said.Serve(server.NewStreamableHTTPServer(made,
			server.WithStateLess(said.Has(options, "--stateless")), server.WithDisableStreaming(said.Has(options, "--json"))))
	}
}

func connect(ctx context.Context, over string, target []string) (*client.Client, error) {
	switch over {
	case "stdio":
		// The question for the era waits for the server's start, which may take long on a busy machine.
		to := transport.NewStdioWithOptions(target[0], nil, target[1:])
		return client.NewClient(to, client.WithDiscoverTimeout(time.Minute)), to.Start(ctx)
	case "sse":
		made, err := client.NewSSEMCPClient(target[0])
		if err != nil {
			return nil, err
		}
		return made, made.Start(ctx)
	default:
		made, err := client.NewStreamableHttpClient(target[0])
		if err != nil {
			return nil, err
		}
		return made, made.Start(ctx)
	}
}

func drive(ctx context.Context, transport string, target []string) error {
	asked, err := connect(ctx, transport, target)
	if err != nil {
		return err
	}
	progressed := make(chan any, 100)
	asked.OnNotification(func(notification mcp.JSONRPCNotification) {
		if notification.Method == "notifications/progress" {
			progressed <- notification.Params.AdditionalFields["progress"]
		}
	})
	begin := mcp.InitializeRequest{}
	begin.Params.ClientInfo = mcp.Implementation{Name: "mcp-go-client", Version: "1.2.1"}
	begin.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	initialized, err := asked.Initialize(ctx, begin)
	if err != nil {
		return err
	}
	said.Step("version", initialized.ProtocolVersion)
	list, err := asked.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil {
		return err
	}
	names := []string{}
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	sort.Strings(names)
	said.Step("list", names)

	ask := func(ctx context.Context, step, tool string, arguments map[string]any) {
		request := mcp.CallToolRequest{}
		request.Params.Name = tool
		request.Params.Arguments = arguments
		request.Params.Meta = &mcp.Meta{ProgressToken: step}
		answer, err := asked.CallTool(ctx, request)
		said.Step(step, got(ctx, answer, err))
	}
	ask(ctx, "echo", "echo", map[string]any{"message": said.Greeting})
	ask(ctx, "add", "add", map[string]any{"a": 2, "b": 40})
	ask(ctx, "fail", "fail", map[string]any{})
	ask(ctx, "bad", "add", map[string]any{"a": "x", "b": 1})
	ask(ctx, "unknown", "no_such_tool", map[string]any{})
	ask(ctx, "progress", "progress", map[string]any{"steps": 3})
	said.Step("progressed", said.Three(progressed))
	brief, cancel := context.WithTimeout(ctx, time.Second)
	ask(brief, "slow", "slow", map[string]any{})
	if os.Getenv("INTEROP_LEAVES") != "" {
		os.Exit(0)
	}
	cancel()
	ask(ctx, "after", "echo", map[string]any{"message": "still here"})
	if err := asked.Close(); err != nil {
		return err
	}
	said.Step("closed", true)
	return nil
}

func got(ctx context.Context, answer *mcp.CallToolResult, err error) any {
	switch {
	case err != nil && (ctx.Err() != nil || strings.Contains(err.Error(), "timeout")):
		return map[string]any{"timeout": true}
	case err != nil:
		return map[string]any{"raised": err.Error()}
	}
	words := ""
	for _, block := range answer.Content {
		if block, is := mcp.AsTextContent(block); is {
			words += block.Text
		}
	}
	return map[string]any{"error": answer.IsError, "text": words}
}
