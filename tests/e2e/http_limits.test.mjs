// What bounds a proxy: clients that dawdle, servers that do not accept, descriptors that run out. The time-outs are the product's
// own (10 s), so the cases wait side by side.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import test from 'node:test';
import { lines, listen, parseAnswer, raw, startProxy } from './http_peers.mjs';
import { freshHome } from './peers.mjs';

const hello = async (t) => listen(t, (request, response) => {
  request.resume();
  response.setHeader('Content-Type', 'text/plain');
  response.end('hello');
});
const since = (start) => Number(process.hrtime.bigint() - start) / 1e9;

test('H9: time is limited until a request is complete, and only until then', async (t) => {
  const server = await hello(t);
  const proxy = await startProxy(freshHome(t), server.origin);
  const start = process.hrtime.bigint();
  const head = lines('POST /mcp HTTP/1.1', `Host: 127.0.0.1:${proxy.port}`, 'Content-Type: application/json', 'Content-Length: 1000', '', '');
  const [silent, slowHead, slowBody, streamedBody] = await Promise.all(Array.from({ length: 4 }, () => raw(proxy.port)));
  slowHead.socket.write('POST /mcp HTTP/1.1\r\nHo');
  slowBody.socket.write(`${head}{"jsonrpc":`);
  streamedBody.socket.write(`${head.replace('application/json', 'text/plain')}abc`);
  // A trickle is no progress: a byte every half second.
  const trickle = setInterval(() => { slowHead.socket.write('x'); slowBody.socket.write(' '); }, 500);
  t.after(() => clearInterval(trickle));
  // Somebody who behaves is served meanwhile.
  const behaves = [];
  for (let i = 0; i < 20; ++i) {
    const asked = process.hrtime.bigint();
    assert.equal(await (await fetch(`${proxy.origin}/x`)).text(), 'hello');
    behaves.push(since(asked));
  }
  behaves.sort((a, b) => a - b);
  assert.ok(behaves[10] < 0.5, `the median of those who behave was ${behaves[10]} s`);
  await Promise.all([silent.closed, slowHead.closed, slowBody.closed, streamedBody.closed]);
  clearInterval(trickle);
  const took = since(start);
  assert.ok(took > 9 && took < 30, `closed after ${took} s`);
  assert.equal(silent.received.length, 0);
  assert.equal(parseAnswer(slowHead.received).status, 408);
  assert.equal(parseAnswer(slowBody.received).status, 408);
});

test('H6: a server that does not accept: 504 after the time to connect, and the server is not told', async (t) => {
  // A queue of one that nobody empties: the kernel answers no further SYN.
  const full = spawn('python3', ['-c', `
import socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(0)
fill = []
for _ in range(4):
    c = socket.socket(); c.setblocking(False); c.connect_ex(s.getsockname()); fill.append(c)
print(s.getsockname()[1], flush=True); sys.stdin.read()`], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => full.kill('SIGKILL'));
  const [port] = await once(full.stdout, 'data');
  const proxy = await startProxy(freshHome(t), `http://127.0.0.1:${String(port).trim()}`);
  const start = process.hrtime.bigint();
  const answer = await fetch(`${proxy.origin}/mcp`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } });
  assert.equal(answer.status, 504);
  const { error } = await answer.json();
  assert.equal(error.route, 'default');
  assert.ok(!JSON.stringify(error).includes('127.0.0.1'));
  const took = since(start);
  assert.ok(took > 9 && took < 30, `told after ${took} s`);
});

const cpuSeconds = (pid) => {
  const [user, system] = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ').slice(11, 13);
  return (Number(user) + Number(system)) / 100;
};

test('H16: without descriptors it closes who is idle, waits without spinning, and goes on', async (t) => {
  const server = await hello(t);
  const proxy = await startProxy(freshHome(t), server.origin);
  const open = fs.readdirSync(`/proc/${proxy.pid}/fd`).length;
  execFileSync('prlimit', ['--pid', String(proxy.pid), `--nofile=${open + 6}`]);
  const before = cpuSeconds(proxy.pid);
  // Each stays after its answer, so that there is soon none left for the next.
  const clients = [];
  for (let i = 0; i < 20; ++i) {
    const client = await raw(proxy.port);
    client.socket.write(lines('GET /x HTTP/1.1', `Host: 127.0.0.1:${proxy.port}`, '', ''));
    await client.untilText('hello');
    clients.push(client);
  }
  assert.ok(cpuSeconds(proxy.pid) - before < 2, 'it was busy waiting');
  assert.equal(clients.filter((client) => !client.socket.readableEnded).length <= 6, true);
  for (const client of clients) client.socket.destroy();
  assert.equal(await (await fetch(`${proxy.origin}/x`)).text(), 'hello');
});

test('an answer before the request is complete passes at once, and the connection is not used again', async (t) => {
  const server = http.createServer((request, response) => {
    response.writeHead(413, { 'Content-Type': 'text/plain' });
    response.end('too large');
  });
  server.listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const proxy = await startProxy(freshHome(t), `http://127.0.0.1:${server.address().port}`);
  const client = await raw(proxy.port);
  client.socket.write(lines('POST /x HTTP/1.1', `Host: 127.0.0.1:${proxy.port}`, 'Content-Type: text/plain', 'Content-Length: 1000000', '', 'abc'));
  await client.untilText('too large');
  const answer = parseAnswer(client.received);
  assert.equal(answer.status, 413);
  assert.equal(answer.headers.connection?.toLowerCase(), 'close', 'the client is told');
  client.socket.end();
  await client.closed;
});
