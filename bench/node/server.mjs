// @ts-check
// One Express app per peer, on paths of their own. Says its address when it listens.
import express from 'express';
import { middlewares } from './peers.mjs';

const [issuer = '', jwksUri = ''] = process.argv.slice(2);
const app = express();
app.disable('x-powered-by');
for (const [index, middleware] of Object.values(await middlewares(issuer, jwksUri)).entries()) {
  app.post(`/${index}`, middleware, (_request, response) => void response.json({ ok: true }));
}
process.on('message', () => process.send?.(process.cpuUsage()));
const server = app.listen(0, '127.0.0.1', () => {
  process.send?.(/** @type {import('node:net').AddressInfo} */ (server.address()).port);
});
