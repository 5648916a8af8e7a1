// The Python SDK 2 makes OpenTelemetry spans of its own, on both sides, and passes their context on in `_meta`: our span stands
// between the two, child of the client's and parent of the server's, in the client's trace.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { startProxy } from '../e2e/http_peers.mjs';
import { calls, freshDirectory, freshHome, named, outcome, sessions } from '../e2e/peers.mjs';
import { clients, drive, missing, serve, servers, wrapped } from './peers.mjs';

const skip = missing('python') ?? false;
const read = (file) => fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));

function check(home, clientFile, serverFile) {
  const [ofClient, ofServer] = [read(clientFile), read(serverFile)];
  const ours = sessions(home).flatMap((spans) => [...named(spans, 'mcp.tools_list'), ...calls(spans)]);
  assert.equal(ours.length, 9);
  for (const span of ours) {
    const caller = ofClient.filter((each) => each.span === span.parentSpanId);
    assert.equal(caller.length, 1, `${span.name}: the client's span is its parent`);
    assert.equal(caller[0].kind, 'CLIENT');
    assert.equal(caller[0].trace, span.traceId);
    if (outcome(span) === 'cancelled') continue;  // The server's span may not have ended yet.
    const served = ofServer.filter((each) => each.parent === span.spanId);
    assert.deepEqual(served.map((each) => [each.kind, each.trace]), [['SERVER', span.traceId]], `${span.name}: the server's span is its child`);
  }
}

test('between two spans of the Python SDK, over stdio', { skip }, async (t) => {
  const home = freshHome(t), files = freshDirectory(t);
  const [clientFile, serverFile] = [path.join(files, 'client'), path.join(files, 'server')];
  const command = ['/usr/bin/env', `SPANS_TO=${serverFile}`, ...servers['python-2-mcp'].command('stdio')];
  await drive(t, clients['python-2-mcp'], 'stdio', wrapped(home, command), { SPANS_TO: clientFile });
  check(home, clientFile, serverFile);
});

for (const options of [[], ['--json'], ['--stateless']]) {
  test(['between two spans of the Python SDK, over HTTP', ...options].join(', '), { skip }, async (t) => {
    const home = freshHome(t), files = freshDirectory(t);
    const [clientFile, serverFile] = [path.join(files, 'client'), path.join(files, 'server')];
    const { origin } = await serve(t, servers['python-2-mcp'].command('http', options), { SPANS_TO: serverFile });
    const proxy = await startProxy(home, origin);
    await drive(t, clients['python-2-mcp'], 'http', [`${proxy.origin}/mcp`], { SPANS_TO: clientFile });
    await proxy.stop();
    check(home, clientFile, serverFile);
  });
}
