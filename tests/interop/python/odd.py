"""Servers that are none, or not quite: odd.py banner|dies|silent|framed

banner: prints a line before it serves. dies: ends at once, with status 3. silent: reads and never answers. framed: a server
whose messages are counted, as the language servers' are (Content-Length), not lines.
"""
import json
import os
import runpy
import sys


def framed():
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while head := requests.readline():
        length = 0
        while head.strip():
            name, value = head.split(b":", 1)
            length = int(value) if name.lower() == b"content-length" else length
            head = requests.readline()
        request = json.loads(requests.read(length))
        result = {
            "initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "framed", "version": "1"}},
            "tools/list": {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]},
            "tools/call": {"content": [{"type": "text", "text": json.dumps(request.get("params"))}]},
        }.get(request["method"])
        if "id" in request:
            body = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()
            answers.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            answers.flush()


match sys.argv[1]:
    case "banner":
        print("Starting the server, version 1 …", flush=True)
        sys.argv[1:] = ["mcp", "stdio"]
        runpy.run_path(os.path.join(os.path.dirname(__file__), "server.py"), run_name="__main__")
    case "dies":
        print("cannot read its configuration", file=sys.stderr)
        sys.exit(3)
    case "silent":
        for _line in sys.stdin:
            pass
    case "framed":
        framed()
