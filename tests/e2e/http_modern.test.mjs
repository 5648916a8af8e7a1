// 2026-07-28 over HTTP through `mcptrace proxy`: no handshake, no session; every request stands for itself.
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  ask, eventsOf, legacyHttpClient, listen, modernHeaders, modernHttpClient, modernMeta, open, startProxy, toolCall,
} from './http_peers.mjs';
import { legacyHttpServer, modernHttpServer } from './http_servers.mjs';
import { calls, clientInfo, ERROR, eventually, findings, freshHome, named, outcome, root, sessionList, sessions, status } from './peers.mjs';

const pinned = { pin: '2026-07-28' };
const modernCall = (id, name, args, meta) => toolCall(id, name, args, modernMeta(meta));
const post = (url, message, headers = {}) => ask(url, { body: message, headers: { ...modernHeaders(message), ...headers } });

async function rig(t, make, how = {}) {
  const home = freshHome(t);
  const server = make();
  const { origin } = await listen(t, server.handler);
  const proxy = await startProxy(home, origin, how);
  return { home, server, proxy, url: `${proxy.origin}/mcp` };
}

test('a pinned client: discover in place of initialize, and a call that asks back', async (t) => {
  const { home, server, proxy, url } = await rig(t, modernHttpServer);
  const peer = await modernHttpClient(url, pinned, {
    capabilities: { elicitation: { form: {} } },
    prepare: (client) => client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: 'Ada' } })),
  });
  await peer.client.listTools();
  await peer.client.callTool({ name: 'echo', arguments: { message: 'a' } });
  assert.equal((await peer.client.callTool({ name: 'fail', arguments: { message: 'b' } })).isError, true);
  assert.equal((await peer.client.callTool({ name: 'ask', arguments: { state: 'state-1' } })).content[0].text, 'Hello Ada');
  await assert.rejects(peer.client.callTool({ name: 'missing', arguments: {} }), { code: -32602 });
  let progress = 0;
  await peer.client.callTool({ name: 'progress', arguments: { steps: 3 } }, { onprogress: () => ++progress });
  assert.ok(progress >= 2);
  await peer.close();
  await proxy.stop();

  const all = sessions(home);
  assert.equal(all.length, 1);
  const [spans] = all;
  const session = root(spans);
  assert.equal(session.attributes['mcp.era'], 'modern');
  assert.equal(session.attributes['mcp.client.name'], clientInfo.name);
  assert.equal(session.attributes['mcp.server.name'], 'modern-http');
  assert.equal(session.attributes['mcptrace.session.guessed'], true, 'nothing says which session it is');
  assert.deepEqual(findings(session), { undeclared_tool: 1 }, 'that one is missing');
  const requests = spans.filter((span) => span.attributes['jsonrpc.request.id'] !== undefined);
  assert.deepEqual(requests.map((span) => [span.name, span.attributes['mcp.tool_name'] ?? '', outcome(span)]), [
    ['mcp.discover', '', 'ok'],
    ['mcp.tools_list', '', 'ok'],
    ['mcp.tool_call', 'echo', 'ok'],
    ['mcp.tool_call', 'fail', 'tool_error'],
    ['mcp.tool_call', 'ask', 'input_required'],
    ['mcp.tool_call', 'ask', 'ok'],
    ['mcp.tool_call', 'missing', 'rpc_error'],
    ['mcp.tool_call', 'progress', 'ok'],
  ]);
  for (const span of requests) assert.equal(span.parentSpanId, session.spanId, span.name);
  const [first, second] = calls(spans, 'ask');
  assert.ok(second.links.some((link) => link.spanId === first.spanId), 'the second leg links to the first');
  assert.equal(status(calls(spans, 'missing')[0]), ERROR);
  assert.equal(calls(spans, 'progress')[0].events.filter((event) => /progress/.test(event.name)).length, 3);

  assert.equal(server.requests.length, requests.length);
  server.requests.forEach((request, i) => {
    const context = `00-${requests[i].traceId}-${requests[i].spanId}-03`;
    assert.equal(request.body.params._meta.traceparent, context, request.body.method);
    assert.equal(request.headers.traceparent, context, 'the header says the same');
    assert.equal(request.headers.tracestate, request.body.params._meta.tracestate);
    assert.equal(request.headers['mcp-method'], request.body.method);
  });
});

for (const [name, make, era] of [['modern', modernHttpServer, 'modern'], ['legacy', legacyHttpServer, 'legacy']]) {
  test(`a client that tries the era first (${name} server)`, async (t) => {
    const { home, proxy, url } = await rig(t, make);
    const peer = await modernHttpClient(url, 'auto');
    assert.equal((await peer.client.callTool({ name: 'echo', arguments: { message: 'a' } })).content[0].text, 'a');
    await peer.close();
    await proxy.stop();
    const list = sessionList(home);
    assert.equal(list.length, 1, 'asking for the era is no session of its own, or a probe\'s');
    const [spans] = sessions(home);
    assert.equal(root(spans).attributes['mcp.era'], era);
    assert.deepEqual(calls(spans).map(outcome), ['ok']);
    for (const spansOf of sessions(home, '--all')) {
      for (const span of named(spansOf, 'mcp.discover')) assert.equal(status(span), 0, 'an era that is not spoken is no error');
    }
  });
}

test('clients of both eras on one server at once', async (t) => {
  const { home, proxy, url } = await rig(t, modernHttpServer);
  const modern = await modernHttpClient(url, pinned);
  const legacy = await legacyHttpClient(url);
  const alsoLegacy = await modernHttpClient(url, 'legacy');
  for (const { client } of [modern, legacy, alsoLegacy]) {
    assert.equal((await client.callTool({ name: 'echo', arguments: { message: 'x' } })).content[0].text, 'x');
  }
  for (const peer of [modern, legacy, alsoLegacy]) await peer.close();
  await proxy.stop();
  const all = sessions(home);
  assert.deepEqual(all.flatMap((spans) => calls(spans).map(outcome)), ['ok', 'ok', 'ok']);
  assert.ok(all.some((spans) => root(spans).attributes['mcp.era'] === 'modern'));
  assert.ok(all.some((spans) => root(spans).attributes['mcp.era'] === 'legacy'));
});

test('a client that closes cancels: the server hears of it at once', async (t) => {
  const { home, server, proxy, url } = await rig(t, modernHttpServer);
  const peer = await modernHttpClient(url, pinned);
  const abort = new AbortController();
  const call = peer.client.callTool({ name: 'hold', arguments: { key: 'a' } }, { signal: abort.signal });
  await server.hold.arrived('a');
  const left = process.hrtime.bigint();
  abort.abort('no longer wanted');
  await assert.rejects(call);
  const heard = await server.hold.aborted('a');
  assert.ok(heard - left < 2_000_000_000n);
  assert.equal(server.requests.filter((request) => request.body.method === 'notifications/cancelled').length, 0);
  assert.equal((await peer.client.callTool({ name: 'echo', arguments: { message: 'still there' } })).isError, undefined);
  await peer.close();
  await proxy.stop();
  const [spans] = sessions(home);
  assert.deepEqual(calls(spans).map(outcome), ['cancelled', 'ok']);
  assert.equal(server.requests.filter((request) => request.body.params?.name === 'hold').length, 1, 'nothing was sent twice');
});

for (const responseMode of ['json', 'sse']) {
  test(`answers as ${responseMode}`, async (t) => {
    const { home, proxy, url } = await rig(t, () => modernHttpServer({ responseMode }));
    const peer = await modernHttpClient(url, pinned);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) =>
      peer.client.callTool({ name: 'echo', arguments: { message: `${i}` } })));
    assert.deepEqual(answers.map((answer) => answer.content[0].text), Array.from({ length: 20 }, (_, i) => `${i}`));
    await peer.close();
    await proxy.stop();
    const [spans] = sessions(home);
    assert.deepEqual(calls(spans).map(outcome), Array(20).fill('ok'));
  });
}

test('subscriptions: a long stream, ok at its end', async (t) => {
  const { home, server, proxy, url } = await rig(t, modernHttpServer);
  const message = {
    jsonrpc: '2.0', id: 'sub', method: 'subscriptions/listen', params: { notifications: { toolsListChanged: true }, _meta: modernMeta() } };
  const stream = await open(url, { body: message, headers: modernHeaders(message) });
  assert.equal(stream.response.statusCode, 200);
  await eventually(() => stream.text.includes('subscriptions/acknowledged'), 'the acknowledgement');
  server.notify.toolsChanged();
  await eventually(() => stream.text.includes('tools/list_changed'), 'the notification');
  stream.request.destroy();
  await server.requests[0].closed;
  await proxy.stop();
  const [spans] = sessions(home);
  const [listen] = named(spans, 'mcp.subscriptions_listen');
  assert.equal(outcome(listen), 'ok');
  assert.equal(status(listen), 0);
});

test('a caller\'s context in the message, in the header, and in both', async (t) => {
  const { home, server, proxy, url } = await rig(t, modernHttpServer);
  const meta = { traceparent: '00-11111111111111111111111111111111-2222222222222222-01', tracestate: 'a=1' };
  const header = { traceparent: '00-33333333333333333333333333333333-4444444444444444-00', tracestate: 'b=2' };
  await post(url, modernCall(1, 'echo', { message: 'x' }, meta));
  await post(url, modernCall(2, 'echo', { message: 'x' }), header);
  await post(url, modernCall(3, 'echo', { message: 'x' }, meta), header);
  await post(url, modernCall(4, 'echo', { message: 'x' }, { traceparent: '00-0-0-00' }), { traceparent: 'nonsense', tracestate: 'c=3' });
  await proxy.stop();
  const spans = sessions(home).flat();
  const byId = Object.fromEntries(calls(spans).map((span) => [span.attributes['jsonrpc.request.id'], span]));
  assert.equal(byId[1].traceId, '1'.repeat(32));
  assert.equal(byId[1].parentSpanId, '2'.repeat(16));
  assert.equal(byId[2].traceId, '3'.repeat(32));
  assert.equal(byId[2].parentSpanId, '4'.repeat(16));
  assert.equal(byId[3].parentSpanId, '2'.repeat(16));
  assert.ok(byId[3].links.some((link) => link.spanId === '4'.repeat(16)), 'the one not chosen is a link');
  const top = root(spans);
  assert.equal(byId[4].parentSpanId, top.spanId);
  for (const id of [1, 2, 3]) assert.ok(byId[id].links.some((link) => link.spanId === top.spanId), 'a link to the session');

  const sent = Object.fromEntries(server.requests.map((request) => [request.body.id, request]));
  for (const [id, flags, state] of [[1, '01', 'a=1'], [2, '00', 'b=2'], [3, '01', 'a=1']]) {
    const context = `00-${byId[id].traceId}-${byId[id].spanId}-${flags}`;
    assert.equal(sent[id].body.params._meta.traceparent, context);
    assert.equal(sent[id].headers.traceparent, context);
    assert.equal(sent[id].body.params._meta.tracestate, state);
    assert.equal(sent[id].headers.tracestate, state);
  }
  assert.match(sent[4].headers.tracestate ?? '', /^ot=rv:[0-9a-f]{14}$/, 'a state without a valid parent is dropped');
  assert.equal(sent[4].body.params._meta.traceparent, sent[4].headers.traceparent);
});

test('what names a conversation is its session: in _meta, in baggage', async (t) => {
  const { home, proxy, url } = await rig(t, modernHttpServer);
  let id = 0;
  for (const conversation of ['one', 'two', 'one']) {
    await post(url, modernCall(++id, 'echo', { message: 'x' }, { 'vscode.conversationId': conversation }));
  }
  for (const conversation of ['three', 'three']) {
    await post(url, modernCall(++id, 'echo', { message: 'x' }, { baggage: `session.id=${conversation}` }));
  }
  await proxy.stop();
  const all = sessions(home);
  assert.deepEqual(all.map((spans) => calls(spans).map((span) => Number(span.attributes['jsonrpc.request.id']))).sort(), [[1, 3], [2], [4, 5]]);
  for (const spans of all) assert.notEqual(root(spans).attributes['mcptrace.session.guessed'], true);
});

test('refusals of the server come through with their bodies', async (t) => {
  const { home, proxy, url } = await rig(t, () => modernHttpServer({ legacy: 'reject' }));
  const call = modernCall(1, 'echo', { message: 'x' });
  const mismatch = await post(url, call, { 'mcp-name': 'other' });
  assert.equal(mismatch.status, 400);
  assert.equal(mismatch.json.error.code, -32020);
  const future = modernCall(2, 'echo', { message: 'x' }, { 'io.modelcontextprotocol/protocolVersion': '2199-01-01' });
  const version = await post(url, future, { 'mcp-protocol-version': '2199-01-01' });
  assert.equal(version.status, 400);
  assert.equal(version.json.error.code, -32022);
  const method = await post(url, { jsonrpc: '2.0', id: 3, method: 'no/such', params: { _meta: modernMeta() } });
  assert.equal(method.status, 404);
  assert.equal(method.json.error.code, -32601);
  for (const verb of ['GET', 'DELETE']) assert.equal((await ask(url, { method: verb })).status, 405);
  assert.equal((await ask(url, { body: 'no json' })).status, 400);
  await proxy.stop();
  const spans = sessions(home, '--all').flat();
  const byId = Object.fromEntries(spans.map((span) => [span.attributes['jsonrpc.request.id'], span]));
  assert.deepEqual([1, 2, 3].map((id) => [outcome(byId[id]), byId[id].attributes['mcp.error_code']]),
    [['rpc_error', -32020], ['rpc_error', -32022], ['rpc_error', -32601]]);
  assert.equal(byId[3].attributes['http.response.status_code'], 404);
});

test('an answer in an event stream that begins late is still one', async (t) => {
  const { home, proxy, url, server } = await rig(t, () => modernHttpServer({ responseMode: 'sse', keepAliveMs: 20 }));
  const message = modernCall(1, 'hold', { key: 'a' });
  const stream = await open(url, { body: message, headers: modernHeaders(message) });
  await server.hold.arrived('a');
  server.hold.release('a');
  assert.equal(await stream.ended, 'end');
  assert.equal(eventsOf(stream.text).at(-1).result.content[0].text, 'held a');
  await proxy.stop();
  assert.deepEqual(calls(sessions(home).flat()).map(outcome), ['ok']);
});
