/** Runs an app for tests of it, and sends it requests. */
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, request as send, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What can be tested: an app of Express, a listener or a server of `node:http`, an instance of Fastify, and what has `fetch`:
 * an app of Hono, or `{ fetch: auth.protect(handler) }`.
 */
export type App =
  | ((request: IncomingMessage, response: ServerResponse) => unknown)
  | { fetch(request: Request): Response | Promise<Response> }
  | { ready(): unknown; routing(request: never, response: never): unknown }
  | EventEmitter;

/** What the app answered. */
export class Answer {
  constructor(
    readonly status: number,
    /** By their names in lower case. */
    readonly headers: Record<string, string>,
    readonly body: Buffer,
  ) {}

  /** `WWW-Authenticate`: what a client would act on. */
  get challenge(): string | undefined {
    return this.headers['www-authenticate'];
  }

  /** The JSON-RPC message, which is the last of a stream. */
  get message(): any {
    const text = this.body.toString();
    if (!this.headers['content-type']?.startsWith('text/event-stream')) return JSON.parse(text);
    const events = text.split(/\r?\n/).filter((line) => line.startsWith('data:'));
    const last = events.map((line) => line.slice('data:'.length)).filter((event) => event.trim() !== '').at(-1);
    if (last === undefined) throw new Error('the stream ended without a message');
    return JSON.parse(last);
  }
}

/** A request to an app. */
interface Sent {
  method: string;
  target: string;
  headers: Record<string, string>;
  body?: string;
}

/** A running app. */
export interface Host {
  send(request: Sent): Promise<Answer>;
  close(): void;
}

/** In milliseconds, how long an answer may take: a test that hangs should say so. */
const LONGEST = 30_000;

/** Runs an app until it is closed. It does not keep the process alive. */
export async function startHost(app: App): Promise<Host> {
  // An app of Express is a function with members of many names.
  if (typeof app === 'function') return startServer(app as RequestListener);
  if (typeof app !== 'object' || app === null) throw new TypeError(CANNOT_BE_TESTED);
  if ('routing' in app) {
    await app.ready();
    return startServer((request, response) => app.routing(request as never, response as never));
  }
  if ('fetch' in app) return { send: (request) => ask(app, request), close: () => {} };
  if (app instanceof EventEmitter) return startServer((request, response) => app.emit('request', request, response));
  throw new TypeError(CANNOT_BE_TESTED);
}

const CANNOT_BE_TESTED =
  'this is no app that can be tested: give an app of Express or Hono, an instance of Fastify, a listener or a server of `node:http`, ' +
  'or `{ fetch: auth.protect(handler) }`';

async function startServer(listener: RequestListener): Promise<Host> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  const { port } = server.address() as AddressInfo;
  return {
    send: (request) => sendTo(port, request),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function sendTo(port: number, { method, target, headers, body }: Sent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method, path: target, headers, agent: false, signal: AbortSignal.timeout(LONGEST) };
    const sent = send(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve(new Answer(response.statusCode ?? 0, joined(response.headers), Buffer.concat(chunks))));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function joined(headers: IncomingMessage['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat().join(', ')]));
}

async function ask(app: { fetch(request: Request): Response | Promise<Response> }, { method, target, headers, body }: Sent): Promise<Answer> {
  const url = `http://${headers.host}${target}`;
  const response = await app.fetch(new Request(url, { method, headers, body, signal: AbortSignal.timeout(LONGEST) }));
  return new Answer(response.status, Object.fromEntries(response.headers), Buffer.from(await response.arrayBuffer()));
}
