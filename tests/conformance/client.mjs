// The client fixture: client.mjs URL plays the scenario that the suite names in the environment, with the SDK of the era that the
// suite names there, too. With MCPTRACE_CONFORMANCE_PROXY set it dials a proxy that it starts in front of the URL.
import {
  Client as ModernClient, StreamableHTTPClientTransport as ModernTransport, UnauthorizedError as ModernUnauthorized,
} from '@modelcontextprotocol/client';
import { UnauthorizedError as LegacyUnauthorized } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { providerFor } from './oauth.mjs';
import { startProxy } from './proxy.mjs';

const scenario = process.env.MCP_CONFORMANCE_SCENARIO;
const version = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');
const legacy = version < '2026-07-28';
// What is newer than the older SDK is played with the newer one, in either era.
const legacySdk = legacy && !/client-credentials|enterprise|wif|dpop|2020-12/.test(scenario);
const info = { name: 'mcptrace-conformance-client', version: '1.0.0' };
const maxAttempts = 2;

function makeClient(capabilities) {
  if (legacySdk) return new LegacyClient(info, { capabilities });
  const mode = legacy ? 'legacy' : 'auto';
  return new ModernClient(info, { capabilities, versionNegotiation: { mode } });
}

const makeTransport = (url, authProvider) =>
  new (legacySdk ? LegacyTransport : ModernTransport)(url, authProvider && { authProvider });

async function connected(url, capabilities = {}, prepare = () => {}) {
  const client = makeClient(capabilities);
  prepare(client);
  await client.connect(makeTransport(url));
  return client;
}

// Answers every elicitation so.
const elicits = (answer) => (client) =>
  client.setRequestHandler(legacySdk ? ElicitRequestSchema : 'elicitation/create', async () => answer);

// `attempt`, again each time that the user had to be asked.
async function authorized(provider, transport, attempt) {
  for (let i = 0; ; i++) {
    try {
      return await attempt();
    } catch (error) {
      const asked = error instanceof LegacyUnauthorized || error instanceof ModernUnauthorized;
      if (!asked || !provider.callback || i === maxAttempts) throw error;
      const { callback } = provider;
      provider.callback = undefined;
      await transport().finishAuth(legacySdk ? callback.get('code') : callback);
    }
  }
}

async function playAuthorization(url, canonical) {
  const provider = await providerFor(scenario, context, canonical);
  let transport;
  const client = await authorized(provider, () => transport, async () => {
    const fresh = makeClient({});
    transport = makeTransport(url, provider);
    await fresh.connect(transport);
    return fresh;
  });
  const { tools } = await authorized(provider, () => transport, () => client.listTools());
  if (tools.length > 0) await authorized(provider, () => transport, () => client.callTool({ name: tools[0].name, arguments: {} }));
  return client;
}

const plays = {
  async initialize(url) {
    const client = await connected(url);
    await client.listTools();
    return client;
  },
  async tools_call(url) {
    const client = await connected(url);
    await client.listTools();
    await client.callTool({ name: 'add_numbers', arguments: { a: 5, b: 3 } });
    return client;
  },
  async 'elicitation-sep1034-client-defaults'(url) {
    const client = await connected(url, { elicitation: { form: { applyDefaults: true } } },
      elicits({ action: 'accept', content: {} }));
    await client.callTool({ name: 'test_client_elicitation_defaults', arguments: {} });
    return client;
  },
  async 'sse-retry'(url) {
    const client = await connected(url);
    await client.callTool({ name: 'test_reconnection', arguments: {} });
    return client;
  },
  async 'request-metadata'(url) {
    const client = await connected(url, { roots: { listChanged: true }, sampling: {}, elicitation: {} });
    await client.listTools();
    return client;
  },
  async 'http-standard-headers'(url) {
    const client = await connected(url);
    for (const { name } of (await client.listTools()).tools) await client.callTool({ name, arguments: {} });
    for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri });
    for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name });
    return client;
  },
  async 'http-custom-headers'(url) {
    const client = await connected(url);
    await client.listTools();
    for (const call of context.toolCalls) await client.callTool(call);
    return client;
  },
  async 'http-invalid-tool-headers'(url) {
    const client = await connected(url);
    for (const { name } of (await client.listTools()).tools) await client.callTool({ name, arguments: { region: 'eu' } });
    return client;
  },
  async 'json-schema-ref-no-deref'(url) {
    const client = await connected(url);
    await client.listTools();
    return client;
  },
  async 'json-schema-2020-12-preservation'(url) {
    const client = await connected(url);
    const { tools } = await client.listTools();
    const [focal, echo] = ['json_schema_2020_12_tool', undefined].map((name) => tools.find((tool) =>
      (name ? tool.name === name : tool.name !== 'json_schema_2020_12_tool')));
    await client.callTool({ name: echo.name, arguments: { schema: focal.inputSchema } });
    return client;
  },
  async 'sep-2322-client-request-state'(url) {
    const client = await connected(url, { elicitation: {} }, elicits({ action: 'accept', content: { confirmed: true } }));
    await client.listTools();
    const call = (name) => client.callTool({ name, arguments: {} });
    await Promise.all([call('test_mrtr_echo_state'), call('test_mrtr_unrelated')]);
    await call('test_mrtr_no_state');
    // This SDK refuses an answer without a resultType; the scenario asks only what the client sends afterwards.
    await call('test_mrtr_no_result_type').catch(() => {});
    return client;
  },
};

async function main() {
  const url = new URL(process.argv.at(-1));
  const play = scenario.startsWith('auth/') ? playAuthorization : plays[scenario];
  if (!play) throw new Error(`no play for ${scenario}`);
  if (!process.env.MCPTRACE_CONFORMANCE_PROXY) {
    await (await play(url)).close();
    return;
  }
  const proxy = await startProxy(url.origin);
  try {
    await (await play(new URL(url.pathname + url.search, proxy.origin), url.href)).close();
  } finally {
    await proxy.stop();
  }
}

try {
  await main();
  process.exit(0);
} catch (error) {
  console.error(error);
  process.exit(1);
}
