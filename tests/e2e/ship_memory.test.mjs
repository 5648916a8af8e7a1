// What a receiver does costs `mcptrace ship` no memory: one that is down (B1), one whose answers are large or never end (B5). In a
// release build: a sanitizer's memory is its own.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { Receiver } from './otlp_receiver.mjs';
import { assertArrived, byId, installation, residentKib, sample, toldBy } from './shipping.mjs';

let spool;
before(async () => { spool = await sample(); });
const count = (spans) => Object.keys(spans).length;
const kMost = 8 << 10;  // KiB

describe('memory', { concurrency: 3 }, () => {
  for (const [protocol, hows] of [['http', { huge: { huge: 10 * 2 ** 30 }, bomb: { bomb: true }, 'huge refusal': { status: 400, huge: 10 * 2 ** 30 } }], ['grpc', { huge: { huge: 10 * 2 ** 30 } }]]) {
    for (const [name, answer] of Object.entries(hows)) {
      test(`B5: ${protocol}: an answer without end (${name}) is cut off, and takes no memory`, async (t) => {
        let bad = false;
        const receiver = await Receiver.start({ t, protocol, script: () => {
          const scripted = bad ? answer : {};
          bad = false;
          return scripted;
        } });
        const here = installation(t, { spool, destinations: [{ name: 'one', endpoint: receiver.origin, protocol: protocol === 'http' ? 'http/protobuf' : 'grpc' }] });
        const ship = await here.stay();
        await here.statusWhen(({ one }) => one.delivered === count(spool.spans), 'the first');
        const before = residentKib(ship.pid, 'VmHWM');
        bad = true;
        await here.trace();
        const { one } = await here.statusWhen(({ one }) => one.error && !one.waiting, 'the answer');
        assert.match(one.error, /larger than|more than|too large|4 ?MiB/i);
        const more = residentKib(ship.pid, 'VmHWM') - before;
        assert.ok(more <= kMost, `${more} KiB more`);
        // What comes then is delivered; the answered request is not sent again.
        const requests = receiver.requests.length;
        await here.trace();
        await receiver.when((it) => it.requests.length > requests);
        await here.statusWhen((status) => !status.one.waiting, 'the rest');
        assertArrived(receiver, answer.status ? byId(receiver.spans()) : toldBy(here.home));
        assert.equal(new Set(receiver.spans().map(({ span }) => span.spanId)).size, receiver.spans().length, 'each once');
      });
    }
  }

  test('B1: while a destination is down, what waits is on the disk', async (t) => {
    let up = false;
    const receiver = await Receiver.start({ t, script: () => up ? {} : { cut: 'before' } });
    const here = installation(t, { destinations: [{ name: 'one', endpoint: receiver.origin, batch_spans: 50 }] });
    const ship = await here.stay();
    await here.trace(2_000);
    await receiver.when(({ requests }) => requests.length > 0);
    const before = residentKib(ship.pid);
    for (let i = 0; i < 5; ++i) await here.trace(2_000);
    const requests = receiver.requests.length;
    await receiver.when((it) => it.requests.length > requests + 2);
    const more = residentKib(ship.pid) - before;
    assert.ok(more <= 5 << 10, `${more} KiB more`);
    up = true;
    const told = toldBy(here.home);
    assert.ok(count(told) > 3_000, `${count(told)} spans`);
    await receiver.when((it) => count(byId(it.spans())) === count(told));
    assertArrived(receiver, told);
  });
});
