// `mcptrace ship` over time: killed, given other credentials and destinations, with sessions that are still open; and what it says.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { before, describe, test } from 'node:test';
import { freePort } from './http_peers.mjs';
import { attributesOf } from './otlp/rules.mjs';
import { Receiver } from './otlp_receiver.mjs';
import { eventually, sessionList } from './peers.mjs';
import { assertArrived, byId, canary, installation, keyOf, sample, toldBy } from './shipping.mjs';

let spool;
before(async () => { spool = await sample(); });
const count = (spans) => Object.keys(spans).length;
const hasAll = (spans) => (receiver) => count(byId(receiver.spans())) >= count(spans);

describe('ship', { concurrency: 6 }, () => {
  test('killed at any instant, it loses nothing, and sends little twice', async (t) => {
    let ship, left = 0;
    const kills = 9;
    // Before an answer, after it, or as it writes down what was delivered.
    const receiver = await Receiver.start({ t, script: ({ number }) => {
      if (left-- === 0) ship.child.kill('SIGKILL');
      if (left === -1 && number % 2) return { cut: 'after' };
      return {};
    } });
    const here = installation(t, { spool, destinations: [{ name: 'one', endpoint: receiver.origin, batch_spans: 3 }] });
    for (const directory of ['spool/cursors', 'ship/one']) fs.mkdirSync(path.join(here.home, directory), { recursive: true, mode: 0o700 });
    for (let i = 0; i < kills; ++i) {
      left = i % 3 === 2 ? Infinity : i % 4;
      ship = await here.stay();
      const watched = left === Infinity && fs.watch(path.join(here.home, i % 2 ? 'ship/one' : 'spool/cursors'), () => ship.child.kill('SIGKILL'));
      await here.trace(8);
      assert.equal((await ship.exit).signal, 'SIGKILL');
      if (watched) watched.close();
      const { one } = await here.status();
      assert.ok(one.delivered <= receiver.spans().length, 'nothing counts as delivered that was not taken');
    }
    assert.equal((await here.once()).code, 0);
    const told = toldBy(here.home);
    assertArrived(receiver, told);
    assert.ok(receiver.spans().length <= count(told) * (kills + 1));
    const requests = receiver.requests.length;
    assert.equal((await here.once()).code, 0);
    assert.equal(receiver.requests.length, requests, 'and then nothing more');
  });

  test('who stays waits for whoever ships, whatever it is told meanwhile', async (t) => {
    const receiver = await Receiver.start({ t });
    const here = installation(t, { spool, destinations: [{ name: 'one', endpoint: receiver.origin }] });
    const first = await here.stay();
    await receiver.when(hasAll(spool.spans));
    const second = await here.stay();
    // It ignores the signal, or has ended by it.
    await eventually(() => second.child.exitCode !== null || BigInt(`0x${fs.readFileSync(`/proc/${second.pid}/status`, 'utf8').match(/^SigIgn:\t(.*)$/m)[1]}`) & 1n, 'its wait');
    second.child.kill('SIGHUP');
    assert.equal((await first.end()).code, 0);
    await here.trace();
    await receiver.when(hasAll(toldBy(here.home)));
    assert.equal((await second.end()).code, 0);
  });

  for (const [how, notice] of [['SIGHUP', (ship) => ship.child.kill('SIGHUP')], ['by itself', () => {}]]) {
    test(`a credential that is mended in its file is used (${how}), and shown to nobody`, async (t) => {
      const [bad, good] = [canary(), canary()];
      const receiver = await Receiver.start({ t, script: ({ headers }) => headers.authorization === good ? {} : { status: 401, message: `no such key: ${headers.authorization}` } });
      const here = installation(t);
      const key = path.join(here.directory, 'key');
      fs.writeFileSync(key, `${bad}\n`);
      here.configure([{ name: 'one', endpoint: receiver.origin, protocol: 'http/json', headers: { Authorization: `file:${key}` } }]);
      await here.trace();
      const ship = await here.stay();
      const { one } = await here.statusWhen(({ one }) => one.error, 'the refusal');
      assert.equal(one.error, 'HTTP 401 Unauthorized: no such key: ***; check the key, and what it is allowed to do');
      fs.writeFileSync(`${key}.new`, `${good}\n`);
      fs.renameSync(`${key}.new`, key);
      notice(ship);
      const told = toldBy(here.home);
      await receiver.when(hasAll(told));
      assertArrived(receiver, told);
      assert.equal((await ship.end()).code, 0);
      assert.match(here.log(), /one: HTTP 401[^]*one is well again/);
      here.hides(bad, good);
    });
  }

  test('what is refused is kept without the secret that the refusal repeats', async (t) => {
    const secret = canary();
    const receiver = await Receiver.start({ t, script: ({ headers }) => ({ status: 400, message: `bad: ${headers['x-key']} ${headers.authorization}` }) });
    const here = installation(t, {
      spool, env: { KEY_OF_TEST: secret },
      destinations: [{ name: 'one', preset: 'axiom', endpoint: receiver.origin, key: 'env:KEY_OF_TEST', dataset: 'd', headers: { 'X-Key': 'env:KEY_OF_TEST' }, batch_spans: 100 }],
    });
    assert.equal((await here.once()).code, 1, 'not all was taken');
    assert.equal((await here.status()).one.set_aside, count(spool.spans));
    assert.equal((await here.once()).code, 0, 'there is nothing more');
    assert.match(here.aside('one')[0].why, /bad: \*\*\* Bearer \*\*\*/);
    here.hides(secret);
  });

  test('a destination that is changed while it hangs loses nothing', async (t) => {
    const hanging = await Receiver.start({ t, script: () => ({ hang: true }) }), good = await Receiver.start({ t }), another = await Receiver.start({ t });
    const one = { name: 'one', endpoint: hanging.origin, timeout: '500ms', batch_spans: 5 };
    const here = installation(t, { spool, destinations: [one] });
    const ship = await here.stay();
    await hanging.when(({ requests }) => requests.length > 0);
    here.configure([{ ...one, endpoint: good.origin }, { name: 'two', endpoint: another.origin }]);
    ship.child.kill('SIGHUP');
    await good.when(hasAll(spool.spans));
    await another.when(hasAll(spool.spans));
    // A file that is broken leaves what was.
    fs.writeFileSync(here.file, 'destinations: [');
    ship.child.kill('SIGHUP');
    await eventually(() => here.log().includes('the old values hold'), 'what it says of the file');
    await here.trace();
    const told = toldBy(here.home);
    await Promise.all([good.when(hasAll(told)), another.when(hasAll(told))]);
    assertArrived(good, told);
    assertArrived(another, told);
  });

  test('a root that cannot wait is sent in part, once, over restarts; then its end', async (t) => {
    const receiver = await Receiver.start({ t });
    const here = installation(t, { destinations: [{ name: 'one', endpoint: receiver.origin, partial_after: '1s' }] });
    const wrapper = here.start(['run', '--', 'cat'], { more: { MCPTRACE_CONFIG: 'none' } });
    wrapper.child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'e2e', version: '1' } } })}\n`);
    await eventually(() => wrapper.stdout.includes('\n'), 'the answer');
    const roots = () => receiver.spans().filter(({ span }) => span.name.startsWith('agent_session'));
    let ship = await here.stay();
    await receiver.when(() => roots().length === 1);
    assert.equal(attributesOf(roots()[0].span)['mcptrace.partial'], true);
    // What it knows of that is on the disk before it says that it was delivered.
    await here.statusWhen(({ one }) => one.delivered > 0, 'that it is kept');
    ship.child.kill('SIGKILL');
    await ship.exit;
    ship = await here.stay();
    wrapper.child.stdin.end();
    assert.equal((await wrapper.exit).code, 0);
    await receiver.when(() => roots().some(({ span }) => span.name === 'agent_session.end'));
    assert.equal((await ship.end()).code, 0);
    assert.deepEqual(roots().map(({ span }) => span.name), ['agent_session', 'agent_session.end']);
    const [part, end] = roots().map(({ span }) => span);
    assert.equal(part.traceId, end.traceId);
    assert.notEqual(part.spanId, end.spanId);
    assert.deepEqual(receiver.violations, []);
    assert.equal((await here.once()).code, 0);
    assert.equal(roots().length, 2);
  });

  test('destinations of the environment have what their processes wrote; those of the file have all', async (t) => {
    const [first, second, all] = await Promise.all([1, 2, 3].map(() => Receiver.start({ t })));
    const here = installation(t, { destinations: [{ name: 'all', endpoint: all.origin }] });
    const secret = canary(), own = { MCPTRACE_CONFIG: here.file };
    const to = (receiver) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.origin, OTEL_EXPORTER_OTLP_HEADERS: `X-Key=${secret}%20x`, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' });
    const ended = () => eventually(() => {
      const pid = here.text('ship.lock').trim();
      return pid && !fs.existsSync(`/proc/${pid}/exe`);
    }, 'the end of what ships');
    await Promise.all([
      here.trace(2, { more: { ...own, ...to(first) }, options: ['--flush', '60s'] }), here.trace(3, { more: { ...own, ...to(second) }, options: ['--flush', '60s'] }),
      here.trace(4, { more: own, options: ['--flush', '60s'] })]);
    await ended();
    const told = toldBy(here.home);
    assertArrived(all, told);
    const tracesOf = (receiver) => [...new Set(receiver.spans().map(({ span }) => span.traceId))];
    assert.deepEqual([first, second, all].map((receiver) => tracesOf(receiver).length), [1, 1, 3]);
    assert.notEqual(tracesOf(first)[0], tracesOf(second)[0]);
    for (const receiver of [first, second]) {
      assert.deepEqual(receiver.violations, []);
      assert.equal(receiver.requests[0].headers['x-key'], `${secret} x`);
      assert.equal(receiver.requests[0].encoding, 'json');
      const written = Object.values(told).filter(({ span }) => span.traceId === tracesOf(receiver)[0]);
      assert.deepEqual(Object.keys(byId(receiver.spans())).sort(), written.map(keyOf).sort());
    }
    assert.equal(sessionList(here.home).length, 3);
    const { stdout } = await here.run('ship', 'status');
    assert.equal([...stdout.matchAll(/^otel-[0-9a-f]{16} /gm)].length, 2, stdout);
    assert.ok(!stdout.includes(secret) && !here.log().includes(secret));
  });

  test('status tells in words how each does', async (t) => {
    const receiver = await Receiver.start({ t, script: [{ status: 500, message: 'broken' }] });
    const down = await freePort();
    const here = installation(t, {
      spool, destinations: [
        { name: 'good', endpoint: receiver.origin, batch_spans: 1000 },
        { name: 'down', endpoint: `http://127.0.0.1:${down}`, retry_first: '1h' },
        { name: 'lightstep', preset: 'lightstep', endpoint: `http://127.0.0.1:${down}`, key: 'env:NOT_THERE' }],
    });
    const none = await here.run('ship', 'status');
    assert.match(none.stdout, new RegExp(`^good  ${receiver.origin}/v1/traces \\(http/protobuf, gzip\\)\n  delivered  0\n  waiting    ${count(spool.spans)} \\(.*\\), the oldest of `));
    const ship = await here.stay();
    await receiver.when(hasAll(spool.spans));
    await here.statusWhen(({ good, lightstep }) => good.waiting === 0 && lightstep.error, 'the end of it');
    const { stdout } = await here.run('ship', 'status');
    assert.match(stdout, new RegExp(`\n  delivered  ${count(spool.spans)}, the last .*\n  waiting    0\n  last error .*: HTTP 500 Internal Server Error`));
    assert.match(stdout, /down  .*\n  delivered  0\n  waiting    .*\n  last error .*: cannot connect to 127\.0\.0\.1:\d+: Connection refused\n  next try   in /);
    assert.match(stdout, /lightstep  .*\n[^]*last error .*: lightstep-access-token: .*NOT_THERE.*\n[^]*note       Lightstep .* ended/);
    assert.equal((await ship.end()).code, 0);
  });

  test('check sends one span, and says what came back and what to do', async (t) => {
    const secret = canary();
    const [good, unauthorized, elsewhere, part] = await Promise.all([
      {}, { script: ({ headers }) => ({ status: 401, message: headers['x-key'] }) }, { script: () => ({ status: 404 }) },
      { script: () => ({ partial: { rejectedSpans: 1, errorMessage: 'too old' } }) },
    ].map((how) => Receiver.start({ t, ...how })));
    const grpc = await Receiver.start({ t, protocol: 'grpc-js' });
    const port = await freePort();
    const here = installation(t, {
      env: { KEY_OF_TEST: secret }, destinations: [
        { name: 'good', endpoint: good.origin }, { name: 'grpc', endpoint: grpc.origin, protocol: 'grpc' },
        { name: 'unauthorized', endpoint: unauthorized.origin, headers: { 'x-key': 'env:KEY_OF_TEST' } },
        { name: 'elsewhere', endpoint: elsewhere.origin }, { name: 'part', endpoint: part.origin },
        { name: 'refused', endpoint: `http://127.0.0.1:${port}` }, { name: 'unset', endpoint: good.origin, headers: { 'x-key': 'env:NOT_THERE' } }],
    });
    for (const name of ['good', 'grpc']) {
      const done = await here.run('ship', 'check', name);
      assert.deepEqual([done.code, done.stderr], [0, '']);
      const trace = done.stdout.match(new RegExp(`^${name}: took the span in .*; look for trace ([0-9a-f]{32})\n$`));
      assert.ok(trace, done.stdout);
      assert.equal({ good, grpc }[name].spans()[0].span.traceId, trace[1]);
      assert.deepEqual({ good, grpc }[name].violations, []);
    }
    const all = await here.run('ship', 'check');
    assert.equal(all.code, 1);
    assert.match(all.stdout, /^unauthorized: HTTP 401 Unauthorized: \*\*\*; check the key, and what it is allowed to do$/m);
    assert.match(all.stdout, /^elsewhere: HTTP 404 Not Found; check the endpoint and its path$/m);
    assert.match(all.stdout, /^part: 1 spans of a request were not taken: too old$/m);
    assert.match(all.stdout, /^refused: cannot connect to 127\.0\.0\.1:\d+: Connection refused$/m);
    assert.match(all.stdout, /^unset: x-key: .*NOT_THERE/m);
    const unknown = await here.run('ship', 'check', 'nobody');
    assert.notEqual(unknown.code, 0);
    assert.match(unknown.stderr, /no destination 'nobody'; there are good, grpc/);
    here.hides(secret);
  });
});
