// @ts-check
// Nothing that a handler can reach holds the token, or a response that nobody watches.
import assert from 'node:assert/strict';
import test from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import * as awsLambda from 'hono/aws-lambda';
import * as pages from 'hono/cloudflare-pages';
import * as lambdaEdge from 'hono/lambda-edge';
import * as netlify from 'hono/netlify';
import { McpAuth } from '../dist/index.js';
import * as node from '../dist/adapters/node.js';
import * as fastify from '../dist/adapters/fastify.js';
import * as hono from '../dist/adapters/hono.js';
import { call, post, start } from './support/server.mjs';

/** Where a text is below these objects: members of any kind, getters, symbols, prototypes, lists and maps.
 * @param {Record<string, unknown>} roots @param {string} secret */
function findText(roots, secret) {
  const seen = new Set();
  /** @type {[path: string, value: unknown, receiver: unknown][]} */
  const left = Object.entries(roots).map(([name, value]) => [name, value, value]);
  /** @type {string[]} */
  const found = [];
  for (let next = left.shift(); next; next = left.shift()) {
    const [path, value] = next;
    if (typeof value === 'string' && value.includes(secret)) found.push(path);
    if (ArrayBuffer.isView(value) && Buffer.from(value.buffer, value.byteOffset, value.byteLength).includes(secret)) found.push(path);
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value)) continue;
    seen.add(value);
    // What is everybody's holds no request.
    if (value === globalThis || path.split('.').length > 14 || ArrayBuffer.isView(value)) continue;
    if (value instanceof Headers || value instanceof Map) for (const [name, one] of value) left.push([`${path}.<${String(name)}>`, one, one]);
    for (let object = value; object && object !== Object.prototype && object !== Function.prototype; object = Object.getPrototypeOf(object)) {
      for (const name of Reflect.ownKeys(object)) {
        const member = Object.getOwnPropertyDescriptor(object, name);
        let one = member?.value;
        try {
          // A body that is read is gone.
          if (member?.get && name !== 'body') one = member.get.call(value);
        } catch {
          continue;
        }
        if (one instanceof Promise) one.catch(() => undefined);
        left.push([`${path}.${String(name)}`, one, one]);
      }
    }
  }
  return { found, count: seen.size };
}

/** Each hands what a handler gets to `see`. @type {Record<string, (auth: McpAuth, see: (roots: Record<string, unknown>) => void) => any>} */
const SERVERS = {
  express(auth, see) {
    const app = express();
    app.use(node.protect(auth));
    app.all('/mcp', (request, response) => {
      see({ request, response, header: request.get('authorization'), headersDistinct: request.headersDistinct });
      response.json({});
    });
    return app;
  },
  async fastify(auth, see) {
    const app = Fastify();
    await app.register(fastify.protect, { auth });
    app.all('/mcp', async (request, reply) => {
      see({ request, headers: request.headers, raw: request.raw, reply: reply.raw, distinct: request.raw.headersDistinct });
      return {};
    });
    await app.ready();
    return (/** @type {any} */ request, /** @type {any} */ response) => app.routing(request, response);
  },
  hono(auth, see) {
    /** @type {Hono<any>} */
    const app = new Hono();
    app.use(hono.protect(auth));
    app.all('/mcp', (context) => {
      const { incoming, outgoing } = context.env;
      see({ context, request: context.req, raw: context.req.raw, all: context.req.header(), env: context.env, incoming, outgoing, distinct: incoming.headersDistinct });
      return context.json({});
    });
    return getRequestListener(app.fetch);
  },
  http(auth, see) {
    return node.protectListener(auth, (request, response) => {
      see({ request, response, distinct: request.headersDistinct, raw: request.rawHeaders });
      response.end('{}');
    });
  },
  web(auth, see) {
    return getRequestListener(
      auth.protect((request, caller) => {
        see({ request, headers: Object.fromEntries(request.headers), clone: request.clone(), caller });
        return Response.json({});
      }),
    );
  },
};

const POLICY = { tools: { write: ['notes:write'] } };

for (const [name, serverFor] of Object.entries(SERVERS)) {
  for (const policy of [undefined, POLICY]) {
    test(`${name}${policy ? ', under a policy' : ''}: nothing that a handler reaches holds the token`, async (context) => {
      let count = 0;
      let secret = '';
      /** @type {string[]} */
      const found = [];
      const server = await start(context, (resource, issuer) =>
        serverFor(new McpAuth({ resource, authorizationServers: [issuer.issuer], policy }), (roots) => {
          const walked = findText(roots, secret);
          count += walked.count;
          found.push(...walked.found);
        }),
      );
      for (const message of [{ jsonrpc: '2.0', id: 1, method: 'tools/list' }, call('open'), call('open', { more: 'x' })]) {
        const token = server.mint();
        // The signature, which is in nothing else.
        secret = token.slice(-40);
        const init = post(token, message);
        init.headers = { ...init.headers, 'x-many-1': '1', 'X-Many-2': '2' };
        assert.equal((await fetch(server.resource, init)).status, 200);
      }
      assert.deepEqual(found, []);
      assert.ok(count > 50, `${count} objects`);
    });
  }
}

test('the walk finds a text wherever it is', () => {
  class Held { #inner = ['a secret']; get inner() { return this.#inner; } }
  const places = [{ a: ['a secret'] }, { [Symbol('s')]: 'a secret' }, Object.create({ get a() { return 'a secret'; } }), new Held(), { h: new Headers({ a: 'a secret' }) }, { b: Buffer.from('a secret') }];
  for (const place of places) assert.equal(findText({ place }, 'secret').found.length > 0, true);
});

const LIST = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools: [{ name: 'open' }, { name: 'console' }] } });
const CONSOLE = { tools: { console: { allowedClients: ['console'] } } };
const TOOLS_LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' };

/** Each way to write to `c.env.outgoing` in place of returning a response. @type {Record<string, (outgoing: any) => void>} */
const WRITERS = {
  end: (outgoing) => outgoing.setHeader('content-type', 'application/json').end(LIST),
  'writeHead and end': (outgoing) => outgoing.writeHead(200, { 'content-type': 'application/json' }).end(LIST),
  'writes in pieces': (outgoing) => {
    outgoing.writeHead(200, { 'content-type': 'application/json' });
    for (const one of LIST) outgoing.write(one);
    outgoing.end();
  },
  'a stream': (outgoing) => outgoing.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${LIST}\n\n`),
  later: (outgoing) => void setImmediate(() => outgoing.writeHead(200, { 'content-type': 'application/json' }).end(LIST)),
  'without a label': (outgoing) => outgoing.end(LIST),
};

for (const [name, write] of Object.entries(WRITERS)) {
  test(`hono: a list that a handler writes to the original is filtered: ${name}`, async (context) => {
    const { resource, mint } = await start(context, (resource, issuer) => {
      /** @type {Hono<any>} */
      const app = new Hono();
      app.use(hono.protect(new McpAuth({ resource, authorizationServers: [issuer.issuer], policy: CONSOLE })));
      app.post('/mcp', (context) => {
        write(context.env.outgoing);
        return RESPONSE_ALREADY_SENT;
      });
      return getRequestListener(app.fetch);
    });
    const text = await (await fetch(resource, post(mint(), TOOLS_LIST))).text();
    assert.ok(!text.includes('console'), text);
    assert.ok(text.includes('open'), text);
  });
}

test('hono: a handler that asks for more and writes to the original is answered with the challenge', async (context) => {
  const { resource, mint } = await start(context, (resource, issuer) => {
    /** @type {Hono<any>} */
    const app = new Hono();
    app.use(hono.protect(new McpAuth({ resource, authorizationServers: [issuer.issuer] })));
    app.post('/mcp', (context) => {
      try {
        context.get('auth').require('more');
      } catch {}
      context.env.outgoing.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      return RESPONSE_ALREADY_SENT;
    });
    return getRequestListener(app.fetch);
  });
  const answer = await fetch(resource, post(mint(), call('open')));
  assert.equal(answer.status, 403);
  assert.match(answer.headers.get('www-authenticate') ?? '', /more/);
});

test('hono: what other servers hand over loses its token too', async (context) => {
  const { issuer } = await start(context, () => () => undefined);
  const resource = 'https://mcp.example.com/mcp';
  /** @type {Hono<any>} */
  const app = new Hono();
  app.use(hono.protect(new McpAuth({ resource, authorizationServers: [issuer.issuer] })));
  const token = issuer.mint({ audience: resource });
  /** @type {string[]} */ let found = ['never asked'];
  app.post('/mcp', (context) => {
    found = findText({ context, env: context.env }, token.slice(-40)).found;
    return context.json({});
  });
  const init = post(token);
  const authorization = `Bearer ${token}`;
  const env = {
    event: { headers: { Authorization: authorization, accept: '*/*' }, multiValueHeaders: { authorization: [authorization] } },
    eventContext: { request: new Request(resource, init) },
  };
  assert.equal((await app.request(resource, init, env)).status, 200);
  assert.deepEqual(found, []);
  assert.equal(env.event.headers.accept, '*/*');
});

/** What CloudFront hands to Lambda@Edge. @param {string} authorization */
function edgeEvent(authorization) {
  const headers = { host: [{ key: 'Host', value: 'mcp.example.com' }], authorization: [{ key: 'Authorization', value: authorization }] };
  const request = { clientIp: '192.0.2.1', method: 'GET', uri: '/mcp', querystring: '', headers };
  const config = { distributionDomainName: 'mcp.example.com', distributionId: 'x', eventType: 'origin-request', requestId: 'r' };
  return { Records: [{ cf: { config, request } }] };
}

/** Calls of Hono's own handlers for functions in a cloud. @type {Record<string, (app: Hono<any>, authorization: string) => any>} */
const CLOUDS = {
  'Lambda@Edge': (app, authorization) => lambdaEdge.handle(app)(/** @type {any} */ (edgeEvent(authorization))),
  'AWS Lambda, version 2': (app, authorization) =>
    awsLambda.handle(app)(/** @type {any} */ ({
      version: '2.0', rawPath: '/mcp', rawQueryString: '', headers: { host: 'mcp.example.com', Authorization: authorization },
      requestContext: { http: { method: 'GET' }, domainName: 'mcp.example.com' }, isBase64Encoded: false,
    })),
  'AWS Lambda, version 1': (app, authorization) =>
    awsLambda.handle(app)(/** @type {any} */ ({
      version: '1.0', path: '/mcp', httpMethod: 'GET', headers: { Host: 'mcp.example.com', AUTHORIZATION: authorization },
      multiValueHeaders: { Host: ['mcp.example.com'], AUTHORIZATION: [authorization] },
      requestContext: { domainName: 'mcp.example.com' }, isBase64Encoded: false,
    })),
  Netlify: (app, authorization) => netlify.handle(app)(new Request('https://mcp.example.com/mcp', { headers: { authorization } }), {}),
  'Cloudflare Pages': (app, authorization) =>
    pages.handle(app)(/** @type {any} */ ({ request: new Request('https://mcp.example.com/mcp', { headers: { authorization } }), env: {} })),
  'a request in its place': (app, authorization) => {
    const request = new Request('https://mcp.example.com/mcp', { headers: { authorization } });
    return app.fetch(request.clone(), { request });
  },
};

for (const [name, fetchBy] of Object.entries(CLOUDS)) {
  test(`hono on ${name}: nothing that a handler reaches holds the token`, async (context) => {
    const { issuer } = await start(context, () => () => undefined);
    const resource = 'https://mcp.example.com/mcp';
    /** @type {Hono<any>} */
    const app = new Hono();
    app.use(hono.protect(new McpAuth({ resource, authorizationServers: [issuer.issuer] })));
    const token = issuer.mint({ audience: resource });
    /** @type {string[]} */ let found = ['never asked'];
    app.get('/mcp', (context) => {
      found = findText({ context, env: context.env }, token.slice(-40)).found;
      return context.json({});
    });
    await fetchBy(app, `Bearer ${token}`);
    assert.deepEqual(found, []);
  });
}
