// What an agent does to the reference server (@modelcontextprotocol/server-everything): the tests and the demo drive it so.
import {
  CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';

export const capabilities = { sampling: {}, elicitation: {}, roots: { listChanged: true } };

// The client's side of the server's own requests. The server asks for roots by itself, some time after the handshake.
const rootsAsked = new WeakMap();
export function answerTheServer(client) {
  const asked = Promise.withResolvers();
  rootsAsked.set(client, asked.promise);
  client.setRequestHandler(CreateMessageRequestSchema, () =>
    ({ model: 'none', role: 'assistant', content: { type: 'text', text: 'A short answer.' }, stopReason: 'endTurn' }));
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'decline' }));
  client.setRequestHandler(ListRootsRequestSchema, () => {
    asked.resolve();
    return { roots: [{ uri: 'file:///srv/example', name: 'example' }] };
  });
}

// Calls that come one after the other; `progress` counts the notifications of the long one. The last waits until the server has its
// roots: with that request open, it would not end when its standard input does.
export async function drive(client) {
  let progress = 0;
  const { tools } = await client.listTools();
  await client.callTool({ name: 'echo', arguments: { message: 'hello' } });
  await client.callTool({ name: 'get-sum', arguments: { a: 2, b: 3 } });
  await client.callTool({ name: 'trigger-long-running-operation', arguments: { duration: 0.3, steps: 3 } }, undefined,
    { onprogress: () => ++progress });
  // Arguments of the wrong type: a result with isError.
  const failed = await client.callTool({ name: 'get-sum', arguments: { a: 'two', b: 3 } });
  await client.callTool({ name: 'trigger-sampling-request', arguments: { prompt: 'Say something.', maxTokens: 20 } });
  await client.callTool({ name: 'trigger-elicitation-request', arguments: {} });
  await client.getPrompt({ name: 'args-prompt', arguments: { city: 'Bern' } });
  await client.readResource({ uri: 'demo://resource/dynamic/text/1' });
  await rootsAsked.get(client);
  await client.callTool({ name: 'get-structured-content', arguments: { location: 'Chicago' } });
  return { tools: tools.map((tool) => tool.name), failed, progress };
}
