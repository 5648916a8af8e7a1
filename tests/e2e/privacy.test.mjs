// Arguments, results, URIs, messages and environment never reach the disk or the terminal. The words to look for are made at run
// time; a word that must be there shows that the search can find.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import zlib from 'node:zlib';
import { ask, listen, readBody, startProxy, toolCall } from './http_peers.mjs';
import {
  calls, filesBelow, freshDirectory, freshHome, legacyClient, legacyServer, mcptrace, modernClient, modernServer, otlpText, sessionList,
  sessions, traced,
} from './peers.mjs';

const canary = (what) => `${what}-${crypto.randomBytes(12).toString('hex')}`;

// The contents of a file as it is, and of every zstd frame that begins in it.
function* views(bytes) {
  yield bytes;
  const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
  for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) yield inflate(bytes.subarray(at));
}

// What follows the frame is ignored; what only looks like one gives nothing.
function inflate(bytes) {
  try {
    return zlib.zstdDecompressSync(bytes);
  } catch {
    return Buffer.alloc(0);
  }
}

function everythingWritten(home, peer) {
  const places = new Map([['stderr', Buffer.concat(peer.stderr)]]);
  for (const [file, bytes] of filesBelow(home)) {
    let number = 0;
    for (const view of views(bytes)) places.set(`${path.relative(home, file)} #${number++}`, view);
  }
  for (const format of ['json', 'text']) {
    const done = mcptrace(home, ['sessions', '--all', '--format', format]);
    assert.equal(done.status, 0, done.stderr);
    places.set(`sessions ${format}`, Buffer.from(done.stdout + done.stderr));
  }
  for (const { id } of sessionList(home, '--all')) {
    places.set('trace otlp', Buffer.from(otlpText(home, id)));
    for (const format of ['json', 'text']) {
      const done = mcptrace(home, ['trace', id, '--format', format]);
      assert.equal(done.status, 0, done.stderr);
      places.set(`trace ${format}`, Buffer.from(done.stdout + done.stderr));
    }
  }
  return places;
}

function check(places, secrets) {
  for (const [place, bytes] of places) {
    for (const secret of secrets) assert.equal(bytes.indexOf(secret), -1, `${secret} is in ${place}`);
  }
  const spool = [...places].filter(([place]) => place.startsWith('spool/'));
  assert.ok(spool.some(([, bytes]) => bytes.includes('legacy-recorder') || bytes.includes('modern-recorder')),
    'the search does not see what is in the spool');
  assert.ok(places.get('trace otlp').includes('mcp.tool_call'));
}

test('legacy: nothing of what was said is written', async (t) => {
  const home = freshHome(t);
  const record = path.join(freshDirectory(t), canary('path'));
  const words = Object.fromEntries(
    ['argument', 'error', 'who', 'city', 'uri', 'tool', 'token', 'meta', 'environment', 'key', 'baggage'].map((what) => [what, canary(what)]));
  const peer = await legacyClient(traced(home, legacyServer(record), { env: { SECRET_OF_THE_SERVER: words.environment } }));
  await peer.client.listTools();
  await peer.client.callTool({ name: 'echo', arguments: { message: words.argument } });
  await peer.client.callTool({ name: 'echo', arguments: { message: `x`.repeat(300_000) + words.argument } });
  await peer.client.callTool({
    name: 'fail', arguments: { message: words.error },
    _meta: { progressToken: words.token, 'example.org/x': words.meta, baggage: `k=${words.baggage}` },
  });
  await peer.client.callTool({ name: 'echo', arguments: { message: 'x', [words.key]: 1 } });
  await peer.client.getPrompt({ name: 'greet', arguments: { who: words.city } });
  await peer.client.getPrompt({ name: 'refuse', arguments: { who: words.who } }).catch(() => {});
  await peer.client.readResource({ uri: `note://${words.uri}` }).catch(() => {});
  await peer.client.callTool({ name: `no such tool: ${words.tool}`, arguments: {} }).catch(() => {});
  await peer.close();
  // All of it did pass through, or this test proves nothing.
  const passed = fs.readFileSync(`${record}.in`, 'utf8') + words.environment;
  for (const word of Object.values(words)) assert.ok(passed.includes(word), word);
  check(everythingWritten(home, peer), [...Object.values(words), path.basename(record)]);
});

test('modern: nothing of what was said is written', async (t) => {
  const home = freshHome(t);
  const record = path.join(freshDirectory(t), canary('path'));
  const words = Object.fromEntries(['argument', 'error', 'state', 'answer'].map((what) => [what, canary(what)]));
  const peer = await modernClient(traced(home, modernServer(record)), { pin: '2026-07-28' }, { elicitation: { form: {} } },
    (client) => client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: words.answer } })));
  await peer.client.callTool({ name: 'echo', arguments: { message: words.argument } });
  await peer.client.callTool({ name: 'fail', arguments: { message: words.error } });
  const asked = await peer.client.callTool({ name: 'ask', arguments: { state: words.state } });
  assert.ok(asked.content[0].text.includes(words.answer));
  await peer.close();
  check(everythingWritten(home, peer), [...Object.values(words), path.basename(record)]);
});

// Answers whatever it is asked, by whatever name.
const lenientServer = `
  const answers = {
    initialize: { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'legacy-recorder', version: '1' } },
    'tools/list': { tools: [{ name: 'look\\u2060up', inputSchema: { type: 'object' } }, { name: 'find \\u200b\\u{e0041}it', inputSchema: { type: 'object' } }] },
  };
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method } = JSON.parse(line);
    if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, result: answers[method] ?? { content: [] } }));
  });`;

test('what a lenient server takes for a name is not written, nor what is said twice, nor what cannot be seen', (t) => {
  const home = freshHome(t);
  const words = Object.fromEntries(['tool', 'first', 'second', 'method', 'client', 'version'].map((what) => [what, canary(what)]));
  const hidden = ['find \u200b', 'look\u2060', '\u{e0041}it', 'agent\u3164', '1\ufe0f'];
  const call = (id, params) => `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":${params}}`;
  const input = [
    JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params: {
      protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: `agent\u3164 ${words.client}`, version: `1\ufe0f ${words.version}` } } }),
    '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    call(2, `{"name":"please ${words.tool}, now","arguments":{}}`),
    call(3, `{"name":"echo","name":"it is ${words.first}","arguments":{}}`),
    call(4, `{"name":"echo","arguments":{}},"params":{"name":"and ${words.second}"}`),
    `{"jsonrpc":"2.0","id":5,"method":"do as ${words.method} says"}`,
    call(6, '{"name":"look\u2060up","arguments":{}}'),
    call(7, '{"name":"find \u200b\u{e0041}it","arguments":{}}'),
  ].join('\n') + '\n';
  const done = mcptrace(home, ['run', process.execPath, '-e', lenientServer], { input });
  assert.equal(done.status, 0, done.stderr);
  assert.equal(done.stdout.trimEnd().split('\n').length, 8);
  for (const word of Object.values(words)) assert.ok(input.includes(word), word);
  check(everythingWritten(home, { stderr: [Buffer.from(done.stderr)] }), [...Object.values(words), ...hidden]);
  const names = Object.fromEntries(
    calls(sessions(home)[0]).map(({ attributes }) => [attributes['jsonrpc.request.id'], attributes['mcp.tool_name']]));
  for (const id of [2, 3, 4]) assert.match(names[id], /^_OTHER#[0-9a-f]{8}$/);
  assert.match(names[6], /^lookup#[0-9a-f]{8}$/);
  assert.equal(names[7], 'find it');
});

test('nothing of the command but what it launches is written', (t) => {
  const home = freshHome(t);
  const words = Object.fromEntries(['person', 'option', 'variable', 'password', 'path', 'query'].map((what) => [what, canary(what)]));
  const folder = path.join(freshDirectory(t), 'home', words.person);
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'index.cjs'), lenientServer);
  fs.writeFileSync(path.join(folder, 'weather.cjs'), lenientServer);
  const rest = [`--token=${words.option}`, `KEY=${words.variable}`, `https://ann:${words.password}@h.example/${words.path}?k=${words.query}`];
  const input = '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}\n' +
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}\n';
  const stderr = [];
  for (const script of ['index.cjs', 'weather.cjs']) {
    const done = mcptrace(home, ['run', process.execPath, '--no-warnings', path.join(folder, script), ...rest], { input });
    assert.equal(done.status, 0, done.stderr);
    stderr.push(Buffer.from(done.stderr));
  }
  check(everythingWritten(home, { stderr }), [...Object.values(words), 'h.example']);
  assert.deepEqual(sessions(home).map(([span]) => span.resource['service.name']), ['node', 'weather']);
});

test('where a client is, is written only where that is asked for', async (t) => {
  const server = await listen(t, async (request, response) => {
    const { id } = JSON.parse(await readBody(request));
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ jsonrpc: '2.0', id, result: { content: [] } }));
  });
  const written = async (...options) => {
    const home = freshHome(t);
    const proxy = await startProxy(home, server.origin, { options: ['--trust-proxy', ...options] });
    for (const address of ['203.0.113.77', '2001:db8:77::1']) {
      const headers = { 'x-forwarded-for': `198.51.100.1, ${address}` };
      await ask(`${proxy.origin}/mcp`, { body: toolCall(1, 'legacy-recorder'), headers });
    }
    await ask(`${proxy.origin}/mcp`, { body: toolCall(1, 'legacy-recorder') });
    await proxy.stop();
    return everythingWritten(home, { stderr: [Buffer.from(proxy.stderr.join('\n'))] });
  };
  check(await written(), ['203.0.113.77', '2001:db8:77::1', '198.51.100.1', 'client.address', 'client.port']);
  const asked = await written('--client-address');
  check(asked, ['198.51.100.1']);
  const spool = Buffer.concat([...asked].filter(([place]) => place.startsWith('spool/')).map(([, bytes]) => bytes)).toString('latin1');
  for (const text of ['203.0.113.77', '2001:db8:77::1', 'client.address', 'client.port']) assert.ok(spool.includes(text), text);
});

test('a name of an odd form is written if this or another process of the installation saw it declared', async (t) => {
  const home = freshHome(t);
  const record = path.join(freshDirectory(t), 'record');
  const session = async (...steps) => {
    const before = sessions(home).length;
    const peer = await legacyClient(traced(home, legacyServer(record)));
    for (const step of steps) await step(peer.client);
    await peer.close();
    return calls(sessions(home)[before]).map((span) => span.attributes['mcp.tool_name']);
  };
  const list = (client) => client.listTools();
  const call = (client) => client.callTool({ name: 'läuft nicht', arguments: {} });
  assert.match((await session(call))[0], /^_OTHER#[0-9a-f]{8}$/);
  assert.deepEqual(await session(list), []);
  assert.deepEqual(await session(call), ['läuft nicht']);
  const file = fs.readFileSync(path.join(home, 'declared'), 'utf8');
  assert.match(file, /^([0-9a-f]{8} [0-9a-f]{16} [0-9a-f]{16}\n)+$/);
  assert.equal(mcptrace(home, ['clear']).status, 0);
  assert.match((await session(call))[0], /^_OTHER#[0-9a-f]{8}$/);
});

test('the state directory is its owner\'s alone', async (t) => {
  const home = freshHome(t);
  const peer = await legacyClient(traced(home, legacyServer(path.join(freshDirectory(t), 'record'))));
  await peer.client.listTools();
  await peer.close();
  assert.equal(fs.statSync(home).mode & 0o777, 0o700);
  for (const [file] of filesBelow(home)) assert.equal(fs.statSync(file).mode & 0o077, 0, file);
});
