// What the tests of `mcptrace proxy` need beside peers.mjs: the proxy, servers behind it, clients of the SDKs, raw sockets.
//
//   const server = await listen(t, handler);                       // node:http on a free port
//   const proxy = await startProxy(home, server.origin);
//   const peer = await legacyHttpClient(`${proxy.origin}/mcp`);
//   await peer.close(); await proxy.stop();                        // the roots are written now
import { Client as ModernClient, StreamableHTTPClientTransport as ModernHttp } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as LegacyHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach } from 'node:test';
import { fileURLToPath } from 'node:url';
import { binary, clientInfo, freshDirectory } from './peers.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

// A test that fails leaves its processes behind: they go before its directories do. What a sanitizer found in one of them fails
// the test, whatever it was about.
const running = new Set(), said = [];
afterEach(async () => {
  for (const each of running) each.end();
  await Promise.all([...running].map((each) => each.exit));
  const lines = said.splice(0).flat();
  if (lines.some((line) => /Sanitizer:|runtime error:|mcptrace: bug at/.test(line))) throw new Error(lines.join('\n'));
});

// A child process that goes with the test. `exit`: { code, signal, at }.
function child(command, args, options) {
  const started = spawn(command, args, options);
  started.stderrLines = [];
  createInterface({ input: started.stderr }).on('line', (line) => started.stderrLines.push(line));
  started.exit = once(started, 'exit').then(([code, signal]) => ({ code, signal, at: process.hrtime.bigint() }));
  started.end = () => started.kill('SIGKILL');
  running.add(started);
  said.push(started.stderrLines);
  started.exit.then(() => running.delete(started));
  return started;
}

const firstLine = (started, pattern, what) => new Promise((resolve, reject) => {
  createInterface({ input: started.stderr }).on('line', (line) => {
    const found = line.match(pattern);
    if (found) resolve(found);
  });
  started.once('error', reject);
  started.exit.then(({ code, signal }) =>
    reject(new Error(`${what} ended with ${code ?? signal}\n${started.stderrLines.join('\n')}`)));
});

// The proxy in front of `upstream` (a URL, or a list of options with --upstream or --route in them), on a free port.
export async function startProxy(home, upstream, { options = [], env = {}, stdio = [], listen = ['--listen', '127.0.0.1:0'] } = {}) {
  const to = Array.isArray(upstream) ? upstream : ['--upstream', upstream];
  const started = child(binary, ['proxy', ...listen, ...to, ...options], {
    stdio: ['ignore', 'ignore', 'pipe', ...stdio],
    env: { PATH: process.env.PATH, HOME: '/nonexistent', MCPTRACE_HOME: home, ...sanitizers(), ...env },
  });
  const [, address] = await firstLine(started, /listening on (https?:\/\/[^\s/]+)/, 'mcptrace proxy');
  return {
    origin: new URL(address).origin,
    port: Number(new URL(address).port),
    pid: started.pid,
    stderr: started.stderrLines,
    exit: started.exit,
    signal: (name) => started.kill(name),
    // Ends it as a supervisor does: what is in flight has its time.
    async stop() {
      started.kill('SIGTERM');
      const { code, signal } = await started.exit;
      if (code !== 0) throw new Error(`mcptrace proxy ended with ${code ?? signal}\n${started.stderrLines.join('\n')}`);
    },
  };
}
const sanitizers = () =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(ASAN|UBSAN|TSAN|LSAN)_OPTIONS$/.test(name)));

// --- servers ---

// A node:http server of this process on a free port of the loopback.
export async function listen(t, handler) {
  const server = http.createServer({ noDelay: true, keepAliveTimeout: 60_000 }, handler);
  return opened(t, server);
}

// One that sees bytes: `onConnection(socket)`.
export const listenRaw = (t, onConnection) => opened(t, net.createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {});
  onConnection(socket);
}));

// Any server of node, on a free port of the loopback: { origin, port, authority, sockets, close }.
export async function opened(t, server) {
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  t.after(close);
  return { origin: `http://127.0.0.1:${port}`, port, authority: `127.0.0.1:${port}`, sockets, close };
}

// A port of the loopback that nobody listens on.
export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

// A listening socket that outlives the proxies which take it over (LISTEN_FDS): { port, start() } with `start` giving a proxy's
// { pid, signal, listening } whose end nobody waits for.
export async function holdSocket(home, upstream, options = []) {
  const holder = child('python3', [path.join(here, 'socket_holder.py'), binary, 'proxy', '--upstream', upstream, ...options], {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH, HOME: '/nonexistent', MCPTRACE_HOME: home, ...sanitizers() },
  });
  const [, port] = await firstLine(holder, /^holds port (\d+)$/, 'the holder of the socket');
  const pids = [];
  holder.end = () => {
    holder.kill('SIGKILL');
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
  };
  return {
    port: Number(port), origin: `http://127.0.0.1:${port}`, stderr: holder.stderrLines,
    async start() {
      const started = firstLine(holder, /^started (\d+)$/, 'the holder of the socket');
      const listening = firstLine(holder, /^mcptrace: listening on/, 'the holder of the socket');
      holder.stdin.write('\n');
      const pid = Number((await started)[1]);
      pids.push(pid);
      await listening;
      return { pid, signal: (name) => process.kill(pid, name) };
    },
  };
}

// The reference server in a process of its own: 'streamableHttp' (at /mcp) or 'sse' (at /sse).
export async function everythingOverHttp(transport) {
  const started = child(process.execPath, ['--import', path.join(here, 'say_port.mjs'),
    path.join(here, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js'), transport],
  { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env.PATH, HOME: '/nonexistent', PORT: '0' } });
  const [, port] = await firstLine(started, /^listens on port ([1-9]\d*)$/, 'the reference server');
  return { origin: `http://127.0.0.1:${port}`, port: Number(port), stop: () => started.kill('SIGKILL') };
}

// A certificate for 127.0.0.1 that nobody knows: { key, cert, keyFile, certFile }.
export function certificate(t, name = 'IP:127.0.0.1') {
  const directory = freshDirectory(t);
  const [keyFile, certFile] = [path.join(directory, 'key.pem'), path.join(directory, 'cert.pem')];
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', '/CN=mcptrace-test', '-addext', `subjectAltName=${name}`, '-keyout', keyFile, '-out', certFile]);
  assert.equal(made.status, 0, String(made.stderr));
  return { keyFile, certFile, key: fs.readFileSync(keyFile), cert: fs.readFileSync(certFile) };
}

export async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

// --- clients ---

async function connected(client, transport) {
  await client.connect(transport);
  return { client, transport, close: () => client.close() };
}

export function legacyHttpClient(url, { capabilities = {}, prepare = () => {}, ...options } = {}) {
  const client = new LegacyClient(clientInfo, { capabilities });
  prepare(client);
  return connected(client, new LegacyHttp(new URL(url), options));
}

export function sseClient(url, { capabilities = {}, prepare = () => {}, ...options } = {}) {
  const client = new LegacyClient(clientInfo, { capabilities });
  prepare(client);
  return connected(client, new SSEClientTransport(new URL(url), options));
}

// `mode`: 'legacy', 'auto' or { pin: VERSION }.
export function modernHttpClient(url, mode, { capabilities = {}, prepare = () => {}, ...options } = {}) {
  const client = new ModernClient(clientInfo, { capabilities, versionNegotiation: { mode } });
  prepare(client);
  return connected(client, new ModernHttp(new URL(url), options));
}

// One request by hand: { status, headers, text, json }. Nothing is followed, added or decoded.
export async function ask(url, { method = 'POST', headers = {}, body, signal } = {}) {
  const { promise, resolve, reject } = Promise.withResolvers();
  const text = typeof body === 'object' && !Buffer.isBuffer(body) ? JSON.stringify(body) : body;
  const json = text === undefined ? {} : { 'content-type': 'application/json' };
  const request = http.request(url, {
    method, signal, agent: false,
    headers: { accept: 'application/json, text/event-stream', ...json, ...headers },
  });
  request.once('error', reject);
  request.once('response', resolve);
  request.end(text);
  const response = await promise;
  const bytes = await readBody(response);
  return {
    status: response.statusCode, headers: response.headers, rawHeaders: response.rawHeaders, bytes, text: bytes.toString(),
    get json() { return JSON.parse(bytes); },
  };
}

// The same with the answer's body left open: { response, request, text() so far }.
export async function open(url, { method = 'POST', headers = {}, body } = {}) {
  const request = http.request(url, {
    method, agent: false,
    headers: { accept: 'application/json, text/event-stream', ...(body && { 'content-type': 'application/json' }), ...headers },
  });
  const answered = once(request, 'response');
  request.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = await answered;
  request.on('error', () => {});
  const stream = { request, response, text: '', ended: undefined };
  stream.ended = new Promise((resolve) => {
    response.on('data', (bytes) => { stream.text += bytes; });
    response.once('end', () => resolve('end'));
    response.once('error', (error) => resolve(error.code ?? error.message));
    response.once('close', () => resolve('close'));
  });
  return stream;
}

// A socket that sends what it is given and keeps what comes.
export async function raw(port, { allowHalfOpen = true } = {}) {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen });
  const peer = { socket, received: Buffer.alloc(0), closed: undefined, reset: false };
  peer.closed = new Promise((resolve) => {
    socket.once('end', () => resolve('end'));
    socket.once('error', (error) => resolve(error.code));
    socket.once('close', () => resolve('close'));
  });
  let wake = () => {};
  socket.on('data', (bytes) => {
    peer.received = Buffer.concat([peer.received, bytes]);
    wake();
  });
  socket.once('close', () => wake());
  socket.once('end', () => wake());
  // Until `enough(received)` gives something; throws if the connection ends before.
  peer.until = async (enough) => {
    for (;;) {
      const found = enough(peer.received);
      if (found) return found;
      if (socket.readableEnded || socket.destroyed) throw new Error(`the connection ended: ${JSON.stringify(String(peer.received))}`);
      await new Promise((resolve) => { wake = resolve; });
    }
  };
  peer.untilText = (text) => peer.until((bytes) => bytes.includes(text));
  await once(socket, 'connect');
  return peer;
}

// A raw HTTP answer taken apart: { status, head, headers, body }; the body without its chunks. Undefined while it is not complete.
export function parseAnswer(bytes, { untilClose = false } = {}) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const headers = Object.fromEntries(head.split('\r\n').slice(1).map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  const status = Number(head.split(' ')[1]);
  const rest = bytes.subarray(end + 4);
  if (/chunked/i.test(headers['transfer-encoding'] ?? '')) {
    const body = dechunk(rest);
    return body.ended || untilClose ? { status, head, headers, body: body.bytes, ended: body.ended } : undefined;
  }
  if (headers['content-length'] !== undefined && !untilClose) {
    const length = Number(headers['content-length']);
    return rest.length < length ? undefined : { status, head, headers, body: rest.subarray(0, length), ended: true };
  }
  if (untilClose || status === 204 || status === 304) return { status, head, headers, body: rest, ended: true };
  return undefined;
}

// The chunks so far, and whether the last one, of size 0, was among them.
export function dechunk(bytes) {
  const pieces = [];
  for (;;) {
    const line = bytes.indexOf('\r\n');
    if (line < 0) return { bytes: Buffer.concat(pieces), ended: false };
    const size = Number.parseInt(bytes.toString('latin1', 0, line), 16);
    const data = bytes.subarray(line + 2, line + 2 + size);
    if (size === 0) return { bytes: Buffer.concat(pieces), ended: true };
    pieces.push(data);
    if (data.length < size) return { bytes: Buffer.concat(pieces), ended: false };
    bytes = bytes.subarray(line + 4 + size);
  }
}

// --- raw streams ---

export const lines = (...all) => all.join('\r\n');
// A request as text: `lineOne` without its version, the proxy's own name, these fields, this body.
export const requestText = (lineOne, proxy, fields, body = '') =>
  lines(`${lineOne} HTTP/1.1`, `Host: 127.0.0.1:${proxy.port}`, ...fields, '', body);
export const getStream = (proxy, ...fields) =>
  requestText('GET /mcp', proxy, ['Accept: text/event-stream', ...fields]);
export const streamHead = (...more) =>
  lines('HTTP/1.1 200 OK', 'Content-Type: text/event-stream; charset=utf-8', 'Cache-Control: no-cache, no-transform', ...more, '', '');
export const chunk = (bytes) => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), Buffer.from(bytes), Buffer.from('\r\n')]);

// A server that answers each connection's first request with what `answer(socket, head)` writes.
export async function rawServer(t, answer) {
  return listenRaw(t, (socket) => {
    let text = '';
    socket.on('data', function read(bytes) {
      text += bytes.toString('latin1');
      if (!text.includes('\r\n\r\n')) return;
      socket.off('data', read);
      socket.resume();
      answer(socket, text);
    });
  });
}

// --- messages ---

export const initialize = (id = 1, version = '2025-11-25') => ({
  jsonrpc: '2.0', id, method: 'initialize', params: { protocolVersion: version, capabilities: {}, clientInfo },
});
export const toolCall = (id, name, args = {}, meta) => ({
  jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args, ...(meta && { _meta: meta }) },
});
export const modernMeta = (more = {}) => ({
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': clientInfo,
  ...more,
});
export const modernHeaders = (message) => ({
  'mcp-protocol-version': '2026-07-28', 'mcp-method': message.method,
  ...(message.params?.name && { 'mcp-name': message.params.name }),
});

// The JSON of each event of an event stream.
export const eventsOf = (text) => text.split(/\r?\n\r?\n/).flatMap((event) => {
  const data = event.split(/\r?\n/).filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trim()).join('\n');
  return data.startsWith('{') ? [JSON.parse(data)] : [];
});
export const eventIds = (text) => [...text.matchAll(/^id: ?(.+)$/gm)].map((match) => match[1]);

// A session by hand: its id, and functions that post in it.
export async function handSession(url, { version = '2025-11-25', headers = {} } = {}) {
  const answer = await ask(url, { body: initialize(1, version), headers });
  const id = answer.headers['mcp-session-id'];
  const common = { 'mcp-session-id': id, 'mcp-protocol-version': version, ...headers };
  await ask(url, { body: { jsonrpc: '2.0', method: 'notifications/initialized' }, headers: common });
  return {
    id, answer, headers: common,
    post: (body, more = {}) => ask(url, { body, headers: { ...common, ...more } }),
    open: (body, more = {}) => open(url, { body, headers: { ...common, ...more } }),
    get: (more = {}) => open(url, { method: 'GET', headers: { ...common, accept: 'text/event-stream', ...more } }),
    delete: () => ask(url, { method: 'DELETE', headers: common }),
  };
}
