// @ts-check
import { createServer } from 'node:http';

/**
 * Serves an Express application on a free port of loopback until standard input closes.
 *
 * @param {(issuer: string, resource: string) => Promise<import('express').Express>} build
 */
export async function serve(build) {
  const server = createServer();
  server.listen(0, '127.0.0.1', async () => {
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    const resource = `http://127.0.0.1:${port}/mcp`;
    server.on('request', await build(process.argv[2], resource));
    console.log(JSON.stringify({ resource }));
  });
  process.stdin.on('end', () => process.exit()).resume();
}

/** @param {string} issuer */
export async function metadataOf(issuer) {
  const response = await fetch(`${issuer}/.well-known/oauth-authorization-server`);
  return response.json();
}
