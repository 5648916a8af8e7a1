// The 2026-07-28 half of the server fixture, made with @modelcontextprotocol/server.
import {
  acceptedContent, completable, createMcpHandler, createRequestStateCodec, fromJsonSchema, inputRequired, inputResponse,
  McpServer, ResourceTemplate,
} from '@modelcontextprotocol/server';
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { prompts, resources, result, richSchemaTool, serverInfo, template, tools } from './content.mjs';
import { tasksExtension, taskTools } from './tasks_server.mjs';

const callOf = (context) => ({
  log: (data) => context.mcpReq.log('info', data),
  async progress(progress, total) {
    const progressToken = context.mcpReq._meta?.progressToken;
    if (progressToken === undefined) return;
    await context.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total } });
  },
});

const capabilitiesOf = (context) =>
  context.mcpReq.envelope?.['io.modelcontextprotocol/clientCapabilities'] ?? {};

// --- tools that ask back: each answers with requests first, and again until all of them are answered ---

const name = z.object({ name: z.string() });
const ok = z.object({ ok: z.boolean() });
const askName = (message) => inputRequired.elicit({ message, requestedSchema: name });
const sample = (question, maxTokens) => inputRequired.createMessage({
  messages: [{ role: 'user', content: { type: 'text', text: question } }], maxTokens,
});
// The answer to `key` if the client gave one of the kind that was asked for.
const given = (context, key) => {
  const answer = inputResponse(context.mcpReq.inputResponses, key);
  return answer?.kind === 'missing' ? undefined : answer;
};

function askingTools(state) {
  return {
    test_input_required_result_elicitation: (context) => {
      const user = acceptedContent(context.mcpReq.inputResponses, 'user_name', name);
      return user ? result(`Hello, ${user.name}!`)
        : inputRequired({ inputRequests: { user_name: askName('What is your name?') } });
    },
    test_input_required_result_sampling: (context) => {
      const answer = given(context, 'capital_question');
      return answer ? result(`The model says: ${JSON.stringify(answer)}`)
        : inputRequired({ inputRequests: { capital_question: sample('What is the capital of France?', 100) } });
    },
    test_input_required_result_list_roots: (context) => {
      const answer = given(context, 'client_roots');
      return answer ? result(`The roots: ${JSON.stringify(answer)}`)
        : inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
    },
    test_input_required_result_request_state: async (context) => {
      const confirmed = acceptedContent(context.mcpReq.inputResponses, 'confirm', ok);
      if (confirmed && context.mcpReq.requestState()?.step === 'confirm') return result('state-ok');
      return inputRequired({
        inputRequests: { confirm: inputRequired.elicit({ message: 'Please confirm', requestedSchema: ok }) },
        requestState: await state.mint({ step: 'confirm' }),
      });
    },
    test_input_required_result_tampered_state: async (context) => {
      if (context.mcpReq.requestState()?.step === 'sealed') return result('The state is as it was.');
      return inputRequired({
        inputRequests: { confirm: inputRequired.elicit({ message: 'Please confirm', requestedSchema: ok }) },
        requestState: await state.mint({ step: 'sealed' }),
      });
    },
    test_input_required_result_multiple_inputs: async (context) => {
      if (['user_name', 'greeting', 'client_roots'].every((key) => given(context, key))) return result('All three came.');
      return inputRequired({
        inputRequests: {
          user_name: askName('What is your name?'),
          greeting: sample('Generate a greeting', 50),
          client_roots: inputRequired.listRoots(),
        },
        requestState: await state.mint({ step: 'three' }),
      });
    },
    test_input_required_result_multi_round: async (context) => {
      const { step, user } = context.mcpReq.requestState() ?? {};
      const color = z.object({ color: z.string() });
      const answers = context.mcpReq.inputResponses;
      if (step === 2 && acceptedContent(answers, 'step2', color)) {
        return result(`${user} likes ${acceptedContent(answers, 'step2', color).color}.`);
      }
      const first = step === 1 && acceptedContent(answers, 'step1', name);
      if (first) {
        return inputRequired({
          inputRequests: {
            step2: inputRequired.elicit({ message: 'Step 2: What is your favorite color?', requestedSchema: color }),
          },
          requestState: await state.mint({ step: 2, user: first.name }),
        });
      }
      return inputRequired({
        inputRequests: { step1: askName('Step 1: What is your name?') }, requestState: await state.mint({ step: 1 }),
      });
    },
    test_input_required_result_capabilities: (context) => {
      const { elicitation, sampling } = capabilitiesOf(context);
      if (given(context, 'name') || given(context, 'question')) return result('Answered.');
      return inputRequired({
        inputRequests: {
          ...(elicitation && { name: askName('What is your name?') }),
          ...(sampling && { question: sample('What is the capital of France?', 100) }),
        },
      });
    },
    test_streaming_elicitation: (context) => (given(context, 'user_name') ? result('Answered.')
      : inputRequired({ inputRequests: { user_name: askName('What is your name?') } })),
    // The SDK refuses this to a client that did not say that it can sample.
    test_missing_capability: () => inputRequired({ inputRequests: { question: sample('Can you hear me?', 10) } }),
  };
}

function addTools(server, state, notify) {
  for (const [tool, { description, args, run }] of Object.entries(tools)) {
    server.registerTool(tool, { description, inputSchema: z.object(args ?? {}) }, (values, context) =>
      run(values, callOf(context)));
  }
  const simple = (tool, description, run) =>
    server.registerTool(tool, { description, inputSchema: z.object({}) }, (_values, context) => run(context));
  for (const [tool, run] of Object.entries(askingTools(state))) simple(tool, 'Asks the client for something', run);
  simple('test_logging_tool', 'Logs', async (context) => {
    await context.mcpReq.log('info', 'A log message');
    return result('Logged.');
  });
  simple('test_trigger_tool_change', 'Says that the tools changed', () => (notify().toolsChanged(), result('Said.')));
  simple('test_trigger_prompt_change', 'Says that the prompts changed', () => (notify().promptsChanged(), result('Said.')));
  server.registerTool('test_header_mirror', {
    description: 'Wants an argument in a header, too',
    inputSchema: fromJsonSchema({
      type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } }, required: ['region'],
    }),
  }, ({ region }) => result(region));
  // For the list, and for clients without the extension: other calls do not come as far as here.
  server.registerTool('greet', { description: 'Never a task', inputSchema: z.object({ name: z.string() }) },
    ({ name: who }) => result(`Hello, ${who}!`));
  for (const [tool, { description, args, sync }] of Object.entries(taskTools)) {
    server.registerTool(tool, { description, inputSchema: z.object(args ?? {}) }, () => sync());
  }
  const { description, inputSchema } = richSchemaTool;
  server.registerTool(richSchemaTool.name, { description, inputSchema: fromJsonSchema(inputSchema) }, () => result('Valid.'));
}

function addPrompts(server) {
  for (const [prompt, { description, args, complete, run }] of Object.entries(prompts)) {
    const argsSchema = args && z.object(Object.fromEntries(Object.entries(args).map(([key, schema]) =>
      [key, complete?.[key] ? completable(schema.clone(), complete[key]) : schema])));
    server.registerPrompt(prompt, { description, ...(argsSchema && { argsSchema }) }, (values) => ({ messages: run(values) }));
  }
  const about = z.object({ context: z.string() });
  server.registerPrompt('test_input_required_result_prompt', { description: 'Asks the client for something' }, (context) => {
    const answer = acceptedContent(context.mcpReq.inputResponses, 'user_context', about);
    if (answer) return { messages: [{ role: 'user', content: { type: 'text', text: `About ${answer.context}.` } }] };
    return inputRequired({
      inputRequests: {
        user_context: inputRequired.elicit({ message: 'What context should the prompt use?', requestedSchema: about }),
      },
    });
  });
}

function addResources(server) {
  for (const [uri, { name: title, description, mimeType, body }] of Object.entries(resources)) {
    server.registerResource(title, uri, { description, mimeType }, () => ({ contents: [{ uri, mimeType, ...body }] }));
  }
  const { mimeType } = template;
  server.registerResource(template.name, new ResourceTemplate(template.uri, { list: undefined }),
    { description: template.description, mimeType },
    (uri, { id }) => ({ contents: [{ uri: uri.href, mimeType, ...template.body(id) }] }));
}

// Answers all modern requests, and refuses legacy ones: { fetch(request) → response, close() }.
export function modernHandler() {
  const state = createRequestStateCodec({ key: randomBytes(32) });
  const changed = { listChanged: true };
  const capabilities = {
    tools: changed, prompts: changed, resources: changed, logging: {}, completions: {}, extensions: { [tasksExtension]: {} },
  };
  const handler = createMcpHandler(() => {
    const server = new McpServer(serverInfo, { capabilities, requestState: { verify: state.verify } });
    addTools(server, state, () => handler.notify);
    addPrompts(server);
    addResources(server);
    return server;
  }, { legacy: 'reject' });
  return handler;
}
