// What `mcptrace ship` delivers to receivers that others have made: an OpenTelemetry Collector gets, field by field, what `mcptrace
// trace` tells.
import assert from 'node:assert/strict';
import test from 'node:test';
import { answerTheServer, capabilities, drive } from '../e2e/everything.mjs';
import { everythingOverHttp, legacyHttpClient, startProxy } from '../e2e/http_peers.mjs';
import { freshHome } from '../e2e/peers.mjs';
import { byId, installation, sample, toldBy } from '../e2e/shipping.mjs';
import { missing } from './peers.mjs';
import { startCollector } from './receivers.mjs';

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
