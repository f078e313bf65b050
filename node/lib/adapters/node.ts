/** Middleware for Express, Connect and bare `node:http`: carries out what {@link McpAuth} decides. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

import type { AuthInfo, Requested } from '../auth-info.js';
import { detailsOf, DownstreamError, InsufficientScopeError } from '../errors.js';
import { type HeaderLines, lines, pairs } from '../headers.js';
import { type Handled, handledAs } from '../current-caller.js';
import { isSameAsBefore } from '../decided-before.js';
import { Described } from '../described.js';
import type { McpAuth } from '../mcp-auth.js';
import { nameOf, requireAuth } from '../right-auth.js';
import { inTime, LATE } from '../in-time.js';
import { type Answered, type Forward, native, type Outcome, type ReadBody, type Resource, settle, type Settled, type StreamEnd } from '../native.js';
import { type Admitted, admittedOf, noteAdmitted } from './admitted.js';
import { member } from './members.js';
import { ALREADY_READ, discard, hasBody, inFormOf, readBody } from './node-body.js';
import { removeHeaders, replaceHeader, replaceHeaders } from './node-headers.js';
import { holdResponse, watch } from './node-response.js';
import type { ResponseStream } from './node-stream.js';
import { showCaller } from './request-auth.js';

/**
 * A request that went on. Handlers find their caller in `auth`, as with the official SDK. With the request of a framework,
 * such as `AuthenticatedRequest<express.Request>`, it has the members of that, whatever `auth` is there.
 */
export type AuthenticatedRequest<Request extends IncomingMessage = IncomingMessage> = Omit<Request, 'auth'> & {
  /** Who is calling; absent only for operations that need no token by policy. */
  auth?: AuthInfo;
  /** The message, where a policy had to read it: the stream has been read then. */
  body?: unknown;
  originalUrl?: string;
};

/** The same, as it is seen here: for the functions of Node. */
type HandledRequest = IncomingMessage & AuthenticatedRequest;

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
 * app.post('/mcp', (request, response) => { caller(request).claims … });
 * ```
 *
 * With a policy, put it around the MCP endpoint alone, because then every POST must be a message.
 */
export function protect(auth: McpAuth): Middleware {
  requireAuth(auth, '`app.use(protect(auth))`');
  return middleware(auth);
}

/** The same, with the differences of the original's. */
export function middleware(auth: McpAuth, differences?: Differences): Middleware {
  return (request, response, next) => {
    let goesOn: boolean | Promise<boolean>;
    try {
      goesOn = decide(auth, request, response, differences);
    } catch (error) {
      return fail(error, response);
    }
    // Nearly every request is decided at once.
    if (goesOn === true) return handledAs(() => handledBy(request, response), next);
    // What the handler behind it throws is not ours.
    if (goesOn) goesOn.then((later) => later && handledAs(() => handledBy(request, response), next), (error) => fail(error, response));
  };
}

/**
 * Protects a listener of `node:http`. What {@link AuthInfo.require} throws in it becomes the challenge, and a
 * {@link DownstreamError} the status that it has; any other error is the listener's own.
 */
export function protectListener(
  auth: McpAuth,
  listener: (request: IncomingMessage & AuthenticatedRequest, response: ServerResponse) => unknown,
): RequestListener {
  requireAuth(auth, '`createServer(protectListener(auth, listener))`');
  if (typeof listener !== 'function') {
    throw new TypeError(
      `the listener must be a function that takes a request and a response, not ${nameOf(listener)}: of Hono, protect the app with ` +
        '`app.use(protect(auth))` of mcp-auth-node/hono; of Fastify, with `app.register(protect, { auth })` of mcp-auth-node/fastify',
    );
  }
  const guard = protect(auth);
  return (request, response) => {
    const refuse = (error: unknown) => {
      if (error instanceof DownstreamError) return refuseDownstream(error, response);
      if (!(error instanceof InsufficientScopeError)) throw error;
      if (response.writableEnded) return;
      // To a POST, this is what is replaced by the challenge of the decision.
      if (!response.headersSent) response.writeHead(403, error.challenge ? { 'www-authenticate': error.challenge } : {});
      response.end();
    };
    guard(request, response, () => {
      try {
        const running = listener(request, response);
        if (running instanceof Promise) running.catch(refuse);
      } catch (error) {
        refuse(error);
      }
    });
  };
}

/** To a POST, this is what is replaced by the challenge where the caller has to do something. */
function refuseDownstream({ status, retryAfter }: DownstreamError, response: ServerResponse): void {
  if (response.writableEnded) return;
  if (!response.headersSent) response.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) });
  response.end();
}

/** A request that went on, as those find it who are called for it. */
export function handledBy(request: IncomingMessage, response: ServerResponse): Handled {
  return {
    authInfo: admittedOf(request)?.authInfo,
    isAnswered: () => response.writableEnded || response.destroyed,
  };
}

/** A mistake in how things are put together. Not by way of the framework: that of Express sends its stack to the client. */
function fail(error: unknown, response: ServerResponse): void {
  console.error(error);
  if (response.headersSent) return void response.destroy(error as Error);
  response.writeHead(500, { 'content-type': 'application/json' }).end('{"error":"server_error"}');
}

/** How the original's middleware differs. */
export interface Differences {
  /** Names the compared values in the body of a refusal. */
  showErrorDetails?: boolean;
  /** Answers requests for metadata with a 404, though challenges name it. */
  servesNoMetadata?: boolean;
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
  return new Exchange(auth, request, response, differences).decide();
}

/** A request, the response to it, and what the native half is asked about them. */
class Exchange implements Admitted, Requested {
  readonly method: string;
  readonly target: string;
  authInfo: AuthInfo | undefined = undefined;
  shown: AuthInfo | undefined = undefined;
  isWatched = false;
  holdsStreams = false;
  isSealed = false;
  stream: ResponseStream | null | undefined = undefined;
  /** What was decided. */
  private forward: Described | Forward | undefined = undefined;
  /** Whether the native half seals the session of the response, which is held. */
  private isHeld = false;
  /** The request as a `protect` around this one let it through. */
  private outer: Admitted | undefined = undefined;
  /** Whether a handler's refusal can become a challenge. */
  private mayHold = false;
  private readonly headers: HeaderLines;

  constructor(
    readonly auth: McpAuth,
    readonly request: HandledRequest,
    private readonly response: ServerResponse,
    private readonly differences: Differences | undefined,
  ) {
    // Node sets both; what has none is no request, and refused as such.
    this.method = member(request, 'method') ?? '';
    this.target = member(request, 'originalUrl') ?? member(request, 'url') ?? '';
    this.headers = linesOf(request) + (differences ? linesTaken(request, differences) : '');
  }

  decide(): boolean | Promise<boolean> {
    if (this.isDecided()) return true;
    const peer = this.auth.countsAddresses ? this.request.socket?.remoteAddress : undefined;
    const decision = this.auth.decide(this.method, this.target, this.headers, peer);
    // Nearly every request is decided at once.
    if (decision instanceof Described) return this.admit(decision);
    if (decision instanceof native.Pending || decision instanceof native.ReadBody) {
      return decideLater(decision, this.request).then((settled) => this.carryOut(settled));
    }
    return this.carryOut(decision as Settled);
  }

  /** The same request again; see {@link AuthInfo.opened}. */
  reopen(): Forward | null {
    return this.auth.native.reopen(this.method, this.target, this.headers);
  }

  /** The resource that it is for. */
  resource(): Resource | undefined {
    return this.auth.resourceAt(this.target);
  }

  onRefusal(): void {
    this.hold();
  }

  hold(): boolean {
    const forward = this.mayHold ? this.authInfo?.opened() : undefined;
    this.mayHold = false;
    if (!forward || this.response.headersSent) return false;
    this.holdFor(forward);
    return true;
  }

  /** Each `protect` around the other has put a tag of its own on the session, the outermost the last. */
  sealSession(given: string): string | null {
    const sealed = this.isHeld ? given : this.sealOwn(given);
    return sealed !== null && this.outer ? this.outer.sealSession(sealed) : sealed;
  }

  private sealOwn(given: string): string | null {
    const { forward } = this;
    if (forward instanceof Described) return this.auth.native.sealSession(this.target, forward.text, given);
    return forward?.sealSession(given) ?? null;
  }

  streamEnd(headers: HeaderLines): StreamEnd | null {
    const { forward } = this;
    if (!(forward instanceof Described)) return forward?.streamEnd(headers) ?? null;
    // By the request itself where it can be had: what is known of it tells whether it goes on under another configuration.
    const opened = this.authInfo?.opened();
    return opened ? opened.streamEnd(headers) : this.auth.native.streamEnd(this.target, forward.text, headers);
  }

  private holdFor(forward: Forward): void {
    this.isHeld = true;
    holdResponse(forward, this.response);
  }

  letGo(): void {
    this.mayHold = false;
  }

  /** Whether a `protect` around this one let it through. */
  private isDecided(): boolean {
    if (this.differences) return false;
    const before = admittedOf(this.request);
    if (!(before instanceof Exchange) || before.differences) return false;
    return before.request === this.request && isSameAsBefore(before, this.auth, this.method, this.target);
  }

  private carryOut(settled: Settled): boolean {
    if (typeof settled === 'string') return this.admit(new Described(settled));
    if (settled instanceof native.Forward) return this.admit(settled as Forward);
    const { differences, request, response, target } = this;
    answer(differences ? differing(settled as Answered, target, differences) : (settled as Answered), request, response);
    return false;
  }

  private admit(forward: Described | Forward): boolean {
    const { auth, request, response } = this;
    const caller = auth.callerOf(forward, this);
    this.forward = forward;
    this.outer = admittedOf(request);
    this.authInfo = caller;
    this.shown = caller && this.differences ? this.asDiffers(caller, this.differences) : caller;
    noteAdmitted(this);
    if (caller) showCaller(request, this.shown);
    removeHeaders(request, auth.tokenHeaders);
    if (this.method !== 'POST' && hasBody(request)) keepFromPost(request, this.method);
    if (!(forward instanceof Described)) prepare(request, forward);
    this.isWatched = true;
    watch(response);
    if (!(forward instanceof Described) && forward.changesResponses) this.holdFor(forward);
    // Of other methods, a refusal is what the handler makes of it.
    else if (caller && this.method === 'POST') this.mayHold = true;
    // A stream that began could not become a challenge any more.
    this.holdsStreams = this.mayHold && acceptsStreams(member(request, 'headers').accept);
    return true;
  }

  private asDiffers(caller: AuthInfo, differences: Differences): AuthInfo {
    if (!differences.caller) return caller;
    const token = this.auth.native.dangerousBearerToken(this.method, this.target, this.headers) ?? '';
    differences.tokens?.set(this.request, token);
    return differences.caller(caller, token) as AuthInfo;
  }
}

/** What handlers see in place of some headers. */
function prepare(request: IncomingMessage, forward: Forward): void {
  if (forward.readsLists) replaceHeader(request, 'accept-encoding', 'identity');
  const { replacedHeaders } = forward;
  if (replacedHeaders !== null) replaceHeaders(request, pairs(replacedHeaders));
}

/** Every MCP client says so; for others, no stream has to be held. */
function acceptsStreams(accept: string | undefined): boolean {
  return accept !== undefined && (accept.includes('text/event-stream') || accept.includes('*/*'));
}

/** With the token that a middleware before this one took away. */
function linesTaken(request: IncomingMessage, { tokens }: Differences): HeaderLines {
  const taken = request.headers.authorization === undefined ? tokens?.get(request) : undefined;
  return taken ? `\nauthorization\nBearer ${taken}` : '';
}

/**
 * A method override behind this would make a POST of a request whose body nobody has looked at: what is assigned is
 * not taken then. Any other method may become another one.
 */
function keepFromPost(request: IncomingMessage, decided: string): void {
  let method = decided;
  Object.defineProperty(request, 'method', {
    configurable: true,
    enumerable: true,
    get: () => method,
    set: (value: unknown) => {
      if (String(value).toUpperCase() !== 'POST') method = String(value);
    },
  });
}

/**
 * What HTTP/2 has in pseudo-headers is method and target, which are known, and the host (RFC 9113 §8.3.1). That a
 * body comes whose length is not said, it tells by its frames: HTTP/1.1 has a header for that.
 */
function linesOf(request: IncomingMessage): HeaderLines {
  const rawHeaders = member(request, 'rawHeaders');
  if (member(request, 'httpVersionMajor') < 2) return joined(rawHeaders);
  const { headers } = request;
  const all: [string, string][] = [];
  const { stream } = request as unknown as { stream?: { endAfterHeaders?: boolean } };
  if (stream?.endAfterHeaders === false && headers['content-length'] === undefined) all.push(['transfer-encoding', 'chunked']);
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name, value] = [rawHeaders[at] as string, rawHeaders[at + 1] as string];
    if (!name.startsWith(':')) all.push([name, value]);
    else if (name === ':authority' && headers.host === undefined) all.push(['host', value]);
  }
  return lines(all);
}

/** A line each. `join` takes a third longer for so few. */
function joined(texts: readonly string[]): string {
  let all = texts[0] ?? '';
  for (let at = 1; at < texts.length; at += 1) all += `\n${texts[at]}`;
  return all;
}

async function decideLater(outcome: Outcome, request: IncomingMessage): Promise<Settled> {
  const settled = await settle(outcome);
  return settled instanceof native.ReadBody ? decideByBody(settled, request) : settled;
}

async function decideByBody(question: ReadBody, request: HandledRequest): Promise<Settled> {
  const body = await inTime(readBody(request, question.maxBytes), question.timeout);
  if (body === LATE) return question.timedOut();
  if (body === ALREADY_READ) return question.alreadyRead();
  if (!body) return question.tooLarge();
  const settled = await settle(question.decide(body));
  // What was decided about is what the service sees.
  if (settled instanceof native.Forward) {
    const replaced = (settled as Forward).body;
    if (replaced !== null) request.body = inFormOf(request.body, replaced);
    else request.body ??= JSON.parse(body.toString());
  }
  return settled;
}

function differing(answered: Answered, target: string, { showErrorDetails, servesNoMetadata }: Differences): Answered {
  const { body, refusal } = answered;
  if (servesNoMetadata && !refusal && native.metadataDocumentAt(target)) {
    return { ...answered, status: 404, headers: '', body: Buffer.alloc(0) };
  }
  const details = showErrorDetails && refusal && body.length > 0 ? { cause: detailsOf(refusal) } : {};
  return {
    ...answered,
    body: showErrorDetails ? Buffer.from(JSON.stringify({ ...(JSON.parse(body.toString() || '{}') as object), ...details })) : body,
  };
}

/** At once: a refusal that does not depend on the body does not wait for it. */
function answer(answered: Answered, request: IncomingMessage, response: ServerResponse): void {
  if (response.destroyed) return;
  discard(request, response);
  send(answered, response);
}

/** Sends a complete answer. */
export function send({ status, headers, body }: Answered, response: ServerResponse): void {
  response.writeHead(status, pairs(headers).flat());
  response.end(body);
}
