/** Responses of `node:http`, held until it is certain what the client may see. */
import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http';

import type { AuthInfo } from '../auth-info.js';
import { lines, pairs } from '../headers.js';
import { type Answered, type Filter, type Forward, type Piece } from '../native.js';

type HeadersArgument = OutgoingHttpHeaders | OutgoingHttpHeader[] | undefined;
type Callback = (error?: Error | null) => void;

/**
 * Looks at the start of a response before it is sent. Most go on untouched; where lists are filtered, or a
 * handler may still ask for more scopes, status and headers wait for the body.
 */
export function filterResponse(
  forward: string | Forward,
  request: IncomingMessage,
  response: ServerResponse,
  caller: AuthInfo | undefined,
): void {
  if (typeof forward !== 'string' && forward.changesResponses) return new HeldResponse(forward, response).install();
  // Of other methods, a refusal is what the handler makes of it.
  if (!caller || request.method !== 'POST') return;
  const hold = () => {
    const isFirst = caller.onRefusal !== undefined;
    caller.onRefusal = undefined;
    const opened = isFirst ? caller.opened() : undefined;
    if (!opened || response.headersSent) return false;
    new HeldResponse(opened, response).install();
    return true;
  };
  // Only then is there something to change,
  caller.onRefusal = hold;
  // but a stream that began could not become a challenge any more.
  if (acceptsStreams(request.headers.accept)) watch(response, caller, hold);
}

/** Every MCP client says so; for others, no response has to be watched. */
function acceptsStreams(accept: string | undefined): boolean {
  return accept !== undefined && (accept.includes('text/event-stream') || accept.includes('*/*'));
}

type Methods = Pick<ServerResponse, 'writeHead' | 'flushHeaders' | 'write' | 'end'>;

/** What happens when a response begins as an event stream, until it begins: whether it is held then. */
const watched = new WeakMap<ServerResponse, { caller: AuthInfo; hold: () => boolean }>();

/** Holds a response that begins as an event stream, since its handler may ask for more until its first event. */
function watch(response: ServerResponse, caller: AuthInfo, hold: () => boolean): void {
  watched.set(response, { caller, hold });
  const shared = sharedPrototype(response);
  if (!shared) return hook(response, pick(response));
  if (hooked.has(shared)) return;
  hooked.add(shared);
  // Looked up at each call: others may change them later.
  hook(shared, Object.getPrototypeOf(shared) as Methods);
}

/** Where hooks are for every response. */
const hooked = new WeakSet<object>();

/**
 * What all responses of Express have in common, `express.response`. Methods of a response's own would cost as much
 * there as the rest of the middleware: Express changes the prototype of every response, and Node 20 then makes a hidden
 * class for every property. Not where somebody has put methods before those.
 */
function sharedPrototype(response: ServerResponse): ServerResponse | undefined {
  let shared: ServerResponse | undefined;
  for (let object = response; object instanceof ServerResponse; object = Object.getPrototypeOf(object) as ServerResponse) {
    if (!hooked.has(object) && METHODS.some((name) => Object.hasOwn(object, name))) return undefined;
    shared = object;
  }
  return shared === response ? undefined : shared;
}

const METHODS = ['writeHead', 'flushHeaders', 'write', 'end'] as const;

function pick({ writeHead, flushHeaders, write, end }: ServerResponse): Methods {
  return { writeHead, flushHeaders, write, end };
}

/** Puts methods before `own`: those of a response, or of a prototype of responses. */
function hook(target: ServerResponse, own: Methods): void {
  // Whoever holds a response has put methods of their own before these.
  target.writeHead = function (this: ServerResponse, ...given: unknown[]) {
    const isHeld = begins(this, typeof given[1] === 'string' ? given[2] : given[1]);
    return (isHeld ? this : own).writeHead.apply(this, given as never);
  };
  target.flushHeaders = function () {
    (begins(this) ? this : own).flushHeaders.call(this);
  };
  target.write = function (this: ServerResponse, ...given: unknown[]) {
    return (begins(this) ? this : own).write.apply(this, given as never);
  };
  target.end = function (this: ServerResponse, ...given: unknown[]) {
    return (begins(this) ? this : own).end.apply(this, given as never);
  } as ServerResponse['end'];
}

/** Whether it is held from now on; asked once. */
function begins(response: ServerResponse, headers?: unknown): boolean {
  const watching = watched.get(response);
  if (!watching) return false;
  watched.delete(response);
  if (isEventStream(response, headers) && !response.hasHeader('content-encoding')) return watching.hold();
  watching.caller.onRefusal = undefined;
  return false;
}

function isEventStream(response: ServerResponse, headers: unknown): boolean {
  let type = response.getHeader('content-type');
  if (Array.isArray(headers)) {
    const all = headers.flat() as unknown[];
    const at = all.findIndex((name, index) => index % 2 === 0 && String(name).toLowerCase() === 'content-type');
    if (at >= 0) type = String(all[at + 1]);
  } else if (headers) {
    const named = Object.entries(headers as object).find(([name]) => name.toLowerCase() === 'content-type');
    if (named) type = String(named[1]);
  }
  return String(type ?? '').toLowerCase().startsWith('text/event-stream');
}

/** Watches a response that belongs to a framework, where a handler may write to it all the same. */
export interface Guard {
  /** Whether somebody has. */
  hasBegun(): boolean;
  /** From now on it is the framework that writes. */
  release(): void;
}

export function guardResponse(response: ServerResponse, open: () => Forward | undefined): Guard {
  const own = pick(response);
  const release = () => {
    for (const name of METHODS) if (response[name] === guards[name]) response[name] = own[name] as never;
  };
  let hasBegun = false;
  const begin = () => {
    hasBegun = true;
    release();
    const forward = open();
    if (forward && !response.headersSent) new HeldResponse(forward, response).install();
  };
  const guards = {} as Record<(typeof METHODS)[number], unknown>;
  for (const name of METHODS) {
    guards[name] = (...given: never[]): unknown => {
      if (!hasBegun) begin();
      return (response[name] as (...given: never[]) => unknown)(...given);
    };
    response[name] = guards[name] as never;
  }
  return { hasBegun: () => hasBegun, release };
}

class HeldResponse {
  readonly #forward: Forward;
  readonly #response: ServerResponse;
  readonly #own: Methods;
  #filter: Filter | undefined;
  #state: 'new' | 'held' | 'begun' | 'over' = 'new';

  constructor(forward: Forward, response: ServerResponse) {
    this.#forward = forward;
    this.#response = response;
    const { writeHead, flushHeaders, write, end } = response;
    this.#own = { writeHead, flushHeaders, write, end };
  }

  install(): void {
    const response = this.#response;
    response.writeHead = ((status: number, ...rest: unknown[]) => this.#writeHead(status, rest)) as never;
    response.flushHeaders = () => this.#start() && this.#own.flushHeaders.call(response);
    response.write = ((...given: unknown[]) => this.#write(given)) as never;
    response.end = ((...given: unknown[]) => this.#end(given)) as never;
  }

  /** Whether the response goes on as it is; from then on nothing of this is in its way. */
  #start(): boolean {
    if (this.#state !== 'new') return this.#filter === undefined;
    const response = this.#response;
    const before = lines(list(response));
    const decided = this.#forward.respond(response.statusCode, before);
    this.#state = 'held';
    if (typeof decided !== 'string') {
      this.#filter = decided;
      if (decided.hasBegun) {
        this.#begin();
        this.#own.flushHeaders.call(response);
      }
      return false;
    }
    Object.assign(response, this.#own);
    if (decided !== before) setHeaders(response, decided);
    return true;
  }

  #writeHead(status: number, rest: unknown[]): ServerResponse {
    const response = this.#response;
    const headers = (typeof rest[0] === 'string' ? rest[1] : rest[0]) as HeadersArgument;
    response.statusCode = status;
    if (typeof rest[0] === 'string' && response.req.httpVersionMajor < 2) response.statusMessage = rest[0];
    if (this.#state === 'new') mergeHeaders(response, headers);
    return this.#start() ? this.#own.writeHead.call(response, status) : response;
  }

  #write([chunk, encoding, callback]: unknown[]): boolean {
    if (this.#start()) return this.#own.write.apply(this.#response, [chunk, encoding, callback] as never);
    const done = (typeof encoding === 'function' ? encoding : callback) as Callback | undefined;
    return this.#carryOut((this.#filter as Filter).push(bytes(chunk, encoding)), done);
  }

  #end(given: unknown[]): ServerResponse {
    const response = this.#response;
    if (this.#start()) return this.#own.end.apply(response, given as never);
    if (this.#state === 'over') return response;
    const callback = given.find((one) => typeof one === 'function') as Callback | undefined;
    const [chunk, encoding] = given;
    if (chunk && typeof chunk !== 'function') this.#carryOut((this.#filter as Filter).push(bytes(chunk, encoding)));
    if (this.#isOver()) return response;
    this.#carryOut((this.#filter as Filter).end());
    if (!this.#isOver()) this.#own.end.apply(response, [callback] as never);
    this.#state = 'over';
    return response;
  }

  #isOver(): boolean {
    return this.#state === 'over';
  }

  #carryOut(piece: Piece, done?: Callback): boolean {
    const response = this.#response;
    if (this.#state === 'over' || piece === true) {
      if (done) process.nextTick(done);
      return true;
    }
    if (piece === false) {
      this.#state = 'over';
      response.destroy();
      return false;
    }
    if (Buffer.isBuffer(piece)) {
      this.#begin();
      if (piece.length) return this.#own.write.apply(response, [piece, done] as never);
      if (done) process.nextTick(done);
      return true;
    }
    this.#replace(piece);
    if (done) process.nextTick(done);
    return true;
  }

  #begin(): void {
    if (this.#state === 'begun') return;
    this.#state = 'begun';
    const response = this.#response;
    setHeaders(response, (this.#filter as Filter).headers);
    response.writeHead = this.#own.writeHead;
    this.#own.writeHead.call(response, response.statusCode);
    response.writeHead = ((status: number, ...rest: unknown[]) => this.#writeHead(status, rest)) as never;
  }

  /** A refusal takes the place of everything that was held. */
  #replace({ status, headers, body }: Answered): void {
    const response = this.#response;
    this.#state = 'over';
    response.writeHead = this.#own.writeHead;
    // HTTP/2 has none, and Node warns of it.
    if (response.req.httpVersionMajor < 2) response.statusMessage = '';
    response.statusCode = status;
    setHeaders(response, headers);
    this.#own.end.apply(response, [body] as never);
  }
}

function bytes(chunk: unknown, encoding: unknown): Uint8Array {
  if (typeof chunk !== 'string') return chunk as Uint8Array;
  return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
}

function* list(response: ServerResponse): Generator<[string, string]> {
  for (const [name, value] of Object.entries(response.getHeaders())) {
    for (const one of Array.isArray(value) ? value : [value]) yield [name, String(one)];
  }
}

/** What `writeHead` is given counts more than what was set before. */
function mergeHeaders(response: ServerResponse, headers: HeadersArgument): void {
  if (!headers) return;
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value);
    return;
  }
  const all = headers.flat() as unknown[];
  const names = all.filter((_, at) => at % 2 === 0);
  names.forEach((name) => response.removeHeader(String(name)));
  names.forEach((name, at) => response.appendHeader(String(name), String(all[2 * at + 1])));
}

function setHeaders(response: ServerResponse, text: string): void {
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  for (const [name, value] of pairs(text)) response.appendHeader(name, value);
}
