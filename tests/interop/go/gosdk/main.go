// A server and a client of the official Go SDK:
// gosdk server stdio|http|sse [--stateless] [--json] | gosdk client stdio COMMAND ARGUMENT... | gosdk client http|sse URL
// With INTEROP_LEAVES the client is gone when its patience is.
package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"sort"
	"strconv"
	"time"

	"mcptrace.test/interop/said"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	run := client
	if os.Args[1] == "server" {
		run = serve
	}
	if err := run(context.Background(), os.Args[2], os.Args[3:]); err != nil {
		said.Fatal(err)
	}
}

type result = mcp.CallToolResult

func text(words string) *result {
	return &result{Content: []mcp.Content{&mcp.TextContent{Text: words}}}
}

func newServer() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "go-sdk", Version: "1.8.0"}, nil)
	type none struct{}
	type message struct {
		Message string `json:"message"`
	}
	type sum struct {
		A int `json:"a"`
		B int `json:"b"`
	}
	type steps struct {
		Steps int `json:"steps"`
	}
	mcp.AddTool(server, &mcp.Tool{Name: "echo"}, func(_ context.Context, _ *mcp.CallToolRequest, in message) (*result, any, error) {
		return text(in.Message), nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "add"}, func(_ context.Context, _ *mcp.CallToolRequest, in sum) (*result, any, error) {
		return text(strconv.Itoa(in.A + in.B)), nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "fail"}, func(context.Context, *mcp.CallToolRequest, none) (*result, any, error) {
		return nil, nil, errors.New("as it should")
	})
	mcp.AddTool(server, &mcp.Tool{Name: "slow"}, func(ctx context.Context, _ *mcp.CallToolRequest, _ none) (*result, any, error) {
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(3 * time.Second):
			return text("late"), nil, nil
		}
	})
	mcp.AddTool(server, &mcp.Tool{Name: "progress"},
		func(ctx context.Context, request *mcp.CallToolRequest, in steps) (*result, any, error) {
			for step := 1; step <= in.Steps; step++ {
				if err := request.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
					ProgressToken: request.Params.GetProgressToken(), Progress: float64(step), Total: float64(in.Steps),
				}); err != nil {
					return nil, nil, err
				}
			}
			return text("done"), nil, nil
		})
	return server
}

func serve(ctx context.Context, transport string, options []string) error {
	server := newServer()
	of := func(*http.Request) *mcp.Server { return server }
	switch transport {
	case "stdio":
		return server.Run(ctx, &mcp.StdioTransport{})
	case "sse":
		return said.Serve(mcp.NewSSEHandler(of, nil))
	default:
		return said.Serve(mcp.NewStreamableHTTPHandler(of, &mcp.StreamableHTTPOptions{
			Stateless: said.Has(options, "--stateless"), JSONResponse: said.Has(options, "--json")}))
	}
}

func client(ctx context.Context, transport string, target []string) error {
	progressed := make(chan float64, 100)
	made := mcp.NewClient(&mcp.Implementation{Name: "go-sdk-client", Version: "1.8.0"}, &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, request *mcp.ProgressNotificationClientRequest) {
			progressed <- request.Params.Progress
		},
	})
	var how mcp.Transport
	switch transport {
	case "stdio":
		command := exec.Command(target[0], target[1:]...)
		command.Stderr = os.Stderr
		how = &mcp.CommandTransport{Command: command}
	case "sse":
		how = &mcp.SSEClientTransport{Endpoint: target[0]}
	default:
		how = &mcp.StreamableClientTransport{Endpoint: target[0]}
	}
	session, err := made.Connect(ctx, how, nil)
	if err != nil {
		return err
	}
	if initialized := session.InitializeResult(); initialized != nil {
		said.Step("version", initialized.ProtocolVersion)
	}
	list, err := session.ListTools(ctx, nil)
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
		params := &mcp.CallToolParams{Name: tool, Arguments: arguments}
		params.SetProgressToken(step)
		answer, err := session.CallTool(ctx, params)
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
	if err := session.Close(); err != nil {
		return err
	}
	said.Step("closed", true)
	return nil
}

func got(ctx context.Context, answer *mcp.CallToolResult, err error) any {
	var refused *jsonrpc.Error
	switch {
	case err != nil && ctx.Err() != nil:
		return map[string]any{"timeout": true}
	case errors.As(err, &refused):
		return map[string]any{"code": refused.Code}
	case err != nil:
		return map[string]any{"raised": err.Error()}
	}
	words := ""
	for _, block := range answer.Content {
		if block, is := block.(*mcp.TextContent); is {
			words += block.Text
		}
	}
	return map[string]any{"error": answer.IsError, "text": words}
}
