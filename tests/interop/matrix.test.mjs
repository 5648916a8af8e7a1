// Each SDK's server with its own client and with those of npm, over each transport: what the client gets directly it gets through
// mcptrace, and the trace holds every call as the client saw it end.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startProxy } from '../e2e/http_peers.mjs';
import { calls, ERROR, freshHome, named, outcome, root, sessionList, sessions, status, trace } from '../e2e/peers.mjs';
import { clients, drive, missing, serve, servers, wrapped } from './peers.mjs';

// What a client's word for its answer is in a trace.
const outcomeOf = (got) => (got.error === true ? 'tool_error' : got.error === false ? 'ok' : 'rpc_error');

// The calls that a client makes, in order: [step, tool]. Who gives up and says nothing waits for the same once more.
const callsOf = (client) => [
  ['echo', 'echo'], ['add', 'add'], ['fail', 'fail'], ['bad', 'add'], ['unknown', 'no_such_tool'], ['progress', 'progress'],
  ['slow', 'slow'], ['after', 'echo'], ...(client.cancels ? [] : [['patient', 'slow']]),
];

function checkTrace(home, steps, client, transport) {
  const made = callsOf(client);
  const list = sessionList(home);
  assert.equal(list.length, 1, `one session: ${JSON.stringify(list)}`);
  const [session] = list;
  assert.equal(session.state, 'closed');
  const spans = trace(home, session.id);
  const session_root = root(spans);
  assert.equal(status(session_root), 0);
  assert.ok(session.client_name, 'the client has a name');
  assert.ok(session.server_name, 'the server has a name');

  // Some clients ask for the era in a process that they throw away.
  const everywhere = sessions(home, '--all').flat();
  const handshakes = [...named(everywhere, 'mcp.initialize'), ...named(everywhere, 'mcp.discover')];
  assert.ok(handshakes.some((span) => outcome(span) === 'ok'), 'a handshake');
  assert.ok(handshakes.every((span) => status(span) === 0), 'no handshake is an error');
  const lists = named(spans, 'mcp.tools_list').filter((span) => outcome(span) !== 'redirected');
  assert.ok(lists.length >= 1);
  for (const span of lists) assert.equal(outcome(span), 'ok');

  // What was redirected was not carried out: it is no call.
  const seen = calls(spans).filter((span) => outcome(span) !== 'redirected');
  assert.deepEqual(seen.map((span) => span.attributes['mcp.tool_name']), made.map(([, tool]) => tool));
  seen.forEach((span, i) => {
    const [step] = made[i];
    if (step === 'slow') {
      // Its answer came all the same, where the server was told nothing.
      const told = transport === 'stdio' || (transport === 'http' && span.attributes['mcp.era'] === 'modern');
      const left = client.leaves && !told && span.attributes['error.type'] === 'client_closed';
      assert.equal(outcome(span), left ? 'abandoned' : client.cancels ? 'cancelled' : 'ok', step);
      assert.ok(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano) >= 900_000_000n, 'slow took its second');
    } else {
      assert.equal(outcome(span), outcomeOf(steps[step]), step);
    }
    assert.equal(span.attributes['mcp.tool.undeclared'], step === 'unknown' ? true : undefined, step);
    assert.equal(span.attributes['mcptrace.not_injected'], undefined, step);
  });
  assert.equal(session.counts.calls, made.length);

  // Nothing else went wrong, and nothing that is ours. Many a server answers a cancelled call that it was cancelled; a client's
  // last word may be on its way when it goes.
  const slow = seen[made.findIndex(([step]) => step === 'slow')];
  for (const span of spans) {
    const late = span.name === 'mcp.late_answer' && span.parentSpanId === slow.spanId;
    const word = /^mcp\.notifications_/.test(span.name) && span.attributes['error.type'] === 'client_closed';
    assert.ok(seen.includes(span) || late || word || status(span) !== ERROR, `${span.name}: ${outcome(span)}`);
    // A server that has no GET stream says so by 405, which is no error.
    const refused = span.name === 'http.request' && span.attributes['http.status_code'] === 405;
    assert.ok(refused || !['unobserved', 'transport_error'].includes(outcome(span)), `${span.name}: ${JSON.stringify(span.attributes)}`);
  }
  for (const name of ['dropped', 'unmatched_answers', 'second_answers', 'not_json.lines', 'not_messages']) {
    assert.equal(session_root.attributes[`mcptrace.${name}`], undefined, name);
  }
}

// What may differ from run to run is not compared.
function comparable(steps, server) {
  const rest = { ...steps };
  // Its notifications race with each other and with the answer.
  if (server === 'mcp-go') delete rest.progressed;
  return rest;
}

const quiet = (lines) => lines.filter((line) => line.startsWith('mcptrace:') && !/listening on/.test(line));

function check(name, { language, server, client, transport, run }) {
  const skip = missing(language) ?? missing(clients[client].language);
  test(name, { skip: skip ?? false }, async (t) => {
    const home = freshHome(t);
    const { direct, through, said } = await run(t, home);
    assert.deepEqual(comparable(through, server), comparable(direct, server));
    for (const [step] of callsOf(clients[client])) assert.ok(step in through, step);
    assert.deepEqual(quiet(said), []);
    checkTrace(home, through, clients[client], transport);
  });
}

function overStdio(server, client) {
  check(`${server} over stdio, client ${client}`, {
    language: servers[server].language, server, client, transport: 'stdio',
    async run(t, home) {
      const command = servers[server].command('stdio');
      const direct = await drive(t, clients[client], 'stdio', command);
      const through = await drive(t, clients[client], 'stdio', wrapped(home, command));
      return { direct: direct.steps, through: through.steps, said: through.stderr };
    },
  });
}

// `below`: a path that the proxy puts before the server's own.
function overHttp(server, client, transport, options = [], below = '') {
  check([`${server} over ${transport}`, ...options, ...(below && [`below ${below}`]), `client ${client}`].join(', '), {
    language: servers[server].language, server, client, transport,
    async run(t, home) {
      const { origin } = await serve(t, servers[server].command(transport, options));
      const at = transport === 'sse' ? '/sse' : '/mcp';
      const direct = await drive(t, clients[client], transport, [origin + at]);
      const proxy = await startProxy(home, below ? ['--route', `${below}=${origin}`] : origin);
      const through = await drive(t, clients[client], transport, [proxy.origin + below + at]);
      await proxy.stop();
      return { direct: direct.steps, through: through.steps, said: proxy.stderr };
    },
  });
}

const npm = ['npm-legacy', 'npm-modern'];
for (const server of Object.keys(servers)) {
  for (const client of [server, ...npm]) {
    overStdio(server, client);
    overHttp(server, client, 'http');
    overHttp(server, client, 'http', ['--stateless']);
  }
  if (server !== 'java-sdk') overHttp(server, server, 'http', ['--json']);
  if (server.startsWith('python')) {
    for (const client of [server, 'npm-legacy']) overHttp(server, client, 'http', ['--mount']);
  }
  for (const client of [server, 'npm-legacy']) {
    overHttp(server, client, 'sse');
    overHttp(server, client, 'sse', [], '/tools/of');
  }
}
