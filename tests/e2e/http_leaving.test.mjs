// Who leaves in the middle of an exchange, and what of it the other side and the trace may believe.
import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import {
  chunk, lines, listen, modernHeaders, modernMeta, open, parseAnswer, raw, rawServer, requestText, startProxy, streamHead,
  toolCall,
} from './http_peers.mjs';
import { calls, freshHome, outcome, sessions } from './peers.mjs';

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
