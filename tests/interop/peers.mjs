// The programs of other languages' SDKs, and the npm clients: how to start each, and what a client said.
//
//   const server = servers['go-sdk'];
//   const { steps } = await drive(t, clients['npm-legacy'], 'stdio', server.command('stdio'));
//   const { origin } = await serve(t, server.command('http', ['--json']));
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { binary } from '../e2e/peers.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
export const built = path.join(here, '../../build/interop');
export const file = (...parts) => path.join(here, ...parts);

// Why a language's peers are not there; undefined if they are. script/interop says so.
export function missing(language) {
  if (language === 'npm' || (process.env.INTEROP_WITH ?? '').split(' ').includes(language)) return undefined;
  const line = (process.env.INTEROP_WITHOUT ?? '').split('\n').find((each) => each.startsWith(`${language}: `));
  return line?.slice(language.length + 2) || 'run by script/interop only';
}

export const python = (version) => path.join(built, `python-${version}/bin/python`);
// A JVM that starts quickly; of the machine's memory it needs little.
export const java = (program) => ['java', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx256m', '-cp',
  `${path.join(built, 'java/classes')}:${path.join(built, 'java/lib')}/*`, `interop.${program}`];
export const go = (program) => path.join(built, 'go', program);

const pythonServer = (version, sdk) => ({
  language: 'python', command: (transport, options = []) => [python(version), file('python/server.py'), sdk, transport, ...options],
});
const goServer = (program) => ({
  language: 'go', command: (transport, options = []) => [go(program), 'server', transport, ...options],
});

// `sse`: where HTTP+SSE begins.
export const servers = {
  'python-1-mcp': pythonServer(1, 'mcp'),
  'python-1-fastmcp': pythonServer(1, 'fastmcp'),
  'python-2-mcp': pythonServer(2, 'mcp'),
  'python-2-fastmcp': pythonServer(2, 'fastmcp'),
  'go-sdk': goServer('gosdk'),
  'mcp-go': goServer('mcpgo'),
  'java-sdk': { language: 'java', command: (transport, options = []) => [...java('Server'), transport, ...options] },
};

// `cancels`: whoever gives up waiting says so to the server; the others forget the call, and its answer may come. `leaves`: over
// HTTP with sessions it just leaves: go-sdk closes the call's connection, which may be seen before its word; mcp-go says no word.
export const clients = {
  'npm-legacy': { language: 'npm', cancels: true, command: [process.execPath, file('npm/client.mjs'), 'legacy'] },
  'npm-modern': { language: 'npm', cancels: true, command: [process.execPath, file('npm/client.mjs'), 'modern'] },
  'python-1-mcp': { language: 'python', cancels: false, command: [python(1), file('python/client.py'), 'mcp'] },
  'python-1-fastmcp': { language: 'python', cancels: false, command: [python(1), file('python/client.py'), 'fastmcp'] },
  'python-2-mcp': { language: 'python', cancels: true, command: [python(2), file('python/client.py'), 'mcp'] },
  'python-2-fastmcp': { language: 'python', cancels: true, command: [python(2), file('python/client.py'), 'fastmcp'] },
  'go-sdk': { language: 'go', cancels: true, leaves: true, command: [go('gosdk'), 'client'] },
  'mcp-go': { language: 'go', cancels: true, leaves: true, command: [go('mcpgo'), 'client'] },
  'java-sdk': { language: 'java', cancels: false, command: java('Client') },
};

// A child of this test, with lines of stderr. Ends with the test, whatever that one does.
export function start(t, command, { env = {}, stdin = 'ignore' } = {}) {
  const child = spawn(command[0], command.slice(1), { stdio: [stdin, 'pipe', 'pipe'], env: { ...process.env, ...env } });
  child.stderrLines = [];
  createInterface({ input: child.stderr }).on('line', (line) => child.stderrLines.push(line));
  child.ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await child.ended;
  });
  return child;
}

// Runs a client to its end: what it said, step by step.
export async function drive(t, client, transport, target, env = {}) {
  const child = start(t, [...client.command, transport, ...target], { env });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text) => { said += text; });
  const { code, signal } = await child.ended;
  if (code !== 0) throw new Error(`the client ended with ${code ?? signal}\n${child.stderrLines.join('\n')}`);
  const steps = Object.fromEntries(said.split('\n').filter(Boolean).map((line) => JSON.parse(line)));
  return { steps, stderr: child.stderrLines };
}

// Starts a server over HTTP: { origin, stderr }.
export async function serve(t, command, env = {}) {
  const child = start(t, command, { env });
  const listens = Promise.withResolvers();
  createInterface({ input: child.stderr }).on('line', (line) => {
    const found = line.match(/listens on port (\d+)/);
    if (found) listens.resolve(found[1]);
  });
  child.ended.then(({ code, signal }) =>
    listens.reject(new Error(`the server ended with ${code ?? signal}\n${child.stderrLines.slice(-40).join('\n')}`)));
  return { origin: `http://127.0.0.1:${await listens.promise}`, stderr: child.stderrLines };
}

// A command under mcptrace, for clients that scrub the environment of what they start.
export const wrapped = (home, command, options = []) =>
  ['/usr/bin/env', `MCPTRACE_HOME=${home}`, binary, 'run', ...options, '--', ...command];
