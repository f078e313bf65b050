// @ts-check
// An Express app for each peer, each with a port of its own, so that none waits for the routes of the others.
import { once } from 'node:events';
import express from 'express';
import { middlewares } from './peers.mjs';

const [issuer = '', jwksUri = ''] = process.argv.slice(2);
/** @type {Record<string, number>} */
const ports = {};
for (const [name, middleware] of Object.entries(await middlewares(issuer, jwksUri))) {
  const app = express();
  app.disable('x-powered-by');
  app.post('/mcp', middleware, (_request, response) => void response.json({ ok: true }));
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ports[name] = /** @type {import('node:net').AddressInfo} */ (server.address()).port;
}
process.on('message', () => process.send?.(process.cpuUsage()));
process.send?.(ports);
