// `mcptrace proxy` over time: quiet streams, large ones, restarts. Not run under sanitizers: what is measured here is time and memory.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import test from 'node:test';
import {
  chunk, eventsOf, getStream, handSession, holdSocket, listen, modernHeaders, modernMeta, raw, rawServer, startProxy, streamHead, toolCall,
} from './http_peers.mjs';
import { legacyHttpServer } from './http_servers.mjs';
import { calls, eventually, freshHome, outcome, sessions } from './peers.mjs';

async function rig(t, answer) {
  const home = freshHome(t);
  const server = await rawServer(t, answer);
  const proxy = await startProxy(home, server.origin);
  return { home, server, proxy };
}

test('nothing is closed because it is quiet: streams that say nothing stay', async (t) => {
  const sockets = [];
  const { proxy } = await rig(t, (socket) => {
    socket.write(streamHead('Transfer-Encoding: chunked'));
    sockets.push(socket);
  });
  const clients = await Promise.all(Array.from({ length: 50 }, () => raw(proxy.port)));
  for (const client of clients) client.socket.write(getStream(proxy));
  await Promise.all(clients.map((client) => client.untilText('\r\n\r\n')));
  // Began after them, and is closed when a head's time is over: were that to count for them, they would be closed by then.
  const slow = await raw(proxy.port);
  slow.socket.write('GET /mcp HTTP/1.1\r\n');
  await once(slow.socket, 'end');
  assert.ok(clients.every((client) => !client.socket.readableEnded && !client.socket.destroyed));
  sockets.forEach((socket) => socket.write(chunk('data: still here\n\n')));
  await Promise.all(clients.map((client) => client.untilText('still here')));
  for (const client of [slow, ...clients]) client.socket.destroy();
});

// The middle one of many, as a busy machine may be late now and then.
for (const [who, how] of [['the client', 'FIN'], ['the client', 'RST'], ['the server', 'FIN'], ['the server', 'RST']]) {
  test(`H3: ${who} leaves in mid-stream by ${how}: the other side knows within 50 ms, and in the same way`, async (t) => {
    const took = [];
    let arrived = Promise.withResolvers();
    const { proxy } = await rig(t, (socket) => {
      socket.write(streamHead('Transfer-Encoding: chunked'));
      socket.write(chunk('data: x\n\n'));
      arrived.resolve(socket);
    });
    for (let round = 0; round < 15; round++) {
      arrived = Promise.withResolvers();
      const client = await raw(proxy.port, { allowHalfOpen: false });
      client.socket.write(getStream(proxy));
      await client.untilText('data: x');
      const server = await arrived.promise;
      const [leaver, other] = who === 'the client' ? [client.socket, server] : [server, client.socket];
      const noticed = new Promise((resolve) => {
        other.once('end', () => resolve('FIN'));
        other.once('error', (error) => resolve(error.code === 'ECONNRESET' ? 'RST' : error.code));
      });
      const left = process.hrtime.bigint();
      if (how === 'FIN') leaver.end();
      else leaver.resetAndDestroy();
      assert.equal(await noticed, how);
      took.push(Number(process.hrtime.bigint() - left) / 1e6);
      client.socket.destroy();
      server.destroy();
    }
    took.sort((a, b) => a - b);
    assert.ok(took[7] <= 50, `${took[7]} ms`);
  });
}

// The peak of a process's resident memory, in bytes.
const peak = (pid) => Number(fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmHWM:\s+(\d+) kB/)[1]) * 1024;

test('an event of 100 MB passes in little memory, and is traced', async (t) => {
  const size = 100 << 20;
  const event = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: '@' }] } }).split('@');
  const piece = Buffer.alloc(1 << 20, 'y');
  const { home, proxy } = await rig(t, async (socket, head) => {
    if (!head.startsWith('POST')) return socket.end();
    socket.write(streamHead('Transfer-Encoding: chunked'));
    socket.write(chunk(`event: message\ndata: ${event[0]}`));
    for (let sent = 0; sent < size; sent += piece.length) {
      if (!socket.write(chunk(piece))) await once(socket, 'drain');
    }
    socket.end(Buffer.concat([chunk(`${event[1]}\n\n`), Buffer.from('0\r\n\r\n')]));
  });
  const call = toolCall(1, 'big', {}, modernMeta());
  const body = JSON.stringify(call);
  const before = peak(proxy.pid);
  const posted = http.request(`${proxy.origin}/mcp`, {
    method: 'POST', agent: false,
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...modernHeaders(call) },
  });
  posted.end(body);
  const [response] = await once(posted, 'response');
  let received = 0, wrong = 0;
  for await (const bytes of response) {
    received += bytes.length;
    wrong += bytes.length > 1000 && !bytes.includes('yyyy') ? 1 : 0;
  }
  assert.equal(received, size + `event: message\ndata: ${event[0]}${event[1]}\n\n`.length);
  assert.equal(wrong, 0);
  const grown = peak(proxy.pid) - before;
  assert.ok(grown <= 16 << 20, `${grown >> 20} MiB more than before`);
  await proxy.stop();
  assert.deepEqual(calls(sessions(home).flat()).map(outcome), ['ok']);
});

test('a client that does not read holds the server back, not our memory', async (t) => {
  let written = 0;
  const stalled = Promise.withResolvers();
  const { proxy } = await rig(t, async (socket) => {
    socket.write(streamHead('Transfer-Encoding: chunked'));
    const piece = chunk(Buffer.alloc(64 << 10, 'z'));
    for (let i = 0; i < 4000; i++) {
      if (socket.write(piece)) {
        written += piece.length;
        continue;
      }
      // What is not taken within this long is held back.
      const drained = await Promise.race([once(socket, 'drain').then(() => true), new Promise((resolve) => setTimeout(resolve, 1000, false))]);
      if (!drained) break;
      written += piece.length;
    }
    stalled.resolve();
  });
  const before = peak(proxy.pid);
  const client = await raw(proxy.port);
  client.socket.pause();
  client.socket.write(getStream(proxy));
  await stalled.promise;
  assert.ok(written < 64 << 20, `${written >> 20} MiB went nowhere`);
  assert.ok(peak(proxy.pid) - before <= 16 << 20);
  client.socket.destroy();
});


// Ended, though nobody has waited for it.
const isOver = (pid) => fs.readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');

// Clients that connect all the time, and streams that stay open, while one proxy takes over from the other.
test('restarts with the listening socket handed over: nobody is refused, what is open drains', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer({ resumable: false });
  const held = await holdSocket(home, (await listen(t, server.handler)).origin, ['--listen', '[::1]:0']);
  const url = `${held.origin}/mcp`;
  const restarts = 5, open = 40;
  let proxy = await held.start(), stop = false, answered = 0;
  assert.ok(held.stderr.some((line) => line.includes(`listening on http://127.0.0.1:${held.port} `)), 'it says where it really listens');
  const failures = [];
  const traffic = Array.from({ length: 4 }, async () => {
    const session = await handSession(url);
    while (!stop) {
      try {  // a new connection each time
        const [answer] = eventsOf((await session.post(toolCall(2, 'echo', { message: 'x' }))).text);
        assert.equal(answer.result.content[0].text, 'x');
        answered += 1;
      } catch (error) {
        failures.push(error);
      }
    }
  });
  for (let restart = 0; restart < restarts; restart++) {
    const streams = await Promise.all(Array.from({ length: open }, async (_, i) => {
      const session = await handSession(url);
      const stream = await session.open(toolCall(2, 'hold', { key: `${restart}/${i}` }));
      await server.hold.arrived(`${restart}/${i}`);
      return stream;
    }));
    const next = await held.start();
    proxy.signal('SIGTERM');
    const before = answered;
    await eventually(() => answered > before + 4, 'the next proxy serves');
    for (let i = 0; i < open; i++) server.hold.release(`${restart}/${i}`);
    for (const stream of streams) {
      assert.equal(await stream.ended, 'end');
      assert.ok(stream.text.includes('held'));
    }
    await eventually(() => isOver(proxy.pid), 'the old proxy ended');
    proxy = next;
  }
  stop = true;
  await Promise.all(traffic);
  assert.deepEqual(failures, []);
  proxy.signal('SIGTERM');
  await eventually(() => isOver(proxy.pid), 'the last proxy ended');
  const all = sessions(home).flat();
  assert.equal(calls(all, 'hold').filter((span) => outcome(span) === 'ok').length, restarts * open);
});

test('1,000 streams at once cost little memory each', async (t) => {
  const { proxy } = await rig(t, (socket) => {
    socket.write(streamHead('Transfer-Encoding: chunked'));
    socket.write(chunk(': here\n\n'));
  });
  const warm = await Promise.all(Array.from({ length: 20 }, () => raw(proxy.port)));
  for (const client of warm) client.socket.write(getStream(proxy));
  await Promise.all(warm.map((client) => client.untilText(': here')));
  const before = peak(proxy.pid), count = 1000;
  const clients = [];
  for (let i = 0; i < count; i += 100) clients.push(...await Promise.all(Array.from({ length: 100 }, () => raw(proxy.port))));
  for (const client of clients) client.socket.write(getStream(proxy));
  await Promise.all(clients.map((client) => client.untilText(': here')));
  const each = (peak(proxy.pid) - before) / count;
  for (const client of [...warm, ...clients]) client.socket.destroy();
  assert.ok(each <= 32 << 10, `${Math.round(each / 1024)} KiB a stream`);
});
