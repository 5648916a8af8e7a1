// The tasks extension of 2026-07-28 for the server fixture: the SDK has none, so these requests are answered by hand, before it.
// A tool that a task may serve answers at once with a task's id; the client asks for it, answers its questions, or cancels it.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { result, serverInfo } from './content.mjs';

export const tasksExtension = 'io.modelcontextprotocol/tasks';
const elicit = (message, property) => ({
  method: 'elicitation/create',
  params: {
    mode: 'form', message,
    requestedSchema: { type: 'object', properties: { [property]: { type: 'string' } }, required: [property] },
  },
});

// A tool is { description, args, required, run(args, task) }: `run` settles the task, now or later. `required` ones are refused to
// clients without the extension; the SDK serves the others to those, with `sync`.
export const taskTools = {
  slow_compute: {
    description: 'Takes its time',
    args: { seconds: z.number().optional(), label: z.string().optional() },
    sync: () => result('Computed at once.'),
    run: ({ seconds = 0, label }, task) => task.later(seconds, () => task.complete(result(`Computed ${label}.`))),
  },
  failing_job: {
    description: 'Fails as a tool does',
    required: true,
    run: (_args, task) => task.complete({ ...result('This tool fails.'), isError: true }),
  },
  protocol_error_job: {
    description: 'Fails as a server does',
    required: true,
    run: (_args, task) => task.settle('failed', { error: { code: -32603, message: 'This server fails.' } }),
  },
  confirm_delete: {
    description: 'Asks before it deletes',
    args: { filename: z.string().optional() },
    required: true,
    run: ({ filename }, task) => task.ask([elicit(`Delete ${filename}?`, 'confirm')], () =>
      task.complete(result(`Deleted ${filename}.`))),
  },
  multi_input: {
    description: 'Asks two things at once',
    required: true,
    run: (_args, task) => task.ask([elicit('First?', 'first'), elicit('Second?', 'second')], () =>
      task.complete(result('Both came.'))),
  },
  test_tool_with_task: {
    description: 'Asks first, and is a task then',
    required: true,
    before: (params) => (params.inputResponses?.user_name ? undefined
      : { resultType: 'input_required', inputRequests: { user_name: elicit('What is your name?', 'name') } }),
    run: (_args, task, params) => task.complete(result(`Hello, ${params.inputResponses.user_name.content.name}!`)),
  },
};

class Task {
  #state;
  #then;
  #timer;

  constructor() {
    const now = new Date().toISOString();
    this.#state = { taskId: randomUUID(), status: 'working', createdAt: now, lastUpdatedAt: now, ttlMs: 60_000, pollIntervalMs: 100 };
  }

  get state() {
    return this.#state;
  }

  // What a client is told when the task is made: nothing yet of how it ends.
  get created() {
    const { result: _result, error: _error, inputRequests: _requests, ...rest } = this.#state;
    return { ...rest, status: 'working' };
  }

  #become(changes) {
    this.#state = { ...this.#state, ...changes, lastUpdatedAt: new Date().toISOString() };
  }

  later(seconds, then) {
    this.#timer = setTimeout(then, seconds * 1000);
  }

  settle(status, more = {}) {
    clearTimeout(this.#timer);
    const { inputRequests: _requests, ...rest } = this.#state;
    this.#state = rest;
    this.#become({ status, ...more });
  }

  complete = (given) => this.settle('completed', { result: given });

  ask(requests, then) {
    this.#then = then;
    this.#become({ status: 'input_required', inputRequests: Object.fromEntries(requests.map((each) => [randomUUID(), each])) });
  }

  answer(responses) {
    if (this.#state.status !== 'input_required') return;
    const left = Object.entries(this.#state.inputRequests).filter(([key]) => !(key in responses));
    if (left.length > 0) this.#become({ inputRequests: Object.fromEntries(left) });
    else this.#then();
  }

  cancel() {
    if (['working', 'input_required'].includes(this.#state.status)) this.settle('cancelled');
  }
}

function answer(response, id, status, body) {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id, ...body }));
}

// Answers what is about tasks, and says whether it was: (request, response, body) → boolean.
export function tasksHandler() {
  const tasks = new Map();

  const ofTask = {
    'tasks/get': (task) => ({ resultType: 'complete', ...task.state }),
    'tasks/update': (task, { inputResponses }) => (task.answer(inputResponses ?? {}), { resultType: 'complete' }),
    'tasks/cancel': (task) => (task.cancel(), { resultType: 'complete' }),
  };

  function call(tool, params) {
    const first = tool.before?.(params);
    if (first) return first;
    const task = new Task();
    tasks.set(task.state.taskId, task);
    tool.run(params.arguments ?? {}, task, params);
    return { resultType: 'task', ...task.created };
  }

  return (request, response, body) => {
    const { id, method, params } = body ?? {};
    const capabilities = params?._meta?.['io.modelcontextprotocol/clientCapabilities'];
    const tool = method === 'tools/call' && Object.hasOwn(taskTools, params?.name) ? taskTools[params.name] : undefined;
    const declared = capabilities?.extensions?.[tasksExtension] !== undefined;
    if (!capabilities || !(method in ofTask || (tool && (declared || tool.required)))) return false;

    const name = tool ? params.name : params.taskId;
    const fail = (status, error) => (answer(response, id, status, { error }), true);
    if (request.headers['mcp-method'] !== method || request.headers['mcp-name'] !== name) {
      return fail(400, { code: -32020, message: 'The request headers and the body disagree' });
    }
    if (!declared) {
      const data = { requiredCapabilities: { extensions: { [tasksExtension]: {} } } };
      return fail(400, { code: -32021, message: 'The tasks extension is needed', data });
    }
    const task = tool ? undefined : tasks.get(name);
    if (!tool && !task) return fail(200, { code: -32602, message: 'No such task' });
    const made = tool ? call(tool, params) : ofTask[method](task, params);
    answer(response, id, 200, { result: { ...made, _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo } } });
    return true;
  };
}
