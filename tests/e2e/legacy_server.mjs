// A server made with @modelcontextprotocol/sdk (2025-11-25 and older): legacy_server.mjs RECORD
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { recordedStdio } from './record.mjs';

const server = new McpServer({ name: 'legacy-recorder', version: '0.9.1' });
const text = (string) => ({ content: [{ type: 'text', text: string }] });

server.registerTool('echo', { inputSchema: { message: z.string() } }, ({ message }) => text(message));
server.registerTool('fail', { inputSchema: { message: z.string() } }, ({ message }) => ({ ...text(message), isError: true }));
server.registerTool('läuft nicht', { inputSchema: {} }, () => ({ ...text('as it says'), isError: true }));
server.registerTool('wait', { inputSchema: {} }, () => new Promise(() => {}));
server.registerTool('leave', { inputSchema: {} }, () => process.exit(3));
server.registerPrompt('greet', { argsSchema: { who: z.string() } }, ({ who }) =>
  ({ messages: [{ role: 'user', content: { type: 'text', text: `Greet ${who}` } }] }));
server.registerResource('note', 'note://one', {}, (uri) => ({ contents: [{ uri: uri.href, text: 'A note.' }] }));
// A protocol error that says what it was asked, as real ones do.
server.registerPrompt('refuse', { argsSchema: { who: z.string() } }, ({ who }) => {
  throw new McpError(ErrorCode.InvalidParams, `nobody called ${who}`, { who });
});

await server.connect(new StdioServerTransport(...recordedStdio(process.argv[2])));
