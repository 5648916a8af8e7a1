// Servers that redirect, to themselves and elsewhere: what they say of themselves leads to the proxy, so that clients stay on it.
import express from 'express';
import assert from 'node:assert/strict';
import https from 'node:https';
import test from 'node:test';
import {
  ask, certificate, legacyHttpClient, listen, modernHeaders, modernHttpClient, modernMeta, opened, readBody, startProxy, toolCall,
} from './http_peers.mjs';
import { legacyHttpServer, modernHttpServer } from './http_servers.mjs';
import { calls, freshHome, mcptrace, named, outcome, root, sessions, status, trace } from './peers.mjs';

// An MCP server of express that wants a slash at the end of its path, as one that is mounted in Starlette does.
async function slashServer(t, server, { from = '/mcp', to = '/mcp/', say = (request) => `http://${request.headers.host}${to}` } = {}) {
  const app = express();
  app.enable('strict routing');
  const asked = [];
  app.use((request, _response, next) => {
    asked.push(`${request.method} ${request.path}`);
    next();
  });
  app.all(from, (request, response) => response.redirect(307, say(request)));
  app.all(to, (request, response) => server.handler(request, response));
  return { ...await listen(t, app), asked };
}

const absolute = (to) => (request) => `http://${request.headers.host}${to}`;
const places = {
  'at the root': [(origin) => ['--upstream', origin], '/mcp', '/mcp', '/mcp/', absolute],
  'below a route': [(origin) => ['--route', `/docs=${origin}`], '/docs/mcp', '/mcp', '/mcp/', absolute],
  'below a route, by a path': [(origin) => ['--route', `/docs=${origin}`], '/docs/mcp', '/mcp', '/mcp/', (to) => () => to],
  'below a route with a path': [(origin) => ['--route', `/docs=${origin}/mcp`], '/docs', '/mcp', '/mcp/', absolute],
  'with a path': [(origin) => ['--upstream', `${origin}/mcp`], '/', '/mcp', '/mcp/', absolute],
  'with a path, by a path': [(origin) => ['--upstream', `${origin}/mcp`], '/', '/mcp', '/mcp/', (to) => () => to],
  'from a slash to none': [(origin) => ['--upstream', `${origin}/mcp/`], '/', '/mcp/', '/mcp', absolute],
  'by a relative path': [(origin) => ['--route', `/docs=${origin}`], '/docs/mcp', '/mcp', '/mcp/', () => () => 'mcp/'],
};
const clients = {
  legacy: [legacyHttpServer, (url) => legacyHttpClient(url)],
  modern: [modernHttpServer, (url) => modernHttpClient(url, { pin: '2026-07-28' })],
};
for (const [where, [options, path, from, to, say]] of Object.entries(places)) {
  for (const [era, [makeServer, connect]] of Object.entries(clients)) {
    test(`a server ${where} that redirects to itself keeps its ${era} client on the proxy`, async (t) => {
      const home = freshHome(t);
      const server = makeServer();
      const { origin, asked } = await slashServer(t, server, { from, to, say: say(to) });
      const proxy = await startProxy(home, options(origin), { options: where === 'below a route' ? ['--no-inject'] : [] });
      const peer = await connect(`${proxy.origin}${path}`);
      await peer.client.callTool({ name: 'echo', arguments: { message: 'x' } });
      await peer.client.callTool({ name: 'fail', arguments: { message: 'x' } });
      await peer.close();
      await proxy.stop();
      const [spans, ...more] = sessions(home);
      assert.equal(more.length, 0, 'what was redirected is no session');
      assert.equal(status(root(spans)), 0);
      assert.equal(root(spans).attributes['mcptrace.calls'], 2);
      assert.equal(root(spans).attributes['mcptrace.calls.tool_error'], 1);
      assert.equal(root(spans).attributes['mcptrace.finding.foreign_redirect'], undefined);
      assert.deepEqual(calls(spans, 'echo').map(outcome), ['redirected', 'ok']);
      assert.deepEqual(calls(spans, 'fail').map(outcome), ['redirected', 'tool_error']);
      assert.ok(calls(spans).filter((span) => outcome(span) === 'redirected').every((span) =>
        status(span) === 0 && span.attributes['error.type'] === undefined && span.attributes['http.response.status_code'] === 307));
      // Whoever had left would be seen by the server alone.
      const seen = spans.filter((span) => span.attributes['mcp.method.name'] === 'tools/call').length;
      assert.equal(seen, 4);
      assert.equal(asked.filter((line) => line === `POST ${from}`).length, asked.filter((line) => line === `POST ${to}`).length);
      assert.match(mcptrace(home, ['trace']).stdout, /mcp\.tool_call fail .*redirected/);
    });
  }
}

test('a server that redirects elsewhere: its client is told so unchanged, and it is a finding', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer();
  const elsewhere = await listen(t, server.handler);
  const first = legacyHttpServer();
  let away = false;
  const { origin } = await listen(t, (request, response) => {
    if (!away || request.method !== 'POST') return first.handler(request, response);
    return response.writeHead(307, { Location: `${elsewhere.origin}/mcp` }).end();
  });
  const proxy = await startProxy(home, origin);
  const peer = await legacyHttpClient(`${proxy.origin}/mcp`);
  away = true;
  const call = toolCall(7, 'echo', { message: 'x' });
  const answer = await ask(`${proxy.origin}/mcp`, { body: call, headers: { 'mcp-session-id': peer.transport.sessionId } });
  assert.deepEqual([answer.status, answer.headers.location], [307, `${elsewhere.origin}/mcp`]);
  await peer.close();
  await proxy.stop();
  const [spans] = sessions(home);
  const [span] = calls(spans);
  assert.deepEqual([outcome(span), status(span)], ['redirected', 0]);
  assert.deepEqual(span.events.map((event) => event.attributes['mcptrace.finding']), ['foreign_redirect']);
  assert.equal(root(spans).attributes['mcptrace.finding.foreign_redirect'], 1);
  assert.equal(root(spans).attributes['mcptrace.errors'], 0);
});

// What comes of these fields of an answer, for a client that calls the proxy so.
async function through(t, fields, { options = (origin) => ['--route', `/docs=${origin}/base`], target = '/docs/x', headers = {} } = {}) {
  const server = await listen(t, (request, response) => {
    const raw = [];
    for (const [name, value] of Object.entries(fields({ origin: `http://${request.headers.host}` }))) raw.push(name, value);
    response.writeHead(302, raw).end('moved');
  });
  const proxy = await startProxy(freshHome(t), options(server.origin));
  const answer = await ask(`${proxy.origin}${target}`, { method: 'GET', headers });
  await proxy.stop();
  assert.equal(answer.text, 'moved');
  return { headers: answer.headers, proxy };
}

test('Location, Content-Location, Refresh and Link name the proxy; challenges and bodies do not', async (t) => {
  const challenge = ({ origin }) => `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource"`;
  let upstream;
  const { headers, proxy } = await through(t, ({ origin }) => {
    upstream = origin;
    return {
      Location: `${origin}/base/y?a=${origin}#f`, 'Content-Location': '/base/z', Refresh: `3; url=${origin}/base/r`,
      Link: `<${origin}/base/l>; rel="next", <https://elsewhere.example/>; rel="up"`, 'WWW-Authenticate': challenge({ origin }),
      'X-Other': `${origin}/base/o`,
    };
  });
  assert.equal(headers.location, `${proxy.origin}/docs/y?a=${upstream}#f`);
  assert.equal(headers['content-location'], '/docs/z');
  assert.equal(headers.refresh, `3; url=${proxy.origin}/docs/r`);
  assert.equal(headers.link, `<${proxy.origin}/docs/l>; rel="next", <https://elsewhere.example/>; rel="up"`);
  assert.equal(headers['www-authenticate'], challenge({ origin: upstream }));
  assert.equal(headers['x-other'], `${upstream}/base/o`);
});

test('a path of another server of the proxy is said to be the upstream\'s', async (t) => {
  const options = (origin) => ['--route', `/docs=${origin}/base`, '--route', `/files=${origin}`];
  let upstream;
  const { headers, proxy } = await through(t, ({ origin }) => {
    upstream = origin;
    return { Location: '/files/secret' };
  }, { options });
  assert.equal(headers.location, `${upstream}/files/secret`);
  assert.equal(proxy.stderr.filter((line) => line.includes('no path of this proxy leads to')).length, 1);
});

test('behind another proxy that is trusted, the address that the client called', async (t) => {
  const headers = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'public.example' };
  const fields = ({ origin }) => ({ Location: `${origin}/base/y` });
  for (const trust of [['--trust-proxy'], ['--trusted-proxy', '127.0.0.0/8'], ['--trusted-proxy', '10.0.0.0/8'], []]) {
    const { headers: { location }, proxy } = await through(t, fields,
      { headers, options: (origin) => [...trust, '--route', `/docs=${origin}/base`] });
    const trusting = trust.length > 0 && trust[1] !== '10.0.0.0/8';
    assert.equal(location, trusting ? 'https://public.example/docs/y' : `${proxy.origin}/docs/y`);
  }
});

test('a server that is told our name uses it', async (t) => {
  const { headers, proxy } = await through(t, ({ origin }) => ({ Location: `${origin}/base/y` }),
    { options: (origin) => ['--host', 'keep', '--route', `/docs=${origin}/base`] });
  assert.equal(headers.location, `${proxy.origin}/docs/y`);
});

test('a server behind TLS that believes it is asked by http; and one that wants to be asked by https', async (t) => {
  const made = certificate(t);
  const { port } = await opened(t, https.createServer({ key: made.key, cert: made.cert }, async (request, response) => {
    await readBody(request);
    response.writeHead(307, { Location: `http://${request.headers.host}${request.url}/` }).end();
  }));
  const behind = await startProxy(freshHome(t), `https://127.0.0.1:${port}`, { options: ['--upstream-ca', made.certFile] });
  assert.equal((await ask(`${behind.origin}/mcp`, { body: {} })).headers.location, `${behind.origin}/mcp/`);
  await behind.stop();

  const server = await listen(t, (request, response) =>
    response.writeHead(301, { Location: `https://${request.headers.host}${request.url}` }).end());
  const proxy = await startProxy(freshHome(t), server.origin);
  const answer = await ask(`${proxy.origin}/mcp`, { method: 'GET' });
  assert.equal(answer.headers.location, `https://${server.authority}/mcp`, 'through the proxy it would be redirected for ever');
  await proxy.stop();
});

test('a client by TLS is sent back by TLS', async (t) => {
  const made = certificate(t);
  const server = await listen(t, (request, response) => response.writeHead(302, { Location: `http://${request.headers.host}/y` }).end());
  const proxy = await startProxy(freshHome(t), server.origin, { options: ['--tls-cert', made.certFile, '--tls-key', made.keyFile] });
  const location = await new Promise((resolve, reject) => {
    https.get(`${proxy.origin}/x`, { ca: made.cert }, (response) => {
      response.resume();
      resolve(response.headers.location);
    }).once('error', reject);
  });
  assert.equal(location, `${proxy.origin}/y`);
  await proxy.stop();
});

test('an exchange that was redirected by itself is a trace of its own', async (t) => {
  const home = freshHome(t);
  const server = await listen(t, (request, response) => response.writeHead(307, { Location: '/mcp/' }).end());
  const proxy = await startProxy(home, server.origin);
  const parent = '1'.repeat(32);
  const call = toolCall(1, 'echo', {}, modernMeta({ traceparent: `00-${parent}-${'2'.repeat(16)}-01` }));
  assert.equal((await ask(`${proxy.origin}/mcp`, { body: call, headers: modernHeaders(call) })).headers.location, '/mcp/');
  await proxy.stop();
  assert.deepEqual(named(trace(home, parent), 'mcp.tool_call').map(outcome), ['redirected']);
});
