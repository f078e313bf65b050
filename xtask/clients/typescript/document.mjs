// @ts-check
import http from 'node:http';
import { CLIENT_METADATA } from './provider.mjs';

/** @typedef {{ clientId: string, reads: () => number, close: () => void }} ClientDocument */

/**
 * Serves a Client ID Metadata Document on loopback. `reads()` says how often it was fetched.
 *
 * @returns {Promise<ClientDocument>}
 */
export async function serveClientDocument() {
  let reads = 0;
  const server = http.createServer((_request, response) => {
    reads += 1;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ client_id: clientId, ...CLIENT_METADATA }));
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', () => ready(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const clientId = `http://127.0.0.1:${port}/client.json`;
  return { clientId, reads: () => reads, close: () => server.close().closeAllConnections() };
}
