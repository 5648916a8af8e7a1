// The client of script/demo: the SDK's, driving the reference server through the command given as arguments.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { answerTheServer, capabilities, drive } from './everything.mjs';

const [command, ...args] = process.argv.slice(2);
const client = new Client({ name: 'mcptrace-demo', version: '1.0.0' }, { capabilities });
answerTheServer(client);
const env = { MCPTRACE_HOME: process.env.MCPTRACE_HOME, MCPTRACE_CONFIG: 'none' };
const stderr = process.env.DEMO_VERBOSE ? 'inherit' : 'ignore';
await client.connect(new StdioClientTransport({ command, args, env, stderr }));
const { tools, failed } = await drive(client);
await client.close();
console.log(`The client saw ${tools.length} tools; one call failed: ${failed.content[0].text.split(':').slice(0, 2).join(':')}`);
