/** Bodies of requests of `node:http`. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Bytes of a refused request that are read and thrown away; one with more loses its connection. */
const MAX_DISCARDED = 256 * 1024;

/** Milliseconds after which it loses it as well. */
const DISCARD_TIMEOUT = 30_000;

/** Somebody has read the body, or a part of it, and left nothing of it. */
export const ALREADY_READ = Symbol('already read');

/** The whole body; `undefined` when it is longer. What a parser has read is written again. */
export async function readBody(request: IncomingMessage & { body?: unknown }, maxBytes: number): Promise<Buffer | typeof ALREADY_READ | undefined> {
  const isParsed = request.readableEnded || request.body !== undefined;
  // Of a body that somebody has begun to read, the rest says nothing.
  if (!isParsed && request.readableDidRead) return ALREADY_READ;
  if (request.readableEnded && request.body === undefined && hasBody(request)) return ALREADY_READ;
  const body = isParsed ? written(request.body) : await collect(request, maxBytes);
  return body && body.length <= maxBytes ? body : undefined;
}

/** A body in the form that a parser before us has given it: bytes, text, or the value. */
export function inFormOf(parsed: unknown, body: Buffer): unknown {
  if (Buffer.isBuffer(parsed)) return body;
  return typeof parsed === 'string' ? body.toString() : JSON.parse(body.toString());
}

/** Nothing that is JSON: what cannot be read is refused as such, with its line in the log. */
const UNREADABLE = Buffer.from('no JSON');

/** More levels than the library takes, and fewer than writing them takes from the stack. */
const MAX_LEVELS = 500;

/** As the service will read it: it only sees what the parser made of the body. */
function written(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  if (typeof body === 'string') return Buffer.from(body);
  if (body === undefined) return Buffer.alloc(0);
  return isPlain(body) ? Buffer.from(JSON.stringify(body)) : UNREADABLE;
}

/**
 * Whether it is what a parser of JSON makes: then its text says what handlers find in it. Not so where a value is
 * computed (a getter, `toJSON`, an instance of a class), is met twice, or is none of JSON.
 */
function isPlain(body: unknown): boolean {
  const met = new Set<object>();
  const left: [value: unknown, level: number][] = [[body, 1]];
  for (let next = left.pop(); next; next = left.pop()) {
    const [value, level] = next;
    if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) continue;
    if (typeof value !== 'object' || level > MAX_LEVELS || met.has(value)) return false;
    met.add(value);
    const members = membersOf(value);
    if (!members) return false;
    for (const member of members) left.push([member, level + 1]);
  }
  return true;
}

/** `undefined` where there is more to it than its members. */
function membersOf(value: object): unknown[] | undefined {
  try {
    const prototype: object | null = Object.getPrototypeOf(value);
    const isList = Array.isArray(value);
    // Another realm, such as that of a test, has an `Object.prototype` of its own.
    const root = isList && prototype ? Object.getPrototypeOf(prototype) : prototype;
    if (root !== null && Object.getPrototypeOf(root) !== null) return undefined;
    if ('toJSON' in value && typeof value.toJSON === 'function') return undefined;
    const members: unknown[] = [];
    for (const name of Reflect.ownKeys(value)) {
      if (isList && name === 'length') continue;
      const member = Object.getOwnPropertyDescriptor(value, name);
      if (typeof name === 'symbol' || !member || !('value' in member) || !member.enumerable) return undefined;
      members.push(member.value);
    }
    return isList && members.length !== value.length ? undefined : members;
  } catch {
    // A proxy may throw at any of it.
    return undefined;
  }
}

async function collect(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}

/**
 * Reads what a refused and answered request still sends, within limits of length and time: a server that closes the
 * connection at once may take its answer with it, and the client's next request, the sign-in. A body that goes on after
 * that is not worth reading, and loses its connection.
 */
export function discard(request: IncomingMessage, response: ServerResponse): void {
  if (request.readableEnded || !hasBody(request)) return;
  const { socket } = request;
  // With HTTP/2 it is one stream of many, which Node ends with its answer.
  if (request.httpVersionMajor > 1 || !socket) return;
  const close = () => socket.destroy();
  const timer = setTimeout(close, DISCARD_TIMEOUT).unref();
  const stop = () => clearTimeout(timer);
  request.once('end', stop).once('close', stop);
  let left = MAX_DISCARDED;
  // Node reads on by itself once the answer is sent, and then takes away who listened before.
  response.once('finish', () => {
    request.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) close();
    });
    request.resume();
  });
}

/** Whether it says that it has a body; over HTTP/2 any request may have one without a word. */
export function hasBody({ headers, httpVersionMajor }: IncomingMessage): boolean {
  return httpVersionMajor > 1 || headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
