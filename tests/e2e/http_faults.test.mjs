// What goes wrong around `mcptrace proxy`: servers that are not there or leave, requests that two parsers read in two ways, names and
// origins that are none of ours, being told to end. The ids are those of the list of faults.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { Duplex } from 'node:stream';
import test from 'node:test';
import tls from 'node:tls';
import {
  ask, certificate, freePort, handSession, holdSocket, initialize, lines, listen, listenRaw, modernHeaders, modernMeta, opened,
  parseAnswer, raw, requestText, startProxy, toolCall,
} from './http_peers.mjs';
import { legacyHttpServer, modernHttpServer } from './http_servers.mjs';
import { calls, ERROR, eventually, freshHome, named, outcome, root, sessions, status } from './peers.mjs';

const call = (id = 1) => toolCall(id, 'echo', { message: 'x' }, modernMeta());
const post = (origin, message = call(), headers = {}) =>
  ask(`${origin}/mcp`, { body: message, headers: { ...modernHeaders(message), ...headers } });

// What the trace says of the only call.
async function said(proxy, home) {
  await proxy.stop();
  const [span, ...more] = calls(sessions(home, '--all').flat());
  assert.equal(more.length, 0);
  assert.equal(status(span), ERROR);
  return [outcome(span), span.attributes['error.type']];
}

// Established connections to a port of the loopback, as their clients see them.
const connectionsTo = (port) => fs.readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1)
  .map((line) => line.trim().split(/\s+/))
  .filter((fields) => fields[3] === '01' && parseInt(fields[2].split(':')[1], 16) === port).length;

const listenerClosed = (port) => eventually(() => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1');
  socket.once('connect', () => {
    socket.destroy();
    resolve(false);
  });
  socket.once('error', () => resolve(true));
}), 'the listener closed');

function checkRefusal(answer, expected, ...never) {
  assert.equal(answer.status, expected);
  assert.match(answer.headers['content-type'], /^application\/json/);
  assert.equal(typeof answer.json.error, 'object', answer.text);
  for (const word of never) assert.ok(!answer.text.includes(word), answer.text);
}

test('H6: nobody listens', async (t) => {
  const home = freshHome(t);
  const port = await freePort();
  const proxy = await startProxy(home, `http://127.0.0.1:${port}/secret-path`);
  checkRefusal(await post(proxy.origin), 502, 'secret-path');
  assert.deepEqual(await said(proxy, home), ['transport_error', 'refused']);
  assert.equal(calls(sessions(home, '--all').flat())[0].attributes['http.status_code'], 502);
});

test('H6: a name that does not resolve', async (t) => {
  const home = freshHome(t);
  const proxy = await startProxy(home, 'http://no-such-host.invalid:8080');
  checkRefusal(await post(proxy.origin), 502);
  assert.deepEqual(await said(proxy, home), ['transport_error', 'dns']);
});

test('H6: TLS with one who does not speak it', async (t) => {
  const home = freshHome(t);
  const server = await listenRaw(t, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const proxy = await startProxy(home, `https://127.0.0.1:${server.port}`);
  checkRefusal(await post(proxy.origin), 502);
  assert.deepEqual(await said(proxy, home), ['transport_error', 'tls']);
});

for (const [how, end, type] of [
  ['closes', (socket) => socket.end(), 'closed'],
  ['resets', (socket) => socket.resetAndDestroy(), 'reset'],
]) {
  test(`H6: a server that ${how} without an answer: told, and not asked again`, async (t) => {
    const home = freshHome(t);
    let connections = 0;
    const server = await listenRaw(t, (socket) => {
      connections += 1;
      socket.once('data', () => end(socket));
    });
    const proxy = await startProxy(home, server.origin);
    checkRefusal(await post(proxy.origin), 502);
    assert.equal(connections, 1, 'a POST is never sent twice');
    assert.deepEqual(await said(proxy, home), ['transport_error', type]);
  });
}

test('H6: a server that answers nonsense', async (t) => {
  const ok = 'HTTP/1.1 200 OK';
  for (const nonsense of [
    'HELLO\r\n\r\n', 'HTTP/1.1 99 Low\r\n\r\n', `${ok}\r\nX: ${'y'.repeat(200_000)}\r\n\r\n`,
    `${ok}\r\nContent-Length: x\r\n\r\n`, `${ok}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
    `${ok}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ]) {
    const home = freshHome(t);
    const server = await listenRaw(t, (socket) => socket.once('data', () => socket.write(nonsense)));
    const proxy = await startProxy(home, server.origin);
    checkRefusal(await post(proxy.origin), 502);
    assert.equal((await said(proxy, home))[0], 'transport_error', nonsense.slice(0, 60));
  }
});

test('H6: a status without a message: the call failed by the transport', async (t) => {
  for (const code of [404, 500, 503]) {
    const home = freshHome(t);
    const server = await listen(t, (request, response) => response.writeHead(code, { 'content-type': 'text/plain' }).end('no message'));
    const proxy = await startProxy(home, server.origin);
    const answer = await post(proxy.origin);
    assert.equal(answer.status, code);
    assert.equal(answer.text, 'no message');
    await proxy.stop();
    const [span] = calls(sessions(home, '--all').flat());
    assert.deepEqual([outcome(span), span.attributes['http.response.status_code']], ['transport_error', code]);
  }
});

test('H6: an answer that breaks off is not one', async (t) => {
  const half = '{"jsonrpc":"2.0","id":1,';
  for (const [head, part] of [['Content-Length: 1000', half], ['Transfer-Encoding: chunked', `20\r\n${half}`]]) {
    const home = freshHome(t);
    const server = await listenRaw(t, (socket) => socket.once('data', () =>
      socket.end(lines('HTTP/1.1 200 OK', 'Content-Type: application/json', head, '', part))));
    const proxy = await startProxy(home, server.origin);
    await assert.rejects(post(proxy.origin), /aborted|socket hang up|ECONNRESET/);
    assert.deepEqual(await said(proxy, home), ['transport_error', 'truncated']);
  }
});

test('a server that left between two requests on a kept connection: the next one gets through', async (t) => {
  const home = freshHome(t);
  const server = modernHttpServer();
  const { origin, sockets } = await listen(t, server.handler);
  const proxy = await startProxy(home, origin);
  for (let id = 1; id <= 5; id++) {
    assert.equal((await post(proxy.origin, call(id))).status, 200);
    for (const socket of [...sockets]) {
      socket.destroy();
      if (!socket.closed) await once(socket, 'close');
    }
    // The proxy's own end has heard of it by the time a new connection was made and answered.
    const probe = net.connect(new URL(proxy.origin).port, '127.0.0.1');
    await once(probe, 'connect');
    probe.destroy();
  }
  assert.deepEqual(server.requests.map((request) => request.body.id), [1, 2, 3, 4, 5]);
});

// --- what two parsers could read in two ways ---

const smuggled = {
  'CL and TE': ['Content-Length: 4', 'Transfer-Encoding: chunked', '', '0', '', ''],
  'two lengths': ['Content-Length: 3', 'Content-Length: 4', '', 'abcd'],
  'a list of lengths': ['Content-Length: 3, 4', '', 'abcd'],
  'a length with a sign': ['Content-Length: +3', '', 'abc'],
  'a negative length': ['Content-Length: -1', '', ''],
  'a length in hexadecimal': ['Content-Length: 0x3', '', 'abc'],
  'a length too large': ['Content-Length: 99999999999999999999', '', 'abc'],
  'an empty length': ['Content-Length:', '', ''],
  'a coding that we do not know': ['Transfer-Encoding: gzip, chunked', '', '0', '', ''],
  'chunked twice': ['Transfer-Encoding: chunked, chunked', '', '0', '', ''],
  'chunked, then not': ['Transfer-Encoding: chunked, identity', '', '0', '', ''],
  'an odd spelling': ['Transfer-Encoding: xchunked', '', '0', '', ''],
  'a space before the colon': ['Content-Length : 3', '', 'abc'],
  'a folded line': ['X-A: 1', ' b', '', ''],
  'a tab at the start': ['\tX-A: 1', '', ''],
  'a bare carriage return in a value': ['X-A: 1\rContent-Length: 3', '', 'abc'],
  'a NUL in a value': ['X-A: \0', '', ''],
  'a field without a name': [': x', '', ''],
  'a field without a colon': ['Nothing', '', ''],
};
// Seen once the body is looked at: messages are held until they are whole, so these are refused as well.
const brokenChunks = {
  'a negative chunk': ['-2', 'ab', '0', '', ''],
  'a huge chunk': ['fffffffffffffffff', 'ab', '0', '', ''],
  'a chunk with 0x': ['0x2', 'ab', '0', '', ''],
  'a chunk that is longer than it says': ['1', 'ab', '0', '', ''],
  'a bare line feed': ['2\nab', '0', '', ''],
};
const heads = {
  'no Host': ['POST /mcp HTTP/1.1', '', ''],
  'two Hosts': ['POST /mcp HTTP/1.1', 'Host: localhost', 'Host: localhost', 'Content-Length: 0', '', ''],
  'a Host with a path': ['POST /mcp HTTP/1.1', 'Host: localhost/x', 'Content-Length: 0', '', ''],
  'a Host with userinfo': ['POST /mcp HTTP/1.1', 'Host: a@localhost', 'Content-Length: 0', '', ''],
  'a Host with a space': ['POST /mcp HTTP/1.1', 'Host: local host', 'Content-Length: 0', '', ''],
  'another Host in the target': ['GET http://evil.example/mcp HTTP/1.1', 'Host: localhost', '', ''],
  'a bare line feed in the request line': ['GET /mcp HTTP/1.1\nX: y', 'Host: localhost', '', ''],
  'a method with a space': ['GE T /mcp HTTP/1.1', 'Host: localhost', '', ''],
  'no version': ['GET /mcp', 'Host: localhost', '', ''],
  'another protocol': ['GET /mcp HTTPS/1.1', 'Host: localhost', '', ''],
  'a control character in the target': ['GET /m\u0001cp HTTP/1.1', 'Host: localhost', '', ''],
};

test('H7, H8: what is ambiguous is refused, and nothing of it reaches the server', async (t) => {
  const home = freshHome(t);
  let bytes = 0;
  const server = await listenRaw(t, (socket) => socket.on('data', (data) => { bytes += data.length; }));
  const proxy = await startProxy(home, server.origin);
  const all = {
    ...Object.fromEntries(Object.entries(smuggled).map(([name, rest]) => [name, lines('POST /mcp HTTP/1.1', 'Host: localhost', ...rest)])),
    ...Object.fromEntries(Object.entries(brokenChunks).map(([name, rest]) =>
      [name, lines('POST /mcp HTTP/1.1', 'Host: localhost', 'Content-Type: application/json', 'Transfer-Encoding: chunked', '', ...rest)])),
    ...Object.fromEntries(Object.entries(heads).map(([name, all]) => [name, lines(...all)])),
  };
  for (const [name, text] of Object.entries(all)) {
    const client = await raw(proxy.port);
    // What comes after it on the connection is no request.
    client.socket.write(Buffer.from(`${text}GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n`, 'latin1'));
    await client.closed;
    const answer = parseAnswer(client.received, { untilClose: true });
    assert.ok(answer, `${name}: no answer`);
    assert.ok([400, 403, 421, 501, 505].includes(answer.status), `${name}: ${answer.status}`);
    assert.equal(client.received.toString('latin1').match(/HTTP\/1\.1 \d/g).length, 1, `${name}: one answer, and the connection ends`);
    client.socket.destroy();
  }
  assert.equal(bytes, 0, 'the server saw something');
});

test('H7: a body that is passed on as it comes, and turns out broken: the server never gets a whole request', async (t) => {
  const home = freshHome(t);
  const got = [];
  const server = await listenRaw(t, (socket) => {
    const connection = { bytes: '', closed: undefined };
    connection.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('data', (data) => { connection.bytes += data.toString('latin1'); });
    got.push(connection);
  });
  const proxy = await startProxy(home, server.origin);
  for (const [name, rest] of Object.entries(brokenChunks)) {
    got.length = 0;
    const client = await raw(proxy.port);
    client.socket.write(requestText('POST /mcp', proxy, ['Content-Type: text/plain', 'Transfer-Encoding: chunked'], lines('3', 'abc', ...rest)));
    await client.closed;
    client.socket.destroy();
    for (const connection of got) {
      await connection.closed;
      assert.ok(!connection.bytes.includes('\r\n0\r\n'), `${name}: ${connection.bytes}`);
    }
  }
});

test('H7: a body that is held, and turns out broken, is refused, and is no error of the server\'s', async (t) => {
  const home = freshHome(t);
  let asked = 0;
  const server = await listen(t, (request, response) => {
    asked += 1;
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{"content":[]}}');
  });
  const proxy = await startProxy(home, server.origin);
  await ask(`${proxy.origin}/mcp`, { body: toolCall(1, 'echo'), headers: { 'mcp-session-id': 's1' } });
  const client = await raw(proxy.port);
  client.socket.write(requestText('POST /mcp', proxy, ['Mcp-Session-Id: s1', 'Content-Type: application/json', 'Transfer-Encoding: chunked'],
    lines('3', '{"a', 'nonsense', '')));
  await client.closed;
  assert.equal(parseAnswer(client.received, { untilClose: true }).status, 400);
  assert.equal(asked, 1, 'nothing of it reached the server');
  await proxy.stop();
  const [span, ...more] = named(sessions(home, '--all').flat(), 'http.request');
  assert.equal(more.length, 0);
  assert.deepEqual([outcome(span), span.attributes['error.type'], span.attributes['http.status_code'], status(span)],
    ['transport_error', undefined, 400, 0]);
});

test('H10: heads beyond the limits', async (t) => {
  const home = freshHome(t);
  const server = await listenRaw(t, () => assert.fail('reached the server'));
  const proxy = await startProxy(home, server.origin);
  for (const [text, expected] of [
    [`GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, [414]],
    [`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`, [431]],
    [`GET / HTTP/1.1\r\nHost: localhost\r\n${'X: y\r\n'.repeat(10_000)}\r\n`, [431]],
    [`GET /${'x'.repeat(1_000_000)}`, [414, 431]],
  ]) {
    const client = await raw(proxy.port);
    client.socket.write(text);
    await client.closed;
    assert.ok(expected.includes(parseAnswer(client.received, { untilClose: true })?.status), client.received.toString('latin1').slice(0, 100));
    client.socket.destroy();
  }
});

// --- who may come ---

test('Host and Origin: loopback names, and what options allow', async (t) => {
  const home = freshHome(t);
  const server = modernHttpServer();
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin,
    { options: ['--allow-host', 'tools.example', '--allow-origin', 'https://app.example'] });
  const cases = [
    [{ host: `127.0.0.1:${proxy.port}` }, 200], [{ host: `localhost:${proxy.port}` }, 200], [{ host: `LOCALHOST:${proxy.port}` }, 200],
    [{ host: `[::1]:${proxy.port}` }, 200], [{ host: 'tools.example' }, 200],
    [{ host: 'evil.example' }, 403, '--allow-host'], [{ host: 'localhost.evil.example' }, 403, '--allow-host'],
    [{ host: '127.0.0.1.evil.example' }, 403, '--allow-host'],
    [{ host: 'tools.example.evil.example' }, 403, '--allow-host'], [{ host: '10.0.0.1' }, 403, '--allow-host'],
    [{ origin: `http://localhost:${proxy.port}` }, 200], [{ origin: 'http://127.0.0.1:1' }, 200], [{ origin: 'https://app.example' }, 200],
    [{ origin: 'http://evil.example' }, 403, '--allow-origin'], [{ origin: 'null' }, 403, '--allow-origin'],
    [{ origin: 'http://app.example' }, 403, '--allow-origin'],
    [{ origin: 'https://app.example.evil.example' }, 403, '--allow-origin'], [{ origin: 'https://app.example:444' }, 403, '--allow-origin'],
    [{ origin: '' }, 403, '--allow-origin'],
  ];
  for (const [headers, expected, option] of cases) {
    const before = server.requests.length;
    const answer = await post(proxy.origin, call(), headers);
    assert.equal(answer.status, expected, JSON.stringify(headers));
    assert.equal(server.requests.length - before, expected === 200 ? 1 : 0);
    if (option) assert.ok(answer.text.includes(option), answer.text);
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
  }
  // A web page's preflight is the server's to answer, from origins that may come at all.
  const preflight = { method: 'OPTIONS', headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' } };
  assert.equal((await ask(`${proxy.origin}/mcp`, preflight)).status, 403);
});

test('it listens on the loopback alone', async (t) => {
  const home = freshHome(t);
  const proxy = await startProxy(home, 'http://127.0.0.1:9', { options: ['--ready', '127.0.0.1:0'] });
  const inodes = new Set(fs.readdirSync(`/proc/${proxy.pid}/fd`).map((fd) => {
    try {
      return /socket:\[(\d+)\]/.exec(fs.readlinkSync(`/proc/${proxy.pid}/fd/${fd}`))?.[1];
    } catch {
      return undefined;  // closed meanwhile
    }
  }));
  // sl local_address rem_address st … inode; state 0A listens.
  const listening = ['tcp', 'tcp6'].flatMap((table) => fs.readFileSync(`/proc/${proxy.pid}/net/${table}`, 'utf8').trim().split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/)).filter((fields) => fields[3] === '0A' && inodes.has(fields[9]));
  assert.equal(listening.length, 2);
  for (const [, address] of listening) assert.match(address, /^0100007F:/);
});

// --- the end ---

test('SIGTERM: what is in flight ends, a session\'s idle stream is closed, nobody new comes in', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer({ resumable: false });
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin);
  const session = await handSession(`${proxy.origin}/mcp`);
  const idle = await session.get();
  const flying = await session.open(toolCall(2, 'hold', { key: 'a' }));
  await server.hold.arrived('a');
  proxy.signal('SIGTERM');
  assert.match(await idle.ended, /end|close|aborted|ECONNRESET/);
  await listenerClosed(proxy.port);
  server.hold.release('a');
  assert.equal(await flying.ended, 'end');
  assert.ok(flying.text.includes('held a'));
  assert.deepEqual(await proxy.exit.then(({ code, signal }) => ({ code, signal })), { code: 0, signal: null });
  const [spans] = sessions(home);
  assert.ok(root(spans), 'its root is written');
  assert.deepEqual(calls(spans).map(outcome), ['ok']);
});

// Stopped, it finds the signal and the connections in one turn when it goes on.
test('H5: who was accepted when the listener closes is served', async (t) => {
  const server = modernHttpServer();
  const { origin } = await listen(t, server.handler);
  const holder = await holdSocket(freshHome(t), origin);
  const message = call();
  const first = await holder.start();
  first.signal('SIGSTOP');
  const asked = Array.from({ length: 5 }, () =>
    ask(`${holder.origin}/mcp`, { body: message, headers: modernHeaders(message) }).then((answer) => answer.status, (error) => error.code));
  await eventually(() => connectionsTo(holder.port) === 5, 'all of them are connected');
  first.signal('SIGTERM');
  first.signal('SIGCONT');
  await eventually(() => !fs.existsSync(`/proc/${first.pid}`) || /^State:\s+Z/m.test(fs.readFileSync(`/proc/${first.pid}/status`, 'utf8')), 'it has ended');
  await holder.start();
  assert.deepEqual(await Promise.all(asked), [200, 200, 200, 200, 200]);
});

test('H5: a TLS handshake that is under way at SIGTERM is finished, and its request answered', async (t) => {
  const server = modernHttpServer();
  const made = certificate(t);
  const proxy = await startProxy(freshHome(t), (await listen(t, server.handler)).origin,
    { options: ['--tls-cert', made.certFile, '--tls-key', made.keyFile] });
  const plain = net.connect(proxy.port, '127.0.0.1');
  await once(plain, 'connect');
  // Through a stream that holds the client's second flight back until the proxy has heard of its end.
  const gate = Promise.withResolvers();
  let flights = 0;
  const held = new Duplex({
    read() {},
    write(bytes, encoding, done) {
      const send = () => plain.write(bytes, done);
      if (flights++ === 0) send();
      else gate.promise.then(send);
    },
  });
  plain.on('data', (bytes) => held.push(bytes));
  plain.on('close', () => held.push(null));
  plain.on('error', (error) => held.destroy(error));
  const client = tls.connect({ socket: held, rejectUnauthorized: false });
  await once(plain, 'data');
  proxy.signal('SIGTERM');
  await listenerClosed(proxy.port);
  const body = JSON.stringify(call());
  client.write(requestText('POST /mcp', proxy, ['Content-Type: application/json', 'Accept: application/json, text/event-stream',
    ...Object.entries(modernHeaders(call())).map(([name, value]) => `${name}: ${value}`), `Content-Length: ${body.length}`], body));
  gate.resolve();
  let text = '';
  for await (const bytes of client) text += bytes;
  assert.match(text, /^HTTP\/1.1 200/);
  assert.match(text, /^connection: close\r$/im);
  assert.equal((await proxy.exit).code, 0);
});

test('a second SIGTERM ends it at once; --drain bounds the wait', async (t) => {
  for (const [options, signals] of [[[], 2], [['--drain', '1s'], 1]]) {
    const home = freshHome(t);
    const server = legacyHttpServer({ resumable: false });
    const proxy = await startProxy(home, (await listen(t, server.handler)).origin, { options });
    const session = await handSession(`${proxy.origin}/mcp`);
    const flying = await session.open(toolCall(2, 'hold', { key: 'a' }));
    await server.hold.arrived('a');
    proxy.signal('SIGTERM');
    if (signals === 2) {
      // The first was heard when nobody new is taken.
      await eventually(() => ask(`${proxy.origin}/mcp`, { method: 'GET' }).then(() => false, () => true), 'the listener closed');
      proxy.signal('SIGTERM');
    }
    const ended = await proxy.exit;
    assert.equal(ended.code, 0, proxy.stderr.join('\n'));
    assert.notEqual(await flying.ended, 'end');
    const [spans] = sessions(home);
    assert.ok(root(spans));
    assert.equal(calls(spans).length, 1);
    assert.ok(['abandoned', 'unobserved'].includes(outcome(calls(spans)[0])), outcome(calls(spans)[0]));
  }
});

test('a client that goes away before the server has answered: the server hears of it', async (t) => {
  const home = freshHome(t);
  const arrived = Promise.withResolvers();
  const server = await listenRaw(t, (socket) => socket.once('data', () => arrived.resolve(socket)));
  const proxy = await startProxy(home, server.origin);
  const message = call();
  const client = await raw(proxy.port, { allowHalfOpen: false });
  const body = JSON.stringify(message);
  client.socket.write(requestText('POST /mcp', proxy, ['Content-Type: application/json', `Content-Length: ${body.length}`], body));
  const socket = await arrived.promise;
  const closed = new Promise((resolve) => socket.once('close', resolve));
  client.socket.destroy();
  socket.resume();
  await closed;
  await proxy.stop();
  const [span] = calls(sessions(home, '--all').flat());
  assert.equal(outcome(span), 'cancelled');
});

test('an initialize that a server of HTTP+SSE refuses is no error', async (t) => {
  for (const code of [404, 405]) {
    const home = freshHome(t);
    const server = await listen(t, (request, response) => response.writeHead(code).end());
    const proxy = await startProxy(home, server.origin);
    assert.equal((await ask(`${proxy.origin}/mcp`, { body: initialize(1) })).status, code);
    await proxy.stop();
    for (const span of named(sessions(home, '--all').flat(), 'mcp.initialize')) assert.equal(status(span), 0);
  }
});

test('/-/ready answers on a listener of its own', async (t) => {
  const home = freshHome(t);
  const server = modernHttpServer();
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin, { options: ['--ready', '127.0.0.1:0'] });
  const port = proxy.stderr.join('\n').match(/ready on port (\d+)/)[1];
  assert.equal((await ask(`http://127.0.0.1:${port}/-/ready`, { method: 'GET' })).status, 200);
  const through = await ask(`${proxy.origin}/-/ready`, { method: 'GET' });
  assert.equal(server.requests.at(-1).url, '/-/ready', 'on the proxy it is the server\'s');
  assert.notEqual(through.status, undefined);
});

// --- TLS ---

test('H6: a server of TLS is believed only with a certificate that somebody vouches for, in its name', async (t) => {
  const handler = modernHttpServer();
  for (const [name, trusted, expected] of [['IP:127.0.0.1', true, 200], ['IP:127.0.0.1', false, 502], ['DNS:other.example', true, 502]]) {
    const made = certificate(t, name);
    const server = https.createServer({ key: made.key, cert: made.cert }, handler.handler);
    const { port } = await opened(t, server);
    const home = freshHome(t);
    const proxy = await startProxy(home, `https://127.0.0.1:${port}`, { options: trusted ? ['--upstream-ca', made.certFile] : [] });
    assert.equal((await post(proxy.origin)).status, expected, `${name} ${trusted}`);
    if (expected === 502) {
      assert.deepEqual(await said(proxy, home), ['transport_error', 'tls']);
    } else {
      await proxy.stop();
      assert.deepEqual(calls(sessions(home).flat()).map(outcome), ['ok']);
    }
  }
  assert.equal(handler.requests.length, 1);
});

test('clients by TLS; the certificate is read again at SIGHUP', async (t) => {
  const home = freshHome(t);
  const server = modernHttpServer();
  const made = certificate(t), next = certificate(t);
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin,
    { options: ['--tls-cert', made.certFile, '--tls-key', made.keyFile] });
  assert.match(proxy.origin, /^https:/);
  const message = call();
  const fingerprint = async (ca) => {
    const request = https.request(`${proxy.origin}/mcp`, {
      ca, agent: false, method: 'POST',
      headers: { ...modernHeaders(message), 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    });
    request.end(JSON.stringify(message));
    const [response] = await once(request, 'response');
    assert.equal(response.statusCode, 200);
    const print = response.socket.getPeerCertificate().fingerprint256;
    response.resume();
    await once(response, 'end');
    return print;
  };
  const first = await fingerprint(made.cert);
  fs.copyFileSync(next.certFile, made.certFile);
  fs.copyFileSync(next.keyFile, made.keyFile);
  proxy.signal('SIGHUP');
  const second = await eventually(() => fingerprint(next.cert).catch(() => undefined), 'the new certificate');
  assert.notEqual(second, first);
  await proxy.stop();
});

test('who speaks TLS to a plain listener, or plainly to one of TLS, disturbs nobody', async (t) => {
  const server = modernHttpServer();
  const { origin } = await listen(t, server.handler);
  const proxy = await startProxy(freshHome(t), origin);
  const socket = tls.connect({ port: proxy.port, host: '127.0.0.1', rejectUnauthorized: false });
  assert.ok((await once(socket, 'error'))[0]);
  assert.equal((await post(proxy.origin)).status, 200);
  const made = certificate(t);
  const secure = await startProxy(freshHome(t), origin, { options: ['--tls-cert', made.certFile, '--tls-key', made.keyFile] });
  const plain = await raw(secure.port);
  plain.socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await plain.closed;
  assert.ok(!plain.received.toString('latin1').startsWith('HTTP/'));
  await secure.stop();
});
