// What is not MCP passes untouched, on stdio and over HTTP.
import assert from 'node:assert/strict';
import test from 'node:test';
import { listen, readBody, startProxy } from './http_peers.mjs';
import { freshHome, mcptrace, named, outcome, root, sessions } from './peers.mjs';

const frame = (body, end = '\r\n') => `Content-Length: ${Buffer.byteLength(body)}${end}${end}${body}`;
const list = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';

for (const [what, input] of [
  ['a body without a newline', frame(list)],
  ['several frames, bare line feeds', frame(list, '\n') + frame('{"jsonrpc":"2.0","id":2,"method":"ping"}', '\n')],
  ['fields in another order and case', `content-type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-length: 46\r\n\r\n${list}`],
]) {
  test(`stdio framed by Content-Length comes out as it went in: ${what}`, (t) => {
    const home = freshHome(t);
    const done = mcptrace(home, ['run', '--', 'cat'], { input });
    assert.equal(done.status, 0, done.stderr);
    assert.equal(done.stdout, input);
    const [spans] = sessions(home);
    assert.equal(root(spans).attributes['mcptrace.finding.content_length_framing'], 2, 'either side');
    assert.equal(named(spans, 'mcp.tools_list')[0].attributes['mcptrace.not_injected'], 'framing');
  });
}

test('stdio that is not MCP comes out as it went in: LSP, ACP, JSON-RPC 1.0', (t) => {
  const home = freshHome(t);
  const input = [
    '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":1,"clientCapabilities":{}}}',
    '{"jsonrpc":"2.0","id":1,"method":"textDocument/hover","params":{}}',
    '{"id":2,"method":"tools/list","params":[]}', '{"id":7,"method":"POST","url":"/x"}', '',
  ].join('\n');
  const done = mcptrace(home, ['run', '--', 'cat'], { input });
  assert.equal(done.stdout, input);
  const [spans] = sessions(home);
  assert.equal(spans.length, 1, 'nothing but the root');
  assert.equal(root(spans).attributes['mcptrace.finding.not_mcp_message'], 8);
  assert.equal(root(spans).attributes['mcptrace.errors'], 0);
});

test('JSON over HTTP that is not MCP arrives as it was sent, and is no error', async (t) => {
  const home = freshHome(t);
  const arrived = [];
  const { origin } = await listen(t, async (request, response) => {
    const bytes = await readBody(request);
    arrived.push({ body: bytes.toString(), traceparent: request.headers.traceparent });
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, error: { code: -32001, message: 'no such task' } }));
  });
  const proxy = await startProxy(home, origin);
  const sent = [
    ['/api/jobs', '{"id":7,"method":"POST","url":"/x"}'],
    ['/a2a', '{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":{"role":"user"}}}'],
    ['/acp', '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":1}}'],
    ['/rpc', '[{"jsonrpc":"2.0","id":1,"method":"sum","params":[1]}]'],
    ['/rpc', '{"method":"tools/call","params":["x"],"id":1}'],
  ];
  for (const [target, body] of sent) {
    await fetch(proxy.origin + target, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
  }
  // At the path where MCP is spoken, the same is a call.
  await fetch(`${proxy.origin}/mcp`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: list });
  await proxy.stop();
  assert.deepEqual(arrived.slice(0, 5), sent.map(([, body]) => ({ body, traceparent: undefined })));
  assert.match(arrived[5].body, /"_meta":\{"traceparent"/);
  const spans = sessions(home).flat();
  assert.deepEqual(named(spans, 'mcp.tools_list').map(outcome), ['rpc_error']);
  assert.equal(spans.filter((span) => span.name.startsWith('mcp.')).length, 1);
});
