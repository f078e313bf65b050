// Servers of Node, each as its own documentation starts it. The packages are those of the folder that this is started in.
import { createRequire } from 'node:module';
import { createServer } from 'node:http';
import { once } from 'node:events';

const packages = createRequire(`${process.cwd()}/`);
const ANY_PORT = { port: 0, host: '127.0.0.1' };

async function nodeHttp() {
  const server = createServer((_request, response) => response.end('hello')).listen(ANY_PORT);
  await once(server, 'listening');
  return server;
}

async function express() {
  const app = packages('express')();
  app.get('/', (_request, response) => void response.send('hello'));
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function fastify() {
  const app = packages('fastify')();
  app.get('/', () => 'hello');
  await app.listen(ANY_PORT);
  return app.server;
}

async function hono() {
  const { Hono } = packages('hono');
  const app = new Hono();
  app.get('/', (context) => context.text('hello'));
  const server = packages('@hono/node-server').serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
  if (!server.listening) await once(server, 'listening');
  return server;
}

const addresses = {};
for (const start of [nodeHttp, express, fastify, hono]) {
  const server = await start();
  addresses[start.name] = `127.0.0.1:${server.address().port}`;
}
console.log(JSON.stringify(addresses));
process.stdin.resume().on('end', () => process.exit(0));
