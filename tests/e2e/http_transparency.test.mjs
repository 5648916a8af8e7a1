// `mcptrace proxy` changes nothing but what it says it changes: heads and bodies byte by byte, whatever is asked for.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import zlib from 'node:zlib';
import {
  ask, handSession, initialize, lines, listen, listenRaw, modernHeaders, modernMeta, parseAnswer,
  raw, readBody, requestText, startProxy, toolCall,
} from './http_peers.mjs';
import { legacyHttpServer, modernHttpServer } from './http_servers.mjs';
import { calls, filesBelow, freshDirectory, freshHome, mcptrace, outcome, sessionList, sessions, trace } from './peers.mjs';


// A server that keeps every request as it came and answers what `answer` says; connections stay open.
async function keeper(t, answer = () => 'HTTP/1.1 204 No Content\r\n\r\n') {
  const requests = [];
  const server = await listenRaw(t, (socket) => {
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      for (;;) {
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = text.slice(0, end);
        const length = Number(head.match(/\r\ncontent-length: *(\d+)/i)?.[1] ?? 0);
        let size = length;
        if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
          const last = text.indexOf('0\r\n\r\n', end + 4);
          if (last < 0) return;
          size = last + 5 - end - 4;
        }
        if (text.length < end + 4 + size) return;
        const [line, ...fields] = head.split('\r\n');
        const request = { line, fields, body: text.slice(end + 4, end + 4 + size), socket };
        text = text.slice(end + 4 + size);
        requests.push(request);
        const answered = answer(request);
        if (answered !== undefined) socket.write(answered);
      }
    });
  });
  return { ...server, requests };
}

async function rig(t, answer, how) {
  const home = freshHome(t);
  const server = await keeper(t, answer);
  const proxy = await startProxy(home, server.origin, how);
  // Sends one request, gives the answer and what the server got.
  const send = async (text) => {
    const client = await raw(proxy.port);
    client.socket.write(Buffer.from(text, 'latin1'));
    const answer = await client.until((bytes) => parseAnswer(bytes));
    client.socket.destroy();
    return { answer, got: server.requests.at(-1) };
  };
  return { home, server, proxy, send };
}

const without = (fields, ...names) => fields.filter((field) => !names.some((name) => field.toLowerCase().startsWith(`${name}:`)));

test('a request\'s fields: all of them, as they were spelled, in order; hop-by-hop ones end here', async (t) => {
  const { send, proxy, server } = await rig(t);
  const { got } = await send(lines('POST /mcp?a=%2F&b HTTP/1.1', `Host: localhost:${proxy.port}`, 'Content-Type: application/json ;  charset=utf-8',
    'MCP-Protocol-Version: 2026-07-28', 'mcp-method: tools/call', 'Mcp-Name: =?base64?w6Q=?=', 'MCP-PARAM-Region: eu  west', 'X-Odd_Name: \xe4',
    'Authorization: Bearer abc.def', 'Cookie: a=1; b=2', 'cookie: c=3', 'Accept: application/json, text/event-stream', 'accept-encoding: gzip, br',
    'Origin: http://localhost:5173', 'Last-Event-ID: x', 'Connection: keep-alive, X-Hop', 'X-Hop: 1', 'Keep-Alive: timeout=5', 'TE: trailers',
    'Proxy-Authorization: Basic x', 'Proxy-Connection: keep-alive', 'Upgrade: h2c', 'X-Empty:', 'Mcp-Session-Id: 1', 'mcp-session-id: 2', 'Content-Length: 2',
    '', '{}'));
  assert.equal(got.line, 'POST /mcp?a=%2F&b HTTP/1.1');
  assert.deepEqual(without(got.fields, 'host', 'content-length'), [
    'Content-Type: application/json ;  charset=utf-8',
    'MCP-Protocol-Version: 2026-07-28', 'mcp-method: tools/call', 'Mcp-Name: =?base64?w6Q=?=', 'MCP-PARAM-Region: eu  west', 'X-Odd_Name: \xe4',
    'Authorization: Bearer abc.def', 'Cookie: a=1; b=2', 'cookie: c=3', 'Accept: application/json, text/event-stream', 'accept-encoding: gzip, br',
    'Origin: http://localhost:5173', 'Last-Event-ID: x', 'X-Empty: ', 'Mcp-Session-Id: 1', 'mcp-session-id: 2',
  ]);
  assert.ok(got.fields.some((field) => field.toLowerCase() === `host: ${server.authority}`), 'the server sees its own name');
  assert.ok(got.fields.some((field) => field.toLowerCase() === 'content-length: 2'));
  assert.equal(got.body, '{}');
});

test('--host keep: the server sees the client\'s name for it', async (t) => {
  const { send, proxy } = await rig(t, undefined, { options: ['--host', 'keep'] });
  const { got } = await send(lines('GET / HTTP/1.1', `Host: localhost:${proxy.port}`, '', ''));
  assert.ok(got.fields.some((field) => field.toLowerCase() === `host: localhost:${proxy.port}`), got.fields.join());
});

test('every method and status passes, with or without a body', async (t) => {
  let answer;
  const { proxy, server } = await rig(t, () => answer);
  for (const [status, reason, fields, body] of [
    [200, 'OK', ['Content-Type: text/plain'], 'text'], [200, '', [], ''], [201, 'Made Up', ['Location: http://elsewhere.example/x'], 'a'],
    [202, 'Accepted', [], ''], [301, 'Moved', ['Location: http://elsewhere.example/'], ''], [307, 'Temporary', ['Location: /other'], 'see'],
    [400, 'Bad Request', ['Content-Type: application/json'], '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}'],
    [404, 'Not Found', [], 'gone'], [405, 'Method Not Allowed', ['Allow: POST'], ''], [406, 'Not Acceptable', [], 'x'],
    [421, 'Misdirected Request', [], 'Invalid Host header'], [429, 'Too Many', ['Retry-After: 1'], ''], [499, 'Odd', [], 'odd'],
    [500, 'Internal', [], 'stack'], [502, 'Bad Gateway', ['Server: other'], 'theirs'], [503, 'Busy', ['Retry-After: 7'], ''], [599, 'Last', [], 'x'],
  ]) {
    const all = [...fields, 'X-Case: Kept', 'set-cookie: a=1', 'Set-Cookie: b=2'];
    answer = lines(`HTTP/1.1 ${status} ${reason}`, ...all, `Content-Length: ${body.length}`, '', body);
    const client = await raw(proxy.port);
    client.socket.write(lines('GET /x HTTP/1.1', `Host: 127.0.0.1:${proxy.port}`, '', ''));
    const got = await client.until((bytes) => parseAnswer(bytes));
    const [line, ...got_fields] = got.head.split('\r\n');
    assert.equal(line, `HTTP/1.1 ${status} ${reason}`);
    assert.deepEqual(without(got_fields, 'content-length', 'connection'), all);
    assert.equal(got.body.toString(), body);
    client.socket.destroy();
  }
  answer = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
  for (const [method, body] of [['GET'], ['DELETE'], ['OPTIONS'], ['PUT', 'body'], ['PATCH', 'body'], ['POST', 'body'], ['PROPFIND', 'body']]) {
    assert.equal((await ask(`${proxy.origin}/x`, { method, body })).status, 200);
    assert.equal(server.requests.at(-1).line, `${method} /x HTTP/1.1`);
  }
});

test('answers without a body: HEAD, 204, 304', async (t) => {
  let answer;
  const { proxy, server } = await rig(t, () => answer);
  for (const [method, head, length] of [['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n', '17'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', undefined], ['GET', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', undefined]]) {
    answer = head;
    // Two on one connection: the second shows that the first had no body.
    const client = await raw(proxy.port);
    for (let i = 1; i <= 2; i++) {
      client.socket.write(lines(`${method} /x HTTP/1.1`, `Host: 127.0.0.1:${proxy.port}`, '', ''));
      await client.until((bytes) => bytes.toString('latin1').split('\r\n\r\n').length > i);
    }
    const answers = client.received.toString('latin1').split('\r\n\r\n');
    assert.equal(answers.length, 3);
    for (const each of answers.slice(0, 2)) {
      assert.equal(each.match(/content-length: (\d+)/i)?.[1], length);
      assert.ok(!/transfer-encoding/i.test(each));
    }
    client.socket.destroy();
  }
  assert.equal(server.requests.length, 6);
});

test('bodies up: by length, in chunks, none; nothing is read into them', async (t) => {
  const { proxy, server } = await rig(t, () => 'HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n');
  const bodies = ['', '{}', ' [1, 2 ] ', '{"id":1,"method"', '\0\xff binary', '{"jsonrpc":"2.0","method":"notifications/x"}', 'x'.repeat(100_000)];
  for (const body of bodies) {
    for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded']) {
      const client = await raw(proxy.port);
      const fields = [`Content-Type: ${type}`, `Content-Length: ${body.length}`];
      client.socket.write(Buffer.from(requestText('POST /x', proxy, fields, body), 'latin1'));
      await client.until((bytes) => parseAnswer(bytes));
      assert.equal(server.requests.at(-1).body, body);
      assert.ok(server.requests.at(-1).fields.some((field) => field.toLowerCase() === `content-length: ${body.length}`));
      client.socket.destroy();
    }
  }
  const client = await raw(proxy.port);
  client.socket.write(requestText('POST /x', proxy, ['Content-Type: text/plain', 'Transfer-Encoding: chunked'],
    lines('3', 'abc', '4;x=y', 'defg', '0', '', '')));
  await client.until((bytes) => parseAnswer(bytes));
  const { body, fields } = server.requests.at(-1);
  const sent = fields.some((field) => /^transfer-encoding: chunked$/i.test(field))
    ? body.split('\r\n').filter((_line, i) => i % 2 === 1).join('') : body;
  assert.equal(sent, 'abcdefg');
  assert.ok(!body.includes('x=y'), 'what clients say in chunk extensions ends here');
  client.socket.destroy();
});

// Requests whose body must not be touched, however much it looks like one that could.
test('bodies that are encoded, signed or digested pass as they are; so do their contexts', async (t) => {
  const { proxy, server, home } = await rig(t, () => lines('HTTP/1.1 200 OK', 'Content-Type: application/json', 'Content-Length: 36', '',
    '{"jsonrpc":"2.0","id":1,"result":{}}'));
  const inMessage = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`, inHeader = `00-${'3'.repeat(32)}-${'4'.repeat(16)}-01`;
  const call = toolCall(1, 'echo', {}, modernMeta({ traceparent: inMessage }));
  const plain = JSON.stringify(call), packed = zlib.gzipSync(plain);
  const cases = [
    [{ 'content-encoding': 'gzip' }, packed], [{ 'content-encoding': 'br' }, zlib.brotliCompressSync(plain)],
    [{ 'content-md5': 'x' }, plain], [{ digest: 'sha-256=x' }, plain], [{ 'content-digest': 'sha-256=:x:' }, plain],
    [{ 'repr-digest': 'sha-256=:x:' }, plain], [{ signature: 's=:x:', 'signature-input': 's=("@method")' }, plain],
  ];
  for (const [headers, body] of cases) {
    const all = { ...modernHeaders(call), ...headers, 'content-type': 'application/json', traceparent: inHeader };
    await ask(`${proxy.origin}/mcp`, { body: Buffer.from(body), headers: all });
    const got = server.requests.at(-1);
    assert.ok(Buffer.from(got.body, 'latin1').equals(Buffer.from(body)), Object.keys(headers)[0]);
    assert.ok(got.fields.some((field) => field.toLowerCase() === `traceparent: ${inHeader}`), 'headers are rewritten where the message is');
  }
  await proxy.stop();
  const seen = sessions(home, '--all').flat();
  assert.equal(calls(seen).length, cases.length, 'they are traced all the same');
  for (const span of calls(seen)) assert.equal(span.parentSpanId, '2'.repeat(16));
});

test('with --no-inject nothing of a request changes', async (t) => {
  const { proxy, server } = await rig(t, () => 'HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n', { options: ['--no-inject'] });
  const call = toolCall(1, 'echo', {}, modernMeta());
  for (const body of [`  ${JSON.stringify(call, null, 2)}\n`, JSON.stringify(initialize(1)), '[]']) {
    await ask(`${proxy.origin}/mcp`, { body: Buffer.from(body), headers: { 'content-type': 'application/json', tracestate: 'a=b' } });
    assert.equal(server.requests.at(-1).body, body);
    assert.ok(server.requests.at(-1).fields.some((field) => field.toLowerCase() === 'tracestate: a=b'));
  }
});

test('injection adds a context and changes nothing else', async (t) => {
  const { proxy, server } = await rig(t, () => 'HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n');
  const call = { ...toolCall(9007199254740993n.toString(), 'echo', { n: 1, s: 'ü\u2028' }), zzz: 1 };
  const shapes = [
    JSON.stringify(call), JSON.stringify({ ...call, params: { ...call.params, _meta: { a: 1 } } }), JSON.stringify(call, null, 2),
    '{"jsonrpc":"2.0","id":12345678901234567890,"method":"tools/list"}', '{"method":"ping","jsonrpc":"2.0","id":"\\u0031","params":{}}',
  ];
  for (const body of shapes) {
    await ask(`${proxy.origin}/mcp`, { body: Buffer.from(body), headers: { 'content-type': 'application/json' } });
    const got = Buffer.from(server.requests.at(-1).body, 'latin1').toString();
    const sent = JSON.parse(got);
    assert.match(sent.params._meta.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-03$/);
    assert.ok(server.requests.at(-1).fields.includes(`traceparent: ${sent.params._meta.traceparent}`));
    // Taking the inserted text out gives the body back.
    const at = [...body].findIndex((character, i) => character !== [...got][i]);
    const kept = [...body].slice(at).join('');
    assert.ok(got.endsWith(kept) || body.includes('_meta'), got);
    assert.ok(server.requests.at(-1).fields.some((field) => field.toLowerCase() === `content-length: ${Buffer.byteLength(got)}`));
  }
});

test('a connection is kept, and requests that come together are answered in order', async (t) => {
  let number = 0;
  const { proxy, server } = await rig(t, () => {
    const body = `answer ${++number}`;
    return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  });
  const client = await raw(proxy.port);
  const one = (path) => lines(`GET ${path} HTTP/1.1`, `Host: 127.0.0.1:${proxy.port}`, '', '');
  client.socket.write(one('/1') + one('/2') + one('/3'));
  await client.untilText('answer 3');
  client.socket.write(one('/4'));
  await client.untilText('answer 4');
  assert.deepEqual(client.received.toString().match(/answer \d/g), ['answer 1', 'answer 2', 'answer 3', 'answer 4']);
  assert.deepEqual(server.requests.map((request) => request.line.split(' ')[1]), ['/1', '/2', '/3', '/4']);
  assert.equal(new Set(server.requests.map((request) => request.socket)).size, 1, 'and one to the server is used again');
  client.socket.destroy();
});

test('clients of HTTP/1.0, and those that close', async (t) => {
  const { proxy } = await rig(t, () => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntext\r\n0\r\n\r\n');
  for (const head of [lines('GET /x HTTP/1.0', `Host: 127.0.0.1:${proxy.port}`, '', ''),
    lines('GET /x HTTP/1.1', `Host: 127.0.0.1:${proxy.port}`, 'Connection: close', '', '')]) {
    const client = await raw(proxy.port);
    client.socket.write(head);
    assert.equal(await client.closed, 'end');
    const answer = parseAnswer(client.received, { untilClose: true });
    assert.equal(answer.body.toString(), 'text');
    assert.equal(/chunked/i.test(answer.head), !head.includes('1.0'), 'HTTP/1.0 knows no chunks');
    client.socket.destroy();
  }
});

test('Expect: 100-continue: the server is asked, and answers', async (t) => {
  const home = freshHome(t);
  const server = await listen(t, async (request, response) => response.end(await readBody(request)));
  const proxy = await startProxy(home, server.origin);
  const client = await raw(proxy.port);
  client.socket.write(requestText('POST /x', proxy, ['Content-Type: text/plain', 'Expect: 100-continue', 'Content-Length: 4']));
  await client.untilText('HTTP/1.1 100');
  client.socket.write('text');
  await client.untilText('\r\n\r\ntext');
  client.socket.destroy();
});

test('paths: joined as the upstream\'s path says, routes by the longest prefix', async (t) => {
  const home = freshHome(t);
  const [one, two, three] = [await keeper(t), await keeper(t), await keeper(t)];
  const proxy = await startProxy(home,
    ['--upstream', `${one.origin}/base`, '--route', `/a=${two.origin}`, '--route', `/a/b=${three.origin}/deep/`]);
  const got = async (path) => {
    const counts = [one, two, three].map((server) => server.requests.length);
    await ask(`${proxy.origin}${path}`, { method: 'GET' });
    const index = [one, two, three].findIndex((server, i) => server.requests.length > counts[i]);
    return [index + 1, [one, two, three][index]?.requests.at(-1).line.split(' ')[1]];
  };
  assert.deepEqual(await got('/a/x?q=1'), [2, '/x?q=1']);
  assert.deepEqual(await got('/a/b/x'), [3, '/deep/x']);
  assert.deepEqual(await got('/a%2Fb/x'), [1, '/base/a%2Fb/x']);
  assert.deepEqual(await got('/.well-known/oauth-protected-resource'), [1, '/.well-known/oauth-protected-resource'], 'not below the path');
});

test('.well-known, a 401 and its challenge pass as they are; a line says what an OAuth client will make of it', async (t) => {
  const home = freshHome(t);
  let origin;
  const seen = [], challenge = () => `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`;
  const server = await listen(t, (request, response) => {
    seen.push([request.url, request.headers.authorization]);
    if (request.url.startsWith('/.well-known/')) return response.end(JSON.stringify({ resource: `${origin}/mcp` }));
    response.writeHead(401, { 'www-authenticate': challenge(), 'content-type': 'text/plain' });
    response.end('who are you');
  });
  ({ origin } = server);
  const proxy = await startProxy(home, origin);
  const secret = crypto.randomBytes(12).toString('hex');
  for (let i = 0; i < 2; i++) {
    const refused = await ask(`${proxy.origin}/mcp`, { body: initialize(1), headers: { authorization: `Bearer ${secret}` } });
    assert.equal(refused.status, 401);
    assert.equal(refused.headers['www-authenticate'], challenge());
    assert.equal(refused.text, 'who are you');
  }
  const metadata = await ask(`${proxy.origin}/.well-known/oauth-protected-resource/mcp`, { method: 'GET' });
  assert.equal(metadata.json.resource, `${origin}/mcp`);
  assert.deepEqual(seen, [['/mcp', `Bearer ${secret}`], ['/mcp', `Bearer ${secret}`], ['/.well-known/oauth-protected-resource/mcp', undefined]]);
  await proxy.stop();
  const hints = proxy.stderr.filter((line) => /\b401\b/.test(line));
  assert.equal(hints.length, 1, proxy.stderr.join('\n'));
  const spans = sessions(home, '--all').flat();
  const opening = spans.filter((span) => span.name === 'mcp.initialize');
  assert.deepEqual(opening.map(outcome), ['auth_required', 'auth_required']);
  for (const [file, bytes] of filesBelow(home)) assert.equal(bytes.indexOf(secret), -1, file);
});

test('large bodies both ways come through whole', async (t) => {
  const home = freshHome(t);
  const size = 32 << 20;
  const server = await listen(t, async (request, response) => {
    const hash = crypto.createHash('sha256');
    for await (const bytes of request) hash.update(bytes);
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'x-hash': hash.digest('hex') });
    for (let sent = 0; sent < size; sent += 1 << 20) if (!response.write(Buffer.alloc(1 << 20, 'r'))) await once(response, 'drain');
    response.end();
  });
  const proxy = await startProxy(home, server.origin);
  const body = crypto.randomBytes(size);
  for (const headers of [
    { 'content-length': size, 'content-type': 'application/octet-stream' },
    { 'transfer-encoding': 'chunked', 'content-type': 'application/json' },
  ]) {
    const answer = await ask(`${proxy.origin}/x`, { body, headers });
    assert.equal(answer.headers['x-hash'], crypto.createHash('sha256').update(body).digest('hex'));
    assert.ok(answer.bytes.equals(Buffer.alloc(size, 'r')));
  }
});

// --- what is written ---

const canaries = (...all) => Object.fromEntries(all.map((what) => [what, `${what}-${crypto.randomBytes(12).toString('hex')}`]));

function* views(bytes) {
  yield bytes;
  const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
  for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
    try {
      yield zlib.zstdDecompressSync(bytes.subarray(at));
    } catch {
      // No frame begins there.
    }
  }
}

function assertNowhere(home, stderr, words, present) {
  const places = [['stderr', Buffer.from(stderr.join('\n'))]];
  for (const [file, bytes] of filesBelow(home)) for (const view of views(bytes)) places.push([path.relative(home, file), view]);
  places.push(['sessions', Buffer.from(mcptrace(home, ['sessions', '--all', '--format', 'json']).stdout)]);
  for (const { id } of sessionList(home, '--all')) {
    places.push(['trace', Buffer.from(JSON.stringify(trace(home, id)))]);
    places.push(['trace text', Buffer.from(mcptrace(home, ['trace', id]).stdout)]);
  }
  for (const [place, bytes] of places) {
    for (const [what, word] of Object.entries(words)) assert.equal(bytes.indexOf(word), -1, `${what} is in ${place}`);
  }
  const found = places.some(([place, bytes]) => place.startsWith('spool') && bytes.includes(present));
  assert.ok(found, 'the search does not see what is in the spool');
}

test('legacy: nothing of what was said is written', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer();
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin);
  const words = canaries('argument', 'error', 'who', 'uri', 'tool', 'token', 'meta', 'query', 'cookie', 'bearer', 'param', 'name', 'agent',
    'baggage', 'key', 'header');
  const url = `${proxy.origin}/mcp?key=${words.query}`;
  const headers = {
    cookie: `sid=${words.cookie}`, authorization: `Bearer ${words.bearer}`, 'mcp-param-region': words.param, 'mcp-name': words.name,
    'user-agent': words.agent, 'x-any': words.header, baggage: `userId=${words.baggage}`,
  };
  const session = await handSession(url, { headers });
  words.session = session.id;
  await session.post(toolCall(2, 'echo', { message: words.argument }));
  await session.post(toolCall(3, 'fail', { message: words.error }, { progressToken: words.token, 'example.org/x': words.meta }));
  await session.post(toolCall(4, `no such tool: ${words.tool}`));
  await session.post(toolCall(5, 'echo', { [words.key]: 1 }));
  await session.post({ jsonrpc: '2.0', id: 6, method: 'resources/read', params: { uri: `note://${words.uri}` } });
  await session.post({ jsonrpc: '2.0', id: 7, method: 'prompts/get', params: { name: 'greet', arguments: { who: words.who } } });
  await session.delete();
  await proxy.stop();
  const passed = JSON.stringify(server.requests.map((request) => [request.url, request.rawHeaders, request.body]));
  for (const [what, word] of Object.entries(words)) assert.ok(passed.includes(word), what);
  assertNowhere(home, proxy.stderr, words, 'legacy-http');
});

test('modern: nothing of what was said is written', async (t) => {
  const home = freshHome(t);
  const server = modernHttpServer();
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin);
  const words = canaries('argument', 'error', 'state', 'conversation', 'bearer', 'path');
  const post = (message) => ask(`${proxy.origin}/${words.path}/mcp`,
    { body: message, headers: { ...modernHeaders(message), authorization: `Bearer ${words.bearer}` } });
  await post(toolCall(1, 'echo', { message: words.argument }, modernMeta({ 'vscode.conversationId': words.conversation })));
  await post(toolCall(2, 'fail', { message: words.error }, modernMeta()));
  const elicitation = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } } };
  await post(toolCall(3, 'ask', { state: words.state }, modernMeta(elicitation)));
  await proxy.stop();
  assertNowhere(home, proxy.stderr, words, 'modern-http');
});

test('what is traced does not matter to the traffic: a state directory that cannot be made', async (t) => {
  const file = path.join(freshDirectory(t), 'file');
  fs.writeFileSync(file, '');
  const server = modernHttpServer();
  const proxy = await startProxy(path.join(file, 'state'), (await listen(t, server.handler)).origin);
  const call = toolCall(1, 'echo', { message: 'x' }, modernMeta());
  assert.equal((await ask(`${proxy.origin}/mcp`, { body: call, headers: modernHeaders(call) })).status, 200);
  await proxy.stop();
});

test('MCPTRACE_DISABLED=1: only a proxy', async (t) => {
  const home = freshHome(t);
  const server = modernHttpServer();
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin, { env: { MCPTRACE_DISABLED: '1' } });
  const call = toolCall(1, 'echo', { message: 'x' }, modernMeta());
  assert.equal((await ask(`${proxy.origin}/mcp`, { body: call, headers: modernHeaders(call) })).status, 200);
  assert.deepEqual(server.requests[0].body, call);
  await proxy.stop();
  assert.equal(fs.existsSync(home), false);
});
