// What is wrong on the wire over HTTP: findings, and what came in an answer's place. Well-behaved peers have none.
import assert from 'node:assert/strict';
import test from 'node:test';
import { answerTheServer, capabilities, drive } from './everything.mjs';
import {
  ask, everythingOverHttp, legacyHttpClient, lines, listen, modernHeaders, modernHttpClient, modernMeta, open, rawServer, sseClient,
  startProxy, streamHead, toolCall,
} from './http_peers.mjs';
import { legacyHttpServer, modernHttpServer } from './http_servers.mjs';
import { calls, eventually, freshHome, named, outcome, root, sessions } from './peers.mjs';

const findingsOf = (attributes) => Object.fromEntries(
  Object.entries(attributes).filter(([key]) => key.startsWith('mcptrace.finding.')).map(([key, count]) => [key.slice(17), count]));
const noted = (span) =>
  span.events.filter(({ name }) => name === 'mcptrace.finding').map(({ attributes }) => attributes['mcptrace.finding']);
const result = (id) => ({ jsonrpc: '2.0', id, result: { content: [] } });

// The spans of one session: a call by hand that `answer(response)` answers, or the bytes that a server of bytes writes.
async function answered(t, answer, bytes) {
  const home = freshHome(t);
  const server = bytes
    ? await rawServer(t, (socket) => socket.end(bytes))
    : await listen(t, (request, response) => request.resume().on('end', () => answer(response)));
  const proxy = await startProxy(home, server.origin);
  await ask(`${proxy.origin}/mcp`, { body: toolCall(1, 'x'), headers: { 'mcp-session-id': 's1' } }).catch(() => {});
  await proxy.stop();
  return sessions(home, '--all')[0];
}

test('well-behaved peers have no findings', async (t) => {
  const home = freshHome(t);
  const everything = await everythingOverHttp('streamableHttp'), older = await everythingOverHttp('sse');
  const modern = modernHttpServer(), stateless = legacyHttpServer({ sessions: false, json: true });
  const routes = { everything: everything.origin, older: older.origin,
    modern: (await listen(t, modern.handler)).origin, stateless: (await listen(t, stateless.handler)).origin };
  const proxy = await startProxy(home, Object.entries(routes).flatMap(([name, origin]) => ['--route', `/${name}=${origin}`]));
  for (const connect of [
    () => legacyHttpClient(`${proxy.origin}/everything/mcp`, { capabilities, prepare: answerTheServer }),
    () => sseClient(`${proxy.origin}/older/sse`, { capabilities, prepare: answerTheServer }),
  ]) {
    const peer = await connect();
    await drive(peer.client);
    await peer.close();
  }
  for (const connect of [
    () => legacyHttpClient(`${proxy.origin}/stateless/mcp`),
    () => modernHttpClient(`${proxy.origin}/modern/mcp`, 'auto'),
    () => modernHttpClient(`${proxy.origin}/modern/mcp`, { pin: '2026-07-28' }),
    () => modernHttpClient(`${proxy.origin}/stateless/mcp`, 'auto'),
  ]) {
    const peer = await connect();
    await peer.client.listTools();
    await peer.client.callTool({ name: 'echo', arguments: { message: 'hi' } });
    await peer.close();
  }
  await proxy.stop();
  const all = sessions(home, '--all');
  assert.ok(calls(all.flat(), 'echo').length >= 6);
  for (const spans of all) {
    assert.deepEqual(findingsOf(root(spans)?.attributes ?? {}), {});
    assert.deepEqual(spans.flatMap(noted), []);
  }
});

for (const [what, headers] of [['text/plain', { 'content-type': 'text/plain' }], ['no type', {}]]) {
  test(`an answer is what its body says: ${what}`, async (t) => {
    const spans = await answered(t, (response) => response.writeHead(200, headers).end(JSON.stringify(result(1))));
    const [span] = calls(spans);
    assert.equal(outcome(span), 'ok');
    assert.deepEqual(noted(span), ['bad_content_type']);
    assert.deepEqual(findingsOf(root(spans).attributes), { bad_content_type: 1 });
  });
}

const json = { 'content-type': 'application/json' };
for (const [type, answer] of [
  ['not_json', (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>')],
  ['not_json', (response) => response.writeHead(200, json).end('<!doctype html>')],
  ['empty', (response) => response.writeHead(200, json).end()],
  ['truncated', (response) => response.writeHead(200, json).end('{"jsonrpc":"2.0","id":1,')],
  ['truncated', (response) => response.writeHead(200, json).write('{"jsonrpc"', () => response.socket.end())],
  ['no_answer', (response) => response.writeHead(200, json).end(JSON.stringify(result(99)))],
  ['no_answer', (response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end(': nothing\n\n')],
  ['status', (response) => response.writeHead(503, { 'content-type': 'text/html' }).end('<!doctype html>')],
]) {
  test(`in an answer's place: ${type}, ${answer.toString().slice(15)}`, async (t) => {
    const [span] = calls(await answered(t, answer));
    assert.deepEqual([outcome(span), span.attributes['error.type']], ['transport_error', type]);
  });
}

test('H7: a head that was refused says why', async (t) => {
  const head = lines('HTTP/1.1 200 OK', 'Content-Length: 2', 'Content-Length: 2', '', '{}');
  const spans = await answered(t, undefined, head);
  const [span] = calls(spans);
  assert.deepEqual([span.attributes['error.type'], span.attributes['mcptrace.reason']], ['bad_head', 'two Content-Length fields']);
  assert.deepEqual(noted(span), ['bad_answer_head']);
});

test('an endpoint of another origin is told, and passes as it is', async (t) => {
  const home = freshHome(t);
  const event = 'event: endpoint\ndata: https://other.example/message?sessionId=1\n\n';
  const server = await rawServer(t, (socket) => socket.write(streamHead() + event));
  const proxy = await startProxy(home, server.origin);
  await assert.rejects(sseClient(`${proxy.origin}/sse`));
  const stream = await open(`${proxy.origin}/sse`, { method: 'GET' });
  await eventually(() => stream.text.includes(event), 'the event');
  stream.request.destroy();
  await proxy.stop();
  const spans = named(sessions(home, '--all').flat(), 'http.request');
  assert.deepEqual(spans.map(noted), spans.map(() => ['foreign_endpoint']));
});

test('a session whose every request was refused for want of a sign-in says so', async (t) => {
  const home = freshHome(t);
  const server = await listen(t, (request, response) =>
    response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end());
  const proxy = await startProxy(home, server.origin);
  for (const mode of ['legacy', { pin: '2026-07-28' }]) await assert.rejects(modernHttpClient(`${proxy.origin}/mcp`, mode));
  await proxy.stop();
  const all = sessions(home, '--all');
  assert.ok(all.length >= 2);
  for (const { attributes } of all.map(root)) {
    assert.equal(attributes['mcptrace.requests.unauthorized'], attributes['mcptrace.requests']);
    assert.equal(attributes['mcptrace.auth.scheme'], 'Bearer');
  }
});

test('H13: headers that say otherwise than the body pass as they are, and are told', async (t) => {
  const home = freshHome(t);
  const server = modernHttpServer();
  const { origin } = await listen(t, server.handler);
  const proxy = await startProxy(home, origin);
  const call = toolCall(1, 'echo', { message: 'x' }, modernMeta());
  const { 'mcp-method': method, ...without } = modernHeaders(call);
  for (const [headers, status] of [
    [modernHeaders(call), 200],
    [{ ...modernHeaders(call), 'mcp-name': '=?base64?ZWNobw==?=' }, 200],
    [{ ...modernHeaders(call), 'mcp-name': 'other' }, 400],
    [{ ...without, 'mcp-method': ['tools/call', 'tools/call'] }, 400],
    [without, 400],
  ]) {
    assert.equal((await ask(`${proxy.origin}/mcp`, { body: call, headers })).status, status, JSON.stringify(headers));
  }
  await proxy.stop();
  assert.equal(method, 'tools/call');
  const spans = sessions(home, '--all').flat();
  const [good, encoded, ...bad] = calls(spans).map(noted);
  assert.deepEqual([good, encoded], [[], []]);
  assert.deepEqual(bad[0], ['header_mismatch']);
  assert.ok(bad[1].includes('repeated_header'));
  assert.deepEqual(bad[2], ['missing_header']);
});
