// Servers and clients that are not quite what the specification says, as they are met: a line on stdout, an end at once, silence,
// counted messages instead of lines; heads and bodies of other servers than Node's.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ask, startProxy } from '../e2e/http_peers.mjs';
import { calls, eventually, freshHome, named, outcome, root, sessionList, sessions, status } from '../e2e/peers.mjs';
import { clients, drive, file, missing, python, serve, servers, start, wrapped } from './peers.mjs';

const skip = missing('python') ?? false;
const odd = (kind) => [python(2), file('python/odd.py'), kind];

// A client's run that may fail: what it said, and how it ended.
async function run(t, client, command) {
  try {
    return { ...(await drive(t, client, 'stdio', command)), failed: false };
  } catch (error) {
    return { failed: true, message: error.message };
  }
}

for (const name of ['npm-legacy', 'npm-modern', 'python-1-mcp', 'python-2-mcp', 'go-sdk', 'mcp-go', 'java-sdk']) {
  test(`a line on stdout before the first message, client ${name}`, { skip: skip || (missing(clients[name].language) ?? false) },
    async (t) => {
      const home = freshHome(t);
      const direct = await run(t, clients[name], odd('banner'));
      const through = await run(t, clients[name], wrapped(home, odd('banner')));
      assert.equal(through.failed, direct.failed);
      assert.deepEqual(through.steps, direct.steps);
      // A client that fails does not wait for what it started, and the banner is counted at the end.
      await eventually(() => sessionList(home, '--all').every(({ state }) => state !== 'open'), 'the end of all sessions');
      const spans = sessions(home, '--all').at(-1);
      assert.equal(root(spans).attributes['mcptrace.not_json.lines'], 1);
      assert.equal(root(spans).attributes['mcptrace.not_json.bytes'], Buffer.byteLength('Starting the server, version 1 …\n'));
      if (!direct.failed) assert.equal(outcome(calls(spans, 'echo')[0]), 'ok');
    });
}

for (const name of ['npm-legacy', 'python-1-mcp', 'python-2-mcp', 'go-sdk', 'mcp-go', 'java-sdk']) {
  test(`a server that ends at once, client ${name}`, { skip: skip || (missing(clients[name].language) ?? false) }, async (t) => {
    const home = freshHome(t);
    const { failed, message } = await run(t, clients[name], wrapped(home, odd('dies')));
    assert.ok(failed);
    // The server's own word about it still reaches whoever reads stderr.
    if (name !== 'mcp-go') assert.match(message, /cannot read its configuration/);
    // Some clients try once more, with another era. Each try is one that failed.
    const list = sessionList(home, '--all');
    assert.ok(list.length >= 1);
    for (const session of list) {
      assert.ok(session.state === 'failed', JSON.stringify(session));
      assert.equal(session.server_exit_status, 3);
    }
  });
}

test('a server that never answers: the session failed, and says so', { skip }, async (t) => {
  const home = freshHome(t);
  const child = start(t, wrapped(home, odd('silent')), { stdin: 'pipe' });
  child.stdin.write(`${JSON.stringify({
    jsonrpc: '2.0', id: 0, method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'impatient', version: '1' } } })}\n`);
  await new Promise((resolve) => child.stdin.write('{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n', resolve));
  child.stdin.end();
  assert.deepEqual(await child.ended, { code: 0, signal: null });
  const [session] = sessionList(home);
  assert.ok(session.state === 'failed', JSON.stringify(session));
  const [spans] = sessions(home);
  assert.deepEqual([...named(spans, 'mcp.initialize'), ...named(spans, 'mcp.tools_list')].map(outcome), ['abandoned', 'abandoned']);
  assert.equal(named(spans, 'mcp.initialize')[0].attributes['error.type'], 'client_closed');
});

test('counted messages, as language servers\' are, pass untouched and are traced', { skip }, async (t) => {
  const counted = (message) => {
    const body = Buffer.from(JSON.stringify(message));
    return Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]);
  };
  const input = Buffer.concat([
    { jsonrpc: '2.0', id: 1, method: 'initialize', params: {
      protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'framed-client', version: '1' } } },
    { jsonrpc: '2.0', method: 'notifications/initialized' },
    { jsonrpc: '2.0', id: 2, method: 'tools/list' },
    { jsonrpc: '2.0', id: 3, method: 'tools/call', params: { name: 'echo', arguments: { message: 'two\nlines, größer' } } },
  ].map(counted));
  const through = async (command) => {
    const child = start(t, command, { stdin: 'pipe' });
    const pieces = [];
    child.stdout.on('data', (bytes) => pieces.push(bytes));
    child.stdin.end(input);
    assert.deepEqual(await child.ended, { code: 0, signal: null });
    return Buffer.concat(pieces).toString();
  };
  const home = freshHome(t);
  const direct = await through(odd('framed'));
  assert.match(direct, /"id": 3/);
  assert.equal(await through(wrapped(home, odd('framed'))), direct);

  const [spans] = sessions(home);
  assert.deepEqual(spans.filter((span) => span.attributes['jsonrpc.request.id'] !== undefined).map((span) => [span.name, outcome(span)]),
    [['mcp.initialize', 'ok'], ['mcp.tools_list', 'ok'], ['mcp.tool_call', 'ok']]);
  const session = root(spans);
  assert.equal(status(session), 0);
  assert.equal(session.attributes['mcp.client.name'], 'framed-client');
  assert.equal(session.attributes['mcp.server.name'], 'framed');
  assert.ok(session.attributes['mcptrace.finding.content_length_framing'] >= 1);
});

// --- HTTP as other servers speak it ---

const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: {
  protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'by-hand', version: '1' } } };

// Names of fields as they were written, values too, but for what each run makes anew.
const comparable = (answer) => {
  const fields = [];
  for (let i = 0; i < answer.rawHeaders.length; i += 2) {
    const [name, value] = [answer.rawHeaders[i], answer.rawHeaders[i + 1]];
    if (!/^(date|connection|keep-alive|mcp-session-id|transfer-encoding|content-length)$/i.test(name)) fields.push(`${name}: ${value}`);
  }
  return { status: answer.status, fields };
};

// A body, up to what is of one run only: an id, a trace of the stack.
const words = (answer) => answer.text.split(/[0-9a-f]{8}-?[0-9a-f]{4}|"stackTrace"/)[0];

for (const [name, options] of [
  ['python-1-mcp', []], ['python-1-mcp', ['--json']], ['python-2-fastmcp', []], ['go-sdk', []], ['go-sdk', ['--json']], ['mcp-go', []],
  ['java-sdk', []], ['java-sdk', ['--stateless']],
]) {
  test(['heads and bodies as the server writes them', name, ...options].join(', '),
    { skip: missing(servers[name].language) ?? false }, async (t) => {
      const home = freshHome(t);
      const { origin } = await serve(t, servers[name].command('http', options));
      const proxy = await startProxy(home, origin);
      // An answer; a refusal of the media type; a method that is none; a place that is none.
      const requests = [
        ['/mcp', { body: initialize }],
        ['/mcp', { body: initialize, headers: { accept: 'text/plain' } }],
        ['/mcp', { body: '{', headers: { 'content-type': 'application/json' } }],
        ['/mcp', { method: 'PUT', body: initialize }],
        ['/nowhere/at/all', { body: initialize }],
      ];
      for (const [at, request] of requests) {
        const [direct, through] = [await ask(origin + at, request), await ask(proxy.origin + at, request)];
        assert.deepEqual(comparable(through), comparable(direct), JSON.stringify([at, request]));
        assert.equal(words(through), words(direct));
      }
      await proxy.stop();
    });
}

test('a mounted application\'s redirect leads back to the proxy', { skip }, async (t) => {
  const home = freshHome(t);
  const { origin } = await serve(t, servers['python-1-mcp'].command('http', ['--mount']));
  const proxy = await startProxy(home, origin);
  const direct = await ask(`${origin}/mcp`, { body: initialize });
  assert.equal(direct.status, 307);
  assert.equal(direct.headers.location, `${origin}/mcp/`, 'an absolute one');
  const through = await ask(`${proxy.origin}/mcp`, { body: initialize });
  assert.equal(through.status, 307);
  assert.equal(through.headers.location, `${proxy.origin}/mcp/`);
  const there = await ask(through.headers.location, { body: initialize });
  assert.equal(there.status, 200);
  await proxy.stop();
  const spans = sessions(home).flat();
  assert.deepEqual(named(spans, 'mcp.initialize').map(outcome).filter((each) => each === 'ok'), ['ok']);
});
