// @ts-check
// Rules and verifiers that are functions, and what the caller knows.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { ServerResponse } from 'node:http';
import test from 'node:test';
import { ConfigError, InsufficientScopeError, McpAuth, setLogger, TokenError } from '../dist/index.js';
import express from 'express';
import Fastify from 'fastify';
import { protect as protectFastify } from '../dist/adapters/fastify.js';
import { protect, protectListener } from '../dist/adapters/node.js';
import { DevIssuer } from '../dist/testing.js';
import { call, post, start } from './support/server.mjs';

test('a function decides, and lists show what it allows', async (context) => {
  /** @type {unknown[]} */ const asked = [];
  const { resource, mint } = await start(context, (resource, issuer) => {
    const auth = new McpAuth(
      { resource, authorizationServers: [issuer.issuer] },
      {
        authorize(caller, { method, name, arguments: given }) {
          asked.push([caller.subject, method, name, given]);
          if (name === 'throws') throw new Error('broken');
          if (name === 'write') return caller.has('write') || { missingScopes: ['write'] };
          return name !== 'secret';
        },
      },
    );
    return protectListener(auth, (request, response) => {
      const tools = ['read', 'write', 'secret', 'throws'].map((name) => ({ name }));
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools } }));
    });
  });
  const status = async (/** @type {string} */ name) => (await fetch(resource, post(mint(), call(name, { a: 1 })))).status;
  assert.deepEqual([await status('read'), await status('write'), await status('secret'), await status('throws')], [200, 403, 403, 403]);
  assert.deepEqual(asked[0], ['alice', 'tools/call', 'read', { a: 1 }]);
  const refused = await fetch(resource, post(mint(), call('write')));
  assert.match(refused.headers.get('www-authenticate') ?? '', /scope="write"/);
  const list = await fetch(resource, post(mint(), { jsonrpc: '2.0', id: 1, method: 'tools/list' }));
  assert.deepEqual((await list.json()).result.tools, [{ name: 'read' }, { name: 'write' }]);
});

test('whoever has no token sees what the policy opens, and nothing that a function decides about', async (context) => {
  const { resource, mint } = await start(context, (resource, issuer) => {
    const policy = { tools: { open: { access: /** @type {const} */ ('public') }, scoped: ['notes'] } };
    const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer], policy }, { authorize: (_, { name }) => name !== 'internal' });
    return protectListener(auth, (request, response) => {
      const tools = ['internal', 'open', 'scoped', 'other'].map((name) => ({ name }));
      response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools } }));
    });
  });
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
  const nobody = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(list) };
  const shown = async (/** @type {RequestInit} */ init) => (await (await fetch(resource, init)).json()).result.tools.map((/** @type {any} */ tool) => tool.name);
  assert.deepEqual(await shown(nobody), ['open']);
  assert.deepEqual(await shown(post(mint(), list)), ['open', 'scoped', 'other']);
});

test('a function verifies tokens of its own form, and waits while the event loop goes on', async (context) => {
  const { resource, mint } = await start(context, (resource, issuer) => {
    const config = { resource, authorizationServers: [issuer.issuer], requiredScopes: ['mcp'] };
    const auth = new McpAuth(config, {
      tokenPrefixes: ['key_'],
      async verifyToken(token) {
        await new Promise(setImmediate);
        if (token === 'key_odd') return { iss: 'keys', id: 1n };
        if (token === 'key_old') return { iss: 'keys', exp: 1 };
        if (token === 'key_down') throw new Error('no database');
        return token === 'key_good' ? { iss: 'keys', sub: 'bot', scope: 'mcp' } : null;
      },
    });
    return protectListener(auth, (request, response) => response.end(request.auth?.subject));
  });
  const answer = async (/** @type {string} */ token) => {
    const response = await fetch(resource, post(token));
    return response.status === 200 ? response.text() : response.status;
  };
  const answers = await Promise.all(['key_good', 'key_bad', 'key_old', 'key_down', 'key_odd', mint()].map(answer));
  assert.deepEqual(answers, ['bot', 401, 401, 503, 503, 'alice']);
});

test('streams are held until a handler can no longer ask for more', async (context) => {
  const { resource, mint } = await start(context, (resource, issuer) => {
    const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer] });
    return protectListener(auth, (request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      setImmediate(() => {
        try {
          request.auth?.require('more');
          response.write('event: message\ndata: {}\n\n');
          setImmediate(() => response.end('event: message\ndata: {"last":1}\n\n'));
        } catch {
          response.end('event: message\ndata: {"error":1}\n\n');
        }
      });
    });
  });
  const refused = await fetch(resource, post(mint(), call('x')));
  assert.equal(refused.status, 403);
  const streamed = await fetch(resource, post(mint({ scope: 'more' }), call('x')));
  assert.equal(streamed.status, 200);
  assert.equal(await streamed.text(), 'event: message\ndata: {}\n\nevent: message\ndata: {"last":1}\n\n');
});

test('a stream that ends at once, and one whose headers were set before', async (context) => {
  const { resource, mint } = await start(context, (resource, issuer) => {
    const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer] });
    return protectListener(auth, (request, response) => {
      response.setHeader('content-type', 'text/event-stream');
      try {
        if (request.url === '/mcp') request.auth?.require('more');
      } catch {}
      if (request.url === '/mcp?written') response.write('data: 1\n\n');
      response.end('data: 2\n\n');
    });
  });
  const text = async (/** @type {string} */ url) => (await fetch(url, post(mint(), call('x')))).text();
  assert.deepEqual([await text(`${resource}?at-once`), await text(`${resource}?written`)], ['data: 2\n\n', 'data: 1\n\ndata: 2\n\n']);
  assert.equal((await fetch(resource, post(mint(), call('x')))).status, 403);
});

test('streams of a mounted application are held, and no header shows the token', async (context) => {
  const { resource, mint } = await start(context, (resource, issuer) => {
    const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer] });
    const inner = express();
    inner.post('/', (request, response) => {
      const { headers, headersDistinct, rawHeaders } = request;
      const caller = /** @type {import('../dist/index.js').AuthInfo} */ (/** @type {unknown} */ (request.auth));
      assert.ok(!JSON.stringify([headers, headersDistinct, rawHeaders]).includes('Bearer'));
      assert.deepEqual(headersDistinct['content-type'], ['application/json']);
      response.writeHead(200, /** @type {any} */ ([['content-type', 'text/event-stream']]));
      try {
        caller.require('more');
      } catch {}
      response.end('data: 1\n\n');
    });
    const early = /** @type {express.RequestHandler} */ ((request, _, next) => next(void request.headersDistinct));
    const copied = /** @type {express.RequestHandler} */ ((request, _, next) => {
      if (request.query.copied) Object.defineProperty(request, 'headers', { value: { ...request.headers } });
      next();
    });
    return express().use(early, copied, protect(auth)).use('/mcp', inner);
  });
  assert.equal((await fetch(resource, post(mint(), call('x')))).status, 403);
  assert.equal((await fetch(resource, post(mint({ scope: 'more' }), call('x')))).status, 200);
  assert.equal((await fetch(`${resource}?copied=1`, post(mint({ scope: 'more' }), call('x')))).status, 200);
});

test('streams are held whoever has put methods before those of a response', async (context) => {
  /** As compression and the logs of requests do. @type {express.RequestHandler} */
  const wrap = (_request, response, next) => {
    const { writeHead, write, end } = response;
    response.writeHead = function (/** @type {any[]} */ ...given) {
      this.setHeader('x-wrapped', 'yes');
      return writeHead.apply(this, /** @type {any} */ (given));
    };
    response.write = (/** @type {any[]} */ ...given) => write.apply(response, /** @type {any} */ (given));
    response.end = (/** @type {any[]} */ ...given) => end.apply(response, /** @type {any} */ (given));
    next();
  };
  const { resource, mint } = await start(context, (resource, issuer) => {
    const guard = protect(new McpAuth({ resource, authorizationServers: [issuer.issuer] }));
    const stream = (/** @type {any} */ request, /** @type {express.Response} */ response) => {
      response.setHeader('content-type', 'text/event-stream');
      response.flushHeaders();
      try {
        request.auth.require('more');
      } catch {}
      response.end('data: 1\n\n');
    };
    const other = express().post('/{*any}', stream);
    const custom = express();
    custom.response.end = /** @type {any} */ (function (/** @type {any} */ ...given) {
      // @ts-expect-error It is called on a response.
      return ServerResponse.prototype.end.apply(this, given);
    });
    // Express changes the prototype of a response wherever it goes.
    return express()
      .use('/mcp/before', wrap, guard, stream)
      .use('/mcp/after', guard, wrap, stream)
      .use('/mcp/parent', express().use(guard), stream)
      .use('/mcp/child', express.Router().use(guard, other))
      .use('/mcp/beside', guard, (request, response) => void other(request, response))
      .use('/mcp/custom', custom.use(guard, stream));
  });
  for (const path of ['before', 'after', 'parent', 'child', 'beside', 'custom']) {
    for (const scope of ['mcp', 'more', 'mcp']) {
      const response = await fetch(`${resource}/${path}`, post(mint({ scope }), call('x')));
      assert.equal(response.status, scope === 'more' ? 200 : 403, `${path} ${scope}`);
      if (scope === 'more') assert.equal(await response.text(), 'data: 1\n\n');
    }
  }
});

test('a request that a framework makes for a test keeps no token', async (context) => {
  const issuer = new DevIssuer();
  context.after(() => issuer.stop());
  const resource = 'https://mcp.example.com/mcp';
  const app = Fastify();
  await app.register(protectFastify, { auth: new McpAuth({ resource, authorizationServers: [issuer.issuer] }) });
  app.post('/mcp', async (/** @type {any} */ { auth, headers, raw }) => ({ subject: auth.subject, headers, raw: [raw.headers, raw.rawHeaders, raw.headersDistinct] }));
  const authorization = `Bearer ${issuer.mint({ audience: resource })}`;
  const answer = await app.inject({ method: 'POST', url: '/mcp', headers: { authorization, 'x-other': '1' } });
  assert.equal(answer.json().subject, 'alice');
  assert.equal(answer.json().headers['x-other'], '1');
  assert.ok(!answer.body.includes('Bearer'));
});

test('a filtered stream begins before its first event, and no encoding of it is asked for', async (context) => {
  let begin = () => {};
  const { resource, mint } = await start(context, (resource, issuer) => {
    const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer], policy: { tools: { x: ['more'] }, strictLists: true } });
    return protectListener(auth, (request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      begin = () => response.end(`data: {"asked":"${request.headers['accept-encoding']}"}\n\n`);
    });
  });
  const headers = { authorization: `Bearer ${mint()}`, accept: 'text/event-stream', 'accept-encoding': 'gzip' };
  const response = await fetch(resource, { headers });
  assert.equal(response.status, 200);
  begin();
  assert.match(await response.text(), /"asked":"identity"/);
});

test('a response without a body, and one with any label, passes through the filter of a policy', async (context) => {
  /** @type {Response} */ let response = new Response();
  const { resource, issuer, mint } = await start(context, () => (_, answer) => answer.end());
  const policy = { tools: { hidden: { roles: ['admin'] } } };
  const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer], policy });
  const handler = auth.protect(() => response);
  const ask = (/** @type {string} */ method) => handler(new Request(resource, post(mint(), { jsonrpc: '2.0', id: 1, method })));
  for (const status of [202, 204, 304]) {
    for (const method of ['ping', 'tools/list']) {
      response = new Response(null, { status, headers: { 'x-own': 'kept' } });
      const answered = await ask(method);
      assert.deepEqual([answered.status, await answered.text(), answered.headers.get('x-own')], [status, '', 'kept']);
    }
  }
  const list = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools: [{ name: 'open' }, { name: 'hidden' }] } });
  for (const body of [list, Buffer.from(list), new Blob([list], { type: 'text/html' })]) {
    for (const status of [200, 400, 500]) {
      for (const method of ['ping', 'tools/list']) {
        response = new Response(body, { status });
        const answered = await ask(method);
        assert.equal(answered.status, status);
        assert.deepEqual((await answered.json()).result.tools, [{ name: 'open' }]);
      }
    }
  }
});

test('a caller says everything but the token', async (context) => {
  const { resource, issuer, mint } = await start(context, () => () => {});
  const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer] });
  const caller = await auth.verifyAccessToken(mint({ scope: 'a b', claims: { plan: 'pro' } }));
  assert.deepEqual(
    [caller.issuer, caller.subject, caller.clientId, caller.scopes, caller.audience, caller.principal, caller.claims.plan],
    [issuer.issuer, 'alice', 'dev', ['a', 'b'], [resource], 'user', 'pro'],
  );
  assert.deepEqual([caller.has('a'), caller.has('a', 'c'), caller.token], [true, false, '']);
  assert.ok(!JSON.stringify(caller).includes('eyJ'));
  assert.throws(() => caller.require('c'), (error) => {
    assert.ok(error instanceof InsufficientScopeError);
    assert.deepEqual([error.code, error.status, error.required, error.granted], ['insufficient_scope', 403, ['c'], ['a', 'b']]);
    return true;
  });
  await assert.rejects(auth.verifyAccessToken(mint({ expiresIn: -100 })), (error) => {
    assert.ok(error instanceof TokenError);
    assert.equal(error.code, 'expired');
    assert.equal((error.now ?? 0) - (error.exp ?? 0), 100);
    return true;
  });
  const explanation = /** @type {any} */ (await auth.explainToken('/mcp', mint({ audience: 'x' })));
  assert.deepEqual([explanation.accepted, explanation.code], [false, 'wrong_audience']);
});

test('a listener that lets `require` throw is answered with the challenge', async (context) => {
  const { resource, mint } = await start(context, (resource, issuer) => {
    const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer] });
    return protectListener(auth, (request) => {
      if (request.url === '/mcp') return void request.auth?.require('more');
      return Promise.resolve().then(() => request.auth?.require('more'));
    });
  });
  for (const method of ['GET', 'POST']) {
    for (const url of [resource, `${resource}?later`]) {
      const refused = await fetch(url, { method, headers: { authorization: `Bearer ${mint()}`, accept: 'text/event-stream' } });
      assert.equal(refused.status, 403);
      assert.match(refused.headers.get('www-authenticate') ?? '', /scope="more"/);
    }
  }
});

test('options of other names and kinds are faults', () => {
  const config = { resource: 'https://mcp.example.com/mcp', authorizationServers: ['https://auth.example.com'] };
  for (const options of [{ authorise: () => true }, { verifyToken: 5 }, { tokenPrefixes: ['k_'] }]) {
    assert.throws(() => new McpAuth(config, /** @type {any} */ (options)), (error) => error instanceof ConfigError && /options\./.test(error.message));
  }
  assert.throws(() => new McpAuth(/** @type {any} */ (undefined)), ConfigError);
});

test('every fault of the configuration is listed, and fields of other names are faults', () => {
  const resource = 'https://mcp.example.com/mcp';
  assert.throws(
    () => new McpAuth({ resource: 'x', authorizationServers: [], clockTolerance: 1000 }),
    (error) => error instanceof ConfigError && error.code === 'invalid_config' && error.faults.length === 3,
  );
  const misspelt = /** @type {any} */ ({ resource, authorizationServers: ['https://as.example.com'], requiredScope: ['a'] });
  assert.throws(() => new McpAuth(misspelt), /requiredScope: is not known: did you mean `requiredScopes`/);
  const named = { 'notes.readAll': ['a'] };
  const auth = new McpAuth({ resource, authorizationServers: ['https://as.example.com'], policy: { tools: named, denyUndeclared: true } });
  assert.deepEqual(auth.allowedHosts, ['127.0.0.1', '::1', 'localhost', 'mcp.example.com']);
});

test('a body that somebody has read before and left nowhere is refused, and the log says so', async (context) => {
  /** @type {string[]} */
  const said = [];
  const note = (/** @type {object} */ _, /** @type {string} */ message) => void said.push(message);
  setLogger({ error: note, warn: note, info: note, debug: note });
  context.after(() => setLogger(undefined));
  /** @type {Record<string, (request: any) => Promise<unknown>>} */
  const readers = {
    whole: async (request) => {
      for await (const _ of request);
    },
    beginning: async (request) => {
      await once(request, 'readable');
      request.read(1);
    },
  };
  for (const [name, read] of Object.entries(readers)) {
    const { resource, mint } = await start(context, (resource, issuer) => {
      const guard = protect(new McpAuth({ resource, authorizationServers: [issuer.issuer], policy: { tools: { wipe: 'adm' } } }));
      return (request, response) => void read(request).then(() => guard(request, response, () => response.end('{}')));
    });
    said.length = 0;
    assert.equal((await fetch(resource, post(mint(), call('read')))).status, 400, name);
    assert.ok(said.some((line) => line.includes('something before mcp-auth has read the body')), `${name}: ${said}`);
  }
  const issuer = new DevIssuer();
  context.after(() => issuer.stop());
  const auth = new McpAuth({ resource: 'http://localhost/mcp', authorizationServers: [issuer.issuer], policy: { tools: { wipe: 'adm' } } });
  const token = issuer.mint({ audience: 'http://localhost/mcp', scope: 'mcp' });
  const used = new Request('http://localhost/mcp', post(token, call('read')));
  await used.text();
  const locked = new Request('http://localhost/mcp', post(token, call('read')));
  locked.body?.getReader();
  for (const request of [used, locked]) {
    said.length = 0;
    const answer = await auth.handle(request);
    assert.ok(answer instanceof Response && answer.status === 400);
    assert.ok(said.some((line) => line.includes('something before mcp-auth has read the body')), String(said));
  }
  said.length = 0;
  const broken = await auth.handle(new Request('http://localhost/mcp', { ...post(token), body: 'no JSON' }));
  assert.ok(broken instanceof Response && broken.status === 400 && !said.some((line) => line.includes('before mcp-auth')), 'a body of a client that is no JSON');
});
