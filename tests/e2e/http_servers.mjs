// MCP servers over HTTP, made with the SDKs, in the process of the test: it sees every request that arrives, and when it went away.
//
//   const server = legacyHttpServer();            // 2025-11-25, sessions, resumable
//   const { origin } = await listen(t, server.handler);
//   server.requests[0].body                       // as it arrived
//   server.hold.release('x')                      // lets the call `hold` with { key: 'x' } answer
import { toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer as LegacyServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { isInitializeRequest, ListRootsResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { acceptedContent, createMcpHandler, inputRequired, McpServer } from '@modelcontextprotocol/server';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { readBody } from './http_peers.mjs';

const text = (string) => ({ content: [{ type: 'text', text: string }] });

// Calls that wait for the test. `arrived(key)` resolves when one is there, `release(key)` lets it answer, `aborted(key)` resolves
// with the time when the SDK told the handler that it was cancelled.
class Hold {
  #keys = new Map();

  #of(key) {
    if (!this.#keys.has(key)) {
      this.#keys.set(key, { arrived: Promise.withResolvers(), released: Promise.withResolvers(), aborted: Promise.withResolvers() });
    }
    return this.#keys.get(key);
  }
  arrived = (key) => this.#of(key).arrived.promise;
  release = (key) => this.#of(key).released.resolve();
  aborted = (key) => this.#of(key).aborted.promise;
  async wait(key, signal) {
    const place = this.#of(key);
    place.arrived.resolve();
    signal?.addEventListener('abort', () => {
      place.aborted.resolve(process.hrtime.bigint());
      place.released.resolve();
    });
    await place.released.promise;
    return text(`held ${key}`);
  }
}

// What arrived: { method, url, headers, rawHeaders, bytes, body, closed } with `closed` resolving to the time when the answer's
// connection went away before its end.
async function note(requests, request, response) {
  const bytes = await readBody(request);
  const closed = Promise.withResolvers();
  response.once('close', () => {
    if (!response.writableFinished) closed.resolve(process.hrtime.bigint());
  });
  let body;
  try {
    body = bytes.length > 0 ? JSON.parse(bytes) : undefined;
  } catch {
    body = undefined;
  }
  const { method, url, headers, rawHeaders, socket } = request;
  const noted = { method, url, headers, rawHeaders, bytes, body, closed: closed.promise, port: socket.remotePort };
  requests.push(noted);
  return noted;
}

// Every event of one session; an id says at which place its event stands.
class Events {
  #all = [];

  async storeEvent(streamId, message) {
    this.#all.push({ streamId, message });
    return `event-${this.#all.length}`;
  }
  async getStreamIdForEventId(id) {
    return this.#all[this.#place(id)]?.streamId;
  }
  async replayEventsAfter(id, { send }) {
    const from = this.#place(id);
    const { streamId } = this.#all[from];
    for (let i = from + 1; i < this.#all.length; i++) {
      if (this.#all[i].streamId === streamId) await send(`event-${i + 1}`, this.#all[i].message);
    }
    return streamId;
  }
  #place = (id) => Number(id.slice('event-'.length)) - 1;
}

function legacyTools(hold) {
  const server = new LegacyServer({ name: 'legacy-http', version: '0.9.1' }, { capabilities: { logging: {} } });
  server.registerTool('echo', { inputSchema: { message: z.string() } }, ({ message }) => text(message));
  server.registerTool('fail', { inputSchema: { message: z.string() } }, ({ message }) => ({ ...text(message), isError: true }));
  server.registerTool('hold', { inputSchema: { key: z.string() } }, ({ key }, extra) => hold.wait(key, extra.signal));
  server.registerTool('progress', { inputSchema: { steps: z.number() } }, async ({ steps }, extra) => {
    for (let progress = 1; progress <= steps; progress++) {
      await extra.sendNotification({
        method: 'notifications/progress', params: { progressToken: extra._meta.progressToken, progress, total: steps } });
    }
    return text('done');
  });
  // Says something, ends the connection, and answers when the stream was taken up again.
  server.registerTool('drop', { inputSchema: { key: z.string() } }, async ({ key }, extra) => {
    await extra.sendNotification({ method: 'notifications/message', params: { level: 'info', data: 'before' } });
    extra.closeSSEStream();
    return hold.wait(key, extra.signal);
  });
  server.registerTool('roots', { inputSchema: {} }, async (_none, extra) => {
    const { roots } = await extra.sendRequest({ method: 'roots/list' }, ListRootsResultSchema);
    return text(`${roots.length} roots`);
  });
  server.registerPrompt('greet', { argsSchema: { who: z.string() } }, ({ who }) =>
    ({ messages: [{ role: 'user', content: { type: 'text', text: `Greet ${who}` } }] }));
  server.registerResource('note', 'note://one', {}, (uri) => ({ contents: [{ uri: uri.href, text: 'A note.' }] }));
  return server;
}

const refuse = (response, status, code, message) => {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message } }));
};

// 2025-11-25 and older: `sessions` off makes it stateless, `resumable` gives events ids, `json` answers without streams.
export function legacyHttpServer({ sessions = true, resumable = true, json = false } = {}) {
  const requests = [], hold = new Hold(), transports = new Map();
  async function transportFor(request, body) {
    const id = request.headers['mcp-session-id'];
    if (sessions && id !== undefined) return transports.get(id);
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: sessions ? randomUUID : undefined,
      onsessioninitialized: (created) => void transports.set(created, transport),
      onsessionclosed: (closed) => void transports.delete(closed),
      ...(resumable && { eventStore: new Events(), retryInterval: 50 }),
      enableJsonResponse: json,
    });
    await legacyTools(hold).connect(transport);
    return transport;
  }
  const handler = async (request, response) => {
    const { body } = await note(requests, request, response);
    const known = !sessions || request.headers['mcp-session-id'] !== undefined || isInitializeRequest(body);
    if (!known) return refuse(response, 400, -32000, 'No session id');
    const transport = await transportFor(request, body);
    if (!transport) return refuse(response, 404, -32001, 'Session not found');
    return transport.handleRequest(request, response, body);
  };
  return { handler, requests, hold, transports };
}

// 2024-11-05: GET /sse, POST /message. `endpoint` is what the first event says.
export function sseServer({ prefix = '' } = {}) {
  const requests = [], hold = new Hold(), transports = new Map();
  const handler = async (request, response) => {
    const url = new URL(request.url, 'http://server');
    if (request.method === 'GET' && url.pathname === `${prefix}/sse`) {
      requests.push({ method: 'GET', url: request.url, headers: request.headers });
      const transport = new SSEServerTransport(`${prefix}/message`, response);
      transports.set(transport.sessionId, transport);
      response.once('close', () => transports.delete(transport.sessionId));
      return legacyTools(hold).connect(transport);
    }
    const { body } = await note(requests, request, response);
    const transport = transports.get(url.searchParams.get('sessionId'));
    if (url.pathname !== `${prefix}/message` || !transport) return response.writeHead(404).end('nobody');
    return transport.handlePostMessage(request, response, body);
  };
  return { handler, requests, hold, transports };
}

// 2026-07-28, and older without sessions for whoever speaks that.
export function modernHttpServer(options = {}) {
  const requests = [], hold = new Hold();
  const answer = z.object({ name: z.string() });
  const mcp = createMcpHandler(() => {
    const server = new McpServer({ name: 'modern-http', version: '0.9.2' });
    server.registerTool('echo', { inputSchema: z.object({ message: z.string() }) }, ({ message }) => text(message));
    server.registerTool('fail', { inputSchema: z.object({ message: z.string() }) }, ({ message }) =>
      ({ ...text(message), isError: true }));
    server.registerTool('hold', { inputSchema: z.object({ key: z.string() }) }, ({ key }, context) =>
      hold.wait(key, context.mcpReq.signal));
    server.registerTool('progress', { inputSchema: z.object({ steps: z.number() }) }, async ({ steps }, context) => {
      const { progressToken } = context.mcpReq._meta;
      for (let progress = 1; progress <= steps; progress++) {
        await context.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: steps } });
      }
      return text('done');
    });
    server.registerTool('ask', { inputSchema: z.object({ state: z.string() }) }, ({ state }, context) => {
      const given = acceptedContent(context.mcpReq.inputResponses, 'name', answer);
      if (given) return text(`Hello ${given.name}`);
      return inputRequired({
        requestState: state,
        inputRequests: { name: inputRequired.elicit({ message: 'Your name?', requestedSchema: answer }) },
      });
    });
    return server;
  }, options);
  const toNode = toNodeHandler(mcp);
  const handler = async (request, response) => {
    const { body } = await note(requests, request, response);
    return toNode(request, response, body);
  };
  return { handler, requests, hold, notify: mcp.notify };
}
