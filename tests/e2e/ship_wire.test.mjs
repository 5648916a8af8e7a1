// What is shipped is, on the wire, what OTLP wants and each backend asks for, and equal to what `mcptrace trace` tells: for every
// protocol, compression and preset. Faults: ship_faults.test.mjs.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Receiver } from './otlp_receiver.mjs';
import { assertArrived, canary, installation, sample } from './shipping.mjs';

const goldenFile = new URL('otlp/requests.txt', import.meta.url);
const kinds = { 'http/protobuf': ['http'], 'http/json': ['http'], grpc: ['grpc', 'grpc-js'] };
const compressions = { 'http/protobuf': ['none', 'gzip', 'zstd'], 'http/json': ['none', 'gzip', 'zstd'], grpc: ['none', 'gzip'] };
const named = (compression, receiver) => receiver === 'http' ? compression : compression === 'none' ? 'identity' : compression;

for (const [protocol, receivers] of Object.entries(kinds)) {
  for (const kind of receivers) {
    for (const compression of compressions[protocol]) {
      test(`${protocol}, ${compression}, to ${kind}: what arrives is what trace tells`, async (t) => {
        const spool = await sample();
        const receiver = await Receiver.start({ t, protocol: kind });
        const here = installation(t, { spool, destinations: [{ name: 'one', endpoint: receiver.origin, protocol, compression }] });
        const done = await here.once();
        assert.deepEqual([done.code, done.stdout, done.stderr], [0, '', '']);
        assertArrived(receiver, spool.spans);
        assert.equal(receiver.requests.length, 1);
        assert.equal(receiver.spans().length, Object.keys(spool.spans).length, 'each once');
        if (kind !== 'grpc-js') assert.equal(receiver.requests[0].compression, named(compression, kind));
        const { one } = await here.status();
        assert.deepEqual([one.delivered, one.waiting, one.protocol, one.compression], [receiver.spans().length, 0, protocol, compression]);
        // Told once, it is not told again.
        assert.equal((await here.once()).code, 0);
        assert.equal(receiver.requests.length, 1);
      });
    }
  }
}

// What a preset needs, and nothing else.
const presets = {
  collector: {},
  jaeger: {},
  tempo: { dataset: 'tenant' },
  'grafana-cloud': { region: 'prod-eu-west-2', user: '1234', key: 'file' },
  honeycomb: { region: 'eu', key: 'env', dataset: 'classic' },
  lightstep: { key: 'env' },
  axiom: { key: 'file', dataset: 'traces' },
  newrelic: { region: 'eu', key: 'env' },
  datadog: { region: 'us5', key: 'env' },
  'datadog-agent': {},
};
const protocols = Object.keys(kinds);
const isGrpc = (protocol) => protocol === 'grpc';

// The settings of a preset with a secret of this run's: { destination, secret, env }.
function settingsOf(t, preset, more = {}) {
  const secret = canary(), { key, ...rest } = presets[preset];
  const file = path.join(fs.mkdtempSync(path.join(process.env.TMPDIR ?? '/tmp', 'mcptrace-e2e-')), 'key');
  t.after(() => fs.rmSync(path.dirname(file), { recursive: true }));
  fs.writeFileSync(file, `${secret}\n`);
  const reference = { key: key === 'env' ? 'env:KEY_OF_TEST' : `file:${file}` };
  return { destination: { name: preset, preset, ...rest, ...key && reference, ...more }, secret, env: { KEY_OF_TEST: secret } };
}

// As it stands on the wire, but for what differs from run to run.
function headText(request, { secret, user }) {
  const basic = `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`;
  const shown = (name, value) => {
    if (/^(host|:authority)$/i.test(name)) return '<host>';
    if (/^content-length$/i.test(name)) return '<bytes>';
    if (name === 'user-agent') return value.replaceAll(/\/\d[^ ]*/g, '/<version>');
    return value === basic ? `Basic <${user}:key>` : value.replace(secret, '<key>');
  };
  const fields = request.rawHeaders.filter(([name]) => ![':method', ':path'].includes(name)).map(([name, value]) => `${name}: ${shown(name, value)}`).sort();
  return [`${request.method} ${request.path}`, ...fields].map((line) => `  ${line}\n`).join('');
}

// Of one preset over one protocol: the URL that it comes to by itself, and the request, sent to us instead; or why it cannot be.
async function requestText(t, preset, protocol) {
  const spool = await sample();
  const { destination, secret, env } = settingsOf(t, preset, { protocol });
  const title = `${preset}, ${protocol}\n`;
  const plain = installation(t, { destinations: [destination], env });
  const { stdout, stderr } = await plain.run('ship', 'status', '--json');
  if (!stdout) return `${title}  ${stderr}`;
  const { url, compression } = JSON.parse(stdout);
  const own = new URL(url).pathname, base = isGrpc(protocol) ? '' : own.replace(/\/v1\/traces$/, '');
  // A backend that repeats what it was sent, and then takes it.
  const receiver = await Receiver.start({
    t, protocol: isGrpc(protocol) ? 'grpc' : 'http', path: own,
    script: ({ number, headers }) => number > 1 ? {}
      : { status: isGrpc(protocol) ? 200 : 503, grpc: { status: 14, message: JSON.stringify(headers) }, message: JSON.stringify(headers) },
  });
  const here = installation(t, { spool, destinations: [{ ...destination, endpoint: receiver.origin + base }], env });
  const done = await here.once();
  assert.equal(done.code, 0, done.stderr);
  assertArrived(receiver, spool.spans);
  assert.equal(receiver.requests.length, 2);
  assert.equal(headText(receiver.requests[0], { secret, ...destination }), headText(receiver.requests[1], { secret, ...destination }));
  assert.match(here.log(), isGrpc(protocol) ? /gRPC UNAVAILABLE/ : /HTTP 503/);
  here.hides(secret, Buffer.from(`${destination.user}:${secret}`).toString('base64'));
  return `${title}  ${url} (${compression})\n${headText(receiver.requests[1], { secret, ...destination })}`;
}

test('each preset makes exactly the request that its backend wants, and shows its secret to nobody else', async (t) => {
  const texts = [];
  for (const preset of Object.keys(presets)) texts.push(...await Promise.all(protocols.map((protocol) => requestText(t, preset, protocol))));
  const text = texts.join('\n');
  if (process.env.MCPTRACE_UPDATE_GOLDEN) fs.writeFileSync(goldenFile, text);
  assert.equal(text, fs.readFileSync(goldenFile, 'utf8'), 'make it anew: MCPTRACE_UPDATE_GOLDEN=1');
});
