// @ts-check
// State that a server gives away and takes back, and tokens that are revoked.
import assert from 'node:assert/strict';
import test from 'node:test';
import express from 'express';
import { AuthInfo, caller, McpAuth, McpAuthError, StateError } from '../dist/index.js';
import { protect } from '../dist/http.js';
import { DevIssuer } from '../dist/testing.js';
import { start } from './support/server.mjs';

const RESOURCE = 'https://mcp.example.com/mcp';
const KEYS = ['a'.repeat(32), 'b'.repeat(32)];

/** @param {import('node:test').TestContext} context */
function startIssuer(context) {
  const issuer = new DevIssuer();
  context.after(() => issuer.stop());
  const config = { resource: RESOURCE, authorizationServers: [issuer.issuer], handleKeys: KEYS };
  const auth = new McpAuth(config);
  const as = (/** @type {object} */ options) => auth.verifyAccessToken(issuer.mint({ audience: RESOURCE, ...options }));
  return { issuer, config, auth, as };
}

/** @param {string} code */
const refused = (code) => (/** @type {any} */ error) => error instanceof StateError && error instanceof McpAuthError && error.code === code && error.name === 'StateError';

test('a state comes back from its caller, for its purpose, and from nobody else', async (context) => {
  const { auth, as, config } = startIssuer(context);
  const sealer = auth.stateSealer();
  const alice = await as({ subject: 'alice', clientId: 'app' });
  const renewed = await as({ subject: 'alice', clientId: 'app', claims: { jti: '2' } });
  const strangers = [await as({ subject: 'bob', clientId: 'app' }), await as({ subject: 'alice', clientId: 'other' }), await as({ clientId: 'alice', without: ['sub'] })];
  for (const state of ['', '1', 'é', Buffer.from([0, 255]), new Uint8Array(100_000)]) {
    const sealed = sealer.seal(alice, 'order', 60, state);
    assert.match(sealed, /^[\w-]+$/);
    for (const same of [alice, renewed]) assert.deepEqual(sealer.open(same, 'order', sealed), Buffer.from(/** @type {any} */ (state)));
    for (const stranger of strangers) assert.throws(() => sealer.open(stranger, 'order', sealed), refused('invalid'));
    assert.throws(() => sealer.open(alice, 'refund', sealed), refused('invalid'));
    for (const changed of [`${sealed}A`, sealed.slice(1), sealed.slice(0, -1), '', 'é']) assert.throws(() => sealer.open(alice, 'order', changed), refused('invalid'));
    const wrong = /** @type {any} */ ([undefined, null, [sealed], { sealed }, 1]);
    for (const one of wrong) assert.throws(() => sealer.open(alice, 'order', one), refused('invalid'));
  }
  const sealed = sealer.seal(alice, 'order', 60, '1');
  const opens = (/** @type {string[] | undefined} */ handleKeys) => new McpAuth({ ...config, handleKeys }).stateSealer().open(alice, 'order', sealed).toString();
  assert.equal(opens([...KEYS].reverse()), '1');
  for (const others of [['c'.repeat(32)], undefined]) assert.throws(() => opens(others), refused('invalid'));
  assert.throws(() => new McpAuth({ ...config, resource: 'https://mcp.example.com/other' }).stateSealer().open(alice, 'order', sealed), refused('invalid'));
});

test('what a handler does to its caller changes nothing of whose a state is', async (context) => {
  const { auth, as } = startIssuer(context);
  const [alice, bob] = [await as({ subject: 'alice' }), await as({ subject: 'bob' })];
  Object.assign(bob.claims, { sub: 'alice' });
  assert.throws(() => auth.stateSealer().open(bob, 'order', auth.stateSealer().seal(alice, 'order', 60, '1')), refused('invalid'));
});

test('a state ends', async (context) => {
  const { config, as } = startIssuer(context);
  const alice = await as({ subject: 'alice' });
  const at = (/** @type {number} */ now) => new McpAuth(config, /** @type {any} */ ({ testing: { now } })).stateSealer();
  const sealed = at(1000).seal(alice, 'order', 60, '1');
  assert.equal(at(1059).open(alice, 'order', sealed).toString(), '1');
  assert.throws(() => at(1060).open(alice, 'order', sealed), refused('expired'));
});

test('what cannot be sealed is a mistake that says so', async (context) => {
  const { auth, as } = startIssuer(context);
  const sealer = /** @type {any} */ (auth.stateSealer());
  const alice = await as({ subject: 'alice' });
  const rows = [
    [undefined, 'order', 60, '1'],
    [{ issuer: 'i', subject: 'alice' }, 'order', 60, '1'],
    [alice, undefined, 60, '1'],
    ...[0, -1, 0.5, NaN, Infinity, '60', undefined].map((lifetime) => [alice, 'order', lifetime, '1']),
    ...[undefined, null, 1, {}, [1]].map((state) => [alice, 'order', 60, state]),
  ];
  for (const row of rows) assert.throws(() => sealer.seal(...row), TypeError);
  assert.throws(() => sealer.open({ subject: 'alice' }, 'order', sealer.seal(alice, 'order', 60, '1')), TypeError);
});

test('the caller of a request brings a state back, whatever was decided about the request', async (context) => {
  for (const policy of [undefined, { tools: { write: ['notes:write'] } }]) {
    const { resource, mint } = await start(context, (resource, issuer) => {
      const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer], policy });
      return express()
        .use(protect(auth))
        .get('/mcp', (request, response) => {
          const { state } = request.query;
          const sealer = auth.stateSealer();
          const step = typeof state === 'string' ? Number(sealer.open(caller(request), 'order', state)) : 1;
          response.json({ step, state: sealer.seal(caller(request), 'order', 600, String(step + 1)) });
        })
        .use((/** @type {any} */ error, /** @type {any} */ _request, /** @type {any} */ response, /** @type {any} */ _next) => void response.status(error.status ?? 500).json({ code: error.code }));
    });
    const ask = async (/** @type {string} */ subject, /** @type {string} */ query = '') => {
      const answer = await fetch(resource + query, { headers: { authorization: `Bearer ${mint({ subject })}` } });
      return /** @type {any} */ ({ status: answer.status, ...(/** @type {any} */ (await answer.json())) });
    };
    const { step, state } = await ask('alice');
    assert.equal(step, 1);
    assert.equal((await ask('alice', `?state=${state}`)).step, 2);
    assert.deepEqual(await ask('bob', `?state=${state}`), { status: 400, code: 'invalid' });
  }
});

test('a token that is revoked is refused, though it was accepted before, and others are not', async (context) => {
  const issuedAt = Math.floor(Date.now() / 1000) - 100;
  const claims = { sid: 's1', jti: 'j1' };
  /** @type {[revocation: any, other: object][]} */
  const rows = [
    [{ subject: 'alice' }, { subject: 'bob' }],
    [{ clientId: 'app' }, { clientId: 'other' }],
    [{ sid: 's1' }, { claims: { sid: 's2' } }],
    [{ jti: 'j1' }, { claims: { jti: 'j2' } }],
    [{ subject: 'alice', issuedUntil: issuedAt + 1 }, { issuedAt: issuedAt + 50 }],
    [{ subject: 'alice', issuedUntil: new Date((issuedAt + 1) * 1000 + 1) }, { issuedAt: issuedAt + 50 }],
    [{ subject: 'alice', clientId: undefined }, { subject: 'bob' }],
  ];
  for (const [revocation, other] of rows) {
    /** @type {McpAuth | undefined} */
    let auth;
    const { resource, issuer, mint } = await start(context, (resource, { issuer }) => {
      auth = new McpAuth({ resource, authorizationServers: [issuer] });
      return express().use(protect(auth)).get('/mcp', (request, response) => void response.json(caller(request).subject ?? null));
    });
    const revoked = mint({ subject: 'alice', clientId: 'app', issuedAt, claims });
    const kept = mint({ subject: 'alice', clientId: 'app', issuedAt, claims, ...other });
    const statusOf = async (/** @type {string} */ token) => (await fetch(resource, { headers: { authorization: `Bearer ${token}` } })).status;
    assert.deepEqual([await statusOf(revoked), await statusOf(kept)], [200, 200]);
    auth?.revoke({ issuer: 'https://another.example', ...revocation });
    assert.equal(await statusOf(revoked), 200);
    auth?.revoke({ issuer: issuer.issuer, ...revocation });
    assert.deepEqual([await statusOf(revoked), await statusOf(kept)], [401, 200], JSON.stringify(revocation));
    await assert.rejects(/** @type {McpAuth} */ (auth).verifyAccessToken(revoked), { code: 'revoked', status: 401 });
    assert.ok((await /** @type {McpAuth} */ (auth).verifyAccessToken(kept)) instanceof AuthInfo);
  }
});

test('a revocation that would revoke nothing, or something else, is a mistake that says so', (context) => {
  const { auth } = startIssuer(context);
  const issuer = 'https://as.example';
  const wrong = [
    undefined,
    null,
    'alice',
    { issuer },
    { subject: 'alice' },
    { issuer, subject: undefined },
    { issuer, subject: '' },
    { issuer: '', subject: 'alice' },
    { issuer, subject: 1 },
    { issuer, subject: 'alice', clientId: 'app' },
    { issuer, sid: 's', jti: 'j' },
    { issuer, sub: 'alice' },
    { issuer, subject: 'alice', issuedBefore: 1 },
    ...[-1, NaN, Date.now(), new Date(NaN), '1000', null].map((issuedUntil) => ({ issuer, subject: 'alice', issuedUntil })),
  ];
  for (const one of wrong) assert.throws(() => auth.revoke(/** @type {any} */ (one)), TypeError, JSON.stringify(one));
});
