// The cases of http_head.cases over real sockets: to the proxy, and to Debian's nginx as a plain reverse proxy, before one server that
// records what reaches it:
//
//   script/node tests/faults/nginx_differential.mjs [build/release/mcptrace]
//
// It holds if the proxy gives each case its verdict; if nothing of what it refuses reaches the server (of what shows its fault only in
// the body: no whole request); if what it forwards has one framing and is the same request that nginx forwards; and if it is
// nowhere laxer than nginx but where LAXER says why.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');
const binary = path.resolve(process.argv[2] ?? path.join(root, 'build/release/mcptrace'));
const CASE_LIMIT_MS = 3000;  // for nginx, where it waits for more; nothing that passes takes it

// What nginx refuses and we forward, framed anew.
const LAXER = {
  'white space around a length': 'a tab is white space as a space is (RFC 9110 5.6.3)',
};

const decode = (text) => text
  .replace(/\{(\d+)\*([^}]*)\}/g, (_, count, part) => part.repeat(Number(count)))
  .replace(/\\(x..|.)/g, (_, code) => code[0] === 'x' ? String.fromCharCode(parseInt(code.slice(1), 16)) :
    { r: '\r', n: '\n', t: '\t', 0: '\0', '\\': '\\' }[code]);

function readCases() {
  const cases = [];
  for (const line of fs.readFileSync(path.join(here, 'http_head.cases'), 'latin1').split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('    ')) {
      cases.at(-1).bytes += decode(line.slice(4));
      continue;
    }
    const [, id, verdict, about] = line.match(/^(\S+) (\S+) (.*)$/);
    cases.push({ id, verdict, about, bytes: '' });
  }
  return cases;
}

// --- the server: as strict a reader as there can be ---

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

// One request off the front of `text`: { request, rest }, { more: true }, or { odd: why }.
function takeRequest(text) {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return { more: true };
  const [first, ...lines] = text.slice(0, end).split('\r\n');
  const start = first.match(/^([A-Za-z]+) (\S+) HTTP\/1\.[01]$/);
  if (!start) return { odd: `first line ${JSON.stringify(first)}` };
  const fields = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (!TOKEN.test(line.slice(0, Math.max(colon, 0))) || /[\0-\x08\x0a-\x1f\x7f]/.test(line)) return { odd: `line ${JSON.stringify(line)}` };
    fields.push([line.slice(0, colon).toLowerCase(), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')]);
  }
  const all = (name) => fields.filter(([key]) => key === name).map(([, value]) => value);
  const lengths = all('content-length'), codings = all('transfer-encoding');
  if (lengths.length + codings.length > 1) return { odd: 'two framings' };
  const request = { method: start[1], target: start[2], fields, body: '' };
  let rest = text.slice(end + 4);
  if (codings.length > 0) {
    if (codings[0] !== 'chunked') return { odd: `coding ${codings[0]}` };
    for (;;) {
      const size = rest.match(/^([0-9a-f]+)\r\n/i);
      if (!size) return rest.includes('\n') || !/^[0-9a-f]*\r?$/i.test(rest) ? { odd: 'chunk size' } : { more: true };
      const count = parseInt(size[1], 16), begin = size[0].length;
      if (rest.length < begin + count + 2) return { more: true };
      if (rest.slice(begin + count, begin + count + 2) !== '\r\n') return { odd: 'chunk end' };
      request.body += rest.slice(begin, begin + count);
      rest = rest.slice(begin + count + 2);
      if (count === 0) return { request, rest };
    }
  }
  if (lengths.length > 0) {
    if (!/^\d+$/.test(lengths[0])) return { odd: `length ${lengths[0]}` };
    const count = Number(lengths[0]);
    if (rest.length < count) return { more: true };
    request.body = rest.slice(0, count);
    rest = rest.slice(count);
  }
  return { request, rest };
}

let record = { requests: [], odd: [], bytes: 0 };  // of the present case

const server = net.createServer((socket) => {
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    record.bytes += bytes.length;
    text += bytes.toString('latin1');
    for (;;) {
      const taken = takeRequest(text);
      if (taken.odd) {
        record.odd.push(taken.odd);
        socket.destroy();
      }
      if (!taken.request) return;
      record.requests.push(taken.request);
      text = taken.rest;
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    }
  });
});

// --- the client ---

// Status of the first answer once all of it is here, or undefined.
function firstStatus(text) {
  const head = text.match(/^HTTP\/1\.1 (\d+)[^]*?\r\n\r\n/);
  const length = head?.[0].match(/\r\ncontent-length: *(\d+)/i);
  return head && length && text.length >= head[0].length + Number(length[1]) ? Number(head[1]) : undefined;
}

// Sends the bytes; once there is an answer, a second request, which must be a second request to everybody.
function send(port, bytes) {
  record = { requests: [], odd: [], bytes: 0 };
  return new Promise((resolve) => {
    let text = '', asked = false, waited = false;
    const socket = net.connect(port, '127.0.0.1', () => socket.write(Buffer.from(bytes, 'latin1')));
    const limit = setTimeout(() => {
      waited = true;
      socket.destroy();
    }, CASE_LIMIT_MS);
    socket.on('error', () => {});
    socket.on('data', (data) => {
      text += data.toString('latin1');
      if (asked || firstStatus(text) === undefined) return;
      asked = true;
      socket.write('GET /second HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    });
    socket.on('close', () => {
      clearTimeout(limit);
      const requests = record.requests.filter((request) => request.target !== '/second');
      const status = Number(text.match(/^HTTP\/1\.1 (\d+)/)?.[1] ?? 0);
      resolve({ status, waited, requests, odd: record.odd, bytes: record.bytes });
    });
  });
}

// --- the two proxies ---

const freePort = () => new Promise((resolve) => {
  const probe = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});

const children = [];
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));

// `ready`: what stderr says once it listens; its first group is the port, or absent.
function start(program, args, env, ready) {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  children.push(child);
  return new Promise((resolve, reject) => {
    let text = '';
    child.stderr.on('data', (bytes) => {
      text += bytes;
      const found = text.match(ready);
      if (found) resolve(found[1]);
    });
    child.on('exit', () => reject(new Error(`${program} ended: ${text}`)));
  });
}

async function startNginx(directory, upstream) {
  const fetched = spawnSync(path.join(root, 'script/nginx'), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (fetched.status !== 0) throw new Error('no nginx to compare with');
  for (let attempt = 0; ; ++attempt) {
    const port = await freePort();
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`).join(' ');
    fs.writeFileSync(path.join(directory, 'nginx.conf'), `
      daemon off; master_process off; pid ${directory}/nginx.pid; error_log stderr notice;
      events {}
      http {
        access_log off; ${temporary}
        server {
          listen 127.0.0.1:${port};
          location / {
            proxy_pass http://127.0.0.1:${upstream};
            proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off;
          }
        }
      }`);
    try {
      await start(fetched.stdout.trim(), ['-p', directory, '-e', 'stderr', '-c', path.join(directory, 'nginx.conf')], {}, /start worker|OS: Linux/);
      return port;
    } catch (error) {
      if (attempt === 5 || !/Address already in use/.test(error.message)) throw error;
    }
  }
}

// --- what must hold ---

function judge(fault, ours, nginx) {
  const wrong = [];
  const passes = fault.verdict === 'passes';
  if (ours.waited) wrong.push('no answer');
  if (!passes && ours.status !== Number(fault.verdict)) wrong.push(`status ${ours.status}, not ${fault.verdict}`);
  if (!passes && ours.bytes > 0 && !fault.id.endsWith('/body')) wrong.push(`${ours.bytes} bytes of a refused request reached the server`);
  if (!passes && ours.requests.length > 0) wrong.push('a refused request reached the server as a whole one');
  if (passes && (ours.status !== 200 || ours.requests.length !== 1)) wrong.push(`status ${ours.status}, ${ours.requests.length} requests`);
  if (ours.odd.length > 0) wrong.push(`the server read ${ours.odd}`);
  if (ours.requests.length === 1 && nginx.requests.length === 1) {
    const [a] = ours.requests, [b] = nginx.requests;
    for (const key of ['method', 'target', 'body']) {
      if (a[key] !== b[key]) wrong.push(`${key} ${JSON.stringify(a[key])}, nginx's is ${JSON.stringify(b[key])}`);
    }
    const framing = new Set(['content-length', 'transfer-encoding', 'host']);
    for (const [name, value] of a.fields) {
      if (!framing.has(name) && !b.fields.some(([other, text]) => other === name && text === value)) wrong.push(`field ${name} is not nginx's`);
    }
  }
  const refusedThere = nginx.requests.length === 0;
  if (passes && refusedThere && !(fault.about in LAXER)) wrong.push(`nginx refuses it (${nginx.status})`);
  return wrong;
}

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'mcptrace-nginx-'));
process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }));
const upstream = await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
const nginxPort = await startNginx(directory, upstream);
const ourPort = Number(await start(binary, ['proxy', '--upstream', `http://127.0.0.1:${upstream}`, '--listen', '127.0.0.1:0'],
  { MCPTRACE_HOME: path.join(directory, 'state') }, /listening on http:\/\/127\.0\.0\.1:(\d+)/));

let failures = 0, stricter = 0, cases = readCases();
for (const fault of cases) {
  const ours = await send(ourPort, fault.bytes);
  const nginx = await send(nginxPort, fault.bytes);
  const wrong = judge(fault, ours, nginx);
  if (fault.verdict !== 'passes' && nginx.requests.length > 0) ++stricter;
  if (process.env.VERBOSE) console.log(`${fault.id} ${fault.about}: ours ${ours.status}, nginx ${nginx.waited ? 'waits' : nginx.status}${nginx.requests.length > 0 ? ', forwarded' : ''}`);
  if (wrong.length > 0) {
    ++failures;
    console.log(`${fault.id} ${fault.about}: ${wrong.join('; ')}`);
  }
}
console.log(`${cases.length} cases, ${failures} wrong; nginx forwards ${stricter} that we refuse`);
console.log(`# pass ${cases.length - failures}\n# fail ${failures}`);
process.exit(failures > 0 ? 1 : 0);
