/**
 * "Cannot tell right now" is a 503, also behind a middleware that knows only good and bad tokens and answers 500: that of
 * the official SDK does, and hands its response to no verifier.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';

import type { UnavailableError } from './errors.js';

/** The response to the request that is being handled. */
const current = new AsyncLocalStorage<ServerResponse>();
let isWatching = false;

/** From now on every request of `node:http` is known to what is called for it. */
export function watchRequests(): void {
  if (isWatching) return;
  isWatching = true;
  // Node says it right before it calls the listener, in the same context.
  subscribe('http.server.request.start', (message) => current.enterWith((message as { response: ServerResponse }).response));
}

/** If the request that is being handled is answered with a 500, this is why. */
export function explainFailure({ retryAfter }: UnavailableError): void {
  const response = current.getStore();
  if (!response || response.headersSent) return;
  const { writeHead } = response;
  response.writeHead = ((status: number, ...rest: never[]) => {
    response.writeHead = writeHead;
    if (status !== 500) return writeHead.call(response, status, ...rest);
    response.setHeader('retry-after', String(retryAfter));
    return writeHead.call(response, 503, ...rest);
  }) as ServerResponse['writeHead'];
}
