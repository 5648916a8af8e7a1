// A client of one npm SDK, which does what every client here does and says what it got, a line of JSON a step:
// client.mjs legacy|modern stdio COMMAND ARGUMENT... | client.mjs legacy|modern http|sse URL
import { Client as ModernClient, StreamableHTTPClientTransport as ModernHttp } from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernStdio } from '@modelcontextprotocol/client/stdio';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport as LegacyStdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as LegacyHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const [sdk, transport, target, ...rest] = process.argv.slice(2);
const legacy = sdk === 'legacy';
const info = { name: `npm-${sdk}`, version: '1.2.3' };
const say = (step, got) => process.stdout.write(`${JSON.stringify([step, got])}\n`);

function connection() {
  if (transport === 'stdio') return new (legacy ? LegacyStdio : ModernStdio)({ command: target, args: rest, stderr: 'inherit' });
  if (transport === 'sse') return new SSEClientTransport(new URL(target));
  return new (legacy ? LegacyHttp : ModernHttp)(new URL(target));
}

const client = legacy ? new LegacyClient(info) : new ModernClient(info, { versionNegotiation: { mode: 'auto' } });
const call = (name, args, options) =>
  legacy ? client.callTool({ name, arguments: args }, undefined, options) : client.callTool({ name, arguments: args }, options);

// A result's text, or an error's code; how it is worded is the SDK's affair.
async function ask(step, name, args, options) {
  try {
    const { isError = false, content } = await call(name, args, options);
    say(step, { error: isError, text: content.map((block) => block.text ?? '').join('') });
  } catch (error) {
    const timeout = error.code === -32001 || error.code === 'REQUEST_TIMEOUT';
    say(step, timeout ? { timeout } : 'code' in error ? { code: error.code } : { raised: error.constructor.name });
  }
}

const how = connection();
await client.connect(how);
say('list', (await client.listTools()).tools.map((tool) => tool.name).sort());
await ask('echo', 'echo', { message: 'grüß dich 🙂 \u2028 "x"' });
await ask('add', 'add', { a: 2, b: 40 });
await ask('fail', 'fail', {});
await ask('bad', 'add', { a: 'x', b: 1 });
await ask('unknown', 'no_such_tool', {});
const progressed = [];
await ask('progress', 'progress', { steps: 3 }, {
  onprogress: ({ progress }) => progressed.push(progress),
});
// The SDK may drop those that come with the answer.
say('progressed', progressed.every((each) => [1, 2, 3].includes(each)));
await ask('slow', 'slow', {}, { timeout: 1000 });
await ask('after', 'echo', { message: 'still here' });
if (transport === 'http') await how.terminateSession();
await client.close();
say('closed', true);
