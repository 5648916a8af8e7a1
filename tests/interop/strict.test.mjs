// Servers that refuse members which they do not know, `_meta` of params among them. Through mcptrace their clients get what they
// ask for: at most the first request of a kind is refused, and then never again, in no session of that server.
//
// What was found out about real SDKs: with their own schemas none of those that the matrix runs refuses `_meta`, nor does Java's
// where Jackson fails on unknown properties (its records say themselves that they ignore them). These do, as written by their
// users: models of their own in the Python SDK 2 (-32602, a text without `_meta`), strict zod schemas in the npm SDK (-32603, with),
// Go's DisallowUnknownFields (-32602, or HTTP 400, with), pydantic behind FastAPI (HTTP 422 and no JSON-RPC, with).
import assert from 'node:assert/strict';
import test from 'node:test';
import { legacyHttpClient, startProxy } from '../e2e/http_peers.mjs';
import { calls, direct, freshHome, legacyClient, named, outcome, root, sessions, traced } from '../e2e/peers.mjs';
import { file, go, missing, python, serve, servers } from './peers.mjs';

const overStdio = {
  'Go, DisallowUnknownFields': { language: 'go', command: [go('strict'), 'server', 'stdio'], tells: true },
  'Python, pydantic forbids': { language: 'python', command: [python(2), file('python/strict.py'), 'stdio'], tells: true },
  'Python SDK 2, its user\'s models': { language: 'python', command: [python(2), file('python/strict_sdk.py')], tells: false },
  'npm SDK, zod strict': { language: 'npm', command: [process.execPath, file('../e2e/strict_server.mjs')], tells: true },
};
const overHttp = {
  'Go, DisallowUnknownFields': { language: 'go', command: [go('strict'), 'server', 'http'], refusal: 'rpc_error' },
  'Python, pydantic behind 422': { language: 'python', command: [python(2), file('python/strict.py'), 'http'], refusal: 'transport_error' },
};

const echo = (peer) => peer.client.callTool({ name: 'echo', arguments: { message: 'hi' } });
// Whether each of a number of equal requests, one after the other, got its result.
async function tries(number, ask) {
  const got = [];
  for (let i = 0; i < number; i++) got.push(await ask().then(() => true, () => false));
  return got;
}
const found = (spans) => root(spans).attributes['mcptrace.finding.strict_server'];
const injected = (span) => span.attributes['mcptrace.injected'];
const strictLines = (lines) => lines.filter((line) => /^mcptrace: .*--inject/.test(line));
const stderrLines = (peer) => Buffer.concat(peer.stderr).toString().split('\n');

// --- stdio ---

for (const [name, { language, command, tells }] of Object.entries(overStdio)) {
  const skip = missing(language) ?? false;

  test(`${name}: without mcptrace nothing is refused`, { skip }, async () => {
    const peer = await legacyClient(direct(command));
    assert.deepEqual(await tries(2, () => peer.client.listTools()), [true, true]);
    assert.deepEqual(await tries(2, () => echo(peer)), [true, true]);
    await peer.close();
  });

  test(`${name}: a list is refused once, then nothing is`, { skip }, async (t) => {
    const home = freshHome(t);
    const peer = await legacyClient(traced(home, command));
    assert.deepEqual(await tries(3, () => peer.client.listTools()), [false, true, true]);
    assert.deepEqual(await tries(3, () => echo(peer)), [true, true, true]);
    await peer.close();
    assert.equal(strictLines(stderrLines(peer)).length, 1, 'said once, with the option');

    const [spans] = sessions(home);
    assert.deepEqual(named(spans, 'mcp.tools_list').map(outcome), ['rpc_error', 'ok', 'ok']);
    assert.deepEqual(named(spans, 'mcp.tools_list').map(injected), ['params', undefined, undefined]);
    assert.deepEqual(calls(spans).map(outcome), ['ok', 'ok', 'ok']);
    assert.deepEqual(calls(spans).map(injected), [undefined, undefined, undefined]);
    assert.ok(found(spans) >= 1, 'the finding: when it was found out, and each request that goes without');

    const next = await legacyClient(traced(home, command));
    assert.deepEqual(await tries(2, () => next.client.listTools()), [true, true], 'it is remembered');
    assert.deepEqual(await tries(1, () => echo(next)), [true]);
    await next.close();
    assert.equal(strictLines(stderrLines(next)).length, 0, 'said once');
  });

  test(`${name}: calls alone come to the same`, { skip }, async (t) => {
    const home = freshHome(t);
    const peer = await legacyClient(traced(home, command));
    // A text that names `_meta` is proof at once; else it takes three alternations.
    const expected = tells ? [false, true, true, true, true, true, true, true] : [false, true, false, true, false, true, true, true];
    assert.deepEqual(await tries(8, () => echo(peer)), expected);
    assert.deepEqual(await tries(2, () => peer.client.listTools()), [true, true]);
    await peer.close();
    const [spans] = sessions(home);
    assert.ok(found(spans) >= 1);
  });

  test(`${name}: --inject never, --inject always`, { skip }, async (t) => {
    const never = await legacyClient(traced(freshHome(t), command, { options: ['--inject', 'never'] }));
    assert.deepEqual(await tries(2, () => never.client.listTools()), [true, true]);
    await never.close();
    const always = await legacyClient(traced(freshHome(t), command, { options: ['--inject', 'always'] }));
    assert.deepEqual(await tries(3, () => always.client.listTools()), [false, false, false]);
    await always.close();
  });
}

// --- HTTP ---

for (const [name, { language, command, refusal }] of Object.entries(overHttp)) {
  const skip = missing(language) ?? false;

  test(`${name}, over HTTP: a list is refused once, then nothing is`, { skip }, async (t) => {
    const home = freshHome(t);
    const { origin } = await serve(t, command);
    const proxy = await startProxy(home, origin);
    const peer = await legacyHttpClient(`${proxy.origin}/mcp`);
    assert.deepEqual(await tries(3, () => peer.client.listTools()), [false, true, true]);
    assert.deepEqual(await tries(3, () => echo(peer)), [true, true, true]);
    await peer.close();
    const next = await legacyHttpClient(`${proxy.origin}/mcp`);
    assert.deepEqual(await tries(1, () => next.client.listTools()), [true], 'another client of the same route');
    await next.close();
    await proxy.stop();
    assert.equal(strictLines(proxy.stderr).length, 1);

    const spans = sessions(home).flat();
    assert.deepEqual(named(spans, 'mcp.tools_list').map(outcome), [refusal, 'ok', 'ok', 'ok']);
    assert.deepEqual(calls(spans).map(outcome), ['ok', 'ok', 'ok']);

    // What one proxy learnt, the next of this installation knows; the server listens where it did.
    const again = await startProxy(home, origin);
    const later = await legacyHttpClient(`${again.origin}/mcp`);
    assert.deepEqual(await tries(1, () => later.client.listTools()), [true], 'it is remembered');
    await later.close();
    await again.stop();
  });
}

// --- who refuses for other reasons ---

test('arguments that are at fault prove nothing', { skip: missing('go') ?? false }, async (t) => {
  const home = freshHome(t);
  const peer = await legacyClient(traced(home, servers['go-sdk'].command('stdio')));
  const refused = () => peer.client.callTool({ name: 'no_such_tool', arguments: {} });
  assert.deepEqual(await tries(6, refused), [false, false, false, false, false, false], 'by -32602, with and without');
  assert.deepEqual(await tries(3, () => echo(peer)), [true, true, true]);
  await peer.close();
  const [spans] = sessions(home);
  assert.equal(found(spans), undefined);
  assert.deepEqual(calls(spans, 'echo').map(injected), ['meta', 'meta', 'meta']);
});

test('a server that takes what it does not know always gets its context', { skip: missing('python') ?? false }, async (t) => {
  const home = freshHome(t);
  const peer = await legacyClient(traced(home, servers['python-2-mcp'].command('stdio')));
  await peer.client.listTools();
  assert.deepEqual(await tries(5, () => peer.client.callTool({ name: 'fail', arguments: {} })), [true, true, true, true, true]);
  assert.deepEqual(await tries(1, () => echo(peer)), [true]);
  await peer.close();
  const [spans] = sessions(home);
  for (const span of calls(spans)) assert.equal(injected(span), 'meta');
  assert.deepEqual(calls(spans, 'fail').map(outcome), Array(5).fill('tool_error'));
});
