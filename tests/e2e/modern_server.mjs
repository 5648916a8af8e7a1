// A server made with @modelcontextprotocol/server (2026-07-28, and older for whoever opens so): modern_server.mjs RECORD
import { acceptedContent, inputRequired, McpServer } from '@modelcontextprotocol/server';
import { serveStdio, StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';
import { recordedStdio } from './record.mjs';

const text = (string) => ({ content: [{ type: 'text', text: string }] });

function makeServer() {
  const server = new McpServer({ name: 'modern-recorder', version: '0.9.2' });
  server.registerTool('echo', { inputSchema: z.object({ message: z.string() }) }, ({ message }) => text(message));
  server.registerTool('fail', { inputSchema: z.object({ message: z.string() }) }, ({ message }) =>
    ({ ...text(message), isError: true }));
  // Asks back once: two requests of the client, joined by the state that the second one echoes.
  const answer = z.object({ name: z.string() });
  server.registerTool('ask', { inputSchema: z.object({ state: z.string() }) }, ({ state }, context) => {
    const given = acceptedContent(context.mcpReq.inputResponses, 'name', answer);
    if (given) return text(`Hello ${given.name}`);
    return inputRequired({
      requestState: state,
      inputRequests: { name: inputRequired.elicit({ message: 'Your name?', requestedSchema: answer }) },
    });
  });
  return server;
}

serveStdio(makeServer, { transport: new StdioServerTransport(...recordedStdio(process.argv[2])) });
