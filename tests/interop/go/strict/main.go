// A server as people write them without an SDK, whose decoder refuses members that it does not know, `_meta` of params among them:
// strict server stdio|http
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"

	"mcptrace.test/interop/said"
)

type request struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params,omitempty"`
}

type object = map[string]any

// strictly decodes what may be absent.
func strictly(from json.RawMessage, into any) error {
	if len(from) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(from))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func answer(asked request) (any, error) {
	switch asked.Method {
	case "initialize":
		return object{"protocolVersion": "2025-06-18", "capabilities": object{"tools": object{}},
			"serverInfo": object{"name": "go-strict", "version": "1"}}, nil
	case "tools/list":
		var params struct {
			Cursor string `json:"cursor"`
		}
		if err := strictly(asked.Params, &params); err != nil {
			return nil, err
		}
		return object{"tools": []any{object{"name": "echo", "inputSchema": object{"type": "object"}}}}, nil
	case "tools/call":
		var params struct {
			Name      string `json:"name"`
			Arguments struct {
				Message string `json:"message"`
			} `json:"arguments"`
		}
		if err := strictly(asked.Params, &params); err != nil {
			return nil, err
		}
		return object{"content": []any{object{"type": "text", "text": params.Arguments.Message}}}, nil
	}
	return object{}, nil
}

// reply is nil for what asks nothing.
func reply(line []byte) (message []byte, refused bool) {
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil || asked.ID == nil {
		return nil, false
	}
	said := object{"jsonrpc": "2.0", "id": asked.ID}
	result, err := answer(asked)
	if err != nil {
		said["error"] = object{"code": -32602, "message": "Invalid params: " + err.Error()}
	} else {
		said["result"] = result
	}
	message, _ = json.Marshal(said)
	return message, err != nil
}

func main() {
	if os.Args[2] == "stdio" {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			if message, _ := reply(lines.Bytes()); message != nil {
				os.Stdout.Write(append(message, '\n'))
			}
		}
		return
	}
	said.Fatal(said.Serve(http.HandlerFunc(func(response http.ResponseWriter, asked *http.Request) {
		if asked.Method != http.MethodPost {
			response.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		body, _ := io.ReadAll(asked.Body)
		message, refused := reply(body)
		response.Header().Set("Content-Type", "application/json")
		switch {
		case message == nil:
			response.WriteHeader(http.StatusAccepted)
		case refused:
			response.WriteHeader(http.StatusBadRequest)
		}
		response.Write(message)
	})))
}
