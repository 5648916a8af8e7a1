// Event streams through `mcptrace proxy`: every byte as the server wrote it and as soon as it wrote it, and every close passed on.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import test from 'node:test';
import zlib from 'node:zlib';
import {
  ask, chunk, dechunk, getStream, listen, modernHeaders, modernMeta, open, parseAnswer, raw, rawServer, sseClient, startProxy, streamHead,
  toolCall,
} from './http_peers.mjs';
import { sseServer } from './http_servers.mjs';
import { calls, freshHome, outcome, sessions } from './peers.mjs';

async function rig(t, answer) {
  const home = freshHome(t);
  const server = await rawServer(t, answer);
  const proxy = await startProxy(home, server.origin);
  return { home, server, proxy };
}

const message = (id) => JSON.stringify({ jsonrpc: '2.0', id, result: { content: [] } });
const streams = {
  'line feeds': `event: message\nid: 1\ndata: ${message(1)}\n\n`,
  'carriage returns': `event: message\rid: 1\rdata: ${message(1)}\r\r`,
  'both': `event: message\r\nid: 1\r\ndata: ${message(1)}\r\n\r\n`,
  'all kinds at once': `data: a\r\ndata: b\rdata: c\n\n\r\r\n\r\n`,
  'a byte order mark': `\ufeffdata: x\n\n`,
  'comments and retry': `: ping - 2026-01-01\r\n\r\n:\n\nretry: 3000\n\nid: 7\ndata: \n\n`,
  'several data lines': `data: {"jsonrpc":"2.0",\ndata: "id":1,"result":{}}\n\n`,
  'no blank line at the end': `data: ${message(1)}\n\ndata: half an ev`,
  'unknown fields, NULs, what is no text': `\0\xff\xfe: \x80\nfoo\nevent:\ndata\n\n`,
  'nothing': '',
};

for (const framing of ['chunks', 'bytes in chunks of one', 'until the connection ends']) {
  test(`a stream comes through byte by byte: ${framing}`, async (t) => {
    let body = Buffer.alloc(0);
    const { proxy } = await rig(t, (socket) => {
      socket.write(streamHead(...(framing === 'until the connection ends' ? ['Connection: close'] : ['Transfer-Encoding: chunked'])));
      if (framing === 'until the connection ends') return socket.end(body);
      const size = framing === 'chunks' ? Math.max(body.length, 1) : 1;
      for (let at = 0; at < body.length; at += size) socket.write(chunk(body.subarray(at, at + size)));
      socket.end('0\r\n\r\n');
    });
    for (const [name, text] of Object.entries(streams)) {
      body = Buffer.from(text);
      const client = await raw(proxy.port);
      client.socket.write(getStream(proxy).replace('Accept:', 'Connection: close\r\nAccept:'));
      assert.equal(await client.closed, 'end');
      const answer = parseAnswer(client.received, { untilClose: true });
      assert.equal(answer.status, 200, name);
      assert.ok(answer.ended, `${name}: the end of the stream is the end here`);
      assert.ok(answer.body.equals(body), `${name}: ${JSON.stringify(answer.body.toString('latin1'))}`);
      assert.equal(answer.headers['content-type'], 'text/event-stream; charset=utf-8');
      assert.equal(answer.headers['cache-control'], 'no-cache, no-transform');
      assert.equal(answer.headers['content-encoding'], undefined);
      client.socket.destroy();
    }
  });
}

// The server writes the next piece only when the client has the one before: whoever buffers never gets further.
test('every piece is passed on before the next one comes', async (t) => {
  const pieces = ['e', 'vent: message\n', 'data: {"jsonr', 'pc":"2.0","method":"notifications/message"}\n', '\n', ': ', 'x\r', '\n\r\n', 'data: 2\n\n'];
  const started = Promise.withResolvers();
  const { proxy } = await rig(t, (socket) => {
    socket.write(streamHead('Transfer-Encoding: chunked'));
    started.resolve(socket);
  });
  const client = await raw(proxy.port);
  client.socket.write(getStream(proxy, 'Mcp-Session-Id: 1'));
  const server = await started.promise;
  await client.untilText('\r\n\r\n');
  let expected = '';
  for (const piece of pieces) {
    server.write(chunk(piece));
    expected += piece;
    await client.until((bytes) => parseAnswer(bytes, { untilClose: true }).body.toString() === expected);
  }
  client.socket.destroy();
});

// The first event of a stream without a session may be the one that names an endpoint, which must be changed: only what
// may be in that waits.
test('so it is in a stream that may be one of HTTP+SSE', async (t) => {
  const lines = [': hel', 'lo\n', 'event: mess', 'age\n', 'data: {"json', 'rpc":"2.0"}\n', '\n', 'da', 'ta: 2\n\n'];
  const started = Promise.withResolvers();
  const { proxy } = await rig(t, (socket) => {
    socket.write(streamHead('Transfer-Encoding: chunked'));
    started.resolve(socket);
  });
  const client = await raw(proxy.port);
  client.socket.write(getStream(proxy));
  const server = await started.promise;
  let expected = '';
  for (const line of lines) {
    server.write(chunk(line));
    expected += line;
    await client.until((bytes) => parseAnswer(bytes, { untilClose: true })?.body.toString() === expected);
  }
  client.socket.destroy();
});

test('the head of a stream comes before its first event', async (t) => {
  const started = Promise.withResolvers();
  const { proxy } = await rig(t, (socket) => {
    socket.write(streamHead('Transfer-Encoding: chunked', 'X-Accel-Buffering: no'));
    started.resolve(socket);
  });
  const client = await raw(proxy.port);
  client.socket.write(getStream(proxy));
  const head = await client.until((bytes) => parseAnswer(bytes, { untilClose: true }));
  assert.equal(head.headers['x-accel-buffering'], 'no');
  client.socket.destroy();
});

test('a server that breaks off in the middle of what may be an endpoint: all of it comes through', async (t) => {
  const started = Promise.withResolvers();
  const { proxy } = await rig(t, (socket) => {
    socket.write(streamHead('Transfer-Encoding: chunked'));
    socket.write(chunk(': hello\n\ndata: /half'));
    started.resolve(socket);
  });
  const client = await raw(proxy.port);
  client.socket.write(getStream(proxy));
  await client.untilText(': hello');
  (await started.promise).end();
  await client.closed;
  const { ended, bytes } = dechunk(client.received.subarray(client.received.indexOf('\r\n\r\n') + 4));
  assert.equal(bytes.toString(), ': hello\n\ndata: /half');
  assert.equal(ended, false);
});

test('H10: a bad chunk behind good ones in one read: the good ones come through, and no clean end', async (t) => {
  const { proxy } = await rig(t, (socket) => {
    socket.end(Buffer.concat([Buffer.from(streamHead('Transfer-Encoding: chunked')), chunk('data: 1\n\n'), chunk('data: 2\n\n'),
      Buffer.from('nonsense\r\n')]));
  });
  for (const session of [[], ['Mcp-Session-Id: 1']]) {
    const client = await raw(proxy.port);
    client.socket.write(getStream(proxy, ...session));
    await client.closed;
    const { ended, bytes } = dechunk(client.received.subarray(client.received.indexOf('\r\n\r\n') + 4));
    assert.equal(bytes.toString(), 'data: 1\n\ndata: 2\n\n');
    assert.equal(ended, false);
  }
});

// No line ends in it: whoever looks for lines holds it for ever.
test('H14: an encoded stream that may be one of HTTP+SSE passes at once', async (t) => {
  const started = Promise.withResolvers();
  const { proxy } = await rig(t, (socket) => {
    socket.write(streamHead('Transfer-Encoding: chunked', 'Content-Encoding: gzip'));
    started.resolve(socket);
  });
  const client = await raw(proxy.port);
  client.socket.write(getStream(proxy));
  const server = await started.promise;
  await client.untilText('\r\n\r\n');
  let sent = '';
  for (const piece of ['\x1f', 'data', '\ndata']) {
    server.write(chunk(Buffer.from(piece, 'latin1')));
    sent += piece;
    await client.until((bytes) => parseAnswer(bytes, { untilClose: true }).body.toString('latin1') === sent);
  }
  client.socket.destroy();
});

for (const coding of ['none', 'identity', 'identity, identity', 'utf-8', 'gzip', 'snappy', '']) {
  test(`a plain stream whose Content-Encoding is "${coding}": HTTP+SSE works, and is traced`, async (t) => {
    const home = freshHome(t);
    const server = sseServer();
    const { origin } = await listen(t, (request, response) => {
      // The client's own decoder would stumble over gzip: that it is said is seen by the proxy alone.
      if (request.method === 'GET') response.setHeader('Content-Encoding', coding);
      return server.handler(request, response);
    });
    const proxy = await startProxy(home, ['--route', `/tools=${origin}`]);
    const peer = await sseClient(`${proxy.origin}/tools/sse`, { eventSourceInit: { fetch: (url, init) => plainFetch(url, init) } });
    await peer.client.callTool({ name: 'fail', arguments: { message: 'x' } });
    await peer.close();
    await proxy.stop();
    const all = sessions(home);
    assert.equal(all.length, 1);
    assert.deepEqual(calls(all[0]).map(outcome), ['tool_error']);
    assert.ok(server.requests.length >= 4);
  });
}

// What a client does that does not look at Content-Encoding.
async function plainFetch(url, { headers, signal }) {
  const { response } = await open(url, { method: 'GET', headers: Object.fromEntries(new Headers(headers)) });
  signal?.addEventListener('abort', () => response.destroy());
  return new Response(Readable.toWeb(response), {
    status: response.statusCode, headers: { 'content-type': response.headers['content-type'] },
  });
}

const encoders = {
  gzip: zlib.createGzip, br: zlib.createBrotliCompress, deflate: zlib.createDeflate, zstd: zlib.createZstdCompress,
};
for (const [coding, make] of Object.entries(encoders)) {
  test(`a stream encoded as ${coding} passes as it is, and is traced`, async (t) => {
    const home = freshHome(t);
    const sent = [];
    const server = await listen(t, async (request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': coding });
      const encoder = make();
      encoder.on('data', (bytes) => {
        sent.push(bytes);
        response.write(bytes);
      });
      encoder.write(`: first\n\ndata: ${JSON.stringify({ jsonrpc: '2.0', id: 1, result: { content: [], isError: true } })}\n\n`);
      encoder.end();
      await once(encoder, 'end');
      response.end();
    });
    const proxy = await startProxy(home, server.origin);
    const call = toolCall(1, 'echo', {}, modernMeta());
    const answer = await ask(`${proxy.origin}/mcp`, { body: call, headers: { ...modernHeaders(call), 'accept-encoding': coding } });
    assert.equal(answer.headers['content-encoding'], coding);
    assert.ok(answer.bytes.equals(Buffer.concat(sent)));
    await proxy.stop();
    assert.deepEqual(calls(sessions(home).flat()).map(outcome), ['tool_error']);
  });
}

test('a plain answer whose Content-Encoding says otherwise is read, and passes as it is', async (t) => {
  const home = freshHome(t);
  const json = (id) => JSON.stringify({ jsonrpc: '2.0', id, result: { content: [], isError: true } });
  let said;
  const server = await listen(t, (request, response) => {
    const { stream, coding, body } = said;
    response.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json', 'content-encoding': coding });
    response.end(body);
  });
  const proxy = await startProxy(home, server.origin);
  const codings = ['none', 'identity', 'utf-8', 'gzip', 'br', 'snappy', 'gzip, br', ['identity', 'identity']];
  for (const coding of codings) {
    for (const stream of [false, true]) {
      said = { stream, coding, body: stream ? `: x\n\ndata: ${json(1)}\n\n` : json(1) };
      const call = toolCall(1, 'echo', {}, modernMeta());
      const answer = await ask(`${proxy.origin}/mcp`, { body: call, headers: modernHeaders(call) });
      assert.equal(answer.text, said.body);
      assert.equal(answer.headers['content-encoding'], [coding].flat().join(', '));
    }
  }
  said = { stream: false, coding: ['identity', 'gzip'], body: zlib.gzipSync(json(1)) };
  const call = toolCall(1, 'echo', {}, modernMeta());
  assert.ok((await ask(`${proxy.origin}/mcp`, { body: call, headers: modernHeaders(call) })).bytes.equals(said.body));
  await proxy.stop();
  assert.deepEqual(calls(sessions(home).flat()).map(outcome), Array(codings.length * 2 + 1).fill('tool_error'));
});

test('a stream of an unknown encoding passes, and its call is unobserved', async (t) => {
  const home = freshHome(t);
  const server = await listen(t, (request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'secret-7' });
    response.end('qwerty');
  });
  const proxy = await startProxy(home, server.origin);
  const call = toolCall(1, 'echo', {}, modernMeta());
  assert.equal((await ask(`${proxy.origin}/mcp`, { body: call, headers: modernHeaders(call) })).text, 'qwerty');
  await proxy.stop();
  assert.deepEqual(calls(sessions(home).flat()).map((span) => [outcome(span), span.attributes['mcptrace.unobserved']]),
    [['unobserved', 'encoding']]);
});
