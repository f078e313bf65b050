/** Responses of `node:http`, held until it is certain what the client may see. */
import { type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http';

import { type HeaderLines, lines, pairs } from '../headers.js';
import { type Answered, type Filter, type Forward, type Piece, type StreamEnd } from '../native.js';
import { OpenStream } from '../open-streams.js';
import { admittedOf, type Watched } from './admitted.js';
import { member } from './members.js';
import { sealSession } from './node-session.js';
import { bytes, isEventStream, type Methods, type ResponseStream, streamOf } from './node-stream.js';

type HeadersArgument = OutgoingHttpHeaders | OutgoingHttpHeader[] | undefined;
type Callback = (error?: Error | null) => void;

/** Holds a response: status and headers wait for the body. */
export function holdResponse(forward: Forward, response: ServerResponse): void {
  new HeldResponse(forward, response).install();
}

const METHODS = ['writeHead', 'flushHeaders', 'write', 'end'] as const;

/** Looks at the start of a response, whose request was noted as admitted: an event stream may have to be held, a session be sealed. */
export function watch(response: ServerResponse): void {
  if (latest && has(response, latest)) return;
  if (isOfNode(response)) return put(NODES, response);
  const shared = sharedPrototype(response);
  if (!shared) return put(hooks(pick(response)), response);
  // Looked up at each call: others may change them later.
  if (!hooked.has(shared)) put(hooks(Object.getPrototypeOf(shared) as Methods), shared);
  hooked.add(shared);
  latest = pick(shared);
}

/** Where hooks are for every response. */
const hooked = new WeakSet<object>();

/** Those of the last of them. */
let latest: Methods | undefined;

/** Whether these methods are what is called first. */
function has(response: ServerResponse, { writeHead, flushHeaders, write, end }: Methods): boolean {
  if (member(response, 'writeHead') !== writeHead || member(response, 'flushHeaders') !== flushHeaders) return false;
  return member(response, 'write') === write && member(response, 'end') === end;
}

/** Whether it is one of Node's own, with none but the methods of Node. */
function isOfNode(response: ServerResponse): boolean {
  return Object.getPrototypeOf(response) === ServerResponse.prototype && has(response, ServerResponse.prototype);
}

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

/** Makes them what is called first. */
function put({ writeHead, flushHeaders, write, end }: Methods, target: Methods): void {
  target.writeHead = writeHead;
  target.flushHeaders = flushHeaders;
  target.write = write;
  target.end = end;
}

function pick({ writeHead, flushHeaders, write, end }: Methods): Methods {
  return { writeHead, flushHeaders, write, end };
}

/** The request to a response of Node's. */
const requestOf = (response: ServerResponse): Watched | undefined => admittedOf(member(response, 'req'));

/** Methods to be put before `own`: those of a response, or of a prototype of responses. */
function hooks(own: Methods, find: (response: ServerResponse) => Watched | undefined = requestOf): Methods {
  // Whoever holds a response has put methods of their own before these: what comes here goes to the client.
  return {
    writeHead(this: ServerResponse, ...given: unknown[]) {
      const at = typeof given[1] === 'string' ? 2 : 1;
      const request = find(this);
      if (!request) return own.writeHead.apply(this, given as never);
      if (begins(request, this, given[at])) return this.writeHead.apply(this, given as never);
      // Whatever is sent first, its head comes here.
      const headers = sealSession(request, this, given[at]);
      if (headers !== given[at]) given[at] = headers;
      const stream = streamOf(request, this, own, given[at]);
      return stream ? stream.writeHead(given, at) : own.writeHead.apply(this, given as never);
    },
    flushHeaders(this: ServerResponse) {
      const request = find(this);
      (request && begins(request, this) ? this : own).flushHeaders.call(this);
    },
    write(this: ServerResponse, ...given: unknown[]) {
      const request = find(this);
      if (!request) return own.write.apply(this, given as never);
      if (begins(request, this)) return this.write.apply(this, given as never);
      const stream = streamOf(request, this, own);
      return stream ? stream.write(given) : own.write.apply(this, given as never);
    },
    end: function (this: ServerResponse, ...given: unknown[]) {
      const request = find(this);
      if (!request) return own.end.apply(this, given as never);
      if (begins(request, this)) return this.end.apply(this, given as never);
      const stream = streamOf(request, this, own);
      return stream ? stream.end(given) : own.end.apply(this, given as never);
    } as ServerResponse['end'],
  };
}

/** Those of a response of Node's own: the same functions for each. */
const NODES = hooks(ServerResponse.prototype);

/** Whether it is held from now on; asked once. */
function begins(request: Watched, response: ServerResponse, headers?: unknown): boolean {
  if (!request.isWatched) return false;
  request.isWatched = false;
  if (request.holdsStreams && isEventStream(response, headers) && !response.hasHeader('content-encoding')) return request.hold();
  request.letGo();
  return false;
}

/** Watches a response that belongs to a framework, where a handler may write to it all the same. */
export interface Guard {
  /** Whether somebody has. */
  hasBegun(): boolean;
  /** From now on it is the framework that writes. */
  release(): void;
}

/** What is known of the request, when somebody writes to the response. */
export interface Guarded {
  opened(): Forward | undefined;
  sealSession(given: string): string | null;
  streamEnd(headers: HeaderLines): StreamEnd | null;
}

export function guardResponse(response: ServerResponse, guarded: Guarded): Guard {
  const own = pick(response);
  const release = () => {
    for (const name of METHODS) if (response[name] === guards[name]) response[name] = own[name] as never;
  };
  let hasBegun = false;
  const begin = () => {
    hasBegun = true;
    release();
    if (response.headersSent) return;
    const forward = guarded.opened();
    const request = new GuardedRequest(guarded, forward !== undefined);
    put(hooks(pick(response), () => request), response);
    if (forward) holdResponse(forward, response);
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

/** The request to a response that belongs to a framework, and that a handler writes to. */
class GuardedRequest implements Watched {
  readonly isWatched = false;
  readonly holdsStreams = false;
  stream: ResponseStream | null | undefined = undefined;
  readonly #guarded: Guarded;

  /** @param isSealed whether the native half seals its session, as it holds the response */
  constructor(
    guarded: Guarded,
    public isSealed: boolean,
  ) {
    this.#guarded = guarded;
  }

  sealSession(given: string): string | null {
    return this.#guarded.sealSession(given);
  }

  streamEnd(headers: HeaderLines): StreamEnd | null {
    return this.#guarded.streamEnd(headers);
  }

  hold(): boolean {
    return false;
  }

  letGo(): void {}
}

class HeldResponse {
  readonly #forward: Forward;
  readonly #response: ServerResponse;
  readonly #own: Methods;
  #filter: Filter | undefined;
  /** Ends the response while it is held, where it is a stream of events. */
  #early: OpenStream | undefined;
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
    const end = isEventStream(response, undefined) ? this.#forward.streamEnd(before) : null;
    const decided = this.#forward.respond(response.statusCode, before);
    this.#state = 'held';
    if (typeof decided !== 'string') {
      this.#filter = decided;
      if (decided.hasBegun) {
        this.#begin();
        this.#own.flushHeaders.call(response);
      } else if (end) this.#endInTime(end);
      return false;
    }
    Object.assign(response, this.#own);
    if (decided !== before) setHeaders(response, decided);
    return true;
  }

  /** Until something is sent of it. */
  #endInTime(end: StreamEnd): void {
    const early = new OpenStream(end, () => this.#replace(end.refusal()));
    this.#early = early;
    this.#response.once('close', () => early.close());
    // Whoever holds it now may be about to write to it.
    queueMicrotask(() => this.#state === 'held' && early.watch());
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
    this.#early?.close();
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
    this.#early?.close();
    response.writeHead = this.#own.writeHead;
    // HTTP/2 has none, and Node warns of it.
    if (response.req.httpVersionMajor < 2) response.statusMessage = '';
    response.statusCode = status;
    setHeaders(response, headers);
    this.#own.end.apply(response, [body] as never);
  }
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
