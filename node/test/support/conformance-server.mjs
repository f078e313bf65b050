// @ts-check
// What the conformance suite calls, served by the official SDKs: each of its tools, resources and prompts.
import { randomUUID } from 'node:crypto';
import { McpServer as Server1, ResourceTemplate as Template1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { completable as completable1 } from '@modelcontextprotocol/sdk/server/completable.js';
import { SubscribeRequestSchema, UnsubscribeRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { completable as completable2, createMcpHandler, inputRequired, McpServer as Server2, ResourceTemplate as Template2 } from '@modelcontextprotocol/server';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { z } from 'zod';

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const SOUND = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';

/** @param {string} words */
const text = (words) => ({ type: /** @type {const} */ ('text'), text: words });
const image = { type: /** @type {const} */ ('image'), data: PIXEL, mimeType: 'image/png' };
const audio = { type: /** @type {const} */ ('audio'), data: SOUND, mimeType: 'audio/wav' };
/** @param {string} uri */
const embedded = (uri) => ({ type: /** @type {const} */ ('resource'), resource: { uri, mimeType: 'text/plain', text: 'embedded' } });

/** What both generations register in the same way.
 * @param {any} server @param {any} Template @param {any} completable @param {(shape: any) => any} makeSchema */
function registerCommon(server, Template, completable, makeSchema) {
  /** @type {Record<string, any[]>} */
  const contents = {
    test_simple_text: [text('This is a simple text response for testing.')],
    test_image_content: [image],
    test_audio_content: [audio],
    test_embedded_resource: [embedded('test://embedded-resource')],
    test_multiple_content_types: [text('Multiple content types test:'), image, embedded('test://mixed-content-resource')],
  };
  for (const [name, content] of Object.entries(contents)) server.registerTool(name, { description: name }, () => ({ content }));
  server.registerTool('test_error_handling', { description: 'fails' }, () => {
    throw new Error('This tool intentionally returns an error for testing');
  });
  const read = (/** @type {object} */ body) => (/** @type {URL} */ uri) => ({ contents: [{ uri: uri.href, ...body }] });
  const plain = { mimeType: 'text/plain', text: 'This is the content of the static text resource.' };
  server.registerResource('static-text', 'test://static-text', { mimeType: 'text/plain' }, read(plain));
  server.registerResource('static-binary', 'test://static-binary', { mimeType: 'image/png' }, read({ mimeType: 'image/png', blob: PIXEL }));
  server.registerResource('watched', 'test://watched-resource', { mimeType: 'text/plain' }, read(plain));
  const template = new Template('test://template/{id}/data', { list: undefined });
  server.registerResource('template', template, { mimeType: 'application/json' }, (/** @type {URL} */ uri, /** @type {{ id: string }} */ { id }) => ({
    contents: [{ uri: uri.href, mimeType: 'application/json', text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) }],
  }));
  const say = (/** @type {any[]} */ ...content) => ({ messages: content.map((one) => ({ role: 'user', content: one })) });
  server.registerPrompt('test_simple_prompt', { description: 'simple' }, () => say(text('This is a simple prompt for testing.')));
  const words = { arg1: completable(z.string(), () => ['paris', 'park']), arg2: z.string() };
  server.registerPrompt('test_prompt_with_arguments', { description: 'arguments', argsSchema: makeSchema(words) }, (/** @type {any} */ { arg1, arg2 }) =>
    say(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  );
  const named = { resourceUri: z.string() };
  server.registerPrompt('test_prompt_with_embedded_resource', { description: 'embedded', argsSchema: makeSchema(named) }, (/** @type {any} */ { resourceUri }) =>
    say(embedded(resourceUri), text('Please process the embedded resource above.')),
  );
  server.registerPrompt('test_prompt_with_image', { description: 'image' }, () => say(image, text('Please analyze the image above.')));
}

/** A server of 1.x, for one session. */
function makeServer1() {
  const server = new Server1({ name: 'conformance', version: '1' }, { capabilities: { logging: {}, resources: { subscribe: true } } });
  registerCommon(server, Template1, completable1, (shape) => shape);
  server.server.setRequestHandler(SubscribeRequestSchema, () => ({}));
  server.server.setRequestHandler(UnsubscribeRequestSchema, () => ({}));
  const notify = async (/** @type {any} */ extra, /** @type {string} */ method, /** @type {object} */ params) => extra.sendNotification({ method, params });
  server.registerTool('test_tool_with_logging', { description: 'logs' }, async (extra) => {
    for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) await notify(extra, 'notifications/message', { level: 'info', data });
    return { content: [text('logged')] };
  });
  server.registerTool('test_tool_with_progress', { description: 'progresses' }, async (extra) => {
    const progressToken = /** @type {any} */ (extra)._meta?.progressToken ?? 0;
    for (const progress of [0, 50, 100]) await notify(extra, 'notifications/progress', { progressToken, progress, total: 100 });
    return { content: [text(String(progressToken))] };
  });
  server.registerTool('test_sampling', { description: 'samples', inputSchema: { prompt: z.string() } }, async ({ prompt }, extra) => {
    const params = { messages: [{ role: 'user', content: text(prompt) }], maxTokens: 100 };
    const answer = await extra.sendRequest(/** @type {any} */ ({ method: 'sampling/createMessage', params }), z.any());
    return { content: [text(`LLM response: ${JSON.stringify(answer.content)}`)] };
  });
  const user = { type: 'object', properties: { username: { type: 'string' }, email: { type: 'string' } }, required: ['username'] };
  server.registerTool('test_elicitation', { description: 'elicits', inputSchema: { message: z.string() } }, async ({ message }, extra) => {
    const answer = await extra.sendRequest(/** @type {any} */ ({ method: 'elicitation/create', params: { message, requestedSchema: user } }), z.any());
    return { content: [text(`User response: ${JSON.stringify(answer)}`)] };
  });
  // Ends the stream before the answer: the client comes back for it.
  server.registerTool('test_reconnection', { description: 'reconnects' }, async (extra) => {
    /** @type {any} */ (extra).closeSSEStream?.();
    return { content: [text('reconnected')] };
  });
  return server;
}

/** What keeps events, so that a stream can be taken up again. */
class Events {
  /** @type {{ id: string, stream: string, message: any }[]} */
  #kept = [];

  /** @param {string} stream @param {any} message */
  async storeEvent(stream, message) {
    const id = randomUUID();
    this.#kept.push({ id, stream, message });
    return id;
  }

  /** @param {string} lastId @param {{ send: (id: string, message: any) => Promise<void> }} to */
  async replayEventsAfter(lastId, { send }) {
    const last = this.#kept.findIndex(({ id }) => id === lastId);
    const stream = this.#kept[last]?.stream ?? '';
    for (const event of this.#kept.slice(last + 1)) if (event.stream === stream && event.message?.jsonrpc) await send(event.id, event.message);
    return stream;
  }
}

/** Requests to sessions of 1.x. @returns {(request: any, response: any) => Promise<void>} */
export function stateful1() {
  /** @type {Map<string, StreamableHTTPServerTransport>} */
  const sessions = new Map();
  return async (request, response) => {
    const named = request.headers['mcp-session-id'];
    const known = sessions.get(named ?? '');
    if (known) return known.handleRequest(request, response, request.body);
    if (named) return response.status(404).json({ jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } });
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: new Events(),
      retryInterval: 500,
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    await makeServer1().connect(/** @type {any} */ (transport));
    await transport.handleRequest(request, response, request.body);
  };
}

/** Requests to 2.x, which knows no sessions. @returns {(request: any, response: any) => Promise<void>} */
export function stateless2() {
  const handler = createMcpHandler(() => {
    const server = new Server2({ name: 'conformance', version: '2' });
    registerCommon(server, Template2, completable2, (shape) => z.object(shape));
    const name = { type: /** @type {const} */ ('object'), properties: { name: { type: /** @type {const} */ ('string') } }, required: ['name'] };
    server.registerTool('test_input_required_result_elicitation', { description: 'asks' }, (/** @type {any} */ context) => {
      const answer = context.mcpReq.inputResponses?.user_name;
      if (answer) return { content: [text(`Hello, ${answer.content?.name}`)] };
      return /** @type {any} */ (inputRequired({ inputRequests: { user_name: inputRequired.elicit({ message: 'Who?', requestedSchema: name }) } }));
    });
    server.registerTool('test_input_required_result_request_state', { description: 'asks, and gives state' }, (/** @type {any} */ context) => {
      const answer = context.mcpReq.inputResponses?.confirm;
      if (answer) return { content: [text(context.mcpReq.requestState?.() === 'state-1' ? 'state-ok' : 'state-missing')] };
      const confirm = inputRequired.elicit({ message: 'Sure?', requestedSchema: { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] } });
      return /** @type {any} */ (inputRequired({ inputRequests: { confirm }, requestState: 'state-1' }));
    });
    return server;
  });
  const handle = toNodeHandler(handler);
  return (request, response) => handle(request, response, request.body);
}
