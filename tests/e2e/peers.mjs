// What every end-to-end test needs: the built binary, a state directory of its own, real clients, and the trace afterwards.
//
//   const home = freshHome(t);
//   const peer = await legacyClient(traced(home, everythingServer));
//   await peer.client.callTool({ name: 'echo', arguments: { message: 'hi' } });
//   await peer.close();
//   const [session] = sessions(home);
import { Client as ModernClient } from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernTransport } from '@modelcontextprotocol/client/stdio';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const binary = path.resolve(process.env.MCPTRACE_BINARY ?? path.join(here, '../../build/release/mcptrace'));

const node = process.execPath;
export const everythingServer = [
  node, path.join(here, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js'), 'stdio'];
// Our own servers, made with the SDKs; what they read and wrote is in `record`.in and `record`.out, byte for byte.
export const legacyServer = (record) => [node, path.join(here, 'legacy_server.mjs'), record];
export const modernServer = (record) => [node, path.join(here, 'modern_server.mjs'), record];

// A directory that goes with the test.
export function freshDirectory(t) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'mcptrace-e2e-'));
  t.after(() => fs.rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
  return directory;
}

// A state directory that does not exist yet.
export const freshHome = (t) => path.join(freshDirectory(t), 'state');

// How to start `command`: as it is, or under mcptrace.
export const direct = (command) => ({ command: command[0], args: command.slice(1) });
export const traced = (home, command, { options = [], env = {} } = {}) =>
  ({ command: binary, args: ['run', ...options, '--', ...command], env: { MCPTRACE_HOME: home, MCPTRACE_CONFIG: 'none', ...env } });

// A test that fails leaves its processes behind; the next one begins without them.
const running = new Set();
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});

// Connects a client over a transport of its SDK. `stdout` collects the bytes that the client's process read, `exit` is how the
// process ended: { code, signal, at }, with `at` on the machine's monotonic clock.
async function connect(client, transport) {
  const peer = { client, stdout: [], stderr: [], exit: undefined };
  const start = transport.start.bind(transport);
  transport.start = async () => {
    await start();
    const child = transport._process;
    child.stdout.on('data', (bytes) => peer.stdout.push(bytes));
    transport.stderr?.on('data', (bytes) => peer.stderr.push(bytes));
    peer.pid = child.pid;
    running.add(child);
    child.once('exit', () => running.delete(child));
    peer.exit = new Promise((resolve) =>
      child.once('exit', (code, signal) => resolve({ code, signal, at: process.hrtime.bigint() })));
  };
  peer.close = async () => {
    await client.close();
    return peer.exit;
  };
  await client.connect(transport);
  return peer;
}

export const clientInfo = { name: 'mcptrace-e2e', version: '1.2.3' };

export const legacyClient = (how, capabilities = {}, prepare = () => {}) => {
  const client = new LegacyClient(clientInfo, { capabilities });
  prepare(client);
  return connect(client, new LegacyTransport({ ...how, stderr: 'pipe' }));
};

// The SDK's own transport asks for the era in a throw-away process of the same command; a transport derived from it asks in the
// process that it then goes on with. `auto` clients here do the first, pinned ones the second.
class InPlaceTransport extends ModernTransport {}

export const modernClient = (how, mode, capabilities = {}, prepare = () => {}) => {
  const client = new ModernClient(clientInfo, { capabilities, versionNegotiation: { mode } });
  prepare(client);
  const Transport = mode === 'auto' ? ModernTransport : InPlaceTransport;
  return connect(client, new Transport({ ...how, stderr: 'pipe' }));
};

// Runs the binary to its end: { status, signal, stdout, stderr }.
export function mcptrace(home, args, { input = '', env = {} } = {}) {
  return spawnSync(binary, args, {
    input, encoding: 'utf8', timeout: 60_000, maxBuffer: 1 << 28,
    env: { PATH: process.env.PATH, HOME: '/nonexistent', MCPTRACE_HOME: home, ...env },
  });
}

function succeed(home, args) {
  const done = mcptrace(home, args);
  if (done.status !== 0) throw new Error(`mcptrace ${args.join(' ')}: ${done.status ?? done.signal}\n${done.stderr}`);
  return done.stdout;
}

// --- what the trace says, from OTLP/JSON ---

function value(any) {
  if ('stringValue' in any) return any.stringValue;
  if ('intValue' in any) return Number(any.intValue);
  if ('boolValue' in any) return any.boolValue;
  if ('doubleValue' in any) return any.doubleValue;
  return any;
}
const attributes = (list = []) => Object.fromEntries(list.map((each) => [each.key, value(each.value)]));

function* spansOf(traces) {
  for (const resource of traces.resourceSpans ?? []) {
    for (const scope of resource.scopeSpans ?? []) {
      for (const span of scope.spans ?? []) {
        yield {
          ...span,
          parentSpanId: span.parentSpanId ?? '',
          attributes: attributes(span.attributes),
          resource: attributes(resource.resource?.attributes),
          links: (span.links ?? []).map((link) => ({ ...link, attributes: attributes(link.attributes) })),
          events: (span.events ?? []).map((event) => ({ ...event, attributes: attributes(event.attributes) })),
        };
      }
    }
  }
}

export const sessionList = (home, ...options) =>
  JSON.parse(succeed(home, ['sessions', '--format', 'json', '--limit', '1000', ...options])).sessions;

export const otlpText = (home, id) => succeed(home, ['trace', id, '--format', 'otlp']);

// All spans of one session, in the order of their starts.
export function trace(home, id) {
  const spans = otlpText(home, id).split('\n').filter(Boolean).flatMap((line) => [...spansOf(JSON.parse(line))]);
  return spans.sort(byStart);
}
const byStart = (a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano));

// The spans of each session, the probes' too if `options` ask for them. Oldest first.
export const sessions = (home, ...options) =>
  sessionList(home, ...options).map((session) => trace(home, session.id ?? session.stretches[0].trace_id))
    .sort((a, b) => byStart(a[0], b[0]));

// Asks until `question` gives something, for as long as a loaded machine may need.
export async function eventually(question, what) {
  const end = process.hrtime.bigint() + 30_000_000_000n;
  for (;;) {
    const answer = await question();
    if (answer) return answer;
    if (process.hrtime.bigint() > end) throw new Error(`did not come: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// --- small questions to a list of spans ---

export const named = (spans, name) => spans.filter((span) => span.name === name);
export const root = (spans) => named(spans, 'agent_session')[0];
export const calls = (spans, tool) =>
  named(spans, 'mcp.tool_call').filter((span) => tool === undefined || span.attributes['mcp.tool_name'] === tool);
// What is wrong by a root, in counts; nothing where both sides keep to the specification.
export const findings = (span) => Object.fromEntries(Object.entries(span.attributes)
  .filter(([key]) => key.startsWith('mcptrace.finding.')).map(([key, count]) => [key.slice('mcptrace.finding.'.length), count]));
export const outcome = (span) => span.attributes['mcp.outcome'];
export const ERROR = 2;
export const status = (span) => span.status?.code ?? 0;
export const kind = { INTERNAL: 1, SERVER: 2, CLIENT: 3 };

// Every file below a directory: [path, bytes].
export function* filesBelow(directory) {
  for (const entry of fs.readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    yield [file, fs.readFileSync(file)];
  }
}

// The JSON lines that a recorded server read or wrote.
export const recorded = (record, direction) =>
  fs.readFileSync(`${record}.${direction}`, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
