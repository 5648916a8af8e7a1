// The 2025-11-25 half of the server fixture, made with @modelcontextprotocol/sdk: sessions, an event store, streams that can be
// resumed, a GET stream, DELETE.
import { completable } from '@modelcontextprotocol/sdk/server/completable.js';
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import {
  CreateMessageResultSchema, ElicitResultSchema, isInitializeRequest, ListToolsRequestSchema, SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { legacyTools, prompts, resources, result, richSchemaTool, serverInfo, template, tools } from './content.mjs';

// What a tool may do with the request that it serves.
const callOf = (extra) => ({
  log: (data) => extra.sendNotification({ method: 'notifications/message', params: { level: 'info', data } }),
  async progress(progress, total) {
    const progressToken = extra._meta?.progressToken;
    if (progressToken === undefined) return;
    await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total } });
  },
  sample: (params) => extra.sendRequest({ method: 'sampling/createMessage', params }, CreateMessageResultSchema),
  elicit: (params) => extra.sendRequest({ method: 'elicitation/create', params }, ElicitResultSchema),
  dropStream: () => extra.closeSSEStream(),
});

function addTools(server) {
  const all = Object.entries({ ...tools, ...legacyTools });
  for (const [name, { description, args, run }] of all) {
    if (args) server.registerTool(name, { description, inputSchema: args }, (given, extra) => run(given, callOf(extra)));
    else server.registerTool(name, { description }, (extra) => run({}, callOf(extra)));
  }
  // The SDK takes zod schemas only, and one tool has a schema that these cannot say.
  const list = all.map(([name, { description, args }]) =>
    ({ name, description, inputSchema: z.toJSONSchema(z.object(args ?? {})) }));
  server.server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [...list, richSchemaTool] }));
  server.registerTool(richSchemaTool.name, { description: richSchemaTool.description }, () => result('Valid.'));
}

function addPrompts(server) {
  for (const [name, { description, args, complete, run }] of Object.entries(prompts)) {
    if (!args) {
      server.registerPrompt(name, { description }, () => ({ messages: run() }));
      continue;
    }
    const argsSchema = Object.fromEntries(Object.entries(args).map(([key, schema]) =>
      [key, complete?.[key] ? completable(schema.clone(), complete[key]) : schema]));
    server.registerPrompt(name, { description, argsSchema }, (given) => ({ messages: run(given) }));
  }
}

function addResources(server) {
  for (const [uri, { name, description, mimeType, body }] of Object.entries(resources)) {
    server.registerResource(name, uri, { description, mimeType }, () => ({ contents: [{ uri, mimeType, ...body }] }));
  }
  const { mimeType } = template;
  server.registerResource(template.name, new ResourceTemplate(template.uri, { list: undefined }),
    { description: template.description, mimeType },
    (uri, { id }) => ({ contents: [{ uri: uri.href, mimeType, ...template.body(id) }] }));
  const watched = new Set();
  server.server.setRequestHandler(SubscribeRequestSchema, ({ params }) => (watched.add(params.uri), {}));
  server.server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => (watched.delete(params.uri), {}));
}

function makeServer() {
  const capabilities = { tools: {}, prompts: {}, resources: { subscribe: true }, logging: {}, completions: {} };
  const server = new McpServer(serverInfo, { capabilities });
  addTools(server);
  addPrompts(server);
  addResources(server);
  return server;
}

// Every event of one session, in order. An id says at which place the event stands.
class Events {
  #all = [];

  async storeEvent(streamId, message) {
    this.#all.push({ streamId, message });
    return `event-${this.#all.length}`;
  }

  async getStreamIdForEventId(id) {
    return this.#all[Events.#place(id)]?.streamId;
  }

  async replayEventsAfter(id, { send }) {
    const from = Events.#place(id);
    const { streamId } = this.#all[from];
    for (let i = from + 1; i < this.#all.length; i++) {
      if (this.#all[i].streamId === streamId) await send(`event-${i + 1}`, this.#all[i].message);
    }
    return streamId;
  }

  static #place = (id) => Number(id.slice('event-'.length)) - 1;
}

const failed = (response, status, code, message) => {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message } }));
};

// Answers all legacy requests: (request, response, body).
export function legacyHandler() {
  const sessions = new Map();
  return async (request, response, body) => {
    const id = request.headers['mcp-session-id'];
    if (id !== undefined) {
      const transport = sessions.get(id);
      if (!transport) return failed(response, 404, -32001, 'Session not found');
      return transport.handleRequest(request, response, body);
    }
    if (!isInitializeRequest(body)) return failed(response, 400, -32000, 'No session id');
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (created) => void sessions.set(created, transport),
      onsessionclosed: (closed) => void sessions.delete(closed),
      eventStore: new Events(),
      retryInterval: 250,
    });
    await makeServer().connect(transport);
    return transport.handleRequest(request, response, body);
  };
}
