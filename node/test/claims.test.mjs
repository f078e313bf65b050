// @ts-check
// No name in a token or in claims of one's own has a meaning of its own, and nobody is guessed to be a person.
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import test from 'node:test';
import { McpAuth } from '../dist/index.js';
import { protectListener } from '../dist/adapters/node.js';
import { call, post, start } from './support/server.mjs';

const RAW = '$serde_json::private::RawValue';
const RESERVED = [{ [RAW]: '"admin"' }, { [RAW]: 5 }, [{ a: { [RAW]: 'true' } }], { '$serde_json::private::Number': '1' }];
const PLAIN = [JSON.parse('{"__proto__":{"admin":true}}'), { constructor: null }, { $ref: '#', '': '' }, [1, -0.5, 1e300]];

const policy = { tools: { wipe: { roles: ['admin'] }, human: { caller: /** @type {const} */ ('user') }, any: [] } };
const issuer = 'https://as.example.com';
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** @param {object} claims */
function token(claims) {
  const encode = (/** @type {object} */ part) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode({ alg: 'ES256', typ: 'at+jwt' })}.${encode(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

/** @param {import('node:test').TestContext} context @param {object} [settings] */
async function server(context, settings = {}) {
  const { resource } = await start(context, (resource) => {
    const jwks = { keys: [publicKey.export({ format: 'jwk' })] };
    const config = { resource, policy, authorizationServers: [{ issuer, jwks, ...settings }] };
    const auth = new McpAuth(config, {
      tokenPrefixes: ['key_'],
      verifyToken: (token) => ({ iss: 'keys', sub: 'bot', idtyp: 'app', more: [...RESERVED, ...PLAIN][Number(token.slice(4))] }),
    });
    return protectListener(auth, (request, response) => response.end(JSON.stringify(request.auth)));
  });
  const status = async (/** @type {string} */ token, /** @type {string} */ tool) => (await fetch(resource, post(token, call(tool)))).status;
  const claims = { iss: issuer, aud: resource, sub: 'app', client_id: 'app', exp: Math.floor(Date.now() / 1000) + 600 };
  return { resource, status, claims };
}

test('a token in which a name has a meaning for others is refused, and every other one is read alike', async (context) => {
  const { resource, status, claims } = await server(context);
  for (const nested of RESERVED) {
    const mine = token({ ...claims, roles: [nested], more: nested });
    for (const tool of ['wipe', 'human', 'any']) assert.equal(await status(mine, tool), 401, JSON.stringify(nested));
  }
  for (const nested of PLAIN) {
    const mine = token({ ...claims, roles: [nested], more: nested });
    for (const tool of ['wipe', 'human']) assert.equal(await status(mine, tool), 403, JSON.stringify(nested));
    const seen = await (await fetch(resource, post(mine, call('any')))).json();
    assert.deepEqual(seen.claims.more, nested);
  }
});

test('claims of a verify function are read alike or refused', async (context) => {
  const { resource, status } = await server(context);
  for (const index of RESERVED.keys()) assert.equal(await status(`key_${index}`, 'any'), 503);
  for (const [index, nested] of PLAIN.entries()) {
    const seen = await (await fetch(resource, post(`key_${RESERVED.length + index}`, call('any')))).json();
    assert.deepEqual(seen.claims.more, nested);
    assert.equal(seen.principal, 'client');
  }
});

test('only who is told to be a person passes a rule for users', async (context) => {
  const { resource, status, claims } = await server(context);
  /** @type {[object, string, number][]} */ const rows = [
    [{ sub: '4f', oid: '4f', tid: 't', ver: '2.0', roles: ['r'] }, 'client', 403],
    [{ sub: '293847561029384756' }, 'unknown', 403],
    [{ sub: '4f', preferred_username: 'service-account-app' }, 'unknown', 403],
    [{ sub: '' }, 'unknown', 403],
    [{}, 'client', 403],
    [{ sub: 'alice', email: 'alice@example.com' }, 'user', 200],
  ];
  for (const [more, principal, expected] of rows) {
    const mine = token({ ...claims, ...more });
    const seen = await (await fetch(resource, post(mine, call('any')))).json();
    assert.deepEqual([seen.principal, await status(mine, 'human')], [principal, expected], JSON.stringify(more));
  }
  const said = await server(context, { principalClaim: { claim: '/kind/of', user: ['person'], client: ['bot-*'] } });
  const kind = (/** @type {string} */ of) => said.status(token({ ...said.claims, kind: { of } }), 'human');
  assert.deepEqual([await kind('person'), await kind('bot-1'), await kind('other')], [200, 403, 403]);
  const others = await server(context, { defaultPrincipal: 'user' });
  const subject = (/** @type {string} */ sub) => others.status(token({ ...others.claims, sub }), 'human');
  assert.deepEqual([await subject('293'), await subject('app'), await subject('')], [200, 403, 403]);
});
