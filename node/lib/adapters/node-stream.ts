/** Responses of `node:http` that are streams of events, and end with the token of their caller. */
import type { ServerResponse } from 'node:http';

import { type HeaderLines, lines } from '../headers.js';
import type { StreamEnd } from '../native.js';
import { OpenStream } from '../open-streams.js';
import { isNamed, pairsGiven } from './node-session.js';

/** How a response is written. */
export type Methods = Pick<ServerResponse, 'writeHead' | 'flushHeaders' | 'write' | 'end'>;

/** What is to be known of the request to a response that may be a stream. */
export interface Streamed {
  /** The response, once it has begun; `null` where nothing ends it but itself. */
  stream: ResponseStream | null | undefined;
  /** What ends a response with these headers in time. */
  streamEnd(headers: HeaderLines): StreamEnd | null;
}

/** What is asked for of the head of a response. */
const DESCRIBE_BODY = ['content-type', 'content-encoding', 'transfer-encoding'];
const LENGTH = 'content-length';

/** Whether a response is a stream of events; `headers` is what `writeHead` is given. */
export function isEventStream(response: ServerResponse, headers: unknown): boolean {
  const type = valueOf(response, headers, 'content-type');
  return type !== undefined && /text\/event-stream/i.test(type);
}

/** The stream that a response is, which is found out once: when it begins. It is of the first that write to it by `own`; to others it is none. */
export function streamOf(request: Streamed, response: ServerResponse, own: Methods, headers?: unknown): ResponseStream | null {
  if (request.stream) return request.stream.isOf(own) ? request.stream : null;
  if (request.stream === null) return null;
  request.stream = null;
  if (!isEventStream(response, headers)) return null;
  const described: [string, string][] = [];
  for (const name of DESCRIBE_BODY) {
    const value = valueOf(response, headers, name);
    if (value !== undefined) described.push([name, value]);
  }
  const end = request.streamEnd(lines(described));
  if (end) request.stream = new ResponseStream(end, response, own);
  return request.stream;
}

/** What `writeHead` is given counts more than what was set before. Asked about every response. */
function valueOf(response: ServerResponse, headers: unknown, name: string): string | undefined {
  let value: unknown = response.getHeader(name);
  if (Array.isArray(headers)) {
    for (const [given, one] of pairsGiven(headers)) if (isNamed(given, name)) value = one;
  } else if (typeof headers === 'object') {
    for (const given in headers) if (isNamed(given, name)) value = (headers as Record<string, unknown>)[given];
  }
  return value === undefined ? undefined : String(value);
}

/** What `writeHead` is to be given of a stream, which may end before its length. */
function withoutLength(response: ServerResponse, headers: unknown): unknown {
  response.removeHeader(LENGTH);
  const given = [...pairsGiven(headers)];
  const kept = given.filter(([name]) => !isNamed(name, LENGTH));
  if (kept.length === given.length) return headers;
  return Array.isArray(headers) ? kept.flat(1) : Object.fromEntries(kept);
}

/** A response that ends in time. What is written to it goes on by its own methods. */
export class ResponseStream {
  readonly #response: ServerResponse;
  readonly #own: Methods;
  readonly #open: OpenStream;
  #isWriting = false;
  #isWatched = false;

  constructor(end: StreamEnd, response: ServerResponse, own: Methods) {
    this.#response = response;
    this.#own = own;
    this.#open = new OpenStream(end, (last) => this.#finish(last));
    response.once('close', () => this.#open.close());
  }

  /** Whether it is these methods that it goes on by. */
  isOf(own: Methods): boolean {
    return this.#own === own;
  }

  writeHead(given: unknown[], at: number): ServerResponse {
    const headers = withoutLength(this.#response, given[at]);
    if (headers !== given[at]) given[at] = headers;
    this.#own.writeHead.apply(this.#response, given as never);
    // Whoever writes now, watches when that is done.
    if (!this.#isWriting) queueMicrotask(() => this.#watch());
    return this.#response;
  }

  write(given: unknown[]): boolean {
    const [chunk, encoding, callback] = given;
    if (!this.#open.goesOn()) return this.#refuse(typeof encoding === 'function' ? encoding : callback);
    const whole = bytes(chunk, encoding);
    // What is no piece at all is refused by the response itself.
    const piece = whole instanceof Uint8Array ? this.#open.cut(whole) : whole;
    const written = piece === whole ? given : [piece, typeof encoding === 'function' ? encoding : callback];
    this.#isWriting = true;
    const isTaken = this.#own.write.apply(this.#response, written as never);
    this.#isWriting = false;
    this.#open.sent(piece);
    this.#watch();
    return isTaken;
  }

  end(given: unknown[]): ServerResponse {
    if (this.#open.goesOn()) {
      this.#open.close();
      this.#own.end.apply(this.#response, given as never);
    }
    return this.#response;
  }

  #watch(): void {
    if (this.#isWatched || this.#open.isOver) return;
    this.#isWatched = true;
    this.#open.watch();
  }

  /** Nothing more is taken, as of a response whose client has gone. */
  #refuse(callback: unknown): boolean {
    if (typeof callback === 'function') process.nextTick(callback, new Error('the stream has ended: the token of its caller is good no more'));
    return false;
  }

  #finish(last: Buffer): void {
    if (last.length > 0) this.#own.write.apply(this.#response, [last] as never);
    this.#own.end.apply(this.#response, [] as never);
  }
}

/** What is written, as it is sent. */
export function bytes(chunk: unknown, encoding: unknown): Uint8Array {
  if (typeof chunk !== 'string') return chunk as Uint8Array;
  return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
}
