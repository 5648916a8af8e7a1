// The receiver of the tests takes what OpenTelemetry's own exporters send, says what is wrong with anything else, and answers as it is
// told.
import { SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { certificate } from './http_peers.mjs';
import { servicePath, writeMessage } from './otlp/grpc.mjs';
import { attributesOf } from './otlp/rules.mjs';
import { messageType as protobuf, writeRequest } from './otlp/schema.mjs';
import { Receiver } from './otlp_receiver.mjs';

const none = [];
const traced = [];
const tracer = new TracerProvider({
  spanProcessors: [{ onStart() {}, onEnd: (span) => traced.push(span), forceFlush: async () => {}, shutdown: async () => {} }],
}).getTracer('the scope', '1.2');

function makeSpans() {
  traced.length = 0;
  const link = { traceId: '0102030405060708090a0b0c0d0e0f10', spanId: '0102030405060708', traceFlags: TraceFlags.SAMPLED };
  const span = tracer.startSpan('tools/call é', {
    kind: SpanKind.CLIENT,
    attributes: { text: 'é', whole: -3, half: 0.5, yes: true, many: ['a', 'b'] },
    links: [{ context: link, attributes: { 'link.kind': 'x' } }],
  });
  span.addEvent('happened', { at: 1 });
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'broken' });
  span.end();
  tracer.startSpan('initialize').end();
  return [...traced];
}

const exported = (exporter, spans) => new Promise((resolve) => exporter.export(spans, resolve));

function checkSpans(receiver) {
  assert.deepEqual(receiver.violations, none);
  const [{ resource, scope, span }, { span: second }] = receiver.spans();
  assert.equal(attributesOf(resource)['telemetry.sdk.language'], 'nodejs');
  assert.equal(scope.name, 'the scope');
  assert.equal(span.name, 'tools/call é');
  assert.equal(span.kind, 3);
  assert.deepEqual(attributesOf(span), { text: 'é', whole: -3n, half: 0.5, yes: true, many: ['a', 'b'] });
  assert.equal(span.links[0].traceId, '0102030405060708090a0b0c0d0e0f10');
  assert.equal(span.events[0].name, 'happened');
  assert.deepEqual(span.status, { message: 'broken', code: 2 });
  assert.match(span.traceId, /^[0-9a-f]{32}$/);
  assert.equal(second.name, 'initialize');
  return receiver.spans();
}

test('the exporters of OpenTelemetry are taken, and come to the same', async (t) => {
  const spans = makeSpans();
  const kinds = [['http', JsonExporter, '/v1/traces'], ['http', ProtobufExporter, '/v1/traces'], ['grpc', GrpcExporter, ''], ['grpc-js', GrpcExporter, '']];
  const taken = [];
  for (const [protocol, Exporter, path] of kinds) {
    for (const compression of ['none', 'gzip']) {
      const receiver = await Receiver.start({ t, protocol, numbers: true });
      const exporter = new Exporter({ url: receiver.origin + path, compression });
      const { code, error } = await exported(exporter, spans);
      assert.equal(code, 0, error?.stack);
      await receiver.when(({ requests }) => requests.length === 1);
      taken.push(checkSpans(receiver));
      await exporter.shutdown();
    }
  }
  // JSON says what is zero, and the others do not.
  const plain = (spans) => JSON.parse(JSON.stringify(spans, (name, value) => /^dropped/.test(name) && value === 0 ? undefined : value));
  for (const each of taken) assert.deepEqual(plain(each), plain(taken[0]));
});

// --- senders that are wrong ---

const id = (bytes, value = 1) => Buffer.alloc(bytes, value);
const goodSpan = { traceId: id(16), spanId: id(8), name: 'a', kind: 1, startTimeUnixNano: '5', endTimeUnixNano: '6' };
const requestOf = (...spans) => ({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
const bytesOf = (span) => writeRequest(requestOf({ ...goodSpan, ...span }));
const head = { 'content-type': 'application/x-protobuf', 'user-agent': 'test' };
const post = (receiver, body, { path = '/v1/traces', headers = {}, method = 'POST' } = {}) =>
  fetch(receiver.origin + path, { method, body, headers: { ...head, ...headers } });

const wrong = {
  'no path of traces': [bytesOf({}), { path: '/' }, /path \/$/],
  'another method': [bytesOf({}), { method: 'PUT' }, /method PUT/],
  'a media type that is none': [bytesOf({}), { headers: { 'content-type': 'application/protobuf' } }, /content-type application\/protobuf/],
  'an encoding that is none': [bytesOf({}), { headers: { 'content-encoding': 'br' } }, /content-encoding br/],
  'gzip that is none': [bytesOf({}), { headers: { 'content-encoding': 'gzip' } }, /content-encoding gzip: /],
  'an empty request': [Buffer.alloc(0), {}, /request: empty/],
  'an empty resource': [writeRequest({ resourceSpans: [{}] }), {}, /resourceSpans\[0\]: empty/],
  'an empty scope': [writeRequest({ resourceSpans: [{ scopeSpans: [{}] }] }), {}, /scopeSpans\[0\]: empty/],
  'bytes that end early': [bytesOf({}).subarray(0, -1), {}, /request: /],
  'a field that is unknown': [Buffer.concat([bytesOf({}), Buffer.from([0x7a, 0])]), {}, /ExportTraceServiceRequest has no field 15/],
  'another wire type': [Buffer.from([0x0a, 2, 0x08, 1]), {}, /resource: wire type 0, not 2|request: /],
  'a short id': [bytesOf({ traceId: id(15) }), {}, /traceId: 15 bytes, not 16/],
  'an id of zeros': [bytesOf({ spanId: id(8, 0) }), {}, /spanId: all zero/],
  'a short parent': [bytesOf({ parentSpanId: id(4) }), {}, /parentSpanId: 4 bytes, not 8/],
  'no name': [bytesOf({ name: '' }), {}, /spans\[0\]: no name/],
  'no kind': [bytesOf({ kind: 0 }), {}, /no kind/],
  'an unknown kind': [bytesOf({ kind: 9 }), {}, /SpanKind has no 9/],
  'an end before the start': [bytesOf({ endTimeUnixNano: '4' }), {}, /ends before it starts/],
  'a key that comes twice': [bytesOf({ attributes: [1, 2].map((value) => ({ key: 'k', value: { intValue: value } })) }), {}, /"k" twice/],
  'an attribute without a key': [bytesOf({ attributes: [{ value: { boolValue: true } }] }), {}, /attributes\[0\]: no key/],
  'a message without an error': [bytesOf({ status: { message: 'm' } }), {}, /a status message without an error/],
  'text that is no UTF-8': [replaced(bytesOf({ name: 'nnnn' }), 'nnnn', Buffer.from([0xff, 0x61, 0xc3, 0x28])), {}, /name: |request: /],
};
function replaced(bytes, from, to) {
  const at = bytes.indexOf(from);
  return Buffer.concat([bytes.subarray(0, at), to, bytes.subarray(at + to.length)]);
}

for (const [name, [body, options, pattern]] of Object.entries(wrong)) {
  test(`said to be wrong: ${name}`, async (t) => {
    const receiver = await Receiver.start({ t });
    await post(receiver, body, options);
    assert.ok(receiver.violations.some((text) => pattern.test(text)), JSON.stringify(receiver.violations));
  });
}

const span = { traceId: '01'.repeat(16), spanId: '02'.repeat(8), name: 'a', kind: 1, startTimeUnixNano: '5', endTimeUnixNano: '6' };
const wrongJson = {
  'no JSON': ['{', /request: /],
  'no object': ['[]', /\[\] is no object/],
  'a key of another form': [{ resource_spans: [] }, /has no "resource_spans"/],
  'null': [{ resourceSpans: null }, /null is no array/],
  'ids in base64': [requestOf({ ...span, traceId: id(16).toString('base64') }), /is no hexadecimal/],
  'a kind by its name': [requestOf({ ...span, kind: 'SPAN_KIND_CLIENT' }), /"SPAN_KIND_CLIENT" is no whole number/],
  '64 bits as a number': [requestOf({ ...span, startTimeUnixNano: 5 }), /5 is no decimal string/],
  'a time before all': [requestOf({ ...span, startTimeUnixNano: '-5' }), /-5 does not fit/],
  'flags as text': [requestOf({ ...span, flags: '1' }), /"1" is no whole number/],
  'two values': [requestOf({ ...span, attributes: [{ key: 'k', value: { boolValue: true, intValue: '1' } }] }), /both boolValue and intValue/],
  'half a character': [requestOf({ ...span, name: '\ud800' }), /is no text/],
  'bytes in hexadecimal': [requestOf({ ...span, attributes: [{ key: 'k', value: { bytesValue: 'abc' } }] }), /is no base64/],
};
for (const [name, [body, pattern]] of Object.entries(wrongJson)) {
  test(`said to be wrong of JSON: ${name}`, async (t) => {
    const receiver = await Receiver.start({ t });
    await post(receiver, typeof body === 'string' ? body : JSON.stringify(body), { headers: { 'content-type': 'application/json; charset=utf-8' } });
    assert.ok(receiver.violations.some((text) => pattern.test(text)), JSON.stringify(receiver.violations));
  });
}

test('what is right is taken, in every encoding', async (t) => {
  const receiver = await Receiver.start({ t });
  for (const [encoding, encode] of [['gzip', gzipSync], ['zstd', zstdCompressSync]]) {
    await post(receiver, encode(bytesOf({})), { headers: { 'content-encoding': encoding } });
  }
  await post(receiver, JSON.stringify(requestOf({ ...span, attributes: [{ key: 'k', value: { doubleValue: 'NaN' } }] })), { headers: { 'content-type': 'application/json' } });
  assert.deepEqual(receiver.violations, none);
  assert.deepEqual(receiver.requests.map(({ encoding, compression }) => `${encoding} ${compression}`), ['protobuf gzip', 'protobuf zstd', 'json none']);
  assert.equal(receiver.spans().length, 3);
});

test('what is too large is answered so', async (t) => {
  const receiver = await Receiver.start({ t, most: 100 });
  const large = bytesOf({ name: 'n'.repeat(100) });
  assert.equal((await post(receiver, large)).status, 413);
  assert.equal((await post(receiver, gzipSync(large), { headers: { 'content-encoding': 'gzip' } })).status, 413);
  assert.equal((await post(receiver, bytesOf({}))).status, 200);
  assert.deepEqual(receiver.violations, none);
  assert.equal(receiver.spans().length, 1);
});

// --- answers by a script ---

const status = protobuf('RpcStatus'), response = protobuf('ExportTraceServiceResponse');
const answered = async (reply, type) => type.toObject(type.decode(Buffer.from(await reply.arrayBuffer())), { longs: Number });

test('failures, with fields and a sentence', async (t) => {
  const receiver = await Receiver.start({ t, script: [{ status: 503, headers: { 'retry-after': '1' }, message: 'later' }, {}] });
  const refused = await post(receiver, bytesOf({}));
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '1');
  assert.equal(refused.headers.get('content-type'), 'application/x-protobuf');
  assert.deepEqual(await answered(refused, status), { message: 'later' });
  assert.equal(receiver.spans().length, 0);
  assert.equal((await post(receiver, bytesOf({}))).status, 200);
  await receiver.when(({ spans }) => spans().length === 1);
  assert.equal(receiver.requests.length, 2);
});

test('a script may be a function of the request, and wait', async (t) => {
  const receiver = await Receiver.start({
    t, script: async ({ spans }) => ({ partial: { rejectedSpans: spans.length, errorMessage: 'too old' }, gzip: true }),
  });
  assert.deepEqual(await answered(await post(receiver, bytesOf({})), response), { partialSuccess: { rejectedSpans: 1, errorMessage: 'too old' } });
});

test('connections that go, and what was taken before', async (t) => {
  const receiver = await Receiver.start({ t, script: [{ cut: 'before' }, { cut: 'after' }, { cut: 'middle', body: 'half' }] });
  const taken = [];
  for (let number = 1; number <= 3; ++number) {
    await assert.rejects(post(receiver, bytesOf({ name: `n${number}` })).then((reply) => reply.arrayBuffer()));
    taken.push(receiver.spans().length);
  }
  assert.deepEqual(taken, [0, 1, 2]);
});

test('an answer that never comes ends with the receiver', async (t) => {
  const receiver = await Receiver.start({ t, script: [{ hang: true }] });
  const reply = assert.rejects(post(receiver, bytesOf({})));
  await receiver.when(({ requests }) => requests.length === 1);
  const never = assert.rejects(receiver.when(() => false), /the receiver stopped, after 1 requests/);
  await receiver.stop();
  await Promise.all([reply, never]);
  assert.equal(receiver.spans().length, 0);
});

test('answers that are slow, huge, or larger than they look', async (t) => {
  const receiver = await Receiver.start({ t, script: [{ slow: true, body: 'slow' }, { huge: 10_000_000 }, { bomb: true }] });
  const slow = await post(receiver, bytesOf({}));
  assert.equal(slow.status, 200);
  await slow.body.cancel();
  assert.equal((await (await post(receiver, bytesOf({}))).arrayBuffer()).byteLength, 10_000_000);
  const bomb = await post(receiver, bytesOf({}));
  assert.equal(bomb.headers.get('content-encoding'), 'gzip');
  let bytes = 0;
  for await (const piece of bomb.body) {
    if ((bytes += piece.length) > 20_000_000) break;
  }
  assert.ok(bytes > 20_000_000);
  assert.deepEqual(receiver.violations, none);
});

// One call: { head, body, trailers }, or an error.
async function call(receiver, message, headers = {}, tls = {}) {
  const session = http2.connect(receiver.origin, tls);
  try {
    const stream = session.request({
      ':method': 'POST', ':path': servicePath, 'content-type': 'application/grpc', te: 'trailers', 'user-agent': 'test', ...headers,
    });
    const seen = { body: [], head: {}, trailers: {} };
    stream.on('response', (fields) => { seen.head = fields; });
    stream.on('trailers', (fields) => { seen.trailers = fields; });
    stream.on('data', (piece) => seen.body.push(piece));
    stream.end(message);
    await Promise.race([
      new Promise((resolve, reject) => stream.once('close', resolve).once('error', reject).once('aborted', () => reject(new Error('aborted')))),
      new Promise((resolve, reject) => session.once('error', reject)),
    ]);
    return { ...seen, body: Buffer.concat(seen.body) };
  } finally {
    session.destroy();
  }
}

test('gRPC: failures come by trailers alone, or behind a head', async (t) => {
  const receiver = await Receiver.start({
    t, protocol: 'grpc', script: [{ grpc: { status: 14, message: 'später', retryAfter: 1.5 } }, { grpc: { status: 8, withHead: true } }, { status: 503 }],
  });
  const message = writeMessage(bytesOf({}));
  const alone = await call(receiver, message);
  assert.equal(alone.head['grpc-status'], '14');
  assert.equal(decodeURIComponent(alone.head['grpc-message']), 'später');
  const details = Buffer.from(alone.head['grpc-status-details-bin'], 'base64');
  const { details: [{ typeUrl, value }], code } = status.toObject(status.decode(details));
  assert.deepEqual([code, typeUrl], [14, 'type.googleapis.com/google.rpc.RetryInfo']);
  const info = protobuf('RetryInfo');
  assert.deepEqual(info.toObject(info.decode(value), { longs: Number }), { retryDelay: { seconds: 1, nanos: 500_000_000 } });
  const behind = await call(receiver, message);
  assert.equal(behind.head['grpc-status'], undefined);
  assert.equal(behind.trailers['grpc-status'], '8');
  assert.equal((await call(receiver, message)).head[':status'], 503);
  assert.equal(receiver.spans().length, 0);
  const good = await call(receiver, message);
  assert.equal(good.trailers['grpc-status'], '0');
  assert.deepEqual([...good.body], [0, 0, 0, 0, 0]);
  assert.deepEqual(receiver.violations, none);
  assert.equal(receiver.spans().length, 1);
});

test('gRPC: a part, half a message, and nothing', async (t) => {
  const receiver = await Receiver.start({
    t, protocol: 'grpc', script: [{ partial: { rejectedSpans: 1, errorMessage: 'm' } }, { cut: 'middle' }, { cut: 'before' }, { cut: 'after' }],
  });
  const message = writeMessage(bytesOf({}));
  const { body } = await call(receiver, message);
  assert.deepEqual(response.toObject(response.decode(body.subarray(5)), { longs: Number }), { partialSuccess: { rejectedSpans: 1, errorMessage: 'm' } });
  const ended = [];
  for (let number = 2; number <= 4; ++number) {
    const { trailers = {}, head = {} } = await call(receiver, message).catch(() => ({}));
    ended.push(trailers['grpc-status'] ?? head['grpc-status'], receiver.spans().length);
  }
  assert.deepEqual(ended, [undefined, 2, undefined, 2, undefined, 3]);
});

const wrongCalls = {
  'a path': [{ ':path': '/v1/traces' }, writeMessage(bytesOf({})), /:path \/v1\/traces/, '12'],
  'a media type': [{ 'content-type': 'application/x-protobuf' }, writeMessage(bytesOf({})), /content-type/],
  'no te': [{ te: undefined }, writeMessage(bytesOf({})), /te undefined/],
  'a timeout': [{ 'grpc-timeout': '10s' }, writeMessage(bytesOf({})), /grpc-timeout 10s/],
  'no frame': [{}, bytesOf({}), /is not one message/, '3'],
  'two messages': [{}, Buffer.concat([writeMessage(bytesOf({})), writeMessage(bytesOf({}))]), /is not one message/, '3'],
  'an encoding that no header names': [{}, encodedMessage(), /no header says how/, '3'],
  'an encoding that is none': [{ 'grpc-encoding': 'zstd' }, writeMessage(bytesOf({})), /grpc-encoding zstd/],
};
function encodedMessage() {
  const message = writeMessage(gzipSync(bytesOf({})));
  message[0] = 1;
  return message;
}
for (const [name, [headers, message, pattern, code]] of Object.entries(wrongCalls)) {
  test(`said to be wrong of gRPC: ${name}`, async (t) => {
    const receiver = await Receiver.start({ t, protocol: 'grpc' });
    const { head } = await call(receiver, message, headers);
    assert.ok(receiver.violations.some((text) => pattern.test(text)), JSON.stringify(receiver.violations));
    assert.equal(head['grpc-status'], code);
  });
}

test('gRPC: an encoded message', async (t) => {
  const receiver = await Receiver.start({ t, protocol: 'grpc' });
  await call(receiver, encodedMessage(), { 'grpc-encoding': 'gzip' });
  assert.deepEqual(receiver.violations, none);
  assert.equal(receiver.spans().length, 1);
});

test('the official server: a failure, and then none', async (t) => {
  const receiver = await Receiver.start({ t, protocol: 'grpc-js', script: [{ grpc: { status: 14, retryAfter: 0.01 } }] });
  const exporter = new GrpcExporter({ url: receiver.origin });
  const { error } = await exported(exporter, makeSpans());
  assert.equal(error.code, 14);
  assert.equal(error.metadata.get('grpc-status-details-bin').length, 1);
  assert.equal((await exported(exporter, makeSpans())).code, 0);
  checkSpans(receiver);
  assert.deepEqual(receiver.requests.map(({ committed }) => committed), [false, true]);
  await exporter.shutdown();
});

test('over TLS', async (t) => {
  const { key, cert } = certificate(t);
  for (const protocol of ['grpc', 'grpc-js']) {
    const receiver = await Receiver.start({ t, protocol, tls: { key, cert } });
    assert.equal((await call(receiver, writeMessage(bytesOf({})), {}, { ca: cert })).trailers['grpc-status'], '0');
  }
  const receiver = await Receiver.start({ t, tls: { key, cert } });
  const exporter = new ProtobufExporter({ url: `${receiver.origin}/v1/traces`, httpAgentOptions: { ca: cert } });
  assert.equal((await exported(exporter, makeSpans())).code, 0);
  checkSpans(receiver);
  await exporter.shutdown();
});
