// A client that closes waits for its server two seconds, then sends signals: we are gone long before, and everything is on disk.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { calls, freshDirectory, legacyClient, legacyServer, modernClient, modernServer, outcome, root, sessions, traced } from './peers.mjs';

const kSessions = 20;

// From the end of the server's process to the end of ours, milliseconds.
const lag = (exit, record) => Number(exit.at - BigInt(fs.readFileSync(`${record}.exit`, 'utf8'))) / 1e6;
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

for (const [era, open] of [
  ['legacy', (home, record) => legacyClient(traced(home, legacyServer(record)))],
  ['modern', (home, record) => modernClient(traced(home, modernServer(record)), { pin: '2026-07-28' })],
]) {
  test(`${era}: ${kSessions} sessions close without a signal, and none is lost`, async (t) => {
    const directory = freshDirectory(t);
    const home = path.join(directory, 'state');
    const lags = [];
    for (let i = 0; i < kSessions; ++i) {
      const record = path.join(directory, `record-${i}`);
      const peer = await open(home, record);
      await peer.client.callTool({ name: 'echo', arguments: { message: `${i}` } });
      const exit = await peer.close();
      assert.deepEqual([exit.code, exit.signal], [0, null]);
      lags.push(lag(exit, record));
    }
    // The goal is 50 ms; a loaded machine may take longer, but not for most of them.
    assert.ok(median(lags) < 100, `ms from the server's end to ours: ${lags.map(Math.round)}`);
    const all = sessions(home);
    assert.equal(all.length, kSessions);
    for (const spans of all) {
      assert.deepEqual(calls(spans).map(outcome), ['ok']);
      assert.ok(root(spans));
    }
  });
}

test('many sessions at once share one installation', async (t) => {
  const directory = freshDirectory(t);
  const home = path.join(directory, 'state');
  const peers = await Promise.all(Array.from({ length: 8 }, (_, i) =>
    legacyClient(traced(home, legacyServer(path.join(directory, `record-${i}`))))));
  await Promise.all(peers.map((peer) => peer.client.callTool({ name: 'echo', arguments: { message: 'x' } })));
  const ends = await Promise.all(peers.map((peer) => peer.close()));
  assert.deepEqual(ends.map(({ code, signal }) => [code, signal]), ends.map(() => [0, null]));
  const all = sessions(home);
  assert.equal(all.length, peers.length);
  assert.equal(new Set(all.map((spans) => root(spans).attributes['mcp.session_id'])).size, peers.length);
  // One client process: readers may group its servers.
  assert.equal(new Set(all.map((spans) => root(spans).attributes['mcp.client.process'])).size, 1);
});
