// @ts-check
// An Express app with one peer's middleware, in a process of its own: what it leaves to the garbage collector is its own.
import express from 'express';
import { middlewares } from './peers.mjs';

const [name = '', issuer = '', jwksUri = ''] = process.argv.slice(2);
const middleware = (await middlewares(issuer, jwksUri))[name];
if (!middleware) throw new Error(`no middleware is named ${name}`);
const app = express();
app.disable('x-powered-by');
app.post('/mcp', middleware, (_request, response) => void response.json({ ok: true }));
process.on('message', () => process.send?.(process.cpuUsage()));
const server = app.listen(0, '127.0.0.1', () => {
  process.send?.(/** @type {import('node:net').AddressInfo} */ (server.address()).port);
});
