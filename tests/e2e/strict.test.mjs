// Servers that refuse members of `params` that they do not know: refused once for our sake, spared from then on.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { listen, readBody, startProxy } from './http_peers.mjs';
import { calls, freshHome, legacyClient, legacyServer, named, outcome, root, sessions, traced } from './peers.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const strictServer = [process.execPath, path.join(here, 'strict_server.mjs')];
const finding = 'mcptrace.finding.strict_server';

async function session(home, options, talk) {
  const peer = await legacyClient(traced(home, strictServer, { options }));
  const result = await talk(peer.client);
  await peer.close();
  return { result, stderr: Buffer.concat(peer.stderr).toString() };
}
const echo = (client) => client.callTool({ name: 'echo', arguments: { message: 'hi' } });

test('a strict server refuses one list, in whatever process, and is spared from then on', async (t) => {
  const home = freshHome(t);
  // The client gives up at the first refusal; the doubt outlives its process.
  await session(home, [], (client) => assert.rejects(client.listTools()));
  const second = await session(home, [], async (client) => [await client.listTools(), await echo(client)]);
  assert.equal(second.result[0].tools[0].name, 'echo');
  assert.equal(second.result[1].content[0].text, 'hi');
  assert.match(second.stderr, /refuses requests that carry trace context in params\._meta \(tools\/list\).*--inject always/);
  const third = await session(home, [], async (client) => [await client.listTools(), await echo(client)]);
  assert.equal(third.result[1].content[0].text, 'hi');
  assert.equal(third.stderr, '', 'it was said once');

  const [refused, found, spared] = sessions(home);
  assert.equal(named(refused, 'mcp.tools_list')[0].attributes['mcptrace.injected'], 'params');
  assert.equal(outcome(named(refused, 'mcp.tools_list')[0]), 'rpc_error');
  assert.equal(named(found, 'mcp.tools_list')[0].attributes['mcptrace.not_injected'], 'doubted');
  assert.equal(root(found).attributes[finding], 2);
  assert.equal(named(spared, 'mcp.tools_list')[0].attributes['mcptrace.not_injected'], 'strict_server');
  assert.equal(calls(spared)[0].attributes['mcptrace.not_injected'], 'strict_server');
  assert.equal(root(spared).attributes[finding], 2);
});

test('--inject always puts it in all the same, never nowhere, and neither learns anything', async (t) => {
  const home = freshHome(t);
  for (let i = 0; i < 3; ++i) {
    await session(home, ['--inject', 'always'], async (client) => {
      await assert.rejects(client.listTools());
      await assert.rejects(client.listTools());
    });
  }
  const { result } = await session(home, ['--inject', 'never'], async (client) => [await client.listTools(), await echo(client)]);
  assert.equal(result[1].content[0].text, 'hi');
  await session(home, [], (client) => assert.rejects(client.listTools()));
});

test('arguments that a model made up turn no injection off', async (t) => {
  const home = freshHome(t);
  const peer = await legacyClient(traced(home, legacyServer(path.join(path.dirname(home), 'record'))));
  for (let i = 0; i < 12; ++i) {
    await peer.client.getPrompt({ name: i % 3 === 0 ? 'refuse' : 'nobody has it', arguments: { who: 'x' } }).catch(() => {});
    await peer.client.callTool({ name: 'echo', arguments: i % 2 === 0 ? { wrong: i } : { message: 'm' } }).catch(() => {});
  }
  await peer.close();
  const [spans] = sessions(home);
  assert.equal(root(spans).attributes[finding], undefined);
  assert.equal(calls(spans).length, 12);
  assert.equal(calls(spans).at(-1).attributes['mcptrace.injected'], 'meta');
});

test('over HTTP: 422 is a refusal; --inject never is none', async (t) => {
  const home = freshHome(t);
  const { origin } = await listen(t, async (request, response) => {
    const message = JSON.parse(await readBody(request));
    const strict = message.params?._meta !== undefined;
    response.writeHead(strict ? 422 : 200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(strict ? { detail: [{ type: 'extra_forbidden', loc: ['body', 'params', '_meta'] }] }
      : { jsonrpc: '2.0', id: message.id, result: { tools: [], content: [] } }));
  });
  const ask = async (proxy, id, method, params) =>
    (await fetch(`${proxy.origin}/mcp`, { method: 'POST', headers: { 'Content-Type': 'application/json', 'Mcp-Session-Id': 's' },
      body: JSON.stringify({ jsonrpc: '2.0', id, method, params }) })).status;
  const first = await startProxy(home, origin);
  assert.deepEqual([await ask(first, 1, 'tools/list'), await ask(first, 2, 'tools/list'), await ask(first, 3, 'tools/list'),
    await ask(first, 4, 'tools/call', { name: 'a', arguments: {} })], [422, 200, 200, 200]);
  await first.stop();
  assert.ok(first.stderr.some((line) => line.includes('the server refuses requests')));
  const second = await startProxy(home, origin);
  assert.equal(await ask(second, 5, 'tools/call', { name: 'a', arguments: {} }), 200, 'another process knows');
  await second.stop();
});
