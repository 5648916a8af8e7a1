"""A server of the Python SDK 2 on models of its own, which forbid what they do not know; the SDK says no more of a refusal than
"Invalid request parameters".
"""
import anyio
import pydantic
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool


class Strict(pydantic.BaseModel, extra="forbid"):
    pass


class ListParams(Strict):
    cursor: str | None = None


class Arguments(Strict):
    message: str


class CallParams(Strict):
    name: str
    arguments: Arguments


async def list_tools(_context, _params):
    return ListToolsResult(tools=[Tool(name="echo", input_schema={"type": "object"})])


async def call_tool(_context, params):
    return CallToolResult(content=[TextContent(text=params.arguments.message)])


async def main():
    server = Server("python-sdk-strict")
    server.add_request_handler("tools/list", ListParams, list_tools)
    server.add_request_handler("tools/call", CallParams, call_tool)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


anyio.run(main)
