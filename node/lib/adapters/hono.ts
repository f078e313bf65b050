/** Middleware for Hono: carries out what {@link McpAuth} decides. */
import type { IncomingMessage, ServerResponse } from 'node:http';

import type { AuthInfo } from '../auth-info.js';
import { type Handled, handledAs } from '../current-caller.js';
import type { McpAuth } from '../mcp-auth.js';
import { requireAuth } from '../right-auth.js';
import type { Allowed } from '../web.js';
import { removeHeaders, replaceHeader, replaceHeaders } from './node-headers.js';
import { type Guard, guardResponse } from './node-response.js';

interface ContextLike {
  req: { raw: Request };
  res: Response;
  env: unknown;
  set(key: never, value: unknown): void;
}

/** What handlers find with `context.get('auth')`: `new Hono<AuthEnv>()`. */
export interface AuthEnv {
  Variables: { auth: AuthInfo | undefined };
}

/**
 * Protects every route after it, and answers requests for metadata:
 *
 * ```ts
 * app.use(protect(auth));
 * app.post('/mcp', (context) => { context.get('auth') … });
 * ```
 */
export function protect(auth: McpAuth) {
  requireAuth(auth, '`app.use(protect(auth))`');
  return async (context: ContextLike, next: () => Promise<void>): Promise<Response | void> => {
    const answer = await auth.handle(context.req.raw, { remoteAddress: peerOf(context.env) });
    if (answer instanceof Response) return answer;
    context.req.raw = answer.request;
    context.set('auth' as never, answer.authInfo);
    const guard = protectOriginals(auth, context.env, answer);
    try {
      await handledAs(() => handledBy(context.env, answer), next);
    } finally {
      // A handler that has written, or says that it will, answers beside Hono.
      if (!answersBeside(context, guard)) guard?.release();
    }
    if (answersBeside(context, guard)) return;
    const response = await answer.respond(context.res);
    if (response === context.res) return;
    // Hono would merge the headers of the old one into the new one.
    context.res = undefined as never;
    context.res = response;
  };
}

function handledBy(env: unknown, { authInfo }: Allowed): Handled {
  const outgoing = typeof env === 'object' && env !== null ? (env as Originals).outgoing : undefined;
  return { authInfo, isAnswered: () => outgoing?.writableEnded === true || outgoing?.destroyed === true };
}

/** What Hono's servers hand to handlers beside the request, which holds the request as it came. */
interface Originals {
  /** Of `@hono/node-server`. */
  incoming?: IncomingMessage;
  outgoing?: ServerResponse;
  /** Of AWS Lambda; of Lambda@Edge with the request in its records. */
  event?: WithHeaders & { body?: unknown } & { Records?: { cf?: { request?: WithHeaders } }[] };
  /** Of Lambda@Edge; of others it may be a request as it came. */
  request?: WithHeaders | Request;
  /** Of Cloudflare Pages. */
  eventContext?: { request?: Request };
}

/** Headers by name; each is a text, texts, or what CloudFront makes of them. */
interface WithHeaders {
  headers?: object;
  multiValueHeaders?: object;
}

/** The address of the connection, where `@hono/node-server` has it. */
function peerOf(env: unknown): string | undefined {
  return typeof env === 'object' && env !== null ? (env as Originals).incoming?.socket?.remoteAddress : undefined;
}

/** Takes tokens out of the originals as well, puts what they name there as handlers know it, and watches the response that a handler can write to itself. */
function protectOriginals(auth: McpAuth, env: unknown, answer: Allowed): Guard | undefined {
  if (typeof env !== 'object' || env === null) return undefined;
  const { replacedHeaders, replacedBody } = answer;
  const { incoming, outgoing, event, request, eventContext } = env as Originals;
  if (Array.isArray(incoming?.rawHeaders)) {
    removeHeaders(incoming, auth.tokenHeaders);
    const encoding = answer.request.headers.get('accept-encoding');
    if (encoding === 'identity') replaceHeader(incoming, 'accept-encoding', encoding);
    replaceHeaders(incoming, replacedHeaders);
  }
  if (request instanceof Request) (env as Originals).request = answer.request;
  const records = Array.isArray(event?.Records) ? event.Records : [];
  for (const original of [event, request as WithHeaders | undefined, ...records.map((record) => record?.cf?.request)]) {
    for (const headers of [original?.headers, original?.multiValueHeaders]) {
      removeFrom(headers, auth.tokenHeaders);
      for (const [name, value] of replacedHeaders) replaceIn(headers, name, value);
    }
  }
  if (replacedBody && typeof event?.body === 'string') {
    Object.assign(event, { body: Buffer.from(replacedBody).toString(), isBase64Encoded: false });
  }
  if (eventContext?.request) eventContext.request = answer.request;
  return typeof outgoing?.writeHead === 'function' ? guardResponse(outgoing, answer) : undefined;
}

function removeFrom(headers: object | null | undefined, names: readonly string[]): void {
  if (!headers) return;
  for (const name of Object.keys(headers)) if (names.includes(name.toLowerCase())) delete (headers as Record<string, unknown>)[name];
}

/** Each value keeps its form: a text, texts, or what CloudFront makes of them. */
function replaceIn(headers: object | null | undefined, replaced: string, text: string): void {
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (name.toLowerCase() !== replaced) continue;
    const [first] = Array.isArray(value) ? value : [];
    const one = typeof first === 'object' ? { ...first, value: text } : text;
    (headers as Record<string, unknown>)[name] = Array.isArray(value) ? [one] : text;
  }
}

/** As `@hono/node-server` has it: `RESPONSE_ALREADY_SENT` has this header. */
function answersBeside(context: ContextLike, guard: Guard | undefined): boolean {
  return guard !== undefined && (guard.hasBegun() || context.res.headers.has('x-hono-already-sent'));
}
