// What both server fixtures offer: the tools, prompts and resources that the suite's server scenarios ask for by name.
//
// A tool is { description, args, run(args, call) }; `args` maps names to zod schemas. `call` hides which SDK serves the request:
//   call.log(text)              a log message, if the client wants those
//   call.progress(done, total)  a progress notification, if the request has a token
//   call.sample(params), call.elicit(params)   requests to the client (legacy only)
//   call.dropStream()           ends the answer's SSE stream before the answer (legacy only)
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';

export const serverInfo = { name: 'mcptrace-conformance-server', version: '1.0.0' };

const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==';
// 8 kHz, 16 bits, mono, no sample at all.
const wav = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=';

const text = (string) => ({ type: 'text', text: string });
const image = { type: 'image', data: png, mimeType: 'image/png' };
export const result = (...content) => ({ content: content.map((item) => (typeof item === 'string' ? text(item) : item)) });
const said = (content) => ({ role: 'user', content: typeof content === 'string' ? text(content) : content });

const resource = (uri, mimeType, string) => ({ type: 'resource', resource: { uri, mimeType, text: string } });

export const tools = {
  test_simple_text: {
    description: 'Answers with one text',
    run: () => result('This is a simple text response for testing.'),
  },
  test_image_content: { description: 'Answers with an image', run: () => result(image) },
  test_audio_content: {
    description: 'Answers with a sound',
    run: () => result({ type: 'audio', data: wav, mimeType: 'audio/wav' }),
  },
  test_embedded_resource: {
    description: 'Answers with a resource',
    run: () => result(resource('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')),
  },
  test_multiple_content_types: {
    description: 'Answers with a text, an image and a resource',
    run: () => result('Multiple content types test:', image,
      resource('test://mixed-content-resource', 'application/json', JSON.stringify({ test: 'data', value: 123 }))),
  },
  test_error_handling: {
    description: 'Fails',
    run: () => { throw new Error('This tool intentionally returns an error for testing'); },
  },
  test_tool_with_logging: {
    description: 'Logs three times on the way',
    async run(_args, call) {
      await call.log('Tool execution started');
      await pause(50);
      await call.log('Tool processing data');
      await pause(50);
      await call.log('Tool execution completed');
      return result('Logged three times.');
    },
  },
  test_tool_with_progress: {
    description: 'Tells its progress three times on the way',
    async run(_args, call) {
      await call.progress(0, 100);
      await pause(50);
      await call.progress(50, 100);
      await pause(50);
      await call.progress(100, 100);
      return result('Done.');
    },
  },
};

// What needs requests from the server to the client, or an answer that outlives its stream.
const elicited = ({ action, content }) =>
  result(`Elicitation completed: action=${action}, content=${JSON.stringify(content ?? {})}`);
const form = (properties, required) => ({ type: 'object', properties, ...(required && { required }) });
const titled = (values, word) => values.map((value, i) => ({ const: value, title: `${['First', 'Second', 'Third'][i]} ${word}` }));
const choices = ['option1', 'option2', 'option3'];
const values = ['value1', 'value2', 'value3'];

export const legacyTools = {
  test_sampling: {
    description: 'Asks the client for a completion',
    args: { prompt: z.string() },
    async run({ prompt }, call) {
      const { content } = await call.sample({ messages: [said(prompt)], maxTokens: 100 });
      return result(`LLM response: ${content.text}`);
    },
  },
  test_elicitation: {
    description: 'Asks the user for a name and an address',
    args: { message: z.string() },
    async run({ message }, call) {
      const { action, content } = await call.elicit({
        message,
        requestedSchema: form({
          username: { type: 'string', description: "User's response" },
          email: { type: 'string', description: "User's email address" },
        }, ['username', 'email']),
      });
      return result(`User response: action: ${action}, content: ${JSON.stringify(content ?? {})}`);
    },
  },
  test_elicitation_sep1034_defaults: {
    description: 'Asks with a default for each primitive type',
    run: async (_args, call) => elicited(await call.elicit({
      message: 'Please review the defaults',
      requestedSchema: form({
        name: { type: 'string', default: 'John Doe' },
        age: { type: 'integer', default: 30 },
        score: { type: 'number', default: 95.5 },
        status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
        verified: { type: 'boolean', default: true },
      }, []),
    })),
  },
  test_elicitation_sep1330_enums: {
    description: 'Asks with each form of enumeration',
    run: async (_args, call) => elicited(await call.elicit({
      message: 'Please choose',
      requestedSchema: form({
        untitledSingle: { type: 'string', enum: choices },
        titledSingle: { type: 'string', oneOf: titled(values, 'Option') },
        legacyEnum: {
          type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['Option One', 'Option Two', 'Option Three'],
        },
        untitledMulti: { type: 'array', items: { type: 'string', enum: choices } },
        titledMulti: { type: 'array', items: { anyOf: titled(values, 'Choice') } },
      }, []),
    })),
  },
  test_reconnection: {
    description: 'Ends the stream of its answer, and answers when the client has come back',
    async run(_args, call) {
      call.dropStream();
      await pause(100);
      return result('The answer came by the second stream.');
    },
  },
};

// The suite compares this schema, keyword by keyword, with what it reads from tools/list.
const phoneOrEmail = (name) => ({ required: [name] });
export const richSchemaTool = {
  name: 'json_schema_2020_12_tool',
  description: 'Tool with JSON Schema 2020-12 features',
  inputSchema: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    $defs: {
      address: {
        $anchor: 'addressDef',
        type: 'object',
        properties: { street: { type: 'string' }, city: { type: 'string' } },
      },
    },
    properties: {
      name: { type: 'string' },
      address: { $ref: '#/$defs/address' },
      contactMethod: { type: 'string', enum: ['phone', 'email'] },
      phone: { type: 'string' },
      email: { type: 'string' },
    },
    allOf: [{ anyOf: [phoneOrEmail('phone'), phoneOrEmail('email')] }],
    if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
    then: phoneOrEmail('phone'),
    else: phoneOrEmail('email'),
    additionalProperties: false,
  },
};

// A prompt is { description, args, complete, run(args) }; `complete` maps an argument to what completes it.
export const prompts = {
  test_simple_prompt: { description: 'One message', run: () => [said('This is a simple prompt for testing.')] },
  test_prompt_with_arguments: {
    description: 'One message with two arguments in it',
    args: { arg1: z.string().describe('First'), arg2: z.string().describe('Second') },
    complete: { arg1: (start) => ['paris', 'park', 'party'].filter((word) => word.startsWith(start)) },
    run: ({ arg1, arg2 }) => [said(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)],
  },
  test_prompt_with_embedded_resource: {
    description: 'A resource, and a message about it',
    args: { resourceUri: z.string().describe('URI of the resource') },
    run: ({ resourceUri }) => [
      said(resource(resourceUri, 'text/plain', 'Embedded resource content for testing.')),
      said('Please process the embedded resource above.')],
  },
  test_prompt_with_image: {
    description: 'An image, and a message about it',
    run: () => [said(image), said('Please analyze the image above.')],
  },
};

export const resources = {
  'test://static-text': {
    name: 'static-text', description: 'A text', mimeType: 'text/plain',
    body: { text: 'This is the content of the static text resource.' },
  },
  'test://static-binary': {
    name: 'static-binary', description: 'An image', mimeType: 'image/png', body: { blob: png },
  },
  'test://watched-resource': {
    name: 'watched-resource', description: 'A text that can be watched', mimeType: 'text/plain',
    body: { text: 'Watched.' },
  },
};

export const template = {
  name: 'template', uri: 'test://template/{id}/data', description: 'Data by id', mimeType: 'application/json',
  body: (id) => ({ text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) }),
};
