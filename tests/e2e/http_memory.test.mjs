// What a proxy's memory is bound by: what it holds of bodies in sum, and what a stream costs while nothing passes on it, whatever the
// requests before it weighed. In a release build: a sanitizer's memory is its own.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import zlib from 'node:zlib';
import { chunk, lines, listenRaw, raw, startProxy, streamHead } from './http_peers.mjs';
import { calls, eventually, freshHome, sessions } from './peers.mjs';

const mib = 1 << 20;
const streams = 100;
const mostPerStream = 24 << 10;

// Memory that is the process's own: not what it shares with others as a program.
const memory = (pid) => {
  const [, kib] = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').match(/^Anonymous: +(\d+) kB$/m);
  return Number(kib) << 10;
};
// What it comes to rest at: a busy machine may have something of it to do still.
async function settles(pid, most, time = 20_000) {
  let least = Infinity;
  for (const end = Date.now() + time; Date.now() < end && least > most;) {
    least = Math.min(least, memory(pid));
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
  return least;
}

const call = (id, size) => JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 't', arguments: { x: 'x'.repeat(size) } } });
const event = (id, size) => chunk(`data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { id, x: 'x'.repeat(size) } })}\n\n`);
const post = (proxy, body, fields = []) => Buffer.concat([
  Buffer.from(lines('POST /mcp HTTP/1.1', `Host: 127.0.0.1:${proxy.port}`, 'Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`, ...fields, '', '')),
  Buffer.from(body),
]);
const encoded = (coding) => ['Content-Type: application/json', `Content-Encoding: ${coding}`];
const plainAnswer = (body, fields = ['Content-Type: application/json']) => Buffer.concat([
  Buffer.from(lines('HTTP/1.1 200 OK', ...fields, `Content-Length: ${body.length}`, '', '')), Buffer.from(body)]);

// A server that takes bodies to their end, each as it comes, and then answers by `answer(socket, head)`.
const server = (t, answer) => listenRaw(t, (socket) => {
  let head = '', left = 0;
  socket.on('data', (bytes) => {
    while (bytes.length > 0) {
      if (left === 0) {
        head += bytes.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        bytes = Buffer.from(head.slice(end + 4), 'latin1');
        head = head.slice(0, end);
        left = Number(head.match(/content-length: (\d+)/i)?.[1] ?? 0);
      }
      const taken = Math.min(left, bytes.length);
      left -= taken;
      bytes = bytes.subarray(taken);
      if (left === 0) answer(socket, head), head = '';
    }
  });
});

// Bytes in several pieces, none of which waits for the one before it to have gone on.
async function write(socket, bytes, pieces = 8) {
  const size = Math.ceil(bytes.length / pieces);
  for (let from = 0; from < bytes.length; from += size) {
    await new Promise((resolve) => { socket.write(bytes.subarray(from, from + size), resolve); });
    await new Promise((resolve) => { setImmediate(resolve); });
  }
}

const bomb = zlib.gzipSync(Buffer.alloc(64 * mib, '{'));
const zstdBomb = zlib.zstdCompressSync?.(Buffer.alloc(64 * mib, '{'));
const brotliBomb = zlib.brotliCompressSync(Buffer.alloc(64 * mib, '{'), { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } });

// What comes before a stream on its connection: what the client sends, and what it waits for. `X-Answer` tells the server.
const before = {
  'a small call': (proxy) => [post(proxy, call(1, 10), ['X-Answer: stream'])],
  'a call of a megabyte': (proxy) => [post(proxy, call(1, mib - 200), ['X-Answer: stream'])],
  'a call that is too long to be held': (proxy) => [post(proxy, call(1, 3 * mib), ['X-Answer: stream'])],
  'one read of half a megabyte': (proxy) => [post(proxy, call(1, mib / 2), ['X-Answer: stream'])],
  'a large head': (proxy) => [post(proxy, call(1, 10), ['X-Answer: stream', ...Array.from({ length: 4 }, (_, i) => `X-${i}: ${'x'.repeat(14_000)}`)])],
  'a large credential': (proxy) => [post(proxy, call(1, 10), ['X-Answer: stream', `Authorization: Bearer ${'x'.repeat(15_000)}`, `baggage: a=${'x'.repeat(15_000)}`])],
  'a large event': (proxy) => [post(proxy, call(1, 10), ['X-Answer: large'])],
  'a large answer before': (proxy) => [post(proxy, call(1, 10), ['X-Answer: json']), post(proxy, call(2, 10), ['X-Answer: stream'])],
  'a bomb in an answer before': (proxy) => [post(proxy, call(1, 10), ['X-Answer: bomb']), post(proxy, call(2, 10), ['X-Answer: stream'])],
  'bombs in requests before': (proxy) => [
    ...[['gzip', bomb], ['br', brotliBomb], ...(zstdBomb ? [['zstd', zstdBomb]] : [])].map(([coding, body]) =>
      post(proxy, body, [`Content-Encoding: ${coding}`, 'X-Answer: json'])),
    post(proxy, call(2, 10), ['X-Answer: stream'])],
};

const answers = {
  stream: (socket) => socket.write(Buffer.concat([Buffer.from(streamHead('Transfer-Encoding: chunked')), event(1, 10)])),
  large: (socket) => socket.write(Buffer.concat([Buffer.from(streamHead('Transfer-Encoding: chunked')), event(1, mib), event(2, 10)])),
  json: (socket) => socket.write(plainAnswer(Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { x: 'x'.repeat(mib) } })))),
  small: (socket) => socket.write(plainAnswer(Buffer.from('{"jsonrpc":"2.0","id":1,"result":{}}'))),
  bomb: (socket) => socket.write(plainAnswer(bomb, encoded('gzip'))),
};

const openStreams = async (t, proxy, requests, count = streams) => Promise.all(Array.from({ length: count }, async () => {
  const client = await raw(proxy.port);
  t.after(() => client.socket.destroy());
  for (const [i, request] of requests.entries()) {
    await write(client.socket, request);
    const last = i === requests.length - 1;
    await client.until((bytes) => (last ? bytes.includes('event-stream') && bytes.subarray(-4).toString() === '\n\n\r\n'
      : /^HTTP\/1.1 (?:.+\r\n)+\r\n/.test(bytes.toString('latin1', 0, 1000)) && complete(bytes)));
    client.received = Buffer.alloc(0);
  }
}));
async function makeCalls(proxy, count) {
  const client = await raw(proxy.port);
  for (let id = 0; id < count; ++id) {
    client.received = Buffer.alloc(0);
    client.socket.write(post(proxy, call(id, 10), ['X-Answer: small']));
    await client.until((bytes) => bytes.includes('"result"'));
  }
  client.socket.destroy();
}
const complete = (bytes) => {
  const text = bytes.toString('latin1', 0, 1000);
  return bytes.length - text.indexOf('\r\n\r\n') - 4 >= Number(text.match(/content-length: (\d+)/i)[1]);
};

for (const [name, requests] of Object.entries(before)) {
  test(`P6: an idle stream after ${name} costs at most 24 KiB`, async (t) => {
    const upstream = await server(t, (socket, head) => answers[head.match(/x-answer: (\w+)/i)[1]](socket));
    const proxy = await startProxy(freshHome(t), upstream.origin);
    await openStreams(t, proxy, before['a small call'](proxy));
    // What all streams share is there: buffers to be lent, the queue to the observer, what that has its records in.
    await openStreams(t, proxy, requests(proxy), 3);
    await makeCalls(proxy, 4000);
    // What was large is given back a second later.
    let least = await settles(proxy.pid, 0, 1500), grown = Infinity;
    // On a busy machine the observer may fall behind while the first ones come, and its queue and batch grow: no stream's cost.
    for (let round = 0; round < 2 && grown > streams * mostPerStream; round++) {
      await openStreams(t, proxy, requests(proxy));
      const now = await settles(proxy.pid, least + streams * mostPerStream);
      grown = now - least;
      least = now;
      t.diagnostic(`${(grown / streams / 1024).toFixed(1)} KiB each`);
    }
    assert.ok(grown <= streams * mostPerStream, `${Math.round(grown / streams / 1024)} KiB each`);
  });
}

test('what is held of many bodies is bound in sum, and what has no room goes on as it is', async (t) => {
  const upstream = await server(t, (socket) => socket.write(plainAnswer(Buffer.from('{"jsonrpc":"2.0","id":1,"result":{}}'))));
  const home = freshHome(t);
  const budget = 32 * mib, clients = 200, first = 10;
  const proxy = await startProxy(home, upstream.origin, { options: ['--hold-budget', '32MiB'] });
  const all = await Promise.all(Array.from({ length: clients }, async (_, i) => {
    const client = await raw(proxy.port);
    t.after(() => client.socket.destroy());
    client.request = post(proxy, call(i, mib - 1000));
    return client;
  }));
  const least = memory(proxy.pid);
  let most = 0;
  const watch = setInterval(() => { most = Math.max(most, memory(proxy.pid)); }, 5);
  t.after(() => clearInterval(watch));
  // All but the last byte of each: then nobody's body is complete.
  const begin = (some) => Promise.all(some.map(({ socket, request }) => write(socket, request.subarray(0, -1))));
  await begin(all.slice(0, first));
  await eventually(() => memory(proxy.pid) - least > first * mib * 0.9, 'that the first bodies are held');
  await begin(all.slice(first));
  most = Math.max(most, memory(proxy.pid));
  await Promise.all(all.map(async (client) => {
    client.socket.write(client.request.subarray(-1));
    await client.untilText('"result"');
  }));
  clearInterval(watch);
  t.diagnostic(`${((most - least) / mib).toFixed(1)} MiB at most`);
  // Beside what is held, each connection has its buffers of what is on its way.
  assert.ok(most - least < budget + clients * (384 << 10), `${Math.round((most - least) / mib)} MiB`);
  for (const { socket } of all) socket.destroy();
  const rest = await settles(proxy.pid, least + 4 * mib) - least;
  assert.ok(rest <= 4 * mib, `${Math.round(rest / mib)} MiB are left`);
  await proxy.stop();
  const made = calls(sessions(home).flat());
  assert.equal(made.length, clients);
  const without = made.filter((span) => span.attributes['mcptrace.not_injected'] === 'no_room').length;
  assert.ok(without >= clients / 2 && without <= clients - first, `${without} were not held`);
});
