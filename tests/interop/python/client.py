"""A client of one Python SDK, which does what every client here does and says what it got, a line of JSON a step:
client.py mcp|fastmcp stdio COMMAND ARGUMENT... | client.py mcp|fastmcp http|sse URL
With INTEROP_LEAVES it is gone when its patience is.
"""
import datetime
import importlib.metadata
import json
import os
import sys

import anyio
import spans

spans.to_file_if_asked()
sdk, transport, *target = sys.argv[1:]
second = importlib.metadata.version("mcp").startswith("2.")


def say(step, got):
    print(json.dumps([step, got]), flush=True)


def seconds(number):
    return number if second or sdk == "fastmcp" else datetime.timedelta(seconds=number)


async def ask(step, request):
    """A result's text, or an error's code; how it is worded is the SDK's affair."""
    try:
        result = await request()
        error = result.is_error if hasattr(result, "is_error") else result.isError
        say(step, {"error": error, "text": "".join(getattr(block, "text", "") for block in result.content)})
    except TimeoutError:
        say(step, {"timeout": True})
    except Exception as error:
        say(step, {"code": error.error.code} if hasattr(error, "error") else {"raised": type(error).__name__})


async def steps(list_tools, call, timeout_argument):
    say("list", sorted(tool.name for tool in await list_tools()))
    await ask("echo", lambda: call("echo", {"message": "grüß dich 🙂 \u2028 \"x\""}))
    await ask("add", lambda: call("add", {"a": 2, "b": 40}))
    await ask("fail", lambda: call("fail", {}))
    await ask("bad", lambda: call("add", {"a": "x", "b": 1}))
    await ask("unknown", lambda: call("no_such_tool", {}))
    seen, all_there = [], anyio.Event()

    async def on_progress(progress, total, message):
        seen.append(progress)
        if progress == 3:
            all_there.set()

    await ask("progress", lambda: call("progress", {"steps": 3}, **{progress_argument: on_progress}))
    with anyio.move_on_after(2):  # An answer in plain JSON has none before it.
        await all_there.wait()
    say("progressed", seen)
    await ask("slow", lambda: call("slow", {}, **{timeout_argument: seconds(1)}))
    if "INTEROP_LEAVES" in os.environ:
        os._exit(0)
    await ask("after", lambda: call("echo", {"message": "still here"}))
    if not second:  # This SDK tells the server nothing; while the server answers this, it answers that too.
        await ask("patient", lambda: call("slow", {}))


progress_argument = "progress_callback" if sdk == "mcp" else "progress_handler"


async def with_fastmcp():
    from fastmcp import Client
    from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport

    how = {
        "stdio": lambda: StdioTransport(target[0], target[1:], keep_alive=False),
        "http": lambda: StreamableHttpTransport(target[0]),
        "sse": lambda: SSETransport(target[0]),
    }[transport]()
    async with Client(how) as client:
        await steps(client.list_tools, client.call_tool_mcp, "timeout")


async def with_session():
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.sse import sse_client
    from mcp.client.stdio import stdio_client
    from mcp.client.streamable_http import streamablehttp_client

    how = {
        "stdio": lambda: stdio_client(StdioServerParameters(command=target[0], args=target[1:])),
        "http": lambda: streamablehttp_client(target[0]),
        "sse": lambda: sse_client(target[0]),
    }[transport]()
    async with how as (read, write, *_rest), ClientSession(read, write) as session:
        say("version", (await session.initialize()).protocolVersion)
        await steps(lambda: listed(session), session.call_tool, "read_timeout_seconds")


async def with_client():
    from mcp import Client, StdioServerParameters
    from mcp.client.sse import sse_client

    how = {
        "stdio": lambda: StdioServerParameters(command=target[0], args=target[1:]),
        "http": lambda: target[0],
        "sse": lambda: sse_client(target[0]),
    }[transport]()
    async with Client(how) as client:
        say("version", client.protocol_version)
        await steps(lambda: listed(client), client.call_tool, "read_timeout_seconds")


async def listed(asked):
    return (await asked.list_tools()).tools


anyio.run(with_fastmcp if sdk == "fastmcp" else with_client if second else with_session)
say("closed", True)
