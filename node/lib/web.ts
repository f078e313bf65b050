/** Web-standard requests and responses. */
import type { AuthInfo } from './auth-info.js';
import { Described } from './described.js';
import { type Decided, isSameAsBefore } from './decided-before.js';
import { type HeaderLines, lines, pairs } from './headers.js';
import type { McpAuth } from './mcp-auth.js';
import { inTime, LATE } from './in-time.js';
import { SESSION_HEADER } from './session-header.js';
import { type Answered, type Filter, type Forward, native, type Piece, type ReadBody, settle, type StreamEnd } from './native.js';
import { OpenStream } from './open-streams.js';

/** A request that may go on. */
export interface Allowed {
  /** Who is calling; `undefined` only for operations that need no token by policy. */
  authInfo: AuthInfo | undefined;
  /** The request, without its token. */
  request: Request;
  /** What to send for the service's response: lists may be filtered in it, and headers added. */
  respond(response: Response): Promise<Response>;
  /** @internal The native half of the request, for a response that goes another way than {@link Allowed.respond}. */
  opened(): Forward | undefined;
  /** @internal What ends such a response in time, where it is a stream of events. */
  streamEnd(headers: HeaderLines): StreamEnd | null;
  /** @internal A session identifier for such a response, or nothing where it must not be sent. */
  sealSession(given: string): string | null;
  /** @internal What took the place of headers that are there. The names are in lower case. */
  readonly replacedHeaders: readonly (readonly [name: string, value: string])[];
  /** @internal The body that took the place of the one that came. */
  readonly replacedBody: Uint8Array | null;
}

/** By the request that went on. */
const decided = new WeakMap<Request, Decided>();

export async function handle(auth: McpAuth, request: Request, peer?: string): Promise<Response | Allowed> {
  const before = decided.get(request);
  // What is around it looks at the response.
  if (before && isSameAsBefore(before, auth, request.method, request.url)) return { authInfo: before.authInfo, request, opened: () => undefined, streamEnd: () => null, sealSession: (given) => given, replacedHeaders: [], replacedBody: null, respond: async (response) => response };
  const given = [request.method, request.url, lines(request.headers)] as const;
  const decision = auth.decide(...given, auth.countsAddresses ? peer : undefined);
  let settled = decision instanceof Described ? decision : await settle(decision);
  let body: Uint8Array<ArrayBuffer> | undefined;
  if (settled instanceof native.ReadBody) {
    const question = settled as ReadBody;
    // One that is locked could not be read, and one that was used is at its end.
    const isRead = request.bodyUsed || request.body?.locked === true;
    const read = isRead ? undefined : await inTime(readBody(request, question.maxBytes), question.timeout);
    if (isRead) {
      settled = question.alreadyRead();
    } else if (read === LATE) {
      settled = question.timedOut();
    } else {
      body = read;
      settled = body ? await settle(question.decide(body)) : question.tooLarge();
    }
  }
  if (typeof settled === 'string') settled = new Described(settled);
  if (!(settled instanceof Described) && !(settled instanceof native.Forward)) return toResponse(settled as Answered);
  const forward = settled as Described | Forward;
  let isRefused = false;
  const authInfo = auth.callerOf(forward, {
    reopen: () => auth.native.reopen(...given),
    resource: () => auth.resourceAt(request.url),
    onRefusal: () => (isRefused = true),
  });
  const sealSession = (given: string): string | null =>
    forward instanceof Described ? auth.native.sealSession(request.url, forward.text, given) : forward.sealSession(given);
  const streamEnd = (headers: HeaderLines): StreamEnd | null => {
    if (!(forward instanceof Described)) return forward.streamEnd(headers);
    // By the request itself where it can be had: what is known of it tells whether it goes on under another configuration.
    const opened = authInfo?.opened();
    return opened ? opened.streamEnd(headers) : auth.native.streamEnd(request.url, forward.text, headers);
  };
  const replacedHeaders = forward instanceof Described ? [] : pairs(forward.replacedHeaders ?? '');
  const replacedBody = forward instanceof Described ? null : forward.body;
  const goesOn = prepared(auth, forward, request, replacedBody ? new Uint8Array(replacedBody) : body, replacedHeaders);
  decided.set(goesOn, { auth, method: goesOn.method, target: goesOn.url, authInfo });
  return {
    authInfo,
    request: goesOn,
    sealSession,
    streamEnd,
    replacedHeaders,
    replacedBody,
    opened: () => (forward instanceof Described ? authInfo?.opened() : forward),
    respond: async (response) => {
      const isStream = isEventStream(response);
      const end = isStream ? streamEnd(lines(response.headers)) : null;
      const opened = !(forward instanceof Described) ? forward : isStream || isRefused ? authInfo?.opened() : undefined;
      const answer = opened ? await respond(opened, response) : sealed(response, sealSession);
      return end && isEventStream(answer) ? endingInTime(answer, end) : answer;
    },
  };
}

/** The body; `undefined` when it is longer. */
async function readBody(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The request without tokens, with what it names as its handler knows it, and asking for no encoding where lists in the response are read. */
function prepared(
  auth: McpAuth,
  forward: Described | Forward,
  request: Request,
  body: Uint8Array<ArrayBuffer> | undefined,
  replaced: readonly (readonly [name: string, value: string])[],
): Request {
  const headers = new Headers(request.headers);
  for (const name of auth.tokenHeaders) headers.delete(name);
  if (!(forward instanceof Described) && forward.readsLists) headers.set('accept-encoding', 'identity');
  for (const [name, value] of replaced) if (headers.has(name)) headers.set(name, value);
  if (!(forward instanceof Described) && !forward.takesBody) {
    const { method, signal, url } = request;
    return new Request(url, { method, headers, signal });
  }
  return new Request(request, body ? { headers, body } : { headers });
}

/** The response, with the session that it names sealed. */
function sealed(response: Response, seal: (given: string) => string | null): Response {
  const given = response.headers.get(SESSION_HEADER);
  if (given === null) return response;
  const text = seal(given);
  const headers = new Headers(response.headers);
  if (text === null) headers.delete(SESSION_HEADER);
  else headers.set(SESSION_HEADER, text);
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}

function toResponse({ status, headers, body }: Answered): Response {
  const isEmpty = body.length === 0;
  return new Response(isEmpty ? null : new Uint8Array(body), { status, headers: pairs(headers) });
}

async function respond(forward: Forward, response: Response): Promise<Response> {
  const before = lines(response.headers);
  const end = isEventStream(response) ? forward.streamEnd(before) : null;
  const decided = forward.respond(response.status, before);
  const { status, statusText } = response;
  if (typeof decided === 'string') {
    if (decided === before) return response;
    return new Response(response.body, { status, statusText, headers: pairs(decided) });
  }
  const source = response.body?.getReader();
  const next = async (): Promise<[piece: Piece, isLast: boolean]> => {
    const { done, value } = (await source?.read()) ?? { done: true };
    return done ? [decided.end(), true] : [decided.push(value as Uint8Array), false];
  };
  let [piece, isLast]: [Piece, boolean] = [true, false];
  const early = end && !decided.hasBegun ? endsEarly(end) : undefined;
  try {
    while (!decided.hasBegun && piece === true && !isLast) {
      const first = await (early ? Promise.race([next(), early.refusal]) : next());
      if (Array.isArray(first)) [piece, isLast] = first;
      else piece = first;
    }
  } finally {
    early?.open.close();
  }
  if (typeof piece === 'object' && !Buffer.isBuffer(piece)) {
    void source?.cancel();
    return toResponse(piece);
  }
  // Some statuses may have no body, not even an empty one.
  if (!response.body) return new Response(null, { status, statusText, headers: pairs(decided.headers) });
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => void emit(controller, piece, isLast),
    pull: async (controller) => {
      let held = true;
      while (held) {
        [piece, isLast] = await next();
        held = emit(controller, piece, isLast);
      }
    },
    cancel: (reason) => source?.cancel(reason),
  });
  return new Response(stream, { status, statusText, headers: pairs((decided as Filter).headers) });
}

/** Waits for the end of a stream of which nothing is sent yet: what is to be sent in its place. */
function endsEarly(end: StreamEnd): { open: OpenStream; refusal: Promise<Answered> } {
  let tell!: (refusal: Answered) => void;
  const refusal = new Promise<Answered>((resolve) => (tell = resolve));
  const open = new OpenStream(end, () => tell(end.refusal()));
  open.watch();
  return { open, refusal };
}

/** Whether nothing was sent, so that more is needed. */
function emit(controller: ReadableStreamDefaultController<Uint8Array>, piece: Piece, isLast: boolean): boolean {
  if (piece === true && !isLast) return true;
  if (Buffer.isBuffer(piece)) {
    if (piece.length) controller.enqueue(new Uint8Array(piece));
    if (isLast) controller.close();
    return piece.length === 0 && !isLast;
  }
  controller.error(new Error('the response was cut off: its lists cannot be filtered'));
  return false;
}

function isEventStream({ headers }: Response): boolean {
  return /text\/event-stream/i.test(headers.get('content-type') ?? '');
}

/** The same stream of events, which ends with the token of its caller: then its source is cancelled. */
function endingInTime(response: Response, end: StreamEnd): Response {
  if (!response.body) return response;
  const source = response.body.getReader();
  let controller: ReadableStreamDefaultController<Uint8Array>;
  const open = new OpenStream(end, (last) => {
    if (last.length > 0) controller.enqueue(new Uint8Array(last));
    controller.close();
    // What it says of that interests nobody.
    source.cancel().catch(() => {});
  });
  let isWatched = false;
  const body = new ReadableStream<Uint8Array>(
    {
      start: (given) => void (controller = given),
      pull: async () => {
        // Of a response that nobody reads, nothing is waited for.
        if (!isWatched) open.watch();
        isWatched = true;
        if (open.isOver) return;
        let read;
        try {
          read = await source.read();
        } catch (error) {
          open.close();
          throw error;
        }
        if (!open.goesOn()) return;
        if (read.done) {
          open.close();
          return controller.close();
        }
        const piece = open.cut(read.value);
        controller.enqueue(piece);
        open.sent(piece);
      },
      cancel: (reason) => {
        open.close();
        return source.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  const { status, statusText } = response;
  const headers = new Headers(response.headers);
  // It may end before that.
  headers.delete('content-length');
  return new Response(body, { status, statusText, headers });
}
