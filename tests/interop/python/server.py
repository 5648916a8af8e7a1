"""A server of one Python SDK: server.py mcp|fastmcp stdio|http|sse [--stateless] [--json] [--mount]

Over HTTP it listens on a free port and says "listens on port N" on stderr. --mount puts it into a Starlette application at /mcp,
which redirects /mcp to /mcp/.
"""
import contextlib
import socket
import sys

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
import spans

spans.to_file_if_asked()
sdk, transport, *options = sys.argv[1:]
if sdk == "fastmcp":
    from fastmcp import Context, FastMCP as Server
else:
    try:
        from mcp.server.mcpserver import Context, MCPServer as Server
    except ImportError:
        from mcp.server.fastmcp import Context, FastMCP as Server

server = Server("python-" + sdk)


@server.tool()
def echo(message: str) -> str:
    return message


@server.tool()
def add(a: int, b: int) -> int:
    return a + b


@server.tool()
def fail() -> str:
    raise ValueError("as it should")


@server.tool()
async def slow() -> str:
    await anyio.sleep(3)
    return "late"


@server.tool()
async def progress(steps: int, context: Context) -> str:
    for step in range(1, steps + 1):
        await context.report_progress(step, steps)
    return "done"


def application(path: str) -> Starlette:
    how = {}
    if "--stateless" in options:
        how["stateless_http"] = True
    if "--json" in options:
        how["json_response"] = True
    if sdk == "fastmcp":
        return server.http_app(path="/sse", transport="sse") if transport == "sse" else server.http_app(path=path, **how)
    if transport == "sse":
        return server.sse_app()
    if hasattr(server.settings, "streamable_http_path"):  # Before 2, these are settings.
        server.settings.streamable_http_path = path
        for key, value in how.items():
            setattr(server.settings, key, value)
        return server.streamable_http_app()
    return server.streamable_http_app(streamable_http_path=path, **how)


def mounted() -> Starlette:
    inner = application("/")

    @contextlib.asynccontextmanager
    async def lifespan(_outer):
        async with inner.router.lifespan_context(inner):
            yield

    return Starlette(routes=[Mount("/mcp", app=inner)], lifespan=lifespan)


if transport == "stdio":
    server.run("stdio", **({"show_banner": False} if sdk == "fastmcp" else {}))
else:
    app = mounted() if "--mount" in options else application("/mcp")
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"listens on port {listener.getsockname()[1]}", file=sys.stderr, flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)).run(sockets=[listener])
