// Clients whose patience is shorter than the server's work, and who are gone then: the call ended when they left, not when the
// server was done.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startProxy } from '../e2e/http_peers.mjs';
import { calls, freshHome, outcome, sessions } from '../e2e/peers.mjs';
import { clients, drive, missing, serve, servers } from './peers.mjs';

const duration = (span) => Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e9;

for (const client of ['python-1-mcp', 'python-2-mcp', 'python-2-fastmcp', 'go-sdk', 'mcp-go', 'java-sdk']) {
  for (const [transport, ...options] of [['http'], ['http', '--stateless'], ['http', '--stateless', '--json'], ['sse']]) {
    if (client === 'java-sdk' && options.includes('--json')) continue;  // Its server has no such mode.
    const skip = missing(clients[client].language) ?? false;
    test([`${client} leaves over ${transport}`, ...options].join(', '), { skip }, async (t) => {
      const home = freshHome(t);
      const { origin } = await serve(t, servers[client].command(transport, options));
      const proxy = await startProxy(home, origin);
      const at = transport === 'sse' ? '/sse' : '/mcp';
      const { steps } = await drive(t, clients[client], transport, [proxy.origin + at], { INTEROP_LEAVES: '1' });
      assert.ok(!('after' in steps));
      await proxy.stop();
      // Some say so before they go; and a stream whose events have ids might be resumed for five minutes, which are not over.
      const slow = calls(sessions(home).flat(), 'slow').at(-1);
      const said = slow.attributes['mcptrace.unobserved'] ?? outcome(slow);
      assert.ok(['abandoned', 'cancelled', 'stream_cut'].includes(said), said);
      if (outcome(slow) === 'abandoned') assert.equal(slow.attributes['error.type'], 'client_closed');
      assert.ok(duration(slow) >= 0.9 && duration(slow) < 2.9, `${duration(slow)} s`);
    });
  }
}
