// The server fixture: one URL for both eras, http://127.0.0.1:PORT/mcp, on a free port that it prints as its only line.
// On SIGTERM it prints what it saw, { requests, traced, untraced }, and ends.
import { localhostHostValidation, localhostOriginValidation, toNodeHandler, toWebRequest } from '@modelcontextprotocol/node';
import { isLegacyRequest } from '@modelcontextprotocol/server';
import { once } from 'node:events';
import http from 'node:http';
import { json } from 'node:stream/consumers';
import { legacyHandler } from './legacy_server.mjs';
import { modernHandler } from './modern_server.mjs';
import { tasksHandler } from './tasks_server.mjs';

const legacy = legacyHandler();
const modern = toNodeHandler(modernHandler());
const answeredAsTask = tasksHandler();
const hostAllowed = localhostHostValidation();
const originAllowed = localhostOriginValidation();
const seen = { requests: 0, traced: 0, untraced: {} };

// `traced` are the requests that came with a trace context in their message; `untraced` counts the others by method.
function count(message) {
  if (message?.method === undefined || message.id === undefined) return;
  seen.requests++;
  if (/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(message.params?._meta?.traceparent)) seen.traced++;
  else seen.untraced[message.method] = (seen.untraced[message.method] ?? 0) + 1;
}

async function serve(request, response) {
  if (!hostAllowed(request, response) || !originAllowed(request, response)) return;
  if (new URL(request.url, 'http://fixture').pathname !== '/mcp') return response.writeHead(404).end();
  let body;
  if (request.method === 'POST') {
    try {
      body = await json(request);
    } catch {
      return response.writeHead(400).end();
    }
    count(body);
  }
  if (answeredAsTask(request, response, body)) return;
  const handler = await isLegacyRequest(await toWebRequest(request, body)) ? legacy : modern;
  await handler(request, response, body);
}

const server = http.createServer((request, response) => {
  serve(request, response).catch((error) => {
    console.error(error);
    if (response.headersSent) response.destroy();
    else response.writeHead(500).end();
  });
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
console.log(server.address().port);
process.once('SIGTERM', () => {
  console.log(JSON.stringify(seen));
  process.exit(0);
});
