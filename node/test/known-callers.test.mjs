// @ts-check
// Callers who come again are named by a number: each is who they are, and every request is decided anew.
import assert from 'node:assert/strict';
import test from 'node:test';
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import Fastify from 'fastify';
import { caller, McpAuth } from '../dist/index.js';
import { protect } from '../dist/http.js';
import { protect as protectFastify } from '../dist/adapters/fastify.js';
import { post, start } from './support/server.mjs';

/** What a handler finds, before it changes all that it was given. @param {object} request */
function look(request) {
  const who = caller(request);
  const seen = JSON.parse(JSON.stringify({ ...who.toJSON(), key: who.key }));
  who.scopes.push('adm');
  who.audience.push('https://elsewhere.example');
  who.key.push('https://elsewhere.example');
  who.claims.sub = 'somebody else';
  return seen;
}

/** @param {McpAuth} auth @returns {import('node:http').RequestListener} */
function makeExpress(auth) {
  const app = express().use(protect(auth));
  app.post('/mcp', (request, response) => void response.json(look(request)));
  return app;
}

/** @type {Record<string, (auth: McpAuth) => import('node:http').RequestListener | Promise<import('node:http').RequestListener>>} */
const SERVERS = {
  express: makeExpress,
  async fastify(auth) {
    const app = Fastify();
    await app.register(protectFastify, { auth });
    app.post('/mcp', async (request) => look(request));
    await app.ready();
    return (request, response) => app.routing(request, response);
  },
  'web-standard'(auth) {
    return getRequestListener(auth.protect((_, authInfo) => Response.json(look(/** @type {object} */ (authInfo)))));
  },
};

for (const [name, serve] of Object.entries(SERVERS)) {
  test(`${name}: of more callers than are numbered, each is who they are, whatever handlers do`, async (context) => {
    const { resource, issuer, mint } = await start(context, (resource, issuer) => serve(new McpAuth({ resource, authorizationServers: [issuer.issuer] })));
    const callers = Array.from({ length: 700 }, (_, number) => ({ subject: `user ${number}`, scope: `mcp of-${number}` }));
    const tokens = callers.map((options) => mint(options));
    for (let time = 0; time < 4; time += 1) {
      const answers = await Promise.all(tokens.map(async (token) => (await fetch(resource, post(token))).json()));
      for (const [at, { subject, scope }] of callers.entries()) {
        assert.equal(answers[at].subject, subject);
        assert.equal(answers[at].claims.sub, subject);
        assert.deepEqual(answers[at].scopes, scope.split(' '));
        assert.deepEqual(answers[at].audience, [resource]);
        assert.deepEqual(answers[at].key, [issuer.issuer, subject]);
      }
    }
  });

  test(`${name}: who has a number is refused once they are revoked, and where the configuration asks for more`, async (context) => {
    /** @type {McpAuth | undefined} */
    let made;
    const { resource, issuer, mint } = await start(context, (resource, issuer) => {
      made = new McpAuth({ resource, authorizationServers: [issuer.issuer] });
      return serve(made);
    });
    const auth = /** @type {McpAuth} */ (made);
    const [alice, bob] = ['alice', 'bob'].map((subject) => mint({ subject }));
    const statusOf = async (/** @type {string | undefined} */ token) => (await fetch(resource, post(String(token)))).status;
    for (let time = 0; time < 4; time += 1) assert.deepEqual([await statusOf(alice), await statusOf(bob)], [200, 200]);
    auth.revoke({ issuer: issuer.issuer, subject: 'alice' });
    assert.deepEqual([await statusOf(alice), await statusOf(bob)], [401, 200]);
    auth.reload({ resource, authorizationServers: [issuer.issuer], requiredScopes: ['adm'] });
    assert.deepEqual([await statusOf(alice), await statusOf(bob)], [401, 403]);
  });
}

test('another instance knows nothing of the numbers of the first', async (context) => {
  const servers = [];
  for (const scope of ['one', 'two']) {
    const server = await start(context, (resource, issuer) => makeExpress(new McpAuth({ resource, authorizationServers: [issuer.issuer] })));
    servers.push({ ...server, token: server.mint({ subject: scope, scope }), scope });
  }
  for (let time = 0; time < 4; time += 1) {
    for (const { resource, token, scope } of servers) {
      const answer = await (await fetch(resource, post(token))).json();
      assert.deepEqual([answer.subject, answer.scopes], [scope, [scope]]);
    }
  }
});
