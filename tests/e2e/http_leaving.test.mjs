// Who leaves in the middle of an exchange, and what of it the other side and the trace may believe.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import test from 'node:test';
import {
  ask, chunk, eventIds, handSession, legacyHttpClient, lines, listen, modernHeaders, modernMeta, open, opened, parseAnswer, raw,
  rawServer, requestText, startProxy, streamHead, toolCall,
} from './http_peers.mjs';
import { legacyHttpServer } from './http_servers.mjs';
import { calls, eventually, freshHome, named, outcome, root, sessions } from './peers.mjs';

const event = 'data: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n';
const call = (meta) => toolCall(1, 'echo', { message: 'x' }, meta);
const text = (message, version, fields) => {
  const body = JSON.stringify(message);
  return lines(`POST /mcp ${version}`, 'Host: localhost', 'Accept: application/json, text/event-stream', ...fields,
    'Content-Type: application/json', `Content-Length: ${body.length}`, '', body);
};

// A server that ends its stream in order when its client goes away, as Go's net/http does.
for (const [era, message, fields, expected] of [
  ['modern', call(modernMeta()), modernHeaders(call(modernMeta())), ['cancelled', 'cancelled']],
  ['legacy', call(), { 'mcp-session-id': 's1' }, ['abandoned', 'client_closed']],
]) {
  test(`${era}: a client that leaves is who ended the call, however the server ends its answer`, async (t) => {
    const home = freshHome(t);
    const server = await rawServer(t, (socket) => {
      socket.write(Buffer.concat([Buffer.from(streamHead('Transfer-Encoding: chunked')), chunk(event)]));
      socket.once('end', () => socket.end('0\r\n\r\n'));
    });
    const proxy = await startProxy(home, server.origin);
    const client = await raw(proxy.port);
    client.socket.write(text(message, 'HTTP/1.1', Object.entries(fields).map(([name, value]) => `${name}: ${value}`)));
    await client.untilText('notifications/message');
    client.socket.end();
    await client.closed;
    await proxy.stop();
    const [span] = calls(sessions(home, '--all').flat());
    assert.deepEqual([outcome(span), span.attributes['error.type']], expected);
  });
}

// It is told the end of a body by that of its connection only: in order, a part would be the whole.
test('H3: an answer that is cut is reset for a client of HTTP/1.0', async (t) => {
  const server = await rawServer(t, (socket) => {
    socket.end(Buffer.concat([Buffer.from(streamHead('Transfer-Encoding: chunked')), chunk(event)]));
  });
  const proxy = await startProxy(freshHome(t), server.origin);
  const client = net.connect({ port: proxy.port, host: '127.0.0.1' });
  const ended = new Promise((resolve) => {
    client.once('end', () => resolve('in order'));
    client.once('error', (error) => resolve(error.code));
  });
  client.resume();
  client.write(text(call(), 'HTTP/1.0', []));
  assert.equal(await ended, 'ECONNRESET');
  await proxy.stop();
});

test('SIGTERM: a stream that goes on after an event may bring an answer, and has its time', async (t) => {
  let stream;
  const opened = Promise.withResolvers();
  const server = await rawServer(t, (socket, head) => {
    socket.write(streamHead('Transfer-Encoding: chunked'));
    if (!head.includes('event-7')) return;
    stream = socket;
    opened.resolve();
  });
  const proxy = await startProxy(freshHome(t), server.origin);
  const url = `${proxy.origin}/mcp`;
  const idle = await open(url, { method: 'GET', headers: { 'mcp-session-id': 's1' } });
  const resumed = await open(url, { method: 'GET', headers: { 'mcp-session-id': 's1', 'last-event-id': 'event-7' } });
  await opened.promise;
  proxy.signal('SIGTERM');
  assert.notEqual(await idle.ended, 'end');
  stream.end(Buffer.concat([chunk('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n'), Buffer.from('0\r\n\r\n')]));
  assert.equal(await resumed.ended, 'end');
  assert.ok(resumed.text.includes('"result"'));
  assert.equal((await proxy.exit).code, 0);
});

test('H3: a client that has said all it will is answered', async (t) => {
  const seen = [];
  const server = await listen(t, (request, response) => {
    seen.push(request.url);
    response.end(request.url);
  });
  const proxy = await startProxy(freshHome(t), server.origin);
  const client = await raw(proxy.port);
  client.socket.end(['/one', '/two', '/three'].map((path) => requestText(`GET ${path}`, proxy, [], '')).join(''));
  await client.until((bytes) => String(bytes).includes('/three'));
  assert.equal(parseAnswer(client.received).status, 200);
  assert.deepEqual(seen, ['/one', '/two', '/three']);
  await client.closed;
  await proxy.stop();
});

// Of one tool call: its outcome, error type and how it was told that the answer was late.
function said(spans) {
  const [span] = calls(spans);
  return {
    outcome: outcome(span), type: span.attributes['error.type'], late: named(spans, 'mcp.late_answer').map(outcome),
    found: root(spans).attributes['mcptrace.finding.late_answer'],
  };
}

// Node ends its answer when the client's side ends; other servers (Go, nginx) answer on.
async function answersOn(t, handler) {
  const server = http.createServer({ noDelay: true }, handler);
  server.httpAllowHalfOpen = true;
  const left = Promise.withResolvers();
  server.on('connection', (socket) => socket.once('end', () => left.resolve()));
  return { ...await opened(t, server), left: left.promise };
}

for (const sessionful of [true, false]) {
  for (const json of [true, false]) {
    const what = `${sessionful ? 'a session' : 'no session'}, ${json ? 'JSON' : 'a stream'}`;
    test(`the SDK's client gives a call up, and leaves: ${what}`, async (t) => {
      const home = freshHome(t);
      const server = legacyHttpServer({ sessions: sessionful, resumable: false, json });
      const upstream = await answersOn(t, server.handler);
      upstream.left.then(() => server.hold.release('x'));
      const proxy = await startProxy(home, upstream.origin);
      const patience = new AbortController();
      const peer = await legacyHttpClient(`${proxy.origin}/mcp`, {
        fetch: (url, init) => fetch(url, init.body?.includes('"hold"') ? { ...init, signal: patience.signal } : init),
      });
      const answer = peer.client.callTool({ name: 'hold', arguments: { key: 'x' } });
      answer.catch(() => {});
      await server.hold.arrived('x');
      patience.abort();
      await assert.rejects(answer);
      await eventually(() => sessions(home, '--all').flat().some((span) => span.name === 'mcp.late_answer'), 'the late answer');
      await peer.close();
      await proxy.stop();
      const spans = sessions(home, '--all').find((each) => calls(each).length > 0);
      assert.deepEqual(said(spans), { outcome: 'abandoned', type: 'client_closed', late: ['ok'], found: 1 });
    });

    test(`the SDK's client cancels a call: ${what}`, async (t) => {
      const home = freshHome(t);
      const server = legacyHttpServer({ sessions: sessionful, resumable: false, json });
      const upstream = await listen(t, server.handler);
      const proxy = await startProxy(home, upstream.origin);
      const peer = await legacyHttpClient(`${proxy.origin}/mcp`);
      const patience = new AbortController();
      const answer = peer.client.callTool({ name: 'hold', arguments: { key: 'x' } }, undefined, { signal: patience.signal });
      answer.catch(() => {});
      await server.hold.arrived('x');
      patience.abort();
      await assert.rejects(answer);
      await eventually(() => server.requests.some(({ body }) => body?.method === 'notifications/cancelled'), 'the cancellation');
      await peer.close();
      await proxy.stop();
      const spans = sessions(home, '--all').find((each) => calls(each).length > 0);
      assert.deepEqual(said(spans), { outcome: 'cancelled', type: 'cancelled', late: [], found: undefined });
    });
  }
}

const result = '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}';
const replies = {
  JSON: lines('HTTP/1.1 200 OK', 'Content-Type: application/json', `Content-Length: ${result.length}`, '', result),
  'a stream': Buffer.concat([
    Buffer.from(streamHead('Transfer-Encoding: chunked')), chunk(`data: ${result}\n\n`), Buffer.from('0\r\n\r\n')]),
};
// It answers once the client's side has ended.
const lateServer = (t, reply) => rawServer(t, (socket) => socket.once('end', () => socket.end(reply)));

for (const [how, reply] of Object.entries(replies)) {
  test(`a client that ends its side alone is answered, and its call is ok: ${how}`, async (t) => {
    const home = freshHome(t);
    const proxy = await startProxy(home, (await lateServer(t, reply)).origin);
    const client = await raw(proxy.port);
    client.socket.end(text(call(), 'HTTP/1.1', ['Mcp-Session-Id: s1']));
    assert.equal(await client.closed, 'end');
    assert.ok(client.received.includes(result));
    await proxy.stop();
    const spans = sessions(home, '--all')[0];
    assert.deepEqual(said(spans), { outcome: 'ok', type: undefined, late: [], found: undefined });
  });

  test(`a client that has gone has not got the answer that was sent to it: ${how}`, async (t) => {
    const home = freshHome(t);
    const arrived = Promise.withResolvers();
    const server = await rawServer(t, (socket) => {
      socket.once('end', () => socket.end(reply));
      arrived.resolve();
    });
    const proxy = await startProxy(home, server.origin);
    const client = await raw(proxy.port);
    client.socket.write(text(call(), 'HTTP/1.1', ['Mcp-Session-Id: s1']));
    await arrived.promise;
    client.socket.destroy();
    await eventually(() => sessions(home, '--all').flat().some((span) => span.name === 'mcp.late_answer'), 'the late answer');
    await proxy.stop();
    const spans = sessions(home, '--all')[0];
    assert.deepEqual(said(spans), { outcome: 'abandoned', type: 'client_closed', late: ['ok'], found: 1 });
    const [span] = calls(spans), [late] = named(spans, 'mcp.late_answer');
    assert.ok(BigInt(span.endTimeUnixNano) <= BigInt(late.startTimeUnixNano));
    assert.equal(late.parentSpanId, span.spanId);
  });
}

test('H4: a client that leaves its stream, and goes on with it elsewhere, has left nothing', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer();
  const { origin } = await listen(t, server.handler);
  const proxy = await startProxy(home, origin);
  const session = await handSession(`${proxy.origin}/mcp`);
  const stream = await session.open(toolCall(2, 'hold', { key: 'x' }));
  await eventually(() => eventIds(stream.text).length > 0, 'an event');
  stream.request.destroy();
  const resumed = await session.get({ 'last-event-id': eventIds(stream.text).at(-1) });
  server.hold.release('x');
  await eventually(() => resumed.text.includes('held x'), 'the answer');
  resumed.request.destroy();
  await session.delete();
  await proxy.stop();
  assert.deepEqual(said(sessions(home, '--all')[0]), { outcome: 'ok', type: undefined, late: [], found: undefined });
});

for (const [type, cut] of [['truncated', (socket) => socket.destroy()], ['reset', (socket) => socket.resetAndDestroy()]]) {
  test(`H3: a GET stream that breaks off has failed: ${type}`, async (t) => {
    const home = freshHome(t);
    const sockets = [];
    const server = await rawServer(t, (socket, head) => {
      if (!head.startsWith('GET')) return socket.end(replies.JSON);
      sockets.push(socket);
      return socket.write(Buffer.concat([Buffer.from(streamHead('Transfer-Encoding: chunked')), chunk(event)]));
    });
    const proxy = await startProxy(home, server.origin);
    await ask(`${proxy.origin}/mcp`, { body: call(), headers: { 'mcp-session-id': 's1' } });
    const stream = await open(`${proxy.origin}/mcp`, { method: 'GET', headers: { 'mcp-session-id': 's1' } });
    await eventually(() => stream.text.includes('notifications/message'), 'an event');
    cut(sockets[0]);
    assert.notEqual(await stream.ended, 'end');
    await proxy.stop();
    const [span] = named(sessions(home, '--all')[0], 'http.request');
    assert.deepEqual([outcome(span), span.attributes['error.type']], ['transport_error', type]);
  });
}
