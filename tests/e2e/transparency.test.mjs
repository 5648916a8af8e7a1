// The wrapper changes nothing but the context it adds: the same bytes, the same exit, no trace of itself when it is off.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { answerTheServer, capabilities } from './everything.mjs';
import {
  direct, freshDirectory, freshHome, legacyClient, legacyServer, mcptrace, modernClient, modernServer, recorded, sessionList, sessions, traced,
} from './peers.mjs';

const pipeBytes = 64 * 1024;
const long = 'ü\u2028"\\\u0007'.repeat(20_000);

async function talkLegacy(how) {
  const peer = await legacyClient(how, capabilities, answerTheServer);
  await peer.client.listTools();
  for (const message of ['', 'plain', '{"id":1}', long]) await peer.client.callTool({ name: 'echo', arguments: { message } });
  await peer.client.callTool({ name: 'fail', arguments: { message: 'no' }, _meta: { progressToken: 'p' } });
  await peer.client.getPrompt({ name: 'refuse', arguments: { who: 'x' } }).catch(() => {});
  await Promise.all([1, 2, 3, 4, 5].map((i) => peer.client.callTool({ name: 'echo', arguments: { message: `${i}` } })));
  await peer.client.ping();
  const exit = await peer.close();
  return { stdout: Buffer.concat(peer.stdout), stderr: Buffer.concat(peer.stderr).toString(), code: exit.code, signal: exit.signal };
}

async function talkModern(how) {
  const peer = await modernClient(how, { pin: '2026-07-28' });
  await peer.client.listTools();
  for (const message of ['', 'plain', long]) await peer.client.callTool({ name: 'echo', arguments: { message } });
  await peer.client.callTool({ name: 'missing', arguments: {} }).catch(() => {});
  const exit = await peer.close();
  return { stdout: Buffer.concat(peer.stdout), stderr: Buffer.concat(peer.stderr).toString(), code: exit.code, signal: exit.signal };
}

// The message without what we may have added to it.
function withoutContext(message) {
  const copy = structuredClone(message);
  if (copy.params?._meta) {
    delete copy.params._meta.traceparent;
    delete copy.params._meta.tracestate;
    if (Object.keys(copy.params._meta).length === 0) delete copy.params._meta;
    if (Object.keys(copy.params).length === 0) delete copy.params;
  }
  return copy;
}

for (const [era, talk, server] of [['legacy', talkLegacy, legacyServer], ['modern', talkModern, modernServer]]) {
  test(`${era}: with --no-inject both directions are byte-equal to the server without us`, async (t) => {
    const directory = freshDirectory(t);
    const [plain, ours] = [path.join(directory, 'plain'), path.join(directory, 'ours')];
    const home = path.join(directory, 'state');
    const before = await talk(direct(server(plain)));
    const after = await talk(traced(home, server(ours), { options: ['--no-inject'] }));
    assert.deepEqual(after, before);
    assert.ok(fs.readFileSync(`${ours}.in`).equals(fs.readFileSync(`${plain}.in`)), 'client to server');
    assert.ok(fs.readFileSync(`${ours}.out`).equals(after.stdout), 'server to client');
    assert.equal(sessionList(home).length, 1, 'and it was traced');
  });

  test(`${era}: injection adds a context and changes nothing else`, async (t) => {
    const directory = freshDirectory(t);
    const [plain, ours] = [path.join(directory, 'plain'), path.join(directory, 'ours')];
    const home = path.join(directory, 'state');
    const before = await talk(direct(server(plain)));
    const after = await talk(traced(home, server(ours)));
    assert.deepEqual(after, before);
    const received = recorded(ours, 'in');
    assert.deepEqual(received.map(withoutContext), recorded(plain, 'in').map(withoutContext));
    const requests = received.filter((message) => message.id !== undefined && message.method !== undefined);
    assert.ok(requests.length > 4);
    const without = requests.filter((request) => request.method !== 'initialize' && !request.params?._meta?.traceparent);
    // Only a line that no pipe holds can be too slow, on a busy machine: then it went without, and its span says so.
    for (const request of without) assert.ok(JSON.stringify(request).length > pipeBytes, request.method);
    const slow = sessions(home).flat().filter((span) => span.attributes['mcptrace.not_injected'] === 'too_slow');
    assert.equal(slow.length, without.length);
  });

  test(`${era}: MCPTRACE_DISABLED=1 is as if we were not there`, async (t) => {
    const directory = freshDirectory(t);
    const [plain, ours] = [path.join(directory, 'plain'), path.join(directory, 'ours')];
    const home = path.join(directory, 'state');
    const before = await talk(direct(server(plain)));
    const after = await talk(traced(home, server(ours), { env: { MCPTRACE_DISABLED: '1' } }));
    assert.deepEqual(after, before);
    assert.ok(fs.readFileSync(`${ours}.in`).equals(fs.readFileSync(`${plain}.in`)));
    assert.equal(fs.existsSync(home), false, 'no state directory');
  });
}

test('exit statuses, signals and a command that is not there', (t) => {
  const home = freshHome(t);
  for (const code of [0, 1, 7, 255]) assert.equal(mcptrace(home, ['run', '--', 'sh', '-c', `exit ${code}`]).status, code);
  assert.equal(mcptrace(home, ['run', '--', 'sh', '-c', 'kill -TERM $$']).signal, 'SIGTERM');
  // Clients that take "--" for their own hand it over without; what stands behind the command is the command's.
  assert.equal(mcptrace(home, ['run', '--naming', 'guide', 'sh', '-c', 'exit $#', 'sh', '--naming', '--help', '--']).status, 3);
  const notAnOption = mcptrace(home, ['run', '--', '--help']);
  assert.equal(notAnOption.status, 127);
  assert.equal(notAnOption.stdout, '');
  assert.equal(mcptrace(home, ['run', '--nonsense', 'true']).status, 2);
  const missing = mcptrace(home, ['run', '--', '/nonexistent/server', 'argument-of-it']);
  assert.equal(missing.status, 127);
  assert.equal(missing.stdout, '');
  assert.equal(missing.stderr.trimEnd().split('\n').length, 1, missing.stderr);
  assert.match(missing.stderr, /^mcptrace: cannot run \/nonexistent\/server: there is no such file$/m);
});

test('what is no JSON-RPC passes too, and is kept out of sight', (t) => {
  const home = freshHome(t);
  const input = Buffer.concat([Buffer.from([0, 255, 10, 13, 10]), Buffer.from('{"a":\n\n[1,2'), Buffer.from('\ufeff{}\r\n tail')]);
  const done = mcptrace(home, ['run', '--', 'cat'], { input });
  assert.equal(done.status, 0);
  assert.equal(done.stdout, input.toString('utf8'));
});

test('a state directory that cannot be made costs the telemetry, not the traffic', (t) => {
  const directory = freshDirectory(t);
  const file = path.join(directory, 'file');
  fs.writeFileSync(file, '');
  const done = mcptrace(path.join(file, 'state'), ['run', '--', 'cat'], { input: '{"jsonrpc":"2.0","id":1,"method":"ping"}\n' });
  assert.equal(done.status, 0);
  assert.equal(JSON.parse(done.stdout).id, 1);
  assert.match(done.stderr, /^mcptrace: [^\n]+\n$/, 'said once');
});
