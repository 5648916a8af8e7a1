// Sessions of the 2025 revisions: the SDK's client, the reference server and one of ours, over the built binary.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { answerTheServer, capabilities, drive } from './everything.mjs';
import {
  calls, clientInfo, ERROR, everythingServer, eventually, findings, freshDirectory, freshHome, kind, legacyClient, legacyServer, named, outcome,
  recorded, root, sessionList, sessions, status, traced,
} from './peers.mjs';

test('the reference server, driven by the SDK: one session, one tree', async (t) => {
  const home = freshHome(t);
  const peer = await legacyClient(traced(home, everythingServer), capabilities, answerTheServer);
  const done = await drive(peer.client);
  assert.ok(done.progress >= 2, 'the SDK may drop the last, which comes with the answer');
  assert.equal(done.failed.isError, true);
  assert.deepEqual(await peer.close().then(({ code, signal }) => ({ code, signal })), { code: 0, signal: null });

  const all = sessions(home);
  assert.equal(all.length, 1);
  const [spans] = all;
  const session = root(spans);
  assert.ok(session, 'a root');
  assert.equal(session.parentSpanId, '');
  assert.equal(session.kind, kind.INTERNAL);
  assert.equal(status(session), 0, 'errors of calls are not the session\'s');
  assert.equal(session.attributes['mcp.client.name'], clientInfo.name);
  assert.equal(session.attributes['mcp.client.version'], clientInfo.version);
  assert.equal(session.attributes['mcp.protocol.version'], '2025-11-25');
  assert.equal(session.attributes['mcptrace.calls'], 7);
  assert.equal(session.attributes['mcptrace.calls.tool_error'], 1);
  assert.deepEqual(findings(session), {});

  for (const span of spans) {
    assert.equal(span.traceId, session.traceId);
    assert.match(span.attributes['mcp.session_id'], /^s-[0-9a-f]{16}$/);
    assert.equal(span.attributes['mcp.session_id'], session.attributes['mcp.session_id']);
    assert.equal(span.resource['service.name'], 'server-everything');
    assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano), `${span.name} ends before it starts`);
  }
  assert.equal(new Set(spans.map((span) => span.spanId)).size, spans.length);

  const requests = spans.filter((span) => span.kind === kind.SERVER && span.attributes['jsonrpc.request.id'] !== undefined);
  assert.deepEqual(requests.map((span) => [span.name, span.attributes['mcp.tool_name'] ?? '', outcome(span)]), [
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
  ]);
  for (const span of requests) assert.equal(span.parentSpanId, session.spanId, span.name);
  assert.deepEqual(requests.filter((span) => status(span) === ERROR).map(outcome), ['tool_error']);
  assert.equal(named(spans, 'mcp.initialize')[0].attributes['mcp.operation'], 'initialize');
  assert.equal(named(spans, 'mcp.tools_list')[0].attributes['mcp.operation'], 'tools_list');
  assert.equal(calls(spans)[0].attributes['mcp.operation'], 'tool_call');
  assert.equal(calls(spans)[0].attributes['gen_ai.tool.name'], 'echo');

  // What took long is long: 0.3 s by the server's own timers.
  const [long] = calls(spans, 'trigger-long-running-operation');
  assert.ok(BigInt(long.endTimeUnixNano) - BigInt(long.startTimeUnixNano) >= 290_000_000n);
  assert.equal(long.events.filter((event) => /progress/.test(event.name)).length, 3);

  // The server's own requests hang below the call that made them.
  const [sampling] = named(spans, 'mcp.sampling_createMessage');
  assert.equal(sampling.kind, kind.CLIENT);
  assert.equal(sampling.parentSpanId, calls(spans, 'trigger-sampling-request')[0].spanId);
  assert.equal(named(spans, 'mcp.elicitation_create')[0].parentSpanId, calls(spans, 'trigger-elicitation-request')[0].spanId);
  assert.equal(outcome(named(spans, 'mcp.elicitation_create')[0]), 'ok');
  assert.equal(named(spans, 'mcp.roots_list').length, 1, 'the server asks for roots once it is initialized');
});

test('what the server receives is the context of our span', async (t) => {
  const home = freshHome(t);
  const record = path.join(freshDirectory(t), 'record');
  const peer = await legacyClient(traced(home, legacyServer(record)));
  await peer.client.listTools();
  await peer.client.callTool({ name: 'echo', arguments: { message: 'a' } });
  await peer.client.callTool({ name: 'fail', arguments: { message: 'b' }, _meta: { progressToken: 77 } });
  await peer.close();

  const [spans] = sessions(home);
  const [initialize, ...received] = recorded(record, 'in').filter((message) => message.id !== undefined);
  assert.equal(initialize.params._meta, undefined, 'where there is none none is put in');
  assert.deepEqual(received.map((message) => message.method), ['tools/list', 'tools/call', 'tools/call']);
  const ours = [...named(spans, 'mcp.tools_list'), ...calls(spans)];
  received.forEach((message, i) => {
    const { traceparent, tracestate } = message.params._meta;
    assert.equal(traceparent, `00-${ours[i].traceId}-${ours[i].spanId}-03`, message.method);
    assert.match(tracestate, /^ot=rv:[0-9a-f]{14}$/);
  });
  assert.equal(received[2].params._meta.progressToken, 77, 'what was there stays there');
  assert.equal(new Set(received.map((message) => message.params._meta.tracestate)).size, 3, 'each its own randomness');
});

test('a caller\'s context wins over the session root', async (t) => {
  const home = freshHome(t);
  const record = path.join(freshDirectory(t), 'record');
  const peer = await legacyClient(traced(home, legacyServer(record)));
  const [traceId, spanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
  await peer.client.callTool({
    name: 'echo', arguments: { message: 'a' },
    _meta: { traceparent: `00-${traceId}-${spanId}-01`, tracestate: 'vendor=x', baggage: 'k=v' },
  });
  await peer.close();

  const [spans] = sessions(home);
  const [call] = calls(spans);
  assert.equal(call.traceId, traceId);
  assert.equal(call.parentSpanId, spanId);
  assert.ok(call.links.some((link) => link.spanId === root(spans).spanId && link.traceId === root(spans).traceId));
  assert.equal(call.attributes['mcp.session_id'], root(spans).attributes['mcp.session_id']);
  const meta = recorded(record, 'in').find((message) => message.method === 'tools/call').params._meta;
  assert.deepEqual(meta, { traceparent: `00-${traceId}-${call.spanId}-01`, tracestate: 'vendor=x', baggage: 'k=v' });
});

test('errors of every kind are errors, each its own', async (t) => {
  const home = freshHome(t);
  const record = path.join(freshDirectory(t), 'record');
  const peer = await legacyClient(traced(home, legacyServer(record)));
  await peer.client.callTool({ name: 'fail', arguments: { message: 'a' } });
  await assert.rejects(peer.client.getPrompt({ name: 'refuse', arguments: { who: 'x' } }), { code: -32602 });
  await assert.rejects(peer.client.callTool({ name: 'wait', arguments: {} }, undefined, { signal: AbortSignal.timeout(200) }));
  await assert.rejects(peer.client.callTool({ name: 'leave', arguments: {} }), /closed/i);
  assert.equal((await peer.exit).code, 3, 'the server\'s exit status is ours');

  const [spans] = sessions(home);
  const [fail] = calls(spans, 'fail');
  const [refuse] = named(spans, 'mcp.prompts_get');
  const [wait] = calls(spans, 'wait');
  const [leave] = calls(spans, 'leave');
  assert.deepEqual([fail, refuse, wait, leave].map(outcome), ['tool_error', 'rpc_error', 'cancelled', 'abandoned']);
  assert.deepEqual([fail, refuse, wait, leave].map(status), [ERROR, ERROR, ERROR, ERROR]);
  assert.equal(refuse.attributes['mcp.error_code'], -32602);
  assert.equal(leave.attributes['error.type'], 'server_exit');
  assert.equal(status(root(spans)), ERROR, 'the server ended first');
  assert.equal(root(spans).attributes['mcptrace.server.exit_status'], 3);
});

test('killed in the middle of a call: what was seen is there, and the call is abandoned', async (t) => {
  const home = freshHome(t);
  const record = path.join(freshDirectory(t), 'record');
  const peer = await legacyClient(traced(home, legacyServer(record)));
  await peer.client.callTool({ name: 'echo', arguments: { message: 'a' } });
  const waiting = assert.rejects(peer.client.callTool({ name: 'wait', arguments: {} }));
  // After a second, an open call is on disk.
  await eventually(() => sessionList(home).length === 1 && calls(sessions(home)[0], 'wait').length === 1, 'the open call');
  process.kill(peer.pid, 'SIGKILL');
  await waiting;
  assert.equal((await peer.exit).signal, 'SIGKILL');

  const [spans] = sessions(home);
  assert.equal(outcome(calls(spans, 'echo')[0]), 'ok');
  assert.equal(outcome(calls(spans, 'wait')[0]), 'abandoned');
  assert.equal(calls(spans, 'wait')[0].attributes['error.type'], 'killed');
  assert.equal(calls(spans, 'wait')[0].parentSpanId, root(spans).spanId);
  assert.equal(root(spans).attributes['mcptrace.end'], 'unknown');
});
