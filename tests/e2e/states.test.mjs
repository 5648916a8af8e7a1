// What readers say of sessions that were no use, and of those that nobody ends.
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  everythingServer, eventually, freshHome, legacyClient, mcptrace, modernClient, sessionList, traced,
} from './peers.mjs';
import { ask, initialize, legacyHttpClient, listen, modernHttpClient, startProxy } from './http_peers.mjs';

const line = (message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`;
const initializeLine = line({
  id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
});
const discoverLine = line({ id: 1, method: 'server/discover', params: { _meta: {} } });
// Says nothing to what it does not know, as some servers do.
const silentServer = ['sh', '-c', `while read -r line; do case "$line" in *'"initialize"'*)
  echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"sh","version":"1"}}}';; esac; done`];

// The newest session is the only one that failed, so; `mcptrace trace` shows it and says why.
function checkFailed(home, failure, why, others = 0) {
  const list = sessionList(home), [newest] = list;
  assert.equal(list.length, 1 + others);
  assert.deepEqual([newest.state, newest.failure, newest.class], ['failed', failure, 'agent']);
  assert.deepEqual(sessionList(home, '--errors').map((session) => session.id), [newest.id]);
  const shown = mcptrace(home, ['trace']).stdout;
  assert.ok(shown.includes(newest.id) && shown.includes(`failed: ${why}\n`), shown);
  assert.match(mcptrace(home, ['sessions']).stdout.split('\n')[1], / failed /);
  return newest;
}

for (const [era, client, ...how] of [
  ['legacy', legacyClient, 'ended_first', 'the server ended before it had answered anything'],
  // To end at server/discover is no error by itself: so may servers refuse it.
  ['modern', (how) => modernClient(how, { pin: '2026-07-28' }), 'no_answer', 'the server did not answer the handshake'],
]) {
  test(`a server that ends at once, ${era}: the session failed, and is the one that trace shows`, async (t) => {
    const home = freshHome(t);
    await (await legacyClient(traced(home, everythingServer))).close();
    await assert.rejects(client(traced(home, ['sh', '-c', 'read -r line; exit 3'])));
    await eventually(() => sessionList(home, '--errors').length === 1, 'the end of the session');
    assert.equal(checkFailed(home, ...how, 1).server_exit_status, 3);
  });
}

test('a server that ends at once, tried in both eras: each try failed', async (t) => {
  const home = freshHome(t);
  await assert.rejects(modernClient(traced(home, ['sh', '-c', 'exit 3']), 'auto'));
  await eventually(() => sessionList(home).every((session) => session.state === 'failed'), 'the end of the last');
  assert.deepEqual(sessionList(home, '--all').map((session) => session.class), sessionList(home).map(() => 'agent'));
});

test('a server that cannot be started', (t) => {
  const home = freshHome(t);
  assert.equal(mcptrace(home, ['run', '--', '/nonexistent/server'], { input: initializeLine }).status, 127);
  const session = checkFailed(home, 'not_started', 'the server could not be started');
  assert.equal(session.error_type, 'server_not_started');
});

test('a server that says nothing until the client leaves', (t) => {
  const home = freshHome(t);
  mcptrace(home, ['run', '--', 'sh', '-c', 'cat > /dev/null'], { input: initializeLine });
  checkFailed(home, 'no_answer', 'the server did not answer the handshake');
});

test('an unanswered question for the era failed, unless the client then uses the same server', (t) => {
  const home = freshHome(t);
  mcptrace(home, ['run', '--', ...silentServer], { input: discoverLine });
  checkFailed(home, 'no_answer', 'the server did not answer the handshake');
  mcptrace(home, ['run', '--', 'sh', '-c', `: ; ${silentServer[2]}`], { input: initializeLine });
  assert.deepEqual(sessionList(home).map((session) => session.state), ['closed', 'failed'], 'another command');
  mcptrace(home, ['run', '--', ...silentServer], { input: initializeLine });
  assert.deepEqual(sessionList(home).map((session) => session.state), ['closed', 'closed']);
  assert.deepEqual(sessionList(home, '--all').map((session) => session.class), ['agent', 'agent', 'probe']);
});

test('a server over HTTP that wants a sign-in', async (t) => {
  const challenge = { 'www-authenticate': 'Bearer realm="x"' };
  for (const [what, headers, use, scheme] of [
    ['legacy', challenge, (url) => assert.rejects(legacyHttpClient(url)), 'Bearer'],
    ['modern', challenge, (url) => assert.rejects(modernHttpClient(url, { pin: '2026-07-28' })), 'Bearer'],
    ['without a challenge', {}, (url) => ask(url, { body: initialize() }), undefined],
  ]) {
    const home = freshHome(t);
    const server = await listen(t, (request, response) => request.resume().on('end', () => response.writeHead(401, headers).end()));
    const proxy = await startProxy(home, server.origin);
    await use(`${proxy.origin}/mcp`);
    await eventually(() => sessionList(home).length !== 0, 'the session');
    await proxy.stop();
    for (const session of sessionList(home)) {
      assert.deepEqual([session.state, session.failure, session.auth_scheme], ['failed', 'needs_sign_in', scheme], what);
    }
    const why = `failed: the server needs sign-in${scheme ? ` (${scheme})` : ''}\n`;
    assert.ok(mcptrace(home, ['trace']).stdout.includes(why), what);
  }
});

test('findings are listed, the worst first, with what they mean', (t) => {
  const home = freshHome(t);
  mcptrace(home, ['run', '--', 'sh', '-c', `echo '{"hello":1}'; echo '{"hello":2}'; ${silentServer[2]}`], { input: initializeLine });
  const [session] = sessionList(home);
  const found = session.findings.find(({ code }) => code === 'not_mcp_message');
  assert.deepEqual(found, { code: 'not_mcp_message', severity: 'warning', count: 2 });
  const json = JSON.parse(mcptrace(home, ['trace', '--format', 'json']).stdout);
  assert.deepEqual(json.session.findings, session.findings);
  assert.ok(json.spans.every((span) => Array.isArray(span.findings)));
  assert.match(mcptrace(home, ['trace']).stdout, /\nwarning not_mcp_message, 2 times: On stdio, a line /);
});
