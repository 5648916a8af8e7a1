// What is shipped meets receivers that are down, slow, refuse or lie (B1 to B8 of the list of faults): nothing is lost that they take.
// Memory: ship_memory.test.mjs.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { before, describe, test } from 'node:test';
import { freePort, listenRaw } from './http_peers.mjs';
import { attributesOf } from './otlp/rules.mjs';
import { Receiver } from './otlp_receiver.mjs';
import { eventually } from './peers.mjs';
import { assertArrived, byId, installation, keyOf, sample, toldBy } from './shipping.mjs';

let spool;
before(async () => { spool = await sample(); });
const together = { concurrency: 6 };
const count = (spans) => Object.keys(spans).length;
const keysOf = (spans) => spans.map(keyOf).sort();
const now = () => performance.now();

// A receiver and an installation whose sample goes there, with `ship --stay` at work: { receiver, here, ship }.
async function shipping(t, { receiver: how, ...settings } = {}) {
  const receiver = await Receiver.start({ t, ...how });
  const protocol = how?.protocol?.startsWith('grpc') ? 'grpc' : 'http/json';
  const here = installation(t, { spool, destinations: [{ name: 'one', endpoint: receiver.origin, protocol, ...settings }] });
  return { receiver, here, ship: await here.stay() };
}
const allDelivered = async (here, receiver, spans = spool.spans) => {
  await receiver.when((it) => count(byId(it.spans())) >= count(spans));
  return here.statusWhen(({ one }) => one.delivered >= count(spans) && one.waiting === 0, 'the delivery of all');
};

describe('B1: down, then back', together, () => {
  test('all arrives, the oldest first, without a gap', async (t) => {
    const port = await freePort();
    const here = installation(t, { destinations: [{ name: 'one', endpoint: `http://127.0.0.1:${port}`, batch_spans: 4 }] });
    const ship = await here.stay();
    for (let i = 0; i < 3; ++i) await here.trace(20);
    const down = await here.statusWhen(({ one }) => one.error && one.waiting > 60, 'that it is known to be down');
    assert.match(down.one.error, /^cannot connect to 127\.0\.0\.1:\d+: Connection refused$/);
    assert.equal(down.one.delivered, 0);
    const receiver = await Receiver.start({ t, port });
    const told = toldBy(here.home);
    const { one } = await allDelivered(here, receiver, told);
    assertArrived(receiver, told);
    assert.deepEqual([one.delivered, one.refused, one.set_aside, one.expired_files], [count(told), 0, 0, 0]);
    // Of each session the first span, in the order in which they came.
    const traces = [...new Set(receiver.spans().map(({ span }) => span.traceId))];
    const start = (id) => receiver.spans().filter(({ span }) => span.traceId === id).map(({ span }) => BigInt(span.startTimeUnixNano)).reduce((a, b) => a < b ? a : b);
    assert.equal(traces.length, 3);
    assert.ok(start(traces[0]) < start(traces[1]) && start(traces[1]) < start(traces[2]));
    assert.equal((await ship.end()).code, 0);
    const lines = here.log().split('\n').filter((line) => line.includes(' one'));
    assert.ok(lines.length <= 3, here.log());
  });

  test('attempts have a rate, whatever there is to send', async (t) => {
    const at = [];
    const { receiver } = await shipping(t, {
      batch_spans: 2, retry_first: '100ms', retry_most: '200ms',
      receiver: { script: () => {
        at.push(now());
        return at.length <= 6 ? { cut: 'before' } : {};
      } },
    });
    await receiver.when(({ spans }) => spans().length >= count(spool.spans));
    // The first two may be under way together.
    const gaps = at.slice(2, 7).map((time, index) => time - at[index + 1]);
    assert.ok(gaps.every((gap) => gap >= 99), String(gaps));
    assertArrived(receiver, spool.spans);
  });
});

// Open connections to a port of the loopback, as the kernel knows them.
const connectionsTo = (port) => fs.readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1).map((line) => line.trim().split(/\s+/))
  .filter(([, , remote, state]) => remote === `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}` && state === '01').length;

describe('B2, B3: no answer, or slowly', together, () => {
  test('what takes connections and never answers holds few of them, and nobody else', async (t) => {
    let most = 0, all = 0;
    const server = await listenRaw(t, (socket) => {
      ++all;
      most = Math.max(most, connectionsTo(server.port));
      socket.on('error', () => {});
      socket.resume();
    });
    const here = installation(t, { spool, destinations: [{ name: 'one', endpoint: `http://127.0.0.1:${server.port}`, timeout: '100ms', batch_spans: 2 }] });
    await here.stay();
    await eventually(() => all >= 6, 'attempts');
    await here.trace();
    assert.ok(most <= 2, `${most} connections at once`);
    const { one } = await here.statusWhen(({ one }) => one.error, 'the error');
    assert.match(one.error, /^no whole answer from 127.0.0.1:\d+ in 100 ms$/);
    assert.equal(one.delivered, 0);
  });

  for (const protocol of ['http', 'grpc', 'grpc-js']) {
    test(`${protocol}: a request that hangs is given up, and sent again`, async (t) => {
      const { receiver, here } = await shipping(t, { timeout: '300ms', receiver: { protocol, script: ({ number }) => number === 1 ? { hang: true } : {} } });
      await allDelivered(here, receiver);
      assertArrived(receiver, spool.spans);
    });
  }

  test('an answer that comes byte by byte is no answer', async (t) => {
    const slow = { slow: true, partial: { rejectedSpans: 0, errorMessage: 'slowly' } };
    const { receiver, here } = await shipping(t, { timeout: '300ms', receiver: { script: ({ number }) => number === 1 ? slow : {} } });
    await allDelivered(here, receiver);
    assertArrived(receiver, spool.spans);
    assert.ok(receiver.requests.length >= 2);
  });
});

// What an answer does to what was sent.
const http = { retry: [429, 502, 503, 504], misplaced: [301, 307, 401, 403, 404, 405, 407, 415], refused: [400, 408, 411, 422, 500, 501] };
const grpc = { retry: [1, 4, 10, 11, 14, 15], misplaced: [5, 7, 12, 16], refused: [2, 3, 6, 9, 13] };
const answers = (status, protocol) => protocol === 'http' ? { status, message: 'as it says' } : { grpc: { status, message: 'as it says' } };
const wordsOf = (status, protocol) => protocol === 'http' ? new RegExp(`^HTTP ${status}.*: as it says`) : /^gRPC [A-Z_]+: as it says/;

describe('B4: each code', together, () => {
  for (const [protocol, codes] of [['http', http], ['grpc', grpc], ['grpc-js', grpc]]) {
    for (const status of codes.retry) {
      test(`${protocol} ${status}: later, as it is`, async (t) => {
        const { receiver, here } = await shipping(t, { receiver: { protocol, script: [answers(status, protocol)] } });
        const { one } = await allDelivered(here, receiver);
        assertArrived(receiver, spool.spans);
        assert.equal(receiver.requests.length, 2);
        assert.deepEqual(keysOf(receiver.requests[0].spans), keysOf(receiver.requests[1].spans));
        assert.match(one.error, wordsOf(status, protocol));
        assert.deepEqual([one.delivered, one.set_aside], [count(spool.spans), 0]);
      });
    }
    for (const status of codes.misplaced) {
      test(`${protocol} ${status}: nothing is lost; it is tried slowly, and at SIGHUP`, async (t) => {
        const { receiver, here, ship } = await shipping(t, { receiver: { protocol, script: [answers(status, protocol)] } });
        const { one } = await here.statusWhen(({ one }) => one.error, 'the error');
        assert.match(one.error, wordsOf(status, protocol));
        assert.ok(BigInt(one.next_try) - BigInt(one.error_at) >= 59_000_000_000n, 'a minute');
        assert.deepEqual([receiver.requests.length, one.delivered, one.set_aside], [1, 0, 0]);
        ship.child.kill('SIGHUP');
        await allDelivered(here, receiver);
        assertArrived(receiver, spool.spans);
        assert.equal(here.log().split('\n').filter((line) => line.includes('as it says')).length, 1);
      });
    }
    for (const status of codes.refused) {
      test(`${protocol} ${status}: it is set aside, and not sent for ever`, async (t) => {
        const { receiver, here } = await shipping(t, { batch_spans: 8, receiver: { protocol, script: () => answers(status, protocol) } });
        const { one } = await here.statusWhen(({ one }) => one.set_aside === count(spool.spans), 'that all is set aside');
        assert.match(one.error, wordsOf(status, protocol));
        assert.deepEqual([one.delivered, one.waiting], [0, 0]);
        assert.ok(receiver.requests.length <= 60, `${receiver.requests.length} requests`);
        assert.deepEqual(byId(here.asideSpans('one')), spool.spans);
        assert.match(here.aside('one')[0].why, wordsOf(status, protocol));
      });
    }
  }

  for (const [name, status, header, least] of [
    ['seconds', 429, () => '1', () => 999],
    ['a date', 503, () => new Date(Date.now() + 2000).toUTCString(), (value) => Date.parse(value) - Date.now()],
  ]) {
    test(`Retry-After, ${name}`, async (t) => {
      let wanted, at;
      const { receiver } = await shipping(t, { receiver: { script: ({ number }) => {
        if (number > 1) return {};
        const value = header();
        [wanted, at] = [least(value), now()];
        return { status, headers: { 'retry-after': value } };
      } } });
      await receiver.when(({ requests }) => requests.length === 2);
      assert.ok(now() - at >= wanted - 20, `${now() - at} of ${wanted} ms`);
      assertArrived(receiver, spool.spans);
    });
  }
  for (const protocol of ['grpc', 'grpc-js']) {
    for (const status of [8, 14]) {
      test(`${protocol} ${status} with RetryInfo`, async (t) => {
        let at;
        const { receiver, here } = await shipping(t, { receiver: { protocol, script: ({ number }) => {
          at ??= now();
          return number === 1 ? { grpc: { status, message: 'full', retryAfter: 0.7 } } : {};
        } } });
        await receiver.when(({ requests }) => requests.length === 2);
        assert.ok(now() - at >= 699, `${now() - at} ms`);
        const { one } = await allDelivered(here, receiver);
        assertArrived(receiver, spool.spans);
        assert.equal(one.set_aside, 0);
      });
    }
  }

  for (const protocol of ['http', 'grpc', 'grpc-js']) {
    test(`${protocol}: what is too large comes in halves`, async (t) => {
      const { receiver, here } = await shipping(t, { compression: 'none', receiver: { protocol, most: 4096 } });
      const { one } = await allDelivered(here, receiver);
      assertArrived(receiver, spool.spans);
      assert.ok(receiver.requests[0].bytes > 4096 && receiver.requests.filter(({ committed }) => committed).every(({ bytes }) => bytes <= 4096));
      assert.equal(one.set_aside, 0);
    });

    test(`${protocol}: what is taken in part is counted, and not sent again`, async (t) => {
      const { receiver, here } = await shipping(t, { receiver: { protocol, script: [{ partial: { rejectedSpans: 2, errorMessage: 'too old' } }] } });
      const { one } = await here.statusWhen(({ one }) => one.refused, 'the refusal');
      assert.deepEqual([one.delivered, one.refused, one.waiting, one.set_aside], [count(spool.spans) - 2, 2, 0, 0]);
      assert.equal(one.error, '2 spans of a request were not taken: too old');
      await here.trace();
      await receiver.when(({ requests }) => requests.length > 1);
      assert.ok(receiver.requests.slice(1).every(({ spans }) => spans.every((span) => !spool.spans[keyOf(span)])));
      assert.deepEqual(receiver.violations, []);
    });
  }

  test('a warning is no refusal; a success may be 202, and empty', async (t) => {
    const { receiver, here } = await shipping(t, {
      batch_spans: 10,
      receiver: { script: [{ partial: { rejectedSpans: 0, errorMessage: 'old version' } }, { status: 202, body: '' }] },
    });
    const { one } = await allDelivered(here, receiver);
    assert.equal(one.error, 'it warns: old version');
    assert.deepEqual([one.refused, one.set_aside], [0, 0]);
    assertArrived(receiver, spool.spans);
  });

  test('a redirection is not followed', async (t) => {
    const other = await Receiver.start({ t });
    const { receiver, here } = await shipping(t, { receiver: { script: [{ status: 307, headers: { location: `${other.origin}/v1/traces` } }] } });
    const { one } = await here.statusWhen(({ one }) => one.error, 'the error');
    assert.match(one.error, /^HTTP 307 Temporary Redirect.*redirections are not followed/);
    assert.equal(receiver.requests.length, 1);
    assert.equal(other.connections, 0);
  });
});

describe('B6, B7, B8', together, () => {
  for (const protocol of ['http', 'grpc']) {
    test(`B6: ${protocol}: one poisoned span is found and set aside, the others arrive`, async (t) => {
      const poisoned = Object.values(spool.spans).find(({ span }) => attributesOf(span)['mcp.tool_name'] === 'get-sum');
      assert.ok(poisoned);
      const refuses = ({ spans }) => spans.some((span) => keyOf(span) === keyOf(poisoned)) ? answers(protocol === 'http' ? 400 : 3, protocol) : {};
      const { receiver, here } = await shipping(t, { receiver: { protocol, script: refuses } });
      const { one } = await here.statusWhen(({ one }) => one.set_aside && !one.waiting, 'that it is set aside');
      assert.deepEqual([one.delivered, one.set_aside], [count(spool.spans) - 1, 1]);
      const { [keyOf(poisoned)]: _, ...others } = spool.spans;
      assertArrived(receiver, others);
      assert.deepEqual(byId(here.asideSpans('one')), { [keyOf(poisoned)]: poisoned });
      // What comes then is not held up.
      await here.trace();
      const told = toldBy(here.home);
      await receiver.when(({ spans }) => count(byId(spans())) === count(told) - 1);
    });
  }

  test('B7: beside one that hangs and one that is down, the third has all at once', async (t) => {
    const hanging = await Receiver.start({ t, script: () => ({ hang: true }) }), live = await Receiver.start({ t });
    const down = `http://127.0.0.1:${await freePort()}`;
    const here = installation(t, {
      spool, destinations: [
        { name: 'hangs', endpoint: hanging.origin, timeout: '1h', batch_spans: 2 }, { name: 'down', endpoint: down, retry_first: '1h' },
        { name: 'live', endpoint: live.origin }],
    });
    await here.stay();
    await live.when(({ spans }) => spans().length === count(spool.spans));
    await hanging.when(({ requests }) => requests.length === 2);
    await here.trace();
    const told = toldBy(here.home);
    await live.when(({ spans }) => spans().length === count(told));
    assertArrived(live, told);
    assert.equal(hanging.requests.length, 2, 'still the first requests');
    const status = await here.statusWhen(({ live }) => live.waiting === 0, 'status');
    assert.deepEqual([status.hangs.delivered, status.down.delivered, status.live.delivered], [0, 0, count(told)]);
  });

  for (const protocol of ['http', 'grpc']) {
    for (const cut of ['before', 'after', 'middle']) {
      test(`B8: ${protocol}: a connection that is cut (${cut}) loses nothing`, async (t) => {
        const { receiver, here } = await shipping(t, { receiver: { protocol, script: ({ number }) => number % 2 && number < 6 ? { cut } : {} }, batch_spans: 5 });
        const { one } = await allDelivered(here, receiver);
        assertArrived(receiver, spool.spans);
        assert.equal(one.delivered, count(spool.spans), 'each is counted once');
      });
    }
  }
});
