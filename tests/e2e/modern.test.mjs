// Sessions of 2026-07-28: no handshake; and clients that try which era a server speaks.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import {
  calls, clientInfo, ERROR, everythingServer, findings, freshDirectory, freshHome, legacyServer, modernClient, modernServer, named, outcome, recorded,
  root, sessionList, sessions, status, traced,
} from './peers.mjs';

const elicitation = { elicitation: { form: {} } };
const answer = (client) =>
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: 'Ada' } }));
const pinned = { pin: '2026-07-28' };

test('a pinned client: discover in place of initialize, and a call that asks back', async (t) => {
  const home = freshHome(t);
  const record = path.join(freshDirectory(t), 'record');
  const peer = await modernClient(traced(home, modernServer(record)), pinned, elicitation, answer);
  await peer.client.listTools();
  await peer.client.callTool({ name: 'echo', arguments: { message: 'a' } });
  assert.equal((await peer.client.callTool({ name: 'fail', arguments: { message: 'b' } })).isError, true);
  const asked = await peer.client.callTool({ name: 'ask', arguments: { state: 'state-1' } });
  assert.equal(asked.content[0].text, 'Hello Ada');
  await assert.rejects(peer.client.callTool({ name: 'missing', arguments: {} }), { code: -32602 });
  assert.deepEqual(await peer.close().then(({ code, signal }) => ({ code, signal })), { code: 0, signal: null });

  const all = sessions(home);
  assert.equal(all.length, 1);
  const [spans] = all;
  assert.equal(root(spans).attributes['mcp.era'], 'modern');
  assert.equal(root(spans).attributes['mcp.client.name'], clientInfo.name);
  assert.equal(root(spans).attributes['mcp.server.name'], 'modern-recorder');
  assert.deepEqual(findings(root(spans)), { undeclared_tool: 1 }, 'that one is missing');
  assert.equal(named(spans, 'mcp.initialize').length, 0);
  const requests = spans.filter((span) => span !== root(spans));
  assert.deepEqual(requests.map((span) => [span.name, span.attributes['mcp.tool_name'] ?? '', outcome(span)]), [
    ['mcp.discover', '', 'ok'],
    ['mcp.tools_list', '', 'ok'],
    ['mcp.tool_call', 'echo', 'ok'],
    ['mcp.tool_call', 'fail', 'tool_error'],
    ['mcp.tool_call', 'ask', 'input_required'],
    ['mcp.tool_call', 'ask', 'ok'],
    ['mcp.tool_call', 'missing', 'rpc_error'],
  ]);
  for (const span of requests) assert.equal(span.parentSpanId, root(spans).spanId, span.name);
  const [first, second] = calls(spans, 'ask');
  assert.equal(status(first), 0, 'asking back is no error');
  assert.ok(second.links.some((link) => link.spanId === first.spanId), 'the second leg links to the first');
  assert.equal(status(calls(spans, 'missing')[0]), ERROR);

  const received = recorded(record, 'in');
  assert.equal(received.length, 7);
  received.forEach((message, i) => {
    assert.equal(message.params._meta.traceparent, `00-${requests[i].traceId}-${requests[i].spanId}-03`, message.method);
    assert.equal(message.params._meta['io.modelcontextprotocol/protocolVersion'], '2026-07-28');
  });
});

for (const [name, server, era] of [
  ['modern', modernServer, 'modern'],
  ['legacy', legacyServer, 'legacy'],
]) {
  test(`a client that tries the era first (${name} server): its throw-away process is no session`, async (t) => {
    const home = freshHome(t);
    const record = path.join(freshDirectory(t), 'record');
    const peer = await modernClient(traced(home, server(record)), 'auto');
    await peer.client.callTool({ name: 'echo', arguments: { message: 'a' } });
    assert.deepEqual(await peer.close().then(({ code, signal }) => ({ code, signal })), { code: 0, signal: null });

    assert.equal(sessionList(home).length, 1);
    const [spans] = sessions(home);
    assert.equal(root(spans).attributes['mcp.era'], era);
    assert.deepEqual(calls(spans).map(outcome), ['ok']);
    assert.equal(named(spans, 'mcp.discover').length, 0);

    const all = sessions(home, '--all');
    assert.equal(all.length, 2);
    const probe = all.find((each) => named(each, 'mcp.discover').length > 0);
    assert.deepEqual(probe.map((span) => span.name).sort(), ['agent_session', 'mcp.discover']);
    for (const span of probe) assert.equal(status(span), 0, 'an era that is not spoken is no error');
  });
}

test('a client that tries the era on the reference server', async (t) => {
  const home = freshHome(t);
  const peer = await modernClient(traced(home, everythingServer), 'auto');
  await peer.client.callTool({ name: 'echo', arguments: { message: 'a' } });
  assert.equal((await peer.close()).code, 0);
  assert.equal(sessionList(home).length, 1);
  const [spans] = sessions(home);
  assert.equal(outcome(named(spans, 'mcp.initialize')[0]), 'ok');
  assert.deepEqual(calls(spans).map(outcome), ['ok']);
});
