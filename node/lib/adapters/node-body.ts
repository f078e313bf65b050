/** Bodies of requests of `node:http`. */
import type { IncomingMessage } from 'node:http';

/** Bytes of a refused request that are read and thrown away; one with more loses its connection. */
const MAX_DISCARDED = 256 * 1024;

/** The whole body; `undefined` when it is longer. What a parser has read is written again. */
export async function readBody(request: IncomingMessage & { body?: unknown }, maxBytes: number): Promise<Buffer | undefined> {
  const body = request.readableEnded || request.body !== undefined ? written(request.body) : await collect(request, maxBytes);
  return body && body.length <= maxBytes ? body : undefined;
}

/** As the service will read it: it only sees what the parser made of the body. */
function written(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : (JSON.stringify(body) ?? ''));
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
 * Reads what a refused request still sends, within limits: a server that answers before it has read the
 * body closes the connection, and the client loses its next request, the sign-in.
 */
export async function discard(request: IncomingMessage): Promise<void> {
  if (request.readableEnded || request.headers.expect !== undefined || !hasBody(request)) return;
  let left = MAX_DISCARDED;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    left -= chunk.length;
    if (left < 0) return;
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
