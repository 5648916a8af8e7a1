// What a person or a script asks afterwards: sessions, trace, trace --follow, clear.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { answerTheServer, capabilities, drive } from './everything.mjs';
import {
  binary, clientInfo, everythingServer, eventually, freshDirectory, freshHome, legacyClient, legacyServer, mcptrace, otlpText, sessionList,
  trace, traced,
} from './peers.mjs';

test('sessions and trace say in text and JSON what the spans say', async (t) => {
  const home = freshHome(t);
  const peer = await legacyClient(traced(home, everythingServer), capabilities, answerTheServer);
  await drive(peer.client);
  await peer.close();

  const list = sessionList(home);
  assert.equal(list.length, 1);
  const [session] = list;
  assert.match(session.id, /^s-[0-9a-f]{16}$/);
  assert.equal(session.state, 'closed');
  assert.equal(session.class, 'agent');
  assert.equal(session.failure, undefined);
  assert.deepEqual(session.findings, []);
  assert.equal(session.client_name, clientInfo.name);
  assert.equal(session.server_name, 'mcp-servers/everything');
  assert.equal(session.protocol_version, '2025-11-25');
  assert.equal(session.counts.calls, 7);
  assert.equal(session.counts.errors, 1);
  assert.equal(session.counts.dropped, 0);

  const spans = trace(home, session.id);
  const json = JSON.parse(mcptrace(home, ['trace', session.id, '--format', 'json']).stdout);
  assert.deepEqual(json.session, session);
  assert.deepEqual(json.spans.map((span) => span.span_id).sort(), spans.map((span) => span.spanId).sort());
  assert.deepEqual(json.spans.filter((span) => span.error).map((span) => span.outcome), ['tool_error']);

  const table = mcptrace(home, ['sessions']).stdout;
  assert.match(table, /closed/);
  assert.ok(table.includes(session.id.slice(0, 10)), table);
  const waterfall = mcptrace(home, ['trace']).stdout;
  for (const word of ['agent_session', 'mcp.initialize', 'mcp.tools_list', 'mcp.tool_call', 'get-sum', 'trigger-long-running', 'tool_error']) {
    assert.ok(waterfall.includes(word), `${word} is not in\n${waterfall}`);
  }
  assert.ok(!waterfall.includes('\x1b'), 'no colour where there is no terminal');
  // By a part of its id, and by its trace.
  assert.equal(otlpText(home, session.id.slice(0, 8)), otlpText(home, session.id));
  assert.equal(otlpText(home, spans[0].traceId), otlpText(home, session.id));
});

test('an unknown id, a wrong option and an empty spool are said, not guessed', (t) => {
  const home = freshHome(t);
  assert.equal(mcptrace(home, ['sessions']).status, 0);
  assert.deepEqual(sessionList(home), []);
  for (const args of [['trace', 's-0123456789abcdef'], ['sessions', '--nonsense'], ['trace', '--format', 'xml'], ['nonsense'], ['run'],
    ['run', '--nonsense', '--', 'true'], ['run', '--nonsense', 'true'], ['run', '--'], ['run', '--naming']]) {
    const done = mcptrace(home, args);
    assert.ok(done.status > 0, `${args}: ${done.status}`);
    assert.equal(done.stdout, '', `${args}`);
    assert.match(done.stderr, /^mcptrace/, `${args}`);
  }
  for (const args of [['--help'], ['run', '--help'], ['sessions', '--help'], ['trace', '--help'], ['clear', '--help'], ['--version']]) {
    const done = mcptrace(home, args);
    assert.equal(done.status, 0, `${args}`);
    assert.ok(done.stdout.length > 5, `${args}`);
  }
});

test('help that cannot be printed is said on stderr', (t) => {
  const full = openSync('/dev/full', 'w');
  t.after(() => closeSync(full));
  for (const args of [[], ['--help'], ['run', '--help'], ['proxy', '--help'], ['sessions', '--help']]) {
    const done = spawnSync(binary, args, { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' });
    assert.equal(done.status, 1, `${args}`);
    assert.equal(done.stderr, 'mcptrace: write: No space left on device\n', `${args}`);
  }
});

test('trace --follow shows calls as they end, and ends with the session', async (t) => {
  const home = freshHome(t);
  const peer = await legacyClient(traced(home, legacyServer(path.join(freshDirectory(t), 'record'))));
  await eventually(() => sessionList(home).length === 1, 'the session');
  const follow = spawn(binary, ['trace', '--follow', '--format', 'json'], {
    env: { PATH: process.env.PATH, MCPTRACE_HOME: home }, stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => follow.kill('SIGKILL'));
  let text = '';
  follow.stdout.on('data', (bytes) => { text += bytes; });
  const ended = new Promise((resolve) => follow.once('close', resolve));
  await eventually(() => text.includes('mcp.initialize'), 'what was there before');
  await peer.client.callTool({ name: 'echo', arguments: { message: 'a' } });
  await eventually(() => text.includes('"echo"'), 'the call');
  await peer.close();
  assert.equal(await ended, 0);
  const lines = text.trimEnd().split('\n').map((line) => JSON.parse(line));
  assert.equal(lines.at(-1).session.state, 'closed');
  assert.deepEqual(lines.slice(0, -1).map((line) => line.span.name).sort(),
    ['mcp.initialize', 'mcp.notifications_initialized', 'mcp.tool_call']);
});

test('clear deletes what has ended and keeps what runs', async (t) => {
  const home = freshHome(t);
  const record = path.join(freshDirectory(t), 'record');
  const ended = await legacyClient(traced(home, legacyServer(record)));
  await ended.close();
  const running = await legacyClient(traced(home, legacyServer(record)));
  await eventually(() => sessionList(home).length === 2, 'both sessions');
  const done = mcptrace(home, ['clear']);
  assert.equal(done.status, 0, done.stderr);
  assert.deepEqual(sessionList(home).map((session) => session.state), ['open']);
  await running.client.callTool({ name: 'echo', arguments: { message: 'a' } });
  await running.close();
  assert.deepEqual(sessionList(home).map((session) => session.counts.calls), [1]);
  assert.equal(mcptrace(home, ['clear']).status, 0);
  assert.deepEqual(sessionList(home), []);
});
