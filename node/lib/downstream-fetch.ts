/** `fetch` with the token of another API. */
import type { DownstreamToken } from './downstream.js';

/** Whose token it is, and where it may go. */
export interface Asker {
  isAt(url: string): boolean;
  token(): DownstreamToken | Promise<DownstreamToken>;
  forget(token: DownstreamToken): void;
}

/** As many as `fetch` follows (Fetch §4.3). */
const MAX_REDIRECTS = 20;
/** What is for one origin alone (Fetch §4.4). */
const OF_THE_ORIGIN = ['authorization', 'proxy-authorization', 'cookie', 'host'];
const OF_THE_BODY = ['content-encoding', 'content-language', 'content-location', 'content-type', 'content-length'];

/** A request that can be made again. */
interface Sending {
  url: string;
  method: string;
  redirect: RequestRedirect;
  headers: Headers;
  body: BodyInit | null | undefined;
  /** Whatever else `fetch` takes. */
  init: RequestInit;
}

/**
 * Sends a request, with the token where it goes to the API.
 *
 * 1. Redirects are followed here: `fetch` would take the token along within an origin, and an API may be a part of one.
 * 2. What leads away from the API is followed without the token, and without a body: else the redirect is the response.
 *    What leads there from elsewhere gets no token: who is elsewhere would choose what is asked for.
 * 3. After a 401 of the API, the request is sent once more with a new token. There is none where the last one was forgotten
 *    just now: then the 401 is the response.
 */
export async function fetchWithToken(asker: Asker, input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
  let sending = sendingOf(input, init);
  let isAtApi = asker.isAt(sending.url);
  for (let redirects = 0; ; redirects += 1) {
    const response = isAtApi ? await sendToApi(asker, sending) : await sendOnce(sending);
    const next = sending.redirect === 'manual' ? undefined : redirected(sending, response);
    if (next === undefined) return response;
    const leadsAway = isAtApi && !asker.isAt(next.url);
    if (hasBody(next) && (leadsAway || !isRepeatable(next.body))) return response;
    await discard(response);
    if (sending.redirect === 'error') throw new TypeError('fetch failed: there is a redirect');
    if (redirects === MAX_REDIRECTS) throw new TypeError('fetch failed: there are too many redirects');
    const isElsewhere = leadsAway || new URL(next.url).origin !== new URL(sending.url).origin;
    if (isElsewhere) for (const name of OF_THE_ORIGIN) next.headers.delete(name);
    isAtApi &&= !leadsAway;
    sending = next;
  }
}

function sendingOf(input: string | URL | Request, init: RequestInit): Sending {
  const isInInit = init.body !== undefined && init.body !== null;
  // Without a body that can be sent again: a request makes a stream of it.
  const { url, method, redirect, body: stream } = new Request(input, isInInit ? { ...init, body: null } : init);
  const given = input instanceof Request ? input : undefined;
  const headers = new Headers(init.headers ?? given?.headers);
  headers.delete('authorization');
  const body = isInInit ? init.body : stream;
  return { url, method, redirect, headers, body, init: { ...init, signal: init.signal ?? given?.signal ?? null } };
}

async function sendToApi(asker: Asker, sending: Sending): Promise<Response> {
  const token = await asker.token();
  const response = await sendOnce(sending, token);
  if (response.status !== 401) return response;
  asker.forget(token);
  if (hasBody(sending) && !isRepeatable(sending.body)) return response;
  const newer = await newToken(asker, response);
  if (newer.expose() === token.expose()) return response;
  await discard(response);
  return sendOnce(sending, newer);
}

async function newToken(asker: Asker, response: Response): Promise<DownstreamToken> {
  try {
    return await asker.token();
  } catch (error) {
    await discard(response);
    throw error;
  }
}

/** Nobody reads it. */
async function discard(response: Response): Promise<void> {
  await response.body?.cancel();
}

function sendOnce({ url, method, headers, body, init }: Sending, token?: DownstreamToken): Promise<Response> {
  const sent = new Headers(headers);
  if (token) sent.set('authorization', token.headerValue());
  // Of a stream, `fetch` wants to be told that it is read while the response comes.
  const duplex = body instanceof ReadableStream ? { duplex: 'half' } : {};
  return fetch(url, { ...init, ...duplex, method, headers: sent, body: body ?? null, redirect: 'manual' });
}

/** The request that a response leads to (Fetch §4.4); nothing: it is the answer. */
function redirected(sending: Sending, { status, headers }: Response): Sending | undefined {
  const location = headers.get('location');
  if (![301, 302, 303, 307, 308].includes(status) || location === null) return undefined;
  if (!URL.canParse(location, sending.url)) return undefined;
  const next = { ...sending, url: new URL(location, sending.url).href, headers: new Headers(sending.headers) };
  if (!/^https?:/.test(next.url)) return undefined;
  const isPost = sending.method === 'POST' && (status === 301 || status === 302);
  const isOther = status === 303 && sending.method !== 'GET' && sending.method !== 'HEAD';
  if (isPost || isOther) {
    next.method = 'GET';
    next.body = undefined;
    for (const name of OF_THE_BODY) next.headers.delete(name);
  }
  return next;
}

function hasBody({ body }: Sending): boolean {
  return body !== undefined && body !== null;
}

/** Whether it can be sent more than once: what is in memory. */
function isRepeatable(body: Sending['body']): boolean {
  const kinds = [ArrayBuffer, Blob, FormData, URLSearchParams];
  return typeof body === 'string' || ArrayBuffer.isView(body) || kinds.some((kind) => body instanceof kind);
}
