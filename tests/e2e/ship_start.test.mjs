// Who starts `mcptrace ship`, how it lives beside those that append, and what waits for it at the end.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { legacyHttpClient, listen, startProxy } from './http_peers.mjs';
import { legacyHttpServer } from './http_servers.mjs';
import { binary, eventually, freshHome, legacyClient, legacyServer, sessionList, traced } from './peers.mjs';

const initialize = `${JSON.stringify({
  jsonrpc: '2.0', id: 1, method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'e2e', version: '1' } },
})}\n`;

const environmentOf = (pid) => fs.readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean);
// Of /proc/PID/stat, counted as proc(5) does.
const statField = (pid, number) => fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ')[number - 3];

// The pids of those that ship for this state directory.
function ships(home) {
  return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      const words = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words[1] === 'ship' && environmentOf(pid).includes(`MCPTRACE_HOME=${home}`) && statField(pid, 3) !== 'Z';
    } catch {
      return false;  // it is gone
    }
  }).map(Number);
}
const lockedBy = (home) => {
  const lock = path.join(home, 'ship.lock');
  return fs.existsSync(lock) && Number(fs.readFileSync(lock, 'utf8'));
};
// Alone, and known to others as the one that ships.
const oneShip = (home) => eventually(() => {
  const found = ships(home);
  return found.length === 1 && found[0] === lockedBy(home) && found[0];
}, 'one that ships');

// A state directory, and a destination that takes everything. What ships goes with the test.
async function installation(t) {
  const home = freshHome(t);
  const receiver = await listen(t, (request, response) => {
    request.resume();
    request.on('end', () => response.writeHead(200, { 'content-type': request.headers['content-type'] }).end());
  });
  t.after(async () => {
    await eventually(() => {
      const left = ships(home);
      for (const pid of left) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch { /* it is gone */ }
      }
      return left.length === 0;
    }, 'the end of what ships');
  });
  return { home, env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.origin } };
}

// A wrapper around `cat` whose session is open: { child, pid, exit, closed, stdoutEnd, stderr }.
async function openWrapper(t, { home, env }, { options = [], detached = false, server = ['cat'] } = {}) {
  const child = spawn(binary, ['run', ...options, '--', ...server], {
    detached, env: { PATH: process.env.PATH, HOME: '/nonexistent', MCPTRACE_HOME: home, ...env },
  });
  t.after(() => child.kill('SIGKILL'));
  const wrapper = { child, pid: child.pid, stderr: '' };
  wrapper.exit = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
  wrapper.closed = once(child, 'close');
  wrapper.stdoutEnd = once(child.stdout, 'end');
  child.stderr.on('data', (bytes) => { wrapper.stderr += bytes; });
  child.stdin.on('error', () => {});
  const answered = once(child.stdout, 'data');
  child.stdin.write(initialize);
  await answered;
  child.stdout.resume();
  await eventually(() => spoolFiles(home).some((name) => name.includes(`-run-${child.pid}-`)), 'a file of the spool');
  return wrapper;
}

function spoolFiles(home) {
  try {
    return fs.readdirSync(path.join(home, 'spool')).filter((name) => name.endsWith('.spool'));
  } catch {
    return [];
  }
}

test('what ships is started with the session, alone, and holds nothing of ours', async (t) => {
  const here = await installation(t);
  const secret = `token-${Math.random()}`;
  const env = {
    ...here.env, OTEL_EXPORTER_OTLP_HEADERS: `authorization=${secret}`, TZ: 'UTC', LANG: 'C.UTF-8', XDG_CONFIG_HOME: '/nonexistent',
    MCPTRACE_OF_TEST: '1', https_proxy: 'http://127.0.0.1:1', NO_PROXY: '*', SSL_CERT_DIR: '/nonexistent', AWS_SECRET_ACCESS_KEY: secret,
    LD_LIBRARY_PATH: '/nonexistent',
  };
  const wrapper = await openWrapper(t, { home: here.home, env });
  const ship = await oneShip(here.home);
  await eventually(() => fs.readlinkSync(`/proc/${ship}/exe`).endsWith('/libexec/mcptrace/mcptrace-backend'), 'its program');
  assert.deepEqual(environmentOf(ship).map((entry) => entry.split('=')[0]).sort(), [
    'HOME', 'LANG', 'MCPTRACE_HOME', 'MCPTRACE_OF_TEST', 'NO_PROXY', 'PATH', 'SSL_CERT_DIR', 'TZ', 'XDG_CONFIG_HOME', 'https_proxy']);
  assert.equal(fs.readlinkSync(`/proc/${ship}/cwd`), '/');
  assert.equal(Number(statField(ship, 6)), ship, 'a session of its own');
  assert.equal(Number(statField(ship, 5)), ship, 'and a process group');
  assert.notEqual(Number(statField(ship, 4)), wrapper.pid, 'it is no child of the wrapper');
  const inodes = (pid) => fs.readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [fs.readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  }).filter((target) => target !== '/dev/null' && !target.startsWith('anon_inode:'));
  const ours = new Set(inodes(wrapper.pid));
  assert.deepEqual(inodes(ship).filter((target) => ours.has(target) && !target.endsWith('.spool')), []);
  const status = fs.readFileSync(`/proc/${ship}/status`, 'utf8');
  assert.match(status, /^SigBlk:\t0+4003$/m, 'it reads HUP, INT and TERM when it has time for them');
  assert.doesNotMatch(fs.readFileSync(`/proc/${ship}/cmdline`, 'utf8'), new RegExp(secret));

  // The destination itself lies in the state directory, for its owner alone.
  const directory = path.join(here.home, 'destinations');
  const [name] = fs.readdirSync(directory);
  assert.match(name, /^otel-[0-9a-f]{16}$/);
  assert.equal(fs.statSync(path.join(directory, name)).mode & 0o7777, 0o600);
  assert.deepEqual(fs.readFileSync(path.join(directory, name), 'utf8').trimEnd().split('\n').sort(), [
    `OTEL_EXPORTER_OTLP_ENDPOINT=${env.OTEL_EXPORTER_OTLP_ENDPOINT}`, `OTEL_EXPORTER_OTLP_HEADERS=authorization=${secret}`]);
  wrapper.child.stdin.end();
  assert.deepEqual(await wrapper.exit, { code: 0, signal: null });
  assert.equal(wrapper.stderr, '');
  // It goes when nobody appends any more and all is delivered.
  await eventually(() => ships(here.home).length === 0, 'its own end');
});

test('without a destination nothing is started', async (t) => {
  const { home } = await installation(t);
  const wrapper = await openWrapper(t, { home, env: {} }, { options: ['--flush', '60s'] });
  wrapper.child.stdin.end();
  assert.deepEqual(await wrapper.exit, { code: 0, signal: null });
  assert.deepEqual(ships(home), []);
  assert.deepEqual(fs.readdirSync(home).filter((name) => /ship|destinations/.test(name)), []);
});

test('who waits for the end of our pipes, or kills our group, meets what ships not', async (t) => {
  const here = await installation(t);
  const first = await openWrapper(t, here, { detached: true });
  const ship = await oneShip(here.home);
  const other = await openWrapper(t, here);  // as long as it lives, so does what ships
  first.child.stdin.end();
  await first.closed;
  const killed = await openWrapper(t, here, { detached: true });
  process.kill(-killed.pid, 'SIGKILL');
  await killed.closed;
  assert.deepEqual(ships(here.home), [ship]);
  other.child.stdin.end();
  await other.closed;
});

test('of those that are started at once, one goes on', async (t) => {
  const here = await installation(t);
  const wrappers = await Promise.all(Array.from({ length: 8 }, () => openWrapper(t, here)));
  await oneShip(here.home);
  for (const wrapper of wrappers) wrapper.child.stdin.end();
  for (const wrapper of wrappers) assert.deepEqual(await wrapper.exit, { code: 0, signal: null });
  assert.deepEqual(wrappers.map(({ stderr }) => stderr).join(''), '');
});

test('killed, it is started again by whoever appends', async (t) => {
  const here = await installation(t);
  const peer = await legacyClient(traced(here.home, legacyServer(path.join(path.dirname(here.home), 'record')), { env: here.env }));
  const killed = await oneShip(here.home);
  process.kill(killed, 'SIGKILL');
  const again = await eventually(async () => {
    await peer.client.callTool({ name: 'echo', arguments: { message: 'x' } });
    return ships(here.home).find((pid) => pid !== killed);
  }, 'another that ships');
  assert.notEqual(again, killed);
  assert.equal((await peer.close()).code, 0);
});

test('--flush: who reads our output sees its end first, then all is delivered', async (t) => {
  const here = await installation(t);
  const wrapper = await openWrapper(t, here, { options: ['--flush', '60s'] });
  const ship = await oneShip(here.home);
  await eventually(() => fs.existsSync(path.join(here.home, 'ship.serves')), 'that it serves');
  process.kill(ship, 'SIGSTOP');
  wrapper.child.stdin.end();
  await wrapper.stdoutEnd;
  assert.equal(wrapper.child.exitCode, null, 'it waits');
  process.kill(ship, 'SIGCONT');
  assert.deepEqual(await wrapper.exit, { code: 0, signal: null });
  assert.equal(wrapper.stderr, '');
  const [cursor] = fs.readdirSync(path.join(here.home, 'spool/cursors')).filter((name) => name.startsWith('ship-'));
  for (const line of fs.readFileSync(path.join(here.home, 'spool/cursors', cursor), 'utf8').trimEnd().split('\n')) {
    const [name, decided] = line.split(' ');
    assert.equal(Number(decided), fs.statSync(path.join(here.home, 'spool', name)).size);
  }
});

test('--flush starts what ships, also for a session of no time at all', async (t) => {
  const here = await installation(t);
  for (let i = 0; i < 3; ++i) {
    const child = spawn(binary, ['run', '--flush', '60s', '--', 'cat'], {
      env: { PATH: process.env.PATH, HOME: '/nonexistent', MCPTRACE_HOME: here.home, ...here.env },
    });
    const said = { stdout: '', stderr: '' };
    for (const name of Object.keys(said)) child[name].on('data', (bytes) => { said[name] += bytes; });
    child.stdin.end(initialize);
    const [code] = await once(child, 'close');
    assert.deepEqual([code, said.stdout, said.stderr], [0, initialize, '']);
  }
  assert.equal(sessionList(here.home).length, 3);
});

test('--flush ends in its time, and at a signal, and says what that means', async (t) => {
  const here = await installation(t);
  const keeper = await openWrapper(t, here);
  const ship = await oneShip(here.home);
  process.kill(ship, 'SIGSTOP');
  const server = ['sh', '-c', 'cat; exit 5'];
  const [timed, signalled] = await Promise.all(['1s', '1h'].map((time) => openWrapper(t, here, { options: ['--flush', time], server })));
  for (const wrapper of [timed, signalled]) wrapper.child.stdin.end();
  assert.deepEqual(await timed.exit, { code: 5, signal: null });
  await signalled.stdoutEnd;
  signalled.child.kill('SIGTERM');
  assert.deepEqual(await signalled.exit, { code: 5, signal: null });
  await Promise.all([timed.closed, signalled.closed]);
  assert.match(timed.stderr, /^mcptrace: not all that was traced was delivered within 1 s; it is kept [^\n]*\n$/);
  assert.match(signalled.stderr, /^mcptrace: not all that was traced was delivered when a signal ended the waiting; [^\n]*\n$/);
  process.kill(ship, 'SIGCONT');
  keeper.child.stdin.end();
  await keeper.exit;
});

test('a proxy starts it, and waits for it, too', async (t) => {
  const here = await installation(t);
  const server = legacyHttpServer();
  const { origin } = await listen(t, server.handler);
  const proxy = await startProxy(here.home, origin, { options: ['--flush', '60s'], env: here.env });
  const peer = await legacyHttpClient(`${proxy.origin}/mcp`);
  await oneShip(here.home);
  await peer.close();
  await proxy.stop();
  assert.deepEqual(proxy.stderr.filter((line) => !line.includes('listening on')), []);
});

test('a proxy that waits ends at a second signal', async (t) => {
  const here = await installation(t);
  const server = legacyHttpServer();
  const { origin } = await listen(t, server.handler);
  const proxy = await startProxy(here.home, origin, { options: ['--flush', '1h'], env: here.env });
  const peer = await legacyHttpClient(`${proxy.origin}/mcp`);
  process.kill(await oneShip(here.home), 'SIGSTOP');
  await peer.close();
  proxy.signal('SIGTERM');
  await eventually(() => fs.existsSync(path.join(here.home, 'ship.hurry')), 'that it waits');
  proxy.signal('SIGTERM');
  const { code, signal } = await proxy.exit;
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
  assert.equal(proxy.stderr.filter((line) => line.includes('not all that was traced was delivered when a signal ended')).length, 1);
});

// --- as the first process of a container ---

// In a pid namespace with a /proc of its own; whoever is not root needs a user namespace for it.
const namespace = ['--pid', '--mount-proc', '--fork', '--kill-child',
  ...(process.getuid() === 0 ? [] : ['--user', '--map-root-user'])];
// Leaves twenty orphans behind, then says how many of them, once ended, nobody took. The shell gives up after a while.
const orphans = `for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do (sh -c 'exit 3' &); done
tries=0
while [ $tries -lt 600 ]; do
  dead=$(cat /proc/[0-9]*/stat 2>/dev/null | grep -c ' Z 1 ')
  [ "$dead" = 0 ] && break
  tries=$((tries + 1)); sleep 0.05
done
echo "$dead left"`;

test('as the first process of a container, run takes the ends of orphans and leaves its server its own', (t) => {
  const home = freshHome(t);
  const done = spawnSync('unshare', [...namespace, binary, 'run', '--', 'sh', '-c', `${orphans}; exit 7`], {
    encoding: 'utf8', timeout: 60_000, env: { PATH: process.env.PATH, HOME: '/nonexistent', MCPTRACE_HOME: home },
  });
  assert.equal(done.stdout, '0 left\n', done.stderr);
  assert.equal(done.status, 7, done.stderr);
});

test('as the first process of a container, proxy takes the ends of orphans', async (t) => {
  const home = freshHome(t);
  const { origin } = await listen(t, (request, response) => response.end());
  // Orphans of a shell that becomes the proxy are its children from the beginning; a second shell makes more of them.
  const script = `sh -c 'exit 3' & exec "$0" proxy --upstream ${origin}`;
  const proxy = spawn('unshare', [...namespace, 'sh', '-c', script, binary], {
    stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env.PATH, HOME: '/nonexistent', MCPTRACE_HOME: home },
  });
  t.after(() => proxy.kill('SIGKILL'));
  await once(proxy.stderr, 'data');  // it listens
  const first = Number(fs.readFileSync(`/proc/${proxy.pid}/task/${proxy.pid}/children`, 'utf8').trim());
  const children = () => fs.readFileSync(`/proc/${first}/task/${first}/children`, 'utf8').trim();
  assert.equal(await eventually(() => children() === '' && 'none', 'the end of those from before'), 'none');
  const entered = spawnSync('nsenter', ['--target', `${first}`, '--pid', ...(process.getuid() === 0 ? [] : ['--user']),
    'sh', '-c', '(sh -c "exit 3" &)'], { encoding: 'utf8', timeout: 60_000 });
  assert.equal(entered.status, 0, entered.stderr);
  assert.equal(await eventually(() => children() === '' && 'none', 'the end of orphans'), 'none');
  proxy.kill('SIGKILL');
});
