// Sessions of the 2025 revisions, and of HTTP+SSE before them, through `mcptrace proxy`: the SDK's clients and servers.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';
import { answerTheServer, capabilities, drive } from './everything.mjs';
import {
  ask, eventIds, eventsOf, everythingOverHttp, handSession, initialize, legacyHttpClient, listen, open, sseClient, startProxy, toolCall,
} from './http_peers.mjs';
import { legacyHttpServer, sseServer } from './http_servers.mjs';
import {
  calls, clientInfo, ERROR, eventually, filesBelow, findings, freshDirectory, freshHome, kind, mcptrace, named, outcome, root, sessionList, sessions,
  status, trace,
} from './peers.mjs';

const httpSpans = (spans, method) =>
  named(spans, 'http.request').filter((span) => span.attributes['http.request.method'] === method);
const requestsOf = (spans) =>
  spans.filter((span) => span.kind === kind.SERVER && span.attributes['jsonrpc.request.id'] !== undefined);
const duration = (span) => BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano);

function checkTree(spans) {
  const session = root(spans);
  assert.ok(session, 'a root');
  assert.equal(session.parentSpanId, '');
  assert.equal(new Set(spans.map((span) => span.spanId)).size, spans.length, 'no id twice');
  for (const span of spans) {
    assert.equal(span.attributes['mcp.session_id'], session.attributes['mcp.session_id'], span.name);
    assert.ok(duration(span) >= 0n, `${span.name} ends before it starts`);
  }
  return session;
}

const driven = [
  ['mcp.initialize', '', 'ok'],
  ['mcp.tools_list', '', 'ok'],
  ['mcp.tool_call', 'echo', 'ok'],
  ['mcp.tool_call', 'get-sum', 'ok'],
  ['mcp.tool_call', 'trigger-long-running-operation', 'ok'],
  ['mcp.tool_call', 'get-sum', 'tool_error'],
  ['mcp.tool_call', 'trigger-sampling-request', 'ok'],
  ['mcp.tool_call', 'trigger-elicitation-request', 'ok'],
  ['mcp.prompts_get', '', 'ok'],
  ['mcp.resources_read', '', 'ok'],
  ['mcp.tool_call', 'get-structured-content', 'ok'],
];
const said = (spans) => requestsOf(spans).map((span) => [span.name, span.attributes['mcp.tool_name'] ?? '', outcome(span)]);

test('the reference server over Streamable HTTP: one session, one tree', async (t) => {
  const home = freshHome(t);
  const server = await everythingOverHttp('streamableHttp');
  const proxy = await startProxy(home, server.origin);
  const peer = await legacyHttpClient(`${proxy.origin}/mcp`, { capabilities, prepare: answerTheServer });
  const done = await drive(peer.client);
  assert.ok(done.progress >= 2);
  assert.equal(done.failed.isError, true);
  await peer.transport.terminateSession();
  await peer.close();
  await proxy.stop();

  const all = sessions(home);
  assert.equal(all.length, 1);
  const [spans] = all;
  const session = checkTree(spans);
  assert.deepEqual(findings(session), {});
  assert.equal(status(session), 0);
  assert.equal(session.attributes['mcp.client.name'], clientInfo.name);
  assert.equal(session.attributes['mcp.protocol.version'], '2025-11-25');
  assert.equal(session.attributes['mcp.era'], 'legacy');
  assert.equal(session.attributes['mcptrace.calls'], 7);
  assert.equal(session.attributes['mcptrace.calls.tool_error'], 1);
  assert.deepEqual(said(spans), driven);
  for (const span of requestsOf(spans)) {
    assert.equal(span.parentSpanId, session.spanId, span.name);
    assert.equal(span.traceId, session.traceId);
    assert.equal(span.attributes['http.response.status_code'], 200, span.name);
    assert.equal(span.attributes['network.transport'], 'tcp');
  }
  // The server's own requests stand below the calls on whose streams they came, or below the root.
  for (const [name, tool] of [
    ['mcp.sampling_createMessage', 'trigger-sampling-request'], ['mcp.elicitation_create', 'trigger-elicitation-request'],
  ]) {
    const [asked] = named(spans, name);
    assert.equal(asked.kind, kind.CLIENT, name);
    assert.equal(asked.parentSpanId, calls(spans, tool)[0].spanId, name);
    assert.equal(outcome(asked), 'ok');
  }
  // The server asks for roots when it likes: below the only call that is open then, and that may be answered first.
  const [roots] = named(spans, 'mcp.roots_list');
  if (outcome(roots) !== 'ok') assert.equal(roots.attributes['mcptrace.unobserved'], 'parent_answered');
  const [long] = calls(spans, 'trigger-long-running-operation');
  assert.ok(duration(long) >= 290_000_000n);
  assert.equal(long.events.filter((event) => /progress/.test(event.name)).length, 3);
  assert.equal(httpSpans(spans, 'DELETE').length, 1);
  assert.equal(httpSpans(spans, 'DELETE')[0].attributes['http.response.status_code'], 200);
  assert.equal(httpSpans(spans, 'GET').length, 1, 'the stream of the session');
  assert.equal(sessionList(home)[0].state, 'closed');
});

for (const [where, options, url] of [
  ['at the root', (origin) => ['--upstream', origin], (proxy) => `${proxy.origin}/sse`],
  ['below a route', (origin) => ['--route', `/tools=${origin}`], (proxy) => `${proxy.origin}/tools/sse`],
]) {
  test(`the reference server over HTTP+SSE, ${where}: its endpoint leads through us`, async (t) => {
    const home = freshHome(t);
    const server = await everythingOverHttp('sse');
    const proxy = await startProxy(home, options(server.origin));
    const peer = await sseClient(url(proxy), { capabilities, prepare: answerTheServer });
    await drive(peer.client);
    await peer.close();
    await proxy.stop();
    const all = sessions(home);
    assert.equal(all.length, 1);
    const [spans] = all;
    const session = checkTree(spans);
    assert.deepEqual(findings(session), {});
    assert.equal(session.attributes['mcptrace.calls'], 7);
    assert.deepEqual(said(spans), driven);
    for (const span of requestsOf(spans)) assert.equal(span.parentSpanId, session.spanId, span.name);
  });
}

test('an absolute endpoint of HTTP+SSE leads through us, too', async (t) => {
  const home = freshHome(t);
  let upstream;
  const sent = [];
  const server = await listen(t, async (request, response) => {
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`event: endpoint\ndata: ${upstream.origin}/message?sessionId=1%2F2\n\nevent: other\ndata: ${upstream.origin}/kept\n\n`);
      return;
    }
    sent.push(request.url);
    response.writeHead(202).end('Accepted');
  });
  upstream = server;
  const proxy = await startProxy(home, server.origin);
  const { response } = await new Promise((resolve) =>
    http.get(`${proxy.origin}/sse`, { headers: { accept: 'text/event-stream' } }, (got) => resolve({ response: got })));
  let text = '';
  for await (const bytes of response) {
    text += bytes;
    if (text.includes('/kept\n\n')) break;
  }
  assert.equal(text, `event: endpoint\ndata: ${proxy.origin}/message?sessionId=1%2F2\n\nevent: other\ndata: ${server.origin}/kept\n\n`);
  const endpoint = text.match(/data: (.*)/)[1];
  assert.equal((await ask(endpoint, { body: toolCall(1, 'echo') })).status, 202);
  assert.deepEqual(sent, ['/message?sessionId=1%2F2']);
});

test('a relative endpoint of HTTP+SSE, with dots in it, is known when the client posts to it', async (t) => {
  const home = freshHome(t);
  const stream = Promise.withResolvers();
  const server = await listen(t, async (request, response) => {
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('event: endpoint\ndata: ../messages?sid=1\n\n');
      return stream.resolve(response);
    }
    response.writeHead(202).end('Accepted');
    const answer = { jsonrpc: '2.0', id: 1, result: { content: [] } };
    (await stream.promise).write(`event: message\ndata: ${JSON.stringify(answer)}\n\n`);
  });
  const proxy = await startProxy(home, server.origin);
  const client = await open(`${proxy.origin}/v1/sse`, { method: 'GET' });
  await eventually(() => client.text.includes('sid=1'), 'the endpoint');
  const endpoint = new URL(client.text.match(/data: (.*)/)[1], `${proxy.origin}/v1/sse`);
  assert.equal(endpoint.pathname, '/messages');
  assert.equal((await ask(endpoint, { body: toolCall(1, 'echo') })).status, 202);
  await eventually(() => client.text.includes('"id":1'), 'the answer');
  client.request.destroy();
  await proxy.stop();
  assert.deepEqual(calls(sessions(home).flat()).map(outcome), ['ok']);
});

test('sessions of our own server: contexts, answers, refusals, the end', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer();
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin);
  const url = `${proxy.origin}/mcp`;
  const session = await handSession(url);
  assert.equal(session.answer.status, 200);
  assert.match(session.id, /^[0-9a-f-]{36}$/);
  assert.equal((await session.post({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' })).status, 202);
  const [answer] = eventsOf((await session.post(toolCall(2, 'echo', { message: 'a' }))).text);
  assert.equal(answer.result.content[0].text, 'a');
  await session.post(toolCall('two', 'fail', { message: 'b' }));
  await session.post({ jsonrpc: '2.0', id: 4, method: 'prompts/get', params: { name: 'nobody' } });
  const refused = await session.post(toolCall(5, 'echo'), { 'mcp-protocol-version': '1999-01-01' });
  assert.equal(refused.status, 400);
  assert.equal(refused.json.error.code, -32000, 'the body of an error comes through');
  const unknown = await ask(url, { body: toolCall(6, 'echo'), headers: { 'mcp-session-id': 'nobody' } });
  assert.equal(unknown.status, 404);
  assert.equal(unknown.json.error.code, -32001);
  assert.equal((await session.delete()).status, 200);
  assert.equal((await session.post(toolCall(7, 'echo', { message: 'late' }))).status, 404);
  await proxy.stop();

  const spans = sessions(home).find((each) => calls(each).some((span) => span.attributes['jsonrpc.request.id'] === '2'));
  const top = checkTree(spans);
  assert.deepEqual(
    calls(spans).slice(0, 3).map((span) => [span.attributes['jsonrpc.request.id'], outcome(span)]),
    [['2', 'ok'], ['two', 'tool_error'], ['5', 'rpc_error']]);
  assert.equal(outcome(named(spans, 'mcp.prompts_get')[0]), 'rpc_error');
  assert.equal(calls(spans)[2].attributes['http.response.status_code'], 400);
  assert.equal(status(calls(spans)[2]), ERROR);
  // The server saw each of them below the span that we made of it, in the message and in the header alike.
  for (const request of server.requests.filter((each) => each.body?.method === 'tools/call' && each.headers['mcp-session-id'] === session.id)) {
    const context = request.body.params._meta?.traceparent;
    const span = calls(spans).find((each) => each.attributes['jsonrpc.request.id'] === String(request.body.id));
    assert.equal(context, `00-${span.traceId}-${span.spanId}-03`, `call ${request.body.id}`);
    assert.equal(request.headers.traceparent, context);
    assert.equal(request.headers.tracestate, request.body.params._meta.tracestate);
    assert.equal(Number(request.headers['content-length']), request.bytes.length);
  }
  // The session's id is known only from the answer, so its opening goes on as it came.
  assert.deepEqual(server.requests[0].body, initialize(1));
  assert.equal(server.requests[0].headers.traceparent, undefined);
  assert.equal(named(spans, 'mcp.initialize')[0].parentSpanId, top.spanId);
  assert.ok(BigInt(top.endTimeUnixNano) >= BigInt(httpSpans(spans, 'DELETE')[0].startTimeUnixNano));
});

test('a stream that the server ends is taken up again: one call, answered on the other stream', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer();
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin);
  const session = await handSession(`${proxy.origin}/mcp`);
  const call = session.post(toolCall(2, 'drop', { key: 'a' }));
  const cut = await call;
  assert.deepEqual(eventsOf(cut.text).map((event) => event.method), ['notifications/message']);
  const ids = eventIds(cut.text);
  const resumed = await session.get({ 'last-event-id': ids[0] });
  server.hold.release('a');
  await eventually(() => resumed.text.includes('"result"'), 'the answer on the resumed stream');
  assert.deepEqual(eventsOf(resumed.text).map((event) => event.method ?? 'result'), ['notifications/message', 'result'], 'replayed');
  resumed.request.destroy();
  const asked = server.requests.find((request) => request.method === 'GET');
  assert.equal(asked.headers['last-event-id'], ids[0]);
  await session.delete();
  await proxy.stop();

  const [spans] = sessions(home);
  checkTree(spans);
  assert.deepEqual(calls(spans).map(outcome), ['ok']);
  assert.equal(named(spans, 'mcp.late_answer').length, 0);
  const messages = calls(spans)[0].events.filter((event) => /message/.test(event.name) || /notification/.test(event.name));
  assert.ok(messages.length <= 1, 'a replayed event is not counted twice');
  assert.equal(root(spans).attributes['mcptrace.calls'], 1);
});

test('a stream with event ids that is never taken up again: cut by its server, nobody knows how its call ended; left, it is known', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer();
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin);
  const session = await handSession(`${proxy.origin}/mcp`);
  await session.post(toolCall(2, 'drop', { key: 'a' }));
  const open = await session.open(toolCall(3, 'hold', { key: 'b' }));
  await server.hold.arrived('b');
  await eventually(() => eventIds(open.text).length > 0, 'the first event id');
  open.request.destroy();
  await server.requests.at(-1).closed;
  await session.delete();
  await proxy.stop();
  const [spans] = sessions(home);
  const [cut, left] = calls(spans);
  assert.deepEqual([outcome(cut), status(cut)], ['unobserved', 0]);
  assert.deepEqual([outcome(left), left.attributes['error.type']], ['abandoned', 'client_closed']);
});

// Its session is known from the answer only: until then, and if there is none, it stands in one of its own.
test('an initialize that waits is shown, and stays where the proxy is killed; else it moves to its session', async (t) => {
  const home = freshHome(t);
  const waiting = [], answered = Promise.withResolvers();
  const { origin } = await listen(t, (request, response) => {
    request.resume();
    waiting.push(response);
    if (waiting.length === 2) answered.resolve();
  });
  const proxy = await startProxy(home, origin);
  const posts = [1, 2].map(() => ask(`${proxy.origin}/mcp`, { body: initialize() }).catch((error) => error));
  await answered.promise;
  const listed = (states) => eventually(() => {
    const list = sessionList(home);
    return list.map((session) => session.state).sort().join() === states && list;
  }, states);
  await listed('open,open');
  waiting[0].writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'told' });
  waiting[0].end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { protocolVersion: '2025-11-25', serverInfo: { name: 's', version: '1' } } }));
  await Promise.race(posts);
  await eventually(() => sessionList(home).some((session) => session.server_name === 's'), 'the session that the answer told');
  assert.equal(sessionList(home).length, 2);
  proxy.signal('SIGKILL');
  await proxy.exit;
  const found = sessions(home).map((spans) => named(spans, 'mcp.initialize').map((span) => [outcome(span), span.attributes['error.type']]));
  assert.deepEqual(found.sort(), [[['abandoned', 'killed']], [['ok', undefined]]]);
  for (const spans of sessions(home)) assert.equal(named(spans, 'mcp.initialize')[0].parentSpanId, root(spans).spanId);
});

test('an HTTP+SSE stream to which nobody sends a request is no session', async (t) => {
  const home = freshHome(t);
  const server = sseServer();
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin);
  const stream = await open(`${proxy.origin}/sse`, { method: 'GET' });
  await eventually(() => stream.text.includes('endpoint'), 'its endpoint');
  // Open for a second, it is recorded as that.
  await eventually(() => [...filesBelow(home)].some(([file, bytes]) => file.endsWith('.spool') && bytes.includes('http.request')), 'its record');
  assert.deepEqual(sessionList(home, '--all'), []);
  stream.request.destroy();
  await proxy.stop();
  assert.deepEqual(sessionList(home, '--all'), []);
  assert.match(mcptrace(home, ['trace']).stderr, /no session/);
});

test('batches of 2025-03-26: a span each, and not a byte of them changed', async (t) => {
  const home = freshHome(t);
  for (const json of [true, false]) {
    const server = legacyHttpServer({ json, resumable: false });
    const proxy = await startProxy(home, (await listen(t, server.handler)).origin, { options: ['--name', `json-${json}`] });
    const session = await handSession(`${proxy.origin}/mcp`, { version: '2025-03-26' });
    const changed = { jsonrpc: '2.0', method: 'notifications/roots/list_changed' };
    const batch = [toolCall(2, 'echo', { message: 'a' }), toolCall(3, 'fail', { message: 'b' }), changed];
    const answer = await session.post(batch);
    const results = json ? answer.json : eventsOf(answer.text);
    assert.deepEqual(results.map((each) => each.id).sort(), [2, 3]);
    assert.deepEqual(server.requests.find((request) => Array.isArray(request.body)).body, batch);
    await session.delete();
    await proxy.stop();
    const spans = sessions(home).find((each) => each[0].resource['service.name'] === `json-${json}`);
    const ends = calls(spans).map((span) => [span.attributes['jsonrpc.request.id'], outcome(span)]).sort();
    assert.deepEqual(ends, [['2', 'ok'], ['3', 'tool_error']]);
  }
});

test('the SDK\'s client takes a stream up by itself', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer();
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin);
  const peer = await legacyHttpClient(`${proxy.origin}/mcp`,
    { reconnectionOptions: { initialReconnectionDelay: 10, maxReconnectionDelay: 100, reconnectionDelayGrowFactor: 1, maxRetries: 50 } });
  const answer = peer.client.callTool({ name: 'drop', arguments: { key: 'a' } });
  await eventually(() => server.requests.some((request) => request.headers['last-event-id']), 'the resuming GET');
  server.hold.release('a');
  assert.equal((await answer).content[0].text, 'held a');
  await peer.transport.terminateSession();
  await peer.close();
  await proxy.stop();
  const [spans] = sessions(home);
  assert.deepEqual(calls(spans).map(outcome), ['ok']);
});

test('a client that leaves ends its stream at the server at once, and is no cancel', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer({ resumable: false });
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin);
  const session = await handSession(`${proxy.origin}/mcp`);
  const call = await session.open(toolCall(2, 'hold', { key: 'a' }));
  await server.hold.arrived('a');
  const left = process.hrtime.bigint();
  call.request.destroy();
  const closed = await server.requests.at(-1).closed;
  assert.ok(closed - left < 2_000_000_000n, 'the close came through');
  await session.delete();
  await proxy.stop();
  const [spans] = sessions(home);
  assert.deepEqual(calls(spans).map((span) => [outcome(span), span.attributes['error.type']]), [['abandoned', 'client_closed']]);
});

test('a cancel is a message of its own', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer();
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin);
  const peer = await legacyHttpClient(`${proxy.origin}/mcp`);
  const abort = new AbortController();
  const call = peer.client.callTool({ name: 'hold', arguments: { key: 'a' } }, undefined, { signal: abort.signal });
  await server.hold.arrived('a');
  abort.abort('no longer wanted');
  await assert.rejects(call);
  await server.hold.aborted('a');
  await peer.transport.terminateSession();
  await peer.close();
  await proxy.stop();
  const [spans] = sessions(home);
  assert.deepEqual(calls(spans).map(outcome), ['cancelled']);
});

test('requests of the server and their answers, which come as posts of their own', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer();
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin);
  const peer = await legacyHttpClient(`${proxy.origin}/mcp`, { capabilities, prepare: answerTheServer });
  const all = await Promise.all([1, 2, 3].map(() => peer.client.callTool({ name: 'roots', arguments: {} })));
  assert.deepEqual(all.map((each) => each.content[0].text), ['1 roots', '1 roots', '1 roots']);
  await peer.transport.terminateSession();
  await peer.close();
  await proxy.stop();
  const [spans] = sessions(home);
  assert.deepEqual(named(spans, 'mcp.roots_list').map(outcome), ['ok', 'ok', 'ok']);
  assert.deepEqual(named(spans, 'mcp.roots_list').map((span) => span.parentSpanId).sort(),
    calls(spans, 'roots').map((span) => span.spanId).sort(), 'each below its call');
});

test('servers without sessions: clients are told apart, however many ids they share', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer({ sessions: false, json: true, resumable: false });
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin);
  const url = `${proxy.origin}/mcp`;
  await Promise.all(['a', 'b', 'c'].map(async (who) => {
    const headers = { 'user-agent': who };
    for (let id = 1; id <= 3; id++) {
      const answer = await ask(url, { body: toolCall(id, 'echo', { message: `${who}${id}` }), headers });
      assert.equal(answer.json.result.content[0].text, `${who}${id}`);
    }
  }));
  await proxy.stop();
  const all = sessions(home);
  assert.equal(all.length, 3);
  for (const spans of all) {
    assert.equal(root(spans).attributes['mcptrace.session.guessed'], true);
    assert.deepEqual(calls(spans).map(outcome), ['ok', 'ok', 'ok']);
  }
});

test('200 sessions at once with the same ids, against what the server knows', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer();
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin);
  const url = `${proxy.origin}/mcp`;
  const sessionsMade = 200;
  // Each session makes the same calls with the same ids, at once; how each ends depends on the session.
  const expected = new Map();
  const kinds = ['echo', 'fail', 'missing', 'cancel'];
  await Promise.all(Array.from({ length: sessionsMade }, async (_, number) => {
    const session = await handSession(url);
    const ends = [];
    await Promise.all([2, 3, 4].map(async (id) => {
      const what = kinds[(number + id) % kinds.length];
      ends.push([String(id), { echo: 'ok', fail: 'tool_error', missing: 'rpc_error', cancel: 'cancelled' }[what]]);
      if (what === 'echo' || what === 'fail') {
        const [answer] = eventsOf((await session.post(toolCall(id, what, { message: `${number}/${id}` }))).text);
        assert.equal(answer.result.content[0].text, `${number}/${id}`, 'nobody gets another\'s answer');
      } else if (what === 'missing') {
        const [answer] = eventsOf((await session.post({ jsonrpc: '2.0', id, method: 'tools/nothing', params: {} })).text);
        assert.equal(answer.error.code, -32601);
      } else {
        const call = await session.open(toolCall(id, 'hold', { key: `${number}/${id}` }));
        await server.hold.arrived(`${number}/${id}`);
        await session.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
        await server.hold.aborted(`${number}/${id}`);
        call.request.destroy();
      }
    }));
    await session.delete();
    expected.set(session.id, ends.sort());
  }));
  const cancels = [...expected.values()].flat().filter(([, end]) => end === 'cancelled').length;
  assert.equal(server.requests.length, sessionsMade * (2 + 3 + 1) + cancels);
  await proxy.stop();

  const list = sessionList(home);
  assert.equal(list.length, sessionsMade);
  assert.equal(new Set(list.map((each) => each.id)).size, sessionsMade);
  assert.deepEqual(list.map((each) => each.counts.dropped ?? 0).filter(Boolean), []);
  const seen = [];
  for (const { id } of list) {
    const spans = trace(home, id);
    const top = checkTree(spans);
    const open = requestsOf(spans).filter((span) => span.name !== 'mcp.initialize');
    for (const span of open) assert.equal(span.parentSpanId, top.spanId);
    seen.push(JSON.stringify(open.map((span) => [span.attributes['jsonrpc.request.id'], outcome(span)]).sort()));
  }
  assert.deepEqual(seen.sort(), [...expected.values()].map((ends) => JSON.stringify(ends)).sort());
});

test('two proxies with one secret, and one session that goes to and fro: one trace, one root', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer();
  const { origin } = await listen(t, server.handler);
  const secret = path.join(freshDirectory(t), 'secret');
  fs.writeFileSync(secret, crypto.randomBytes(32).toString('hex'), { mode: 0o600 });
  const options = ['--secret-file', secret, '--name', 'pair'];
  const proxies = [await startProxy(home, origin, { options }), await startProxy(home, origin, { options })];
  const session = await handSession(`${proxies[0].origin}/mcp`);
  for (let id = 2; id <= 9; id++) {
    const answer = await ask(`${proxies[id % 2].origin}/mcp`, { body: toolCall(id, 'echo', { message: 'x' }), headers: session.headers });
    assert.equal(answer.status, 200);
  }
  await session.delete();
  for (const proxy of proxies) await proxy.stop();

  assert.equal(sessionList(home).length, 1);
  const [spans] = sessions(home);
  assert.equal(new Set(spans.map((span) => span.traceId)).size, 1);
  assert.equal(new Set(named(spans, 'agent_session').map((span) => span.spanId)).size, 1);
  assert.deepEqual(calls(spans).map(outcome), Array(8).fill('ok'));
  for (const call of calls(spans)) assert.equal(call.parentSpanId, root(spans).spanId);
  const text = sessionList(home)[0];
  assert.equal(text.counts.calls, 8);
});

test('HTTP+SSE: answers come on the stream, whoever has the same ids', async (t) => {
  const home = freshHome(t);
  const server = sseServer({ prefix: '/deep' });
  const proxy = await startProxy(home, (await listen(t, server.handler)).origin);
  const peers = await Promise.all([1, 2, 3].map(() => sseClient(`${proxy.origin}/deep/sse`)));
  await Promise.all(peers.map(async ({ client }, number) => {
    const answers = await Promise.all([1, 2, 3].map((i) =>
      client.callTool({ name: i === 3 ? 'fail' : 'echo', arguments: { message: `${number}${i}` } })));
    assert.deepEqual(answers.map((each) => each.content[0].text), [1, 2, 3].map((i) => `${number}${i}`));
  }));
  const last = peers[0].client.callTool({ name: 'hold', arguments: { key: 'open' } }).catch(() => {});
  await server.hold.arrived('open');
  for (const peer of peers) await peer.close();
  await last;
  await eventually(() => server.transports.size === 0, 'the streams closed at the server');
  await proxy.stop();
  const all = sessions(home);
  assert.equal(all.length, 3);
  for (const spans of all) {
    checkTree(spans);
    const ends = calls(spans).map(outcome).filter((end) => end !== 'abandoned').sort();
    assert.deepEqual(ends, ['ok', 'ok', 'tool_error']);
  }
  const open = all.flatMap((spans) => calls(spans, 'hold'));
  assert.deepEqual(open.map((span) => [outcome(span), span.attributes['error.type']]), [['abandoned', 'client_closed']]);
});
