// @ts-check
// What issuers tell: logout tokens and security events; and code of one's own that says what was revoked.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import test from 'node:test';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { ConfigError, McpAuth } from '../dist/index.js';
import { protect as protectFastify } from '../dist/adapters/fastify.js';
import { protect as protectHono } from '../dist/adapters/hono.js';
import { protect } from '../dist/http.js';
import { DevIssuer } from '../dist/testing.js';

const RESOURCE = 'https://mcp.example.com/mcp';
const FORM = 'application/x-www-form-urlencoded';
const SECEVENT = 'application/secevent+jwt';
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const REVOKED = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked';

const issuer = await DevIssuer.start();
test.after(() => issuer.stop());

/** @param {object} [more] */
const listening = (more) =>
  new McpAuth({
    resource: RESOURCE,
    authorizationServers: [
      { issuer: issuer.issuer, backChannelLogout: { audience: ['our-client'] }, sharedSignals: { audience: ['our-stream'] }, ...more },
    ],
  });

/** @param {string} jti @param {object} [claims] */
const logoutToken = (jti, claims) =>
  issuer.mint({
    audience: 'our-client',
    header: { typ: 'logout+jwt' },
    expiresIn: 120,
    claims: { jti, sid: 's-1', events: { [LOGOUT_EVENT]: {} }, ...claims },
    without: ['client_id', 'sub'],
  });

/** @param {string} jti */
const securityEvent = (jti) =>
  issuer.mint({
    audience: 'our-stream',
    header: { typ: 'secevent+jwt' },
    claims: { jti, sub_id: { format: 'iss_sub', iss: issuer.issuer, sub: 'alice' }, events: { [REVOKED]: {} } },
    without: ['client_id', 'sub', 'exp'],
  });

/** @param {McpAuth} auth @param {string} path @param {string} type @param {string} body @param {object} [headers] */
async function post(auth, path, type, body, headers) {
  const request = new Request(`https://mcp.example.com${path}`, { method: 'POST', headers: { 'content-type': type, ...headers }, body });
  return /** @type {Response} */ (await auth.handle(request));
}

/** @param {McpAuth} auth @param {string} token */
async function statusOf(auth, token) {
  const answer = await auth.handle(new Request(RESOURCE, { method: 'POST', headers: { authorization: `Bearer ${token}` } }));
  return answer instanceof Response ? answer.status : 200;
}

test('a session that ends at the issuer ends here', async () => {
  const auth = listening();
  const [ended, other] = ['s-1', 's-2'].map((sid) => issuer.mint({ audience: RESOURCE, claims: { sid } }));
  assert.deepEqual([await statusOf(auth, ended ?? ''), await statusOf(auth, other ?? '')], [200, 200]);
  const body = `logout_token=${logoutToken('l-1')}`;
  const answer = await post(auth, '/backchannel-logout', FORM, body);
  assert.deepEqual([answer.status, await answer.text(), answer.headers.get('cache-control')], [200, '', 'no-store']);
  assert.deepEqual([await statusOf(auth, ended ?? ''), await statusOf(auth, other ?? '')], [401, 200]);
  assert.equal((await post(auth, '/backchannel-logout', FORM, body)).status, 400);
});

test('a security event ends the tokens of before', async () => {
  const auth = listening({ sharedSignals: { audience: ['our-stream'], authorization: 'Bearer 4f1c9a' } });
  const token = issuer.mint({ audience: RESOURCE, subject: 'alice' });
  assert.equal(await statusOf(auth, token), 200);
  const refused = await post(auth, '/shared-signals', SECEVENT, securityEvent('e-1'));
  assert.deepEqual([refused.status, (await refused.json()).err], [400, 'authentication_failed']);
  const answer = await post(auth, '/shared-signals', SECEVENT, securityEvent('e-1'), { authorization: 'Bearer 4f1c9a' });
  assert.equal(answer.status, 202);
  assert.equal(await statusOf(auth, token), 401);
});

test('what is no notice is refused', async () => {
  const auth = listening();
  const good = logoutToken('l-1');
  const bodies = [
    `logout_token=${good}&logout_token=${good}`,
    `logout_token=${issuer.mint({ audience: RESOURCE })}`,
    `logout_token=${logoutToken('l-2', { nonce: 'n' })}`,
    `logout_token=${logoutToken('l-3', { events: {} })}`,
    `logout_token=${securityEvent('e-1')}`,
  ];
  for (const body of bodies) assert.equal((await post(auth, '/backchannel-logout', FORM, body)).status, 400, body);
  assert.equal((await post(auth, '/backchannel-logout', FORM, 'x'.repeat(20_000))).status, 413);
});

/** @type {Record<string, (auth: McpAuth) => Promise<{ port: number, stop: () => unknown }>>} */
const FRAMEWORKS = {
  express: async (auth) => listen(express().use(protect(auth))),
  hono: async (auth) => {
    const { serve } = await import('@hono/node-server');
    const app = new Hono().use(protectHono(auth));
    return new Promise((resolve) => {
      const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => resolve({ port, stop: () => server.close() }));
    });
  },
  fastify: async (auth) => {
    const app = fastify();
    await app.register(/** @type {any} */ (protectFastify), { auth });
    app.post('/mcp', async () => 'ok');
    await app.listen({ port: 0, host: '127.0.0.1' });
    return { port: /** @type {any} */ (app.server.address()).port, stop: () => app.close() };
  },
};

/** @param {any} listener @returns {Promise<{ port: number, stop: () => unknown }>} */
function listen(listener) {
  return new Promise((resolve) => {
    const server = createServer(listener).listen(0, '127.0.0.1', () => {
      resolve({ port: /** @type {any} */ (server.address()).port, stop: () => server.close() });
    });
  });
}

for (const [name, start] of Object.entries(FRAMEWORKS)) {
  test(`${name} receives notices`, async () => {
    const auth = listening();
    const { port, stop } = await start(auth);
    try {
      const token = issuer.mint({ audience: RESOURCE, claims: { sid: 's-1' } });
      assert.equal(await statusOf(auth, token), 200);
      const headers = { 'content-type': FORM, connection: 'close' };
      const answer = await fetch(`http://127.0.0.1:${port}/backchannel-logout`, { method: 'POST', headers, body: `logout_token=${logoutToken('l-1')}` });
      assert.equal(answer.status, 200);
      const event = { method: 'POST', headers: { 'content-type': SECEVENT, connection: 'close' }, body: securityEvent('e-1') };
      assert.equal((await fetch(`http://127.0.0.1:${port}/shared-signals`, event)).status, 202);
      assert.equal(await statusOf(auth, token), 401);
    } finally {
      await stop();
    }
  });
}

test('a revocation check is asked about every accepted token', async () => {
  /** @type {[check: any, alice: number, mallory: number][]} */
  const rows = [
    [(/** @type {any} */ caller) => caller.subject === 'mallory', 200, 401],
    [async (/** @type {any} */ caller) => caller.subject === 'mallory', 200, 401],
    [() => { throw new Error('the database is away'); }, 503, 503],
    [() => Promise.reject(undefined), 503, 503],
    [() => undefined, 503, 503],
    [() => 'no', 503, 503],
  ];
  for (const [revocationCheck, ofAlice, ofMallory] of rows) {
    const auth = new McpAuth({ resource: RESOURCE, authorizationServers: [issuer.issuer] }, { revocationCheck });
    for (const [subject, expected] of /** @type {[string, number][]} */ ([['alice', ofAlice], ['mallory', ofMallory]])) {
      const token = issuer.mint({ audience: RESOURCE, subject });
      for (let again = 0; again < 2; again++) assert.equal(await statusOf(auth, token), expected, `${revocationCheck}: ${subject}`);
    }
  }
});

test('what cannot work is a fault', () => {
  const config = { resource: RESOURCE, authorizationServers: ['https://as.example.com'] };
  assert.throws(() => new McpAuth(config, { revocationCheckInterval: 0 }), ConfigError);
  assert.throws(() => new McpAuth(config, { revocationCheck: /** @type {any} */ (7) }), ConfigError);
  assert.throws(() => new McpAuth({ ...config, logoutPath: 'x' }), /logoutPath/);
});
