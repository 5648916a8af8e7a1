// Servers that a network lets nobody reach but its proxy: `mcptrace proxy` asks it, for tunnels and for plain requests, and says
// honestly what it would not do. The proxy here is one of this process; it takes every name for the loopback.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import test from 'node:test';
import {
  ask, certificate, freePort, legacyHttpClient, listen, listenRaw, modernHeaders, modernMeta, opened, startProxy, toolCall,
} from './http_peers.mjs';
import { legacyHttpServer, modernHttpServer } from './http_servers.mjs';
import { calls, ERROR, filesBelow, freshHome, mcptrace, outcome, sessions, status } from './peers.mjs';

const NAME = 'mcp.invalid';
const USER = 'someone', PASSWORD = `p@ss/${process.pid}?#`;
const credentials = `${USER}:${encodeURIComponent(PASSWORD)}@`;

const call = (id = 1) => toolCall(id, 'echo', { message: 'x' }, modernMeta());
const post = (origin, message = call()) => ask(`${origin}/mcp`, { body: message, headers: modernHeaders(message) });

// A forward proxy: { origin, port, asked } with `asked` the request lines and fields that came. `wants`: who may use it.
async function forwardProxy(t, { wants } = {}) {
  const asked = [];
  const knows = (request) => {
    asked.push({ line: `${request.method} ${request.url}`, headers: request.headers });
    return wants === undefined ||
      request.headers['proxy-authorization'] === `Basic ${Buffer.from(wants).toString('base64')}`;
  };
  const server = http.createServer((request, response) => {
    if (!knows(request)) return response.writeHead(407, { 'Proxy-Authenticate': 'Basic realm="SECRET-REALM"' }).end('no');
    const url = new URL(request.url);
    const onward = http.request({
      host: '127.0.0.1', port: url.port, path: url.pathname + url.search, method: request.method, headers: request.headers, agent: false,
    }, (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(response);
      response.once('close', () => answer.destroy());
    });
    onward.once('error', () => response.writeHead(502).end('the proxy says: nobody there'));
    return request.pipe(onward);
  });
  server.on('connect', (request, socket) => {
    socket.on('error', () => {});
    if (!knows(request)) return socket.end('HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic realm="SECRET-REALM"\r\n\r\n');
    const onward = net.connect(Number(request.url.split(':')[1]), '127.0.0.1');
    onward.once('error', () => socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n'));
    onward.once('connect', () => {
      socket.write('HTTP/1.1 103 Soon\r\n\r\nHTTP/1.0 200 Connection established\r\nTransfer-Encoding: chunked\r\nVia : x\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    return undefined;
  });
  const { origin, port } = await opened(t, server);
  return { origin, port, asked };
}

// An MCP server over TLS: { port, made, requests }.
async function tlsServer(t, { requests, handler } = modernHttpServer(), name = `DNS:${NAME}`) {
  const made = certificate(t, name);
  const { port } = await opened(t, https.createServer({ key: made.key, cert: made.cert }, handler));
  return { port, made, requests };
}

function checkNothingLeaks(home, proxy, ...answers) {
  const secrets = [PASSWORD, encodeURIComponent(PASSWORD), Buffer.from(`${USER}:${PASSWORD}`).toString('base64'), 'SECRET-REALM'];
  const places = [...proxy.stderr, ...answers.map((answer) => JSON.stringify(answer.headers) + answer.text),
    ...[...filesBelow(home)].map(([, bytes]) => bytes.toString('latin1'))];
  for (const secret of secrets) assert.ok(places.every((place) => !place.includes(secret)), secret);
}

test('a plain server is asked for with its whole address; sessions are traced as ever', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer();
  const { port } = await listen(t, server.handler);
  const through = await forwardProxy(t, { wants: `${USER}:${PASSWORD}` });
  const proxy = await startProxy(home, `http://${NAME}:${port}`, {
    env: { http_proxy: `http://${credentials}127.0.0.1:${through.port}`, HTTPS_PROXY: 'http://127.0.0.1:9' },
  });
  const peer = await legacyHttpClient(`${proxy.origin}/mcp`);
  await peer.client.callTool({ name: 'echo', arguments: { message: 'x' } });
  await peer.client.callTool({ name: 'progress', arguments: { steps: 2 } }, undefined, { onprogress: () => {} });
  await peer.transport.terminateSession();
  await peer.close();
  await proxy.stop();
  assert.ok(through.asked.every(({ line }) => line.endsWith(` http://${NAME}:${port}/mcp`)), JSON.stringify(through.asked));
  assert.equal(through.asked.length, server.requests.length);
  assert.ok(through.asked.every(({ headers }) => headers.connection === 'close'), 'one connection for each');
  assert.ok(server.requests.every(({ headers, url }) => headers.host === `${NAME}:${port}` && url === '/mcp'));
  const [session, ...more] = sessions(home);
  assert.equal(more.length, 0);
  assert.deepEqual(calls(session).map(outcome), ['ok', 'ok']);
  assert.equal(calls(session)[0].attributes['server.address'], NAME);
  checkNothingLeaks(home, proxy);
});

test('a server over TLS is reached through a tunnel, and has to prove its name', async (t) => {
  for (const [name, expected] of [[`DNS:${NAME}`, 200], ['DNS:other.example', 502]]) {
    const home = freshHome(t);
    const server = await tlsServer(t, modernHttpServer(), name);
    const through = await forwardProxy(t, { wants: `${USER}:${PASSWORD}` });
    const proxy = await startProxy(home, `https://${NAME}:${server.port}/`, {
      options: ['--upstream-ca', server.made.certFile],
      env: { HTTPS_PROXY: `${credentials}127.0.0.1:${through.port}`, HTTP_PROXY: 'http://127.0.0.1:9' },
    });
    const answers = [await post(proxy.origin), await post(proxy.origin, call(2))];
    for (const answer of answers) assert.equal(answer.status, expected);
    assert.ok(through.asked.length >= 1);
    assert.ok(through.asked.every(({ line, headers }) =>
      line === `CONNECT ${NAME}:${server.port}` && headers.host === `${NAME}:${server.port}`));
    assert.ok(server.requests.every(({ headers }) => headers['proxy-authorization'] === undefined));
    await proxy.stop();
    const said = calls(sessions(home, '--all').flat()).map((span) => [outcome(span), span.attributes['error.type']]);
    const one = expected === 200 ? ['ok', undefined] : ['transport_error', 'tls'];
    assert.deepEqual(said, [one, one]);
    checkNothingLeaks(home, proxy, ...answers);
  }
});

// As tinyproxy does: it asks the server to close, does not say so, and passes on what follows as it is.
test('a proxy that takes all that comes on a connection for the first request\'s', async (t) => {
  const home = freshHome(t);
  const server = legacyHttpServer();
  const { port } = await listen(t, server.handler);
  const through = await listenRaw(t, (socket) => {
    let text = '';
    socket.on('data', function first(bytes) {
      text += bytes.toString('latin1');
      if (!text.includes('\r\n\r\n')) return;
      socket.off('data', first);
      const onward = net.connect(port, '127.0.0.1');
      onward.on('error', () => {});
      onward.write(text.replace(/http:\/\/[^/]+/, '').replace(/^(connection|proxy-\S+):.*\r\n/gim, '')
        .replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'), 'latin1');
      onward.on('data', (answer) => socket.write(answer.toString('latin1').replace(/^connection:.*\r\n/im, ''), 'latin1'));
      onward.on('end', () => socket.end());
      socket.on('data', (more) => onward.write(more));
      socket.on('close', () => onward.destroy());
    });
  });
  const proxy = await startProxy(home, `http://${NAME}:${port}`, { env: { HTTP_PROXY: through.origin } });
  const peer = await legacyHttpClient(`${proxy.origin}/mcp`);
  for (let i = 0; i < 5; i++) await peer.client.callTool({ name: 'echo', arguments: { message: 'x' } });
  await peer.close();
  await proxy.stop();
  assert.deepEqual(calls(sessions(home).flat()).map(outcome), Array(5).fill('ok'));
});

test('a client\'s own words for a proxy reach neither proxy nor server', async (t) => {
  const server = modernHttpServer();
  const { port } = await listen(t, server.handler);
  const through = await forwardProxy(t);
  const proxy = await startProxy(freshHome(t), `http://${NAME}:${port}`, { env: { HTTP_PROXY: through.origin } });
  const answer = await ask(`${proxy.origin}/mcp`, {
    body: call(), headers: { ...modernHeaders(call()), 'Proxy-Authorization': 'Basic eDp5', 'Proxy-Connection': 'keep-alive' } });
  assert.equal(answer.status, 200);
  for (const { headers } of [through.asked[0], server.requests[0]]) {
    assert.equal(headers['proxy-authorization'], undefined);
    assert.equal(headers['proxy-connection'], undefined);
  }
  await proxy.stop();
});

test('NO_PROXY, the loopback, and --upstream-proxy none: nobody is asked', async (t) => {
  const server = modernHttpServer();
  const { port, origin } = await listen(t, server.handler);
  const through = await forwardProxy(t);
  const variables = { HTTP_PROXY: through.origin, ALL_PROXY: through.origin };
  for (const [upstream, env, options] of [
    [origin, variables, []], [`http://localhost:${port}`, variables, []], [`http://${NAME}:${port}`, { ...variables, NO_PROXY: `x, .invalid:${port}` }, []],
    [`http://${NAME}:${port}`, variables, ['--upstream-proxy', 'none']],
  ]) {
    const proxy = await startProxy(freshHome(t), upstream, { env, options });
    assert.equal((await post(proxy.origin)).status, upstream.includes(NAME) ? 502 : 200, 'the name is nobody\'s but the proxy\'s');
    await proxy.stop();
  }
  assert.equal(through.asked.length, 0);
  const proxy = await startProxy(freshHome(t), origin, { options: ['--upstream-proxy', through.origin], env: { NO_PROXY: '*' } });
  assert.equal((await post(proxy.origin)).status, 200);
  await proxy.stop();
  assert.equal(through.asked.length, 1, 'an option says it for every server');
});

// Of each the status, error.type, and what the client is told.
const refusals = {
  'wants other credentials': ['HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="SECRET-REALM"\r\nContent-Length: 0\r\n\r\n', 502, 'proxy', /407/],
  'does not allow it': ['HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n', 502, 'proxy', /does not allow/],
  'finds nobody': ['HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n', 502, 'proxy', /could not connect/],
  'answers nonsense': ['SSH-2.0-x\r\n', 502, 'proxy', /does not answer as a proxy/],
  'redirects': ['HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n', 502, 'proxy', /does not answer as a proxy/],
  'speaks before the server': ['HTTP/1.1 200 OK\r\n\r\nhello', 502, 'proxy', /does not answer as a proxy/],
  'leaves': ['', 502, 'proxy', /does not answer as a proxy/],
  'leaves in the middle': ['HTTP/1.1 200 O', 502, 'proxy', /does not answer as a proxy/],
  'never ends its head': [`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(70_000)}`, 502, 'proxy', /does not answer as a proxy/],
};
for (const [how, [says, expected, type, told]] of Object.entries(refusals)) {
  test(`a proxy that ${how}: said, and not asked again`, async (t) => {
    const home = freshHome(t);
    let connections = 0;
    const through = await listenRaw(t, (socket) => {
      connections += 1;
      socket.once('data', () => socket.end(says));
    });
    const proxy = await startProxy(home, `https://${NAME}`, { env: { https_proxy: `http://${credentials}127.0.0.1:${through.port}` } });
    const answer = await post(proxy.origin);
    assert.equal(answer.status, expected);
    assert.match(answer.json.error.reason, told);
    assert.equal(connections, 1);
    await proxy.stop();
    const [span] = calls(sessions(home, '--all').flat());
    assert.deepEqual([outcome(span), span.attributes['error.type'], status(span)], ['transport_error', type, ERROR]);
    checkNothingLeaks(home, proxy, answer);
  });
}

test('a proxy that nobody runs; one that never answers: 502 at once, 504 in time', async (t) => {
  const silent = await listenRaw(t, (socket) => socket.resume());
  await Promise.all([[await freePort(), 502, 'proxy', /cannot be reached/], [silent.port, 504, 'timeout', /in time/]].map(
    async ([port, expected, type, told]) => {
      const home = freshHome(t);
      const proxy = await startProxy(home, `https://${NAME}`, { options: ['--upstream-proxy', `http://127.0.0.1:${port}`] });
      const answer = await post(proxy.origin);
      assert.equal(answer.status, expected);
      assert.match(answer.json.error.reason, told);
      await proxy.stop();
      const [span] = calls(sessions(home, '--all').flat());
      assert.deepEqual([outcome(span), span.attributes['error.type']], ['transport_error', type]);
    }));
});

test('a plain server behind a proxy that wants other credentials: its 407 is not the client\'s to answer', async (t) => {
  const home = freshHome(t);
  const through = await forwardProxy(t, { wants: 'somebody:else' });
  const proxy = await startProxy(home, `http://${NAME}`, { env: { HTTP_PROXY: `http://${credentials}127.0.0.1:${through.port}` } });
  const answer = await post(proxy.origin);
  assert.equal(answer.status, 502);
  assert.match(answer.json.error.reason, /407/);
  assert.equal(answer.headers['proxy-authenticate'], undefined);
  await proxy.stop();
  const [span] = calls(sessions(home, '--all').flat());
  assert.deepEqual([outcome(span), span.attributes['error.type']], ['transport_error', 'proxy']);
  checkNothingLeaks(home, proxy, answer);
});

test('a tunnel whose client leaves is closed', async (t) => {
  const server = modernHttpServer();
  const tls = await tlsServer(t, server);
  const through = await forwardProxy(t);
  const proxy = await startProxy(freshHome(t), `https://${NAME}:${tls.port}`, {
    options: ['--upstream-ca', tls.made.certFile], env: { HTTPS_PROXY: through.origin } });
  const held = toolCall(1, 'hold', { key: 'x' }, modernMeta());
  const aborting = new AbortController();
  const asked = ask(`${proxy.origin}/mcp`, { body: held, headers: modernHeaders(held), signal: aborting.signal }).catch(() => {});
  await server.hold.arrived('x');
  aborting.abort();
  await server.hold.aborted('x');
  await asked;
  await proxy.stop();
});

test('of addresses only their origins are said: not paths, queries or users', async (t) => {
  const home = freshHome(t);
  const proxy = await startProxy(home, ['--upstream', 'http://h.example/SECRET-PATH', '--route', '/r=https://i.example:8443/SECRET-PATH'],
    { options: ['--upstream-proxy', `http://${credentials}127.0.0.1:9`] });
  await proxy.stop();
  assert.match(proxy.stderr.join('\n'), / → http:\/\/h\.example through http:\/\/127\.0\.0\.1:9 \/r=https:\/\/i\.example:8443 through /);
  checkNothingLeaks(home, proxy);
  assert.ok(!proxy.stderr.join('\n').includes('SECRET'));
  for (const args of [
    ['--upstream', 'http://h/mcp?key=SECRET'], ['--upstream', 'http://SECRET@h/'], ['http://h/SECRET'], ['--upstrem=http://h/SECRET'],
    ['--route', 'https://h/SECRET?a=b'], ['--upstream', 'http://h', '--upstream-proxy', 'socks5://SECRET@h'],
    ['--upstream', 'http://h', '--upstream-proxy', 'http://h/SECRET'],
  ]) {
    const refused = mcptrace(home, ['proxy', ...args]);
    assert.equal(refused.status, 2);
    assert.ok(!refused.stderr.includes('SECRET'), refused.stderr);
    assert.equal(refused.stdout, '');
  }
  const refused = mcptrace(home, ['proxy', '--upstream', 'http://h'], { env: { http_proxy: 'https://me:SECRET@h' } });
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /^mcptrace: http_proxy: a proxy is http:\/\//);
  assert.ok(!refused.stderr.includes('SECRET'), refused.stderr);
});
