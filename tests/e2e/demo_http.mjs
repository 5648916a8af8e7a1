// The second half of script/demo: the reference server over Streamable HTTP, `mcptrace proxy` in front of it, and the SDK's client on
// the proxy's address. Arguments: the proxy's command up to its --upstream.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { answerTheServer, capabilities, drive } from './everything.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

// A child process, once it has said on stderr what `pattern` looks for.
async function started(command, args, env, pattern) {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } });
  const said = [];
  const ended = once(child, 'exit').then(() => { throw new Error(`${args[0]} ended at once\n${said.join('\n')}`); });
  const found = new Promise((resolve) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      said.push(line);
      const match = line.match(pattern);
      if (match) resolve(match);
    });
  });
  const match = await Promise.race([found, ended]);
  ended.catch(() => {});
  return { child, match };
}

const server = await started(process.execPath, ['--import', path.join(here, 'say_port.mjs'),
  path.join(here, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js'), 'streamableHttp'],
{ PORT: '0' }, /^listens on port ([1-9]\d*)$/);
const [command, ...args] = process.argv.slice(2);
const proxy = await started(command, [...args, '--upstream', `http://127.0.0.1:${server.match[1]}`], {}, /listening on (http:\/\/\S+)/);
try {
  const client = new Client({ name: 'mcptrace-demo', version: '1.0.0' }, { capabilities });
  answerTheServer(client);
  const transport = new StreamableHTTPClientTransport(new URL(`${proxy.match[1]}/mcp`));
  await client.connect(transport);
  const { tools } = await drive(client);
  await transport.terminateSession();
  await client.close();
  console.log(`The client talked to ${proxy.match[1]}/mcp and saw ${tools.length} tools.`);
} finally {
  proxy.child.kill('SIGTERM');
  await once(proxy.child, 'exit');
  server.child.kill('SIGKILL');
}
