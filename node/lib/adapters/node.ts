/** Middleware for Express, Connect and bare `node:http`: carries out what {@link McpAuth} decides. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

import type { AuthInfo } from '../auth-info.js';
import { InsufficientScopeError } from '../errors.js';
import { pairs } from '../headers.js';
import type { McpAuth } from '../mcp-auth.js';
import { type Answered, type Forward, native, type Outcome, type ReadBody, settle, type Settled } from '../native.js';
import { discard, readBody } from './node-body.js';
import { filterResponse } from './node-response.js';

/** A request that went on. Handlers find their caller in `auth`, as with the official SDK. */
export interface AuthenticatedRequest extends IncomingMessage {
  /** Who is calling; absent only for operations that need no token by policy. */
  auth?: AuthInfo;
  /** The message, where a policy had to read it: the stream has been read then. */
  body?: unknown;
  originalUrl?: string;
}

/** What Express and Connect call middleware. */
export type Middleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Protects everything after it, and answers requests for metadata:
 *
 * ```ts
 * app.use(protect(auth));
 * app.post('/mcp', (request, response) => { request.auth … });
 * ```
 *
 * With a policy, put it around the MCP endpoint alone, because then every POST must be a message.
 */
export function protect(auth: McpAuth): Middleware {
  return middleware(auth);
}

/** The same, with the differences of the original's. */
export function middleware(auth: McpAuth, differences?: Differences): Middleware {
  return (request, response, next) => {
    const goesOn = decide(auth, request, response, differences);
    // Nearly every request is decided at once.
    if (goesOn === true) return next();
    if (goesOn) goesOn.then((later) => later && next(), next);
  };
}

/**
 * Protects a listener of `node:http`. What {@link AuthInfo.require} throws in it becomes the challenge; any other
 * error is the listener's own.
 */
export function protectListener(
  auth: McpAuth,
  listener: (request: AuthenticatedRequest, response: ServerResponse) => unknown,
): RequestListener {
  const guard = protect(auth);
  return (request, response) => {
    const refuse = (error: unknown) => {
      if (!(error instanceof InsufficientScopeError)) throw error;
      if (response.writableEnded) return;
      // To a POST, this is what is replaced by the challenge of the decision.
      if (!response.headersSent) response.writeHead(403, error.challenge ? { 'www-authenticate': error.challenge } : {});
      response.end();
    };
    guard(request, response, (error) => {
      if (error) return response.destroy(error as Error);
      try {
        const running = listener(request, response);
        if (running instanceof Promise) running.catch(refuse);
      } catch (error) {
        refuse(error);
      }
    });
  };
}

/** How the original's middleware differs. */
export interface Differences {
  /** Names the compared values in the body of a refusal. */
  showErrorDetails?: boolean;
  /** Leaves out of challenges where the metadata is. */
  hidesMetadata?: boolean;
  /** What `request.auth` is. */
  caller?: (caller: AuthInfo, token: string) => unknown;
  /** Remembers tokens, for a middleware behind this one. */
  tokens?: WeakMap<IncomingMessage, string>;
}

/** Whether the request goes on; else it is answered here. */
export function decide(
  auth: McpAuth,
  request: IncomingMessage,
  response: ServerResponse,
  differences?: Differences,
): boolean | Promise<boolean> {
  const target = (request as AuthenticatedRequest).originalUrl ?? request.url ?? '/';
  const method = request.method ?? 'GET';
  const kept = request.headers.authorization === undefined && differences?.tokens?.get(request);
  const headers = request.rawHeaders.join('\n') + (kept ? `\nauthorization\nBearer ${kept}` : '');
  const outcome = auth.native.decide(method, target, headers);
  const carryOut = (settled: Settled) => {
    if (typeof settled !== 'string' && !(settled instanceof native.Forward)) {
      void answer(differences ? differing(settled as Answered, target, differences) : (settled as Answered), request, response);
      return false;
    }
    const forward = settled as string | Forward;
    const caller = auth.callerOf(forward, target, () => auth.native.reopen(method, target, headers));
    admit(auth, forward, caller, request as AuthenticatedRequest, kept || undefined, differences);
    filterResponse(forward, request, response, caller);
    return true;
  };
  if (outcome instanceof native.Pending || outcome instanceof native.ReadBody) {
    return decideLater(outcome, request).then(carryOut);
  }
  return carryOut(outcome as Settled);
}

async function decideLater(outcome: Outcome, request: IncomingMessage): Promise<Settled> {
  const settled = await settle(outcome);
  return settled instanceof native.ReadBody ? decideByBody(settled, request) : settled;
}

async function decideByBody(question: ReadBody, request: AuthenticatedRequest): Promise<Settled> {
  const body = await readBody(request, question.maxBytes);
  if (!body) return question.tooLarge();
  const settled = await settle(question.decide(body));
  // What was decided about is what the service sees.
  if (settled instanceof native.Forward) request.body ??= JSON.parse(body.toString());
  return settled;
}

function differing(answered: Answered, target: string, { showErrorDetails, hidesMetadata }: Differences): Answered {
  const { headers, body, refusal } = answered;
  if (hidesMetadata && !refusal && target.startsWith('/.well-known/')) {
    return { ...answered, status: 404, headers: '', body: Buffer.alloc(0) };
  }
  const details = showErrorDetails && refusal && body.length > 0 ? { cause: JSON.parse(refusal) as unknown } : {};
  return {
    ...answered,
    headers: hidesMetadata ? headers.replace(/(?:,? )resource_metadata="[^"]*"/, '') : headers,
    body: showErrorDetails ? Buffer.from(JSON.stringify({ ...(JSON.parse(body.toString() || '{}') as object), ...details })) : body,
  };
}

function admit(
  auth: McpAuth,
  forward: string | Forward,
  caller: AuthInfo | undefined,
  request: AuthenticatedRequest,
  kept: string | undefined,
  differences: Differences | undefined,
): void {
  if (caller) request.auth = caller;
  if (caller && differences?.caller) {
    const token = kept ?? request.headers.authorization?.replace(/^bearer +/i, '') ?? '';
    differences.tokens?.set(request, token);
    request.auth = differences.caller(caller, token) as AuthInfo;
  }
  for (const name of auth.tokenHeaders) removeHeader(request, name);
  if (typeof forward !== 'string' && forward.readsLists) {
    removeHeader(request, 'accept-encoding');
    request.headers['accept-encoding'] = 'identity';
    request.rawHeaders.push('accept-encoding', 'identity');
  }
  // Node's own may have been made before, and counts on every raw header.
  Object.defineProperty(request, 'headersDistinct', HEADERS_DISTINCT);
}

const HEADERS_DISTINCT: PropertyDescriptor & ThisType<IncomingMessage> = {
  configurable: true,
  get() {
    const distinct: Record<string, string[]> = {};
    for (let at = 0; at < this.rawHeaders.length; at += 2) {
      (distinct[(this.rawHeaders[at] as string).toLowerCase()] ??= []).push(this.rawHeaders[at + 1] as string);
    }
    return distinct;
  },
};

function removeHeader(request: IncomingMessage, name: string): void {
  delete request.headers[name];
  const raw = request.rawHeaders;
  for (let at = raw.length - 2; at >= 0; at -= 2) {
    const one = raw[at] as string;
    if (one.length === name.length && one.toLowerCase() === name) raw.splice(at, 2);
  }
}

async function answer(answered: Answered, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A request that breaks off needs no answer.
  await discard(request).catch(() => response.destroy());
  if (!response.destroyed) send(answered, response);
}

/** Sends a complete answer. */
export function send({ status, headers, body }: Answered, response: ServerResponse): void {
  response.writeHead(status, pairs(headers).flat());
  response.end(body);
}
