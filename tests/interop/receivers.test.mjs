// What `mcptrace ship` delivers to receivers that others have made: an OpenTelemetry Collector gets, field by field, what `mcptrace
// trace` tells; Jaeger shows each span with all that is in it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { answerTheServer, capabilities, drive } from '../e2e/everything.mjs';
import { everythingOverHttp, legacyHttpClient, startProxy } from '../e2e/http_peers.mjs';
import { attributesOf } from '../e2e/otlp/rules.mjs';
import { eventually, everythingServer, freshHome, legacyClient, traced } from '../e2e/peers.mjs';
import { byId, installation, keyOf, sample, toldBy } from '../e2e/shipping.mjs';
import { kindOf, told, wanted } from './jaeger_model.mjs';
import { missing } from './peers.mjs';
import { startCollector, startJaeger } from './receivers.mjs';

// A session over HTTP: { home, spans }.
async function overHttp(t) {
  const home = freshHome(t), server = await everythingOverHttp('streamableHttp');
  const proxy = await startProxy(home, server.origin);
  const peer = await legacyHttpClient(`${proxy.origin}/mcp`, { capabilities, prepare: answerTheServer });
  await drive(peer.client);
  await peer.close();
  await proxy.stop();
  server.stop();
  return { home, spans: toldBy(home) };
}
const sessions = { stdio: sample, HTTP: overHttp };

// Of a spool to one of the receivers, once.
async function ship(t, spool, receiver, protocol, more = {}) {
  const endpoint = protocol === 'grpc' ? receiver.grpc : receiver.http;
  const here = installation(t, { spool, destinations: [{ name: 'one', endpoint, protocol, ...more }] });
  const done = await here.once();
  assert.deepEqual([done.code, done.stdout, done.stderr], [0, '', ''], here.log());
  const { one } = await here.status();
  assert.deepEqual([one.delivered, one.waiting], [Object.keys(spool.spans).length, 0]);
  return here;
}

const noCollector = missing('collector') ?? false;
for (const [kind, make] of Object.entries(sessions)) {
  for (const [protocol, compression] of [
    ['http/protobuf', 'none'], ['http/protobuf', 'gzip'], ['http/protobuf', 'zstd'], ['http/json', 'none'], ['http/json', 'gzip'],
    ['grpc', 'none'], ['grpc', 'gzip'],
  ]) {
    test(`a session over ${kind} by ${protocol}, ${compression}, to a Collector: what it writes is what trace tells`, { skip: noCollector },
      async (t) => {
        const spool = await make(t), collector = await startCollector(t);
        await ship(t, spool, collector, protocol, { compression });
        const spans = await collector.spans();
        assert.equal(spans.length, Object.keys(spool.spans).length, 'each once');
        assert.deepEqual(byId(spans), spool.spans);
      });
  }
}

const noJaeger = missing('jaeger') ?? false;
const unique = (list) => [...new Set(list)].sort();
const textOf = (holder, key) => attributesOf(holder)[key];
const services = (spans) => unique(spans.map(({ resource }) => textOf(resource, 'service.name')));

// All spans of these traces, by id, as Jaeger tells them, once it has so many.
const shown = (jaeger, traces, count) => eventually(async () => {
  const all = {};
  for (const id of traces) {
    for (const trace of (await jaeger.get(`traces/${id}`)) ?? []) {
      for (const span of trace.spans) all[keyOf({ span: { traceId: span.traceID, spanId: span.spanID } })] = told(span, trace);
    }
  }
  return Object.keys(all).length >= count && all;
}, 'all spans in Jaeger');

// Jaeger takes a span that is not inside its longer parent for one of another clock, and says so: the one warning that may be. Of a
// session over HTTP the root ends with its last message, which is before the exchanges that carried it were over.
const ofClocks = /^clock skew adjustment disabled; not applying calculated delta of /;
function sticksOut({ span }, spans) {
  const parent = spans[keyOf({ span: { traceId: span.traceId, spanId: span.parentSpanId } })]?.span;
  if (!parent) return false;
  const [start, end, from, to] = [span.startTimeUnixNano, span.endTimeUnixNano, parent.startTimeUnixNano, parent.endTimeUnixNano].map(BigInt);
  return end - start > to - from ? start < from : start < from || end > to;
}

async function assertShown(jaeger, spans) {
  const list = Object.values(spans);
  const all = await shown(jaeger, unique(list.map(({ span }) => span.traceId)), list.length);
  const warned = Object.entries(all).filter(([, { warnings }]) => warnings).map(([key]) => key);
  assert.deepEqual(warned.sort(), Object.keys(spans).filter((key) => sticksOut(spans[key], spans)).sort());
  for (const { warnings } of Object.values(all)) for (const warning of warnings ?? []) assert.match(warning, ofClocks);
  for (const one of Object.values(all)) delete one.warnings;
  assert.deepEqual(all, Object.fromEntries(Object.entries(spans).map(([key, span]) => [key, wanted(span)])));
  assert.deepEqual((await jaeger.get('services')).sort(), services(list));
  for (const service of services(list)) {
    const operations = await jaeger.get('operations', { service });
    const ours = list.filter(({ resource }) => textOf(resource, 'service.name') === service);
    assert.deepEqual(unique(operations.map(({ name, spanKind }) => `${spanKind} ${name}`)), unique(ours.map(({ span }) => `${kindOf(span)} ${span.name}`)));
  }
  assert.deepEqual(jaeger.complaints(), []);
  return Object.values(all);
}

for (const [kind, make] of Object.entries(sessions)) {
  for (const protocol of ['http/protobuf', 'http/json', 'grpc']) {
    test(`a session over ${kind} by ${protocol} to Jaeger: every span with all that is in it`, { skip: noJaeger }, async (t) => {
      const spool = await make(t), jaeger = await startJaeger(t);
      await ship(t, spool, jaeger, protocol, { preset: 'jaeger' });
      const all = await assertShown(jaeger, spool.spans);
      if (kind === 'stdio') assert.deepEqual(Object.values(spool.spans).filter((span) => sticksOut(span, spool.spans)), [], 'no warning at all');
      assert.deepEqual(unique(all.filter(({ references }) => references.length === 0).map(({ operationName }) => operationName)), ['agent_session']);
    });
  }
}

test('Jaeger finds sessions and tools as docs/backends.md says', { skip: noJaeger }, async (t) => {
  const spool = await sample(), jaeger = await startJaeger(t);
  await ship(t, spool, jaeger, 'http/protobuf', { preset: 'jaeger' });
  await assertShown(jaeger, spool.spans);
  const list = Object.values(spool.spans), [service] = services(list);
  assert.equal(service, 'server-everything');
  const root = list.find(({ span }) => span.name === 'agent_session').span;
  const found = async (operation, tags = {}) => {
    const start = BigInt(root.startTimeUnixNano) / 1000n - 1n, end = BigInt(root.endTimeUnixNano) / 1000n + 1n;
    const traces = await jaeger.get('traces', { service, operation, tags: JSON.stringify(tags), start: String(start), end: String(end), limit: '20' });
    return traces.map(({ traceID }) => traceID);
  };
  assert.deepEqual(await found('agent_session'), [root.traceId]);
  assert.deepEqual(await found('agent_session', { 'mcp.session_id': textOf(root, 'mcp.session_id') }), [root.traceId]);
  assert.deepEqual(await found('mcp.tool_call', { 'mcp.tool_name': 'get-sum' }), [root.traceId]);
  assert.deepEqual(await found('mcp.tool_call', { 'gen_ai.tool.name': 'get-sum' }), [root.traceId]);
  assert.deepEqual(await found('mcp.tool_call', { 'mcp.tool_name': 'no-such-tool' }), []);
});

test('with --naming semconv each tool is an operation of Jaeger\'s', { skip: noJaeger }, async (t) => {
  const home = freshHome(t);
  const peer = await legacyClient(traced(home, everythingServer, { options: ['--naming', 'semconv'] }), capabilities, answerTheServer);
  await drive(peer.client);
  assert.equal((await peer.close()).code, 0);
  const spool = { home, spans: toldBy(home) }, jaeger = await startJaeger(t);
  await ship(t, spool, jaeger, 'grpc', { preset: 'jaeger' });
  await assertShown(jaeger, spool.spans);
  const [service] = await jaeger.get('services');
  const names = (await jaeger.get('operations', { service })).map(({ name }) => name);
  for (const name of ['agent_session', 'tools/call echo', 'tools/call get-sum']) assert.ok(names.includes(name), `${name}: ${names}`);
  assert.ok(!names.some((name) => name.startsWith('mcp.')), `${names}`);
});

test('Jaeger has a long session before its end, and then what came after', { skip: noJaeger }, async (t) => {
  const jaeger = await startJaeger(t);
  const here = installation(t, { destinations: [{ name: 'one', preset: 'jaeger', endpoint: jaeger.http, partial_after: '1s' }] });
  const run = here.start(['run', '--', 'cat']);
  const say = (message) => run.child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  say({ id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'interop', version: '1' } } });
  say({ id: 1, method: 'tools/call', params: { name: 'echo', arguments: {} } });
  const shownRoots = (name) => eventually(async () => {
    const traces = ((await jaeger.get("services")) ?? []).map((service) => jaeger.get('traces', { service, operation: name, lookback: '1h', limit: '20' }));
    const [trace] = (await Promise.all(traces)).flat();
    return trace && trace.spans.filter(({ operationName }) => operationName === name).map((span) => ({ ...told(span, trace), all: trace.spans }));
  }, `${name} in Jaeger`);
  const partial = ({ tags }) => tags.find(({ key }) => key === 'mcptrace.partial')?.value;

  const [begun] = await shownRoots('agent_session');
  assert.equal(partial(begun), true);
  say({ id: 2, method: 'tools/call', params: { name: 'echo', arguments: {} } });
  run.child.stdin.end();
  assert.equal((await run.exit).code, 0);
  const ended = await shownRoots('agent_session.end');
  assert.equal(ended.length, 1);
  assert.deepEqual([ended[0].traceID, ended[0].references], [begun.traceID, [{ refType: 'CHILD_OF', traceID: begun.traceID, spanID: begun.spanID }]]);
  assert.equal(partial(ended[0]), undefined);
  const later = ended[0].startTime - begun.startTime - begun.duration;
  assert.ok(later === 0 || later === 1, `${later} µs, cut from ns, after what was told before`);
  assert.equal((await here.once()).code, 0);
  const { all } = (await shownRoots('agent_session.end'))[0];
  assert.equal(all.filter(({ operationName }) => operationName === 'agent_session').length, 1, 'one root');
  // What came after the partial root is outside of it.
  const inside = all.filter(({ startTime, duration }) => startTime + duration < begun.startTime + begun.duration);
  assert.deepEqual(inside.filter(({ warnings }) => warnings?.length), []);
  for (const { warnings } of all) for (const warning of warnings ?? []) assert.match(warning, ofClocks);
});
