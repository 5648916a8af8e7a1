// Starts `mcptrace proxy` in front of a server, for run.mjs and client.mjs.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export const binary = process.env.MCPTRACE_BINARY ?? new URL('../../build/release/mcptrace', import.meta.url).pathname;

const startMs = 15_000;
const stopMs = 20_000;

// A proxy on a free port: { origin, stop() }. `stop` ends it as a supervisor does, and throws unless it ended well.
export async function startProxy(upstream) {
  const child = spawn(binary, ['proxy', '--listen', '127.0.0.1:0', '--upstream', upstream], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const lines = [];
  const ended = new Promise((resolve) => {
    child.once('close', (status, signal) => resolve(status ?? signal));
    child.once('error', (error) => resolve(error.message));
  });
  const listening = new Promise((resolve) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      const found = line.match(/listening on (http:\/\/\S+)/);
      if (found) resolve(new URL(found[1]).origin);
    });
  });
  const failed = (what) => new Error(`mcptrace proxy: ${what}\n${lines.join('\n')}`);
  // How it ended, if it does so within `ms`.
  const endWithin = async (ms) => {
    const timer = setTimeout(kill, ms);
    const how = await ended;
    clearTimeout(timer);
    process.removeListener('exit', kill);
    return how;
  };
  const timer = setTimeout(kill, startMs);
  const origin = await Promise.race([listening, ended.then((how) => { throw failed(`${how} before it listened`); })]);
  clearTimeout(timer);
  return {
    origin,
    async stop() {
      child.kill('SIGTERM');
      const how = await endWithin(stopMs);
      if (how !== 0) throw failed(`ended with ${how}`);
    },
  };
}
