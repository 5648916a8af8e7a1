// A server of the npm SDK whose own schemas are strict: `_meta` is a member that they do not know.
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

const server = new Server({ name: 'npm-strict', version: '1' }, { capabilities: { tools: {} } });
const list = z.object({ method: z.literal('tools/list'), params: z.object({ cursor: z.string().optional() }).strict().optional() });
const call = z.object({
  method: z.literal('tools/call'),
  params: z.object({ name: z.string(), arguments: z.object({ message: z.string() }) }).strict(),
});
server.setRequestHandler(list, () => ({ tools: [{ name: 'echo', inputSchema: { type: 'object' } }] }));
server.setRequestHandler(call, ({ params }) => ({ content: [{ type: 'text', text: params.arguments.message }] }));
await server.connect(new StdioServerTransport());
