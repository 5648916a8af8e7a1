"""A server as people write them without an SDK, on models that forbid what they do not know: strict.py stdio|http

Over HTTP a refusal is FastAPI's: 422, and no JSON-RPC.
"""
import json
import socket
import sys
from typing import Literal

import pydantic
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

transport = sys.argv[1]


class Strict(pydantic.BaseModel, extra="forbid"):
    pass


class ListParams(Strict):
    cursor: str | None = None


class Arguments(Strict):
    message: str


class CallParams(Strict):
    name: Literal["echo"]
    arguments: Arguments


def result(method, params):
    if method == "initialize":
        return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "python-strict", "version": "1"}}
    if method == "tools/list":
        ListParams.model_validate(params)
        return {"tools": [{"name": "echo", "inputSchema": {"type": "object", "properties": {"message": {"type": "string"}}}}]}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": CallParams.model_validate(params).arguments.message}]}
    return {}


def answer(request):
    """None for what asks nothing."""
    if "id" not in request:
        return None
    return {"jsonrpc": "2.0", "id": request["id"], "result": result(request["method"], request.get("params", {}))}


def over_stdio():
    for line in sys.stdin:
        request = json.loads(line)
        try:
            said = answer(request)
        except pydantic.ValidationError as wrong:
            said = {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32602, "message": f"Invalid params: {wrong}"}}
        if said:
            print(json.dumps(said), flush=True)


async def over_http(http):
    if http.method != "POST":
        return Response(status_code=405)
    try:
        said = answer(await http.json())
    except pydantic.ValidationError as wrong:
        detail = [{"type": each["type"], "loc": ["body", "params", *each["loc"]], "msg": each["msg"]} for each in wrong.errors()]
        return JSONResponse({"detail": detail}, status_code=422)
    return JSONResponse(said) if said else Response(status_code=202)


if transport == "stdio":
    over_stdio()
else:
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"listens on port {listener.getsockname()[1]}", file=sys.stderr, flush=True)
    app = Starlette(routes=[Route("/mcp", over_http, methods=["GET", "POST", "DELETE"])])
    uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)).run(sockets=[listener])
