// What is shipped over TLS, with our own certificate where the receiver wants one, and through proxies.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { before, describe, test } from 'node:test';
import { opened } from './http_peers.mjs';
import { Receiver } from './otlp_receiver.mjs';
import { freshDirectory } from './peers.mjs';
import { assertArrived, canary, installation, sample } from './shipping.mjs';

let spool;
before(async () => { spool = await sample(); });
const kinds = { http: 'http/protobuf', grpc: 'grpc', 'grpc-js': 'grpc' };

// An authority of the test's own, and what it signed for a receiver and for us.
function authority(t) {
  const directory = freshDirectory(t), file = (name) => path.join(directory, name);
  const openssl = (...args) => {
    const done = spawnSync('openssl', args, { cwd: directory });
    assert.equal(done.status, 0, String(done.stderr));
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...key, '-days', '2', '-subj', '/CN=authority', '-keyout', 'ca.key', '-out', 'ca.pem');
  for (const [name, extension] of [['receiver', 'subjectAltName=IP:127.0.0.1,DNS:receiver.test'], ['client', 'extendedKeyUsage=clientAuth']]) {
    fs.writeFileSync(file(`${name}.ext`), `${extension}\n`);
    openssl('req', ...key, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    openssl('x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.pem`);
  }
  const read = (name) => fs.readFileSync(file(name));
  return {
    file, server: { key: read('receiver.key'), cert: read('receiver.pem'), ca: read('ca.pem') },
    ours: { certificate: file('client.pem'), certificate_key: file('client.key') }, trusted: { ca: file('ca.pem') },
  };
}

describe('TLS', { concurrency: 6 }, () => {
  for (const [kind, protocol] of Object.entries(kinds)) {
    test(`${kind}: an authority of our own, and a certificate on both sides`, async (t) => {
      const { server, ours, trusted, file } = authority(t);
      const receiver = await Receiver.start({ t, protocol: kind, tls: { ...server, requestCert: true, rejectUnauthorized: true } });
      const one = { endpoint: receiver.origin, protocol };
      const here = installation(t, {
        spool, destinations: [
          { ...one, name: 'good', ...trusted, ...ours }, { ...one, name: 'untrusted', ...ours }, { ...one, name: 'nameless', ...trusted },
          { ...one, name: 'unread', ...trusted, ca: file('missing.pem') }, { ...one, name: 'plain', endpoint: receiver.origin.replace('https', 'http') }],
      });
      const checked = await here.run('ship', 'check');
      assert.equal(checked.code, 1);
      assert.match(checked.stdout, /^good: took the span/m);
      assert.match(checked.stdout, /^untrusted: .*(certificate|trust|TLS)/m);
      assert.match(checked.stdout, /^nameless: .*(certificate|TLS|closed|answer|handshake)/m);
      assert.match(checked.stdout, /^unread: .*missing\.pem/m);
      assert.match(checked.stdout, /^plain: /m);
      assert.equal(receiver.spans().length, 1, 'the one of check');
      receiver.requests.length = 0;
      here.configure([{ ...one, name: 'good', ...trusted, ...ours }]);
      assert.equal((await here.once()).code, 0);
      assertArrived(receiver, spool.spans);
    });
  }

  test('SSL_CERT_FILE is trusted, too', async (t) => {
    const { server, file } = authority(t);
    const receiver = await Receiver.start({ t, tls: { key: server.key, cert: server.cert } });
    const here = installation(t, { spool, destinations: [{ name: 'one', endpoint: receiver.origin }], env: { SSL_CERT_FILE: file('ca.pem') } });
    assert.equal((await here.once()).code, 0);
    assertArrived(receiver, spool.spans);
  });
});

// An HTTP proxy that wants a user, and knows where receiver.test is (what is on the loopback is never asked for through one): { url, seen: ['CONNECT 127.0.0.1:1', 'POST http://…'] }.
async function startProxy(t, credential) {
  const seen = [];
  const wanted = `Basic ${Buffer.from(credential).toString('base64')}`;
  const server = http.createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    if (request.headers['proxy-authorization'] !== wanted) return void response.writeHead(407, { 'proxy-authenticate': 'Basic realm="x"' }).end();
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onward = http.request(request.url.replace('receiver.test', '127.0.0.1'), { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  server.on('connect', (request, socket, head) => {
    seen.push(`CONNECT ${request.url}`);
    socket.on('error', () => {});
    if (request.headers['proxy-authorization'] !== wanted) return void socket.end('HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n');
    const onward = net.connect(Number(request.url.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    onward.on('error', () => socket.destroy());
    socket.once('close', () => onward.destroy());
  });
  const { authority } = await opened(t, server);
  return { seen, plain: `http://${authority}`, url: `http://${credential}@${authority}` };
}

describe('proxies', { concurrency: 6 }, () => {
  for (const [kind, protocol] of Object.entries(kinds)) {
    test(`${kind}: over TLS by CONNECT; the proxy's password is nobody's`, async (t) => {
      const { server, trusted } = authority(t), password = canary();
      const receiver = await Receiver.start({ t, protocol: kind, tls: { key: server.key, cert: server.cert } });
      const proxy = await startProxy(t, `user:${password}`);
      const one = { name: 'one', endpoint: `https://receiver.test:${receiver.port}`, protocol, ...trusted };
      const here = installation(t, { spool, destinations: [one], env: { https_proxy: proxy.url } });
      assert.equal((await here.once()).code, 0);
      assertArrived(receiver, spool.spans);
      // Whether it first asks without a user is the library's choice.
      assert.deepEqual([...new Set(proxy.seen)], [`CONNECT receiver.test:${receiver.port}`]);
      // The destination's own word wins; without a user this proxy refuses.
      here.configure([{ ...one, proxy: proxy.plain }]);
      const refused = await here.run('ship', 'check');
      assert.equal(refused.code, 1);
      assert.match(refused.stdout, /^one: .*407/);
      here.hides(password, Buffer.from(`user:${password}`).toString('base64'));
    });
  }

  test('plain HTTP goes through it as a whole address', async (t) => {
    const password = canary();
    const receiver = await Receiver.start({ t });
    const proxy = await startProxy(t, `user:${password}`);
    const there = `http://receiver.test:${receiver.port}`;
    const here = installation(t, { spool, destinations: [{ name: 'one', endpoint: there }], env: { http_proxy: proxy.url } });
    assert.equal((await here.once()).code, 0);
    assertArrived(receiver, spool.spans);
    assert.deepEqual([...new Set(proxy.seen)], [`POST ${there}/v1/traces`]);
    here.hides(password);
    // The loopback is reached without.
    const near = installation(t, { spool, destinations: [{ name: 'one', endpoint: receiver.origin }], env: { http_proxy: proxy.url } });
    assert.equal((await near.once()).code, 0);
    assert.equal(new Set(proxy.seen).size, 1);
  });
});
