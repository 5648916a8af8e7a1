// W3C trace context, levels 1 and 2, on the wire: what comes in a header or in a message, and what the server gets in both. The cases
// are those of the official harness (reference: w3c/trace-context, test/), which drives headers only.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ask, listen, modernHeaders, modernMeta, parseAnswer, raw, readBody, requestText, startProxy, toolCall } from './http_peers.mjs';
import { freshHome, sessions } from './peers.mjs';

const trace = '0123456789abcdef0123456789abcdef', parent = '1234567890abcdef';
const valid = `00-${trace}-${parent}-01`;

// [what, traceparent, flags that go on, or undefined where a new trace begins]. Several values: several fields.
const parents = [
  ['as it should be', valid, '01'],
  ['not sampled', `00-${trace}-${parent}-00`, '00'],
  ['random', `00-${trace}-${parent}-02`, '02'],
  ['sampled and random', `00-${trace}-${parent}-03`, '03'],
  ['flags that nobody knows', `00-${trace}-${parent}-ff`, '03'],
  ['a future version', `cc-${trace}-${parent}-01`, '01'],
  ['a future version with more behind it', `cc-${trace}-${parent}-01-what-the-future-will-be-like`, '01'],
  ['a future version, a dash', `cc-${trace}-${parent}-01-`, '01'],
  ['a future version, a dot', `cc-${trace}-${parent}-01.what-the-future-will-be-like`, undefined],
  ['a future version, cut', `cc-${trace}-${parent}-0`, undefined],
  ['version ff', `ff-${trace}-${parent}-01`, undefined],
  ['version 00 with more behind it', `${valid}-what`, undefined],
  ['version 00 with a dot', `${valid}.`, undefined],
  ['a version of one digit', `0-${trace}-${parent}-01`, undefined],
  ['a version of three digits', `000-${trace}-${parent}-01`, undefined],
  ['a version that is none', `.0-${trace}-${parent}-01`, undefined],
  ['a trace id of zeros', `00-${'0'.repeat(32)}-${parent}-01`, undefined],
  ['a parent id of zeros', `00-${trace}-${'0'.repeat(16)}-01`, undefined],
  ['a short trace id', `00-${trace.slice(1)}-${parent}-01`, undefined],
  ['a long trace id', `00-${trace}0-${parent}-01`, undefined],
  ['a trace id that is no number', `00-.${trace.slice(1)}-${parent}-01`, undefined],
  ['a short parent id', `00-${trace}-${parent.slice(1)}-01`, undefined],
  ['a long parent id', `00-${trace}-${parent}0-01`, undefined],
  ['upper case', `00-${trace.toUpperCase()}-${parent}-01`, undefined],
  ['upper case in the parent', `00-${trace}-${parent.toUpperCase()}-01`, undefined],
  ['flags of one digit', `00-${trace}-${parent}-1`, undefined],
  ['flags of three digits', `00-${trace}-${parent}-001`, undefined],
  ['flags that are none', `00-${trace}-${parent}-.0`, undefined],
  ['no dashes', valid.replaceAll('-', '_'), undefined],
  ['nothing', '', undefined],
];
const onlyInHeaders = [
  ['two fields', [valid, `00-${'f'.repeat(32)}-${parent}-01`], undefined],
  ['two fields that are the same', [valid, valid], undefined],
  ['blanks around it', [` \t${valid} \t`], '01'],
];

const many = (count) => Array.from({ length: count }, (_, i) => `k${i}=v`).join(',');
const printable = Array.from({ length: 0x7f - 0x20 }, (_, i) => String.fromCharCode(0x20 + i)).filter((c) => c !== ',' && c !== '=').join('');
// [what, tracestate, goes on].
const states = [
  ['one member', 'foo=1', true],
  ['two members', 'foo=1,bar=2', true],
  ['blanks between them', 'foo=1 \t , \t bar=2', true],
  ['empty members', 'foo=1,,,bar=2,', true],
  ['ours', 'ot=rv:0123456789abcd;th:8,foo=1', true],
  ['32 members', many(32), true],
  ['33 members', many(33), false],
  ['a key of 256', `${'z'.repeat(256)}=1`, true],
  ['a key of 257', `${'z'.repeat(257)}=1`, false],
  ['a key with a digit first', '1foo=1', true],
  ['a key with an @', 'foo@bar=1', true],
  ['a key that ends in @', 'foo@=1', true],
  ['a key with two @', 'foo@@bar=1', true],
  ['a key with @ twice', 'foo@bar@baz=1', true],
  ['a long tenant', `${'t'.repeat(242)}@v=1`, true],
  ['a long system', `t@${'v'.repeat(15)}=1`, true],
  ['a key that begins with @', '@foo=1', false],
  ['all that a key may hold', '0123456789abcdefghijklmnopqrstuvwxyz_-*/=1', true],
  ['an upper-case key', 'FOO=1', false],
  ['a key with a dot', 'foo.bar=1', false],
  ['a key with a blank', 'foo =1', false],
  ['no key', '=1', false],
  ['no value', 'foo=', false],
  ['no equals sign', 'foo', false],
  ['two equals signs', 'foo=bar=baz', false],
  ['a value of 256', `foo=${'v'.repeat(256)}`, true],
  ['a value of 257', `foo=${'v'.repeat(257)}`, false],
  ['all that a value may hold', `foo=${printable}`, true],
  ['more than 512 bytes', Array.from({ length: 10 }, (_, i) => `k${i}=${'v'.repeat(100)}`).join(','), true],
];
const statesInHeaders = [
  ['two fields', ['foo=1', 'bar=2'], 'foo=1,bar=2'],
  ['an empty field before it', ['', 'foo=1'], 'foo=1'],
  ['an empty field behind it', ['foo=1', ''], 'foo=1'],
  ['33 members in two fields', [many(16), Array.from({ length: 17 }, (_, i) => `m${i}=v`).join(',')], ''],
];

const members = (state) => (state ?? '').split(',').map((member) => member.trim()).filter(Boolean);
const started = (state) => /^ot=rv:[0-9a-f]{14}$/.test(state ?? '');

async function rig(t) {
  let last;
  const server = await listen(t, async (request, response) => {
    const body = JSON.parse(await readBody(request));
    const fields = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2) fields.push([request.rawHeaders[i].toLowerCase(), request.rawHeaders[i + 1]]);
    last = { meta: body.params._meta, fields };
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ jsonrpc: '2.0', id: body.id, result: { content: [], resultType: 'complete' } }));
  });
  const proxy = await startProxy(freshHome(t), server.origin);
  const send = async (fields, meta, what) => {
    const message = toolCall(1, 'echo', {}, modernMeta(meta));
    const body = JSON.stringify(message);
    const client = await raw(proxy.port);
    const common = Object.entries(modernHeaders(message)).map(([name, value]) => `${name}: ${value}`);
    client.socket.write(requestText('POST /mcp', proxy,
      ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`, ...common, ...fields], body));
    const answer = await client.until((bytes) => parseAnswer(bytes));
    client.socket.destroy();
    assert.equal(answer.status, 200, what);
    return last;
  };
  // What the server got of a call with these fields and this in its _meta: { parent, state }, the same in both places.
  const call = async (fields, meta, what) => {
    await send(fields, meta, what);
    const got = (name) => last.fields.filter(([each]) => each === name).map(([, value]) => value);
    assert.equal(got('traceparent').length, 1, `${what}: one traceparent goes on`);
    assert.ok(got('tracestate').length <= 1, `${what}: at most one tracestate goes on`);
    assert.equal(got('traceparent')[0], last.meta.traceparent, `${what}: the header and the message say the same`);
    assert.equal(got('tracestate')[0], last.meta.tracestate, `${what}: and of the state`);
    return { parent: last.meta.traceparent, state: last.meta.tracestate };
  };
  call.untouched = (meta) => send([], meta, JSON.stringify(meta));
  return call;
}

function checkParent({ parent: got, state }, flags, what) {
  if (flags === undefined) {
    assert.match(got, /^00-[0-9a-f]{32}-[0-9a-f]{16}-03$/, what);
    assert.notEqual(got.slice(3, 35), trace, what);
    assert.ok(started(state), `${what}: a state without a valid parent is not read: ${state}`);
    return;
  }
  assert.match(got, new RegExp(`^00-${trace}-[0-9a-f]{16}-${flags}$`), what);
  assert.notEqual(got.slice(36, 52), parent, `${what}: a span of our own stands between`);
  assert.deepEqual(members(state), ['foo=1'], what);
}

test('traceparent in the header', async (t) => {
  const call = await rig(t);
  for (const [what, value, flags] of [...parents, ...onlyInHeaders]) {
    for (const name of ['traceparent', 'TRACEPARENT', 'TraceParent']) {
      const fields = [value].flat().map((each) => `${name}: ${each}`);
      checkParent(await call([...fields, 'tracestate: foo=1'], {}, what), flags, what);
    }
  }
});

test('traceparent in the message', async (t) => {
  const call = await rig(t);
  for (const [what, value, flags] of parents) {
    checkParent(await call([], { traceparent: value, tracestate: 'foo=1' }, what), flags, what);
    // What the header says of another trace changes nothing where the message has a valid one.
    if (flags !== undefined) {
      const other = [`traceparent: 00-${'e'.repeat(32)}-${parent}-00`, 'tracestate: bar=2'];
      checkParent(await call(other, { traceparent: value, tracestate: 'foo=1' }, what), flags, what);
    }
  }
});

test('an invalid traceparent in the message gives way to a valid one in the header', async (t) => {
  const call = await rig(t);
  for (const [what, value, flags] of parents) {
    if (flags !== undefined) continue;
    checkParent(await call([`traceparent: ${valid}`, 'tracestate: foo=1'], { traceparent: value, tracestate: 'bar=2' }, what), '01', what);
  }
});

test('values in the message that are no strings: the message is left as it is', async (t) => {
  const call = await rig(t);
  for (const value of [1, true, { a: 1 }, [valid]]) {
    const { meta, fields } = await call.untouched({ traceparent: value, tracestate: 'foo=1' });
    assert.deepEqual(meta.traceparent, value);
    assert.equal(meta.tracestate, 'foo=1');
    const added = fields.filter(([name]) => name === 'traceparent' || name === 'tracestate');
    assert.deepEqual(added, [], 'fields are written exactly where the message is');
  }
});

test('tracestate in the header and in the message', async (t) => {
  const call = await rig(t);
  for (const [what, value, goesOn] of states) {
    for (const got of [
      await call([`traceparent: ${valid}`, `tracestate: ${value}`], {}, what),
      await call([], { traceparent: valid, tracestate: value }, what),
    ]) {
      assert.equal(got.parent.slice(3, 35), trace, `${what}: a state that is invalid leaves the parent valid`);
      assert.deepEqual(members(got.state), goesOn ? members(value) : [], what);
    }
  }
  for (const [what, values, expected] of statesInHeaders) {
    const got = await call([`traceparent: ${valid}`, ...values.map((value) => `TraceState: ${value}`)], {}, what);
    assert.deepEqual(members(got.state), members(expected), what);
  }
});

test('without a traceparent a tracestate means nothing', async (t) => {
  const call = await rig(t);
  for (const got of [await call(['tracestate: foo=1'], {}, 'header'), await call([], { tracestate: 'foo=1' }, 'message')]) {
    assert.ok(started(got.state), got.state);
    assert.match(got.parent, /-03$/);
  }
});

test('TRACEPARENT in the proxy\'s environment is no parent of its clients\' sessions', async (t) => {
  const home = freshHome(t);
  const server = await listen(t, (request, response) => response.writeHead(202).end());
  const proxy = await startProxy(home, server.origin, { env: { TRACEPARENT: valid, TRACESTATE: 'foo=1' } });
  const message = toolCall(1, 'echo', {}, modernMeta());
  await ask(`${proxy.origin}/mcp`, { body: message, headers: modernHeaders(message) });
  await proxy.stop();
  const spans = sessions(home, '--all').flat();
  assert.ok(spans.length > 1);
  for (const span of spans) {
    assert.notEqual(span.traceId, trace);
    assert.notEqual(span.parentSpanId, parent);
    assert.ok(!(span.traceState ?? '').includes('foo'));
  }
});

test('baggage passes as it came', async (t) => {
  const home = freshHome(t);
  let last;
  const server = await listen(t, async (request, response) => {
    last = { header: request.headers.baggage, body: JSON.parse(await readBody(request)) };
    response.writeHead(202).end();
  });
  const proxy = await startProxy(home, server.origin);
  const baggage = 'a=1;p=2, b = x%20y ,session.id=s,=odd,';
  const message = toolCall(1, 'echo', {}, modernMeta({ baggage }));
  await ask(`${proxy.origin}/mcp`, { body: message, headers: { ...modernHeaders(message), baggage } });
  assert.equal(last.header, baggage.trim());
  assert.equal(last.body.params._meta.baggage, baggage);
});

test('three calls of one caller: one trace, three spans of ours', async (t) => {
  const call = await rig(t);
  const got = [];
  for (let i = 0; i < 3; i++) got.push(await call([`traceparent: ${valid}`], {}, 'call'));
  assert.deepEqual(new Set(got.map((each) => each.parent.slice(3, 35))), new Set([trace]));
  assert.equal(new Set(got.map((each) => each.parent.slice(36, 52))).size, 3);
});
