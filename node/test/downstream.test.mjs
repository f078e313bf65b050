// @ts-check
// Tokens for other APIs: whose they are, how often they are asked for, and what they are never.
import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { caller, DownstreamError, DownstreamToken, McpAuth, setLogger } from '../dist/index.js';
import { calling, claimsOf, SERVERS, startApi } from './support/calling.mjs';
import { post } from './support/server.mjs';

/** @typedef {import('./support/calling.mjs').Tool} Tool */

/** Whose token is for whom. @type {Tool} */
const whose = async (given, auth) => {
  const reports = auth.downstream('reports');
  const before = await reports.tokenFor();
  await nextTurn();
  const [known, named] = await Promise.all([reports.tokenFor(), reports.tokenFor(given)]);
  return [before, known, named].map((token) => claimsOf(token.expose()).sub);
};

for (const framework of Object.keys(SERVERS)) {
  test(`${framework}: each caller gets their own token, also where they are not handed on`, async (context) => {
    const { resource, mint } = await calling(context, whose, { framework });
    const users = Array.from({ length: 40 }, (_, number) => `user-${number}`);
    const answers = users.map(async (subject) => (await fetch(resource, post(mint({ subject })))).json());
    assert.deepEqual(await Promise.all(answers), users.map((subject) => [subject, subject, subject]));
  });

  test(`${framework}: what the caller has to do first becomes the response, and an outage a 503`, async (context) => {
    const ask = (/** @type {any} */ given, /** @type {McpAuth} */ auth) => auth.downstream('reports').tokenFor(given);
    const { resource, mint, issuer } = await calling(context, ask, { framework, change: { consentScopes: ['mcp.consent'] }, config: { requiredScopes: ['mcp'] } });
    /** @type {[mode: import('../dist/testing.js').Mode, status: number, challenge: RegExp | null][]} */
    const rows = [
      ['token:error:invalid_grant', 401, /error="invalid_token"/],
      ['token:interaction-required', 401, /error="insufficient_claims".* claims="ey/],
      ['token:consent-required', 403, /scope="mcp[^"]* mcp.consent"/],
      ['token:status:500', 503, null],
      ['token:html', 502, null],
      ['token:error:invalid_client', 500, null],
    ];
    for (const [mode, status, challenge] of rows) {
      issuer.setMode(mode);
      const answer = await fetch(resource, post(mint({ subject: mode })));
      assert.equal(answer.status, status, mode);
      const said = answer.headers.get('www-authenticate');
      if (challenge) assert.match(said ?? '', challenge, mode);
      else assert.equal(said, null, mode);
      if (framework === 'node:http' && status === 503) assert.ok(answer.headers.has('retry-after'));
    }
  });
}

test('1,000 interleaved callers each call the API as themselves', { timeout: 120_000 }, async (context) => {
  const api = await startApi(context);
  /** @type {Tool} */
  const tool = async (_, auth) => {
    await nextTurn();
    const reports = auth.downstream('reports');
    const first = await (await reports.fetch(`${api.url}/all`)).json();
    await nextTurn();
    return [first.subject, claimsOf((await reports.tokenFor()).expose()).sub];
  };
  const { resource, mint } = await calling(context, tool, { api: [api.url] });
  const users = Array.from({ length: 1000 }, (_, number) => `user-${number}`);
  /** @type {Record<string, unknown>} */
  const answers = {};
  const waiting = [...users];
  // So many at the same time that no queue of connections is full.
  const lanes = Array.from({ length: 100 }, async () => {
    for (let subject = waiting.pop(); subject !== undefined; subject = waiting.pop()) {
      answers[subject] = await (await fetch(resource, post(mint({ subject })))).json();
    }
  });
  await Promise.all(lanes);
  assert.deepEqual(answers, Object.fromEntries(users.map((subject) => [subject, [subject, subject]])));
});

test('100 at once ask once, and whoever comes later asks nobody', async (context) => {
  /** @type {Tool} */
  const tool = async (given, auth) => {
    const reports = auth.downstream('reports');
    const tokens = await Promise.all(Array.from({ length: 100 }, (_, number) => (number % 2 ? reports.tokenFor() : reports.tokenFor(given))));
    return new Set(tokens.map((token) => token.expose())).size;
  };
  const { resource, mint, asked } = await calling(context, tool);
  const token = mint();
  assert.equal(await (await fetch(resource, post(token))).json(), 1);
  assert.equal(await (await fetch(resource, post(token))).json(), 1);
  assert.equal(asked(), 1);
});

test('fewer scopes can be asked for, and never more', async (context) => {
  /** @type {Tool} */
  const tool = async (given, auth) => {
    const reports = auth.downstream('reports');
    const read = await reports.withScopes(['reports:read']).tokenFor(given);
    const codes = [];
    for (const scopes of [['reports:admin'], ['reports:read', 'reports:admin'], []]) {
      codes.push(await reports.withScopes(scopes).tokenFor(given).catch((error) => error.code));
    }
    const whole = await reports.tokenFor(given);
    return { scopes: read.scopes, whole: whole.scopes, isSame: whole.expose() === read.expose(), codes };
  };
  const { resource, mint, asked } = await calling(context, tool);
  const wider = 'downstream_wider_scopes';
  assert.deepEqual(await (await fetch(resource, post(mint()))).json(), {
    scopes: ['reports:read'],
    whole: ['reports:read', 'reports:write'],
    isSame: false,
    codes: [wider, wider, wider],
  });
  assert.equal(asked(), 2);
});

test('after a revocation, and after a reload, there is no token of before', async (context) => {
  const token = async (/** @type {any} */ given, /** @type {McpAuth} */ auth) => (await auth.downstream('reports').tokenFor(given)).expose();
  const { resource, mint, auth, settings, asked, issuer } = await calling(context, token);
  const issuedAt = Math.floor(Date.now() / 1000) - 100;
  const of = async (/** @type {string} */ text) => (await fetch(resource, post(text))).json();
  const [alice, bob] = [mint({ issuedAt }), mint({ subject: 'bob', issuedAt })];
  const [first, second] = [await of(alice), await of(bob)];
  auth.revoke({ issuer: issuer.issuer, subject: 'alice', issuedUntil: issuedAt + 1 });
  const again = await of(mint());
  assert.notEqual(again, first);
  assert.deepEqual([await of(bob), asked()], [second, 3]);
  auth.reload({ ...settings, resourceName: 'Reports' });
  assert.deepEqual([await of(bob), asked()], [second, 3], 'what did not change keeps its tokens');
  auth.reload({ ...settings, downstreams: { reports: { ...settings.downstreams.reports, scopes: ['reports:read'] } } });
  assert.equal(claimsOf(await of(bob)).scope, 'reports:read');
  auth.reload({ ...settings, downstreams: {} });
  assert.equal((await fetch(resource, post(bob))).status, 500);
});

test('a caller who is revoked or gone meanwhile gets nothing that is kept', async (context) => {
  /** @type {any} */
  let kept;
  const tool = async (/** @type {any} */ given, /** @type {McpAuth} */ auth) => {
    kept ??= caller(given);
    return (await auth.downstream('reports').tokenFor(given)).scopes;
  };
  const { resource, mint, auth, asked } = await calling(context, tool);
  const issuedAt = Math.floor(Date.now() / 1000) - 100;
  assert.equal((await fetch(resource, post(mint({ issuedAt })))).status, 200);
  await auth.downstream('reports').tokenFor(kept);
  auth.revoke({ issuer: kept.issuer, subject: 'alice' });
  await assert.rejects(auth.downstream('reports').tokenFor(kept), { name: 'DownstreamError', code: 'downstream_sign_in_again', status: 401 });
  assert.equal(asked(), 1);
});

test('machines, and callers whose token is not known, are told before anything is asked', async (context) => {
  const code = (/** @type {any} */ given, /** @type {McpAuth} */ auth) =>
    auth.downstream('reports').tokenFor(given).then(() => 'a token', (error) => [error instanceof DownstreamError, error.code, error.status]);
  const { resource, mint, auth, asked, origin } = await calling(context, code);
  const of = async (/** @type {string} */ text) => (await fetch(resource, post(text))).json();
  assert.deepEqual(await of(mint({ without: ['sub'] })), [true, 'downstream_no_user', 403]);
  const verified = await auth.verifyAccessToken(mint(), '/mcp');
  assert.deepEqual(await code(verified, auth), [true, 'downstream_no_token', 500]);
  await assert.rejects(auth.downstream('unknown').tokenFor(verified), { code: 'unknown_downstream', status: 500 });
  await assert.rejects(auth.downstream('reports').token(), { code: 'downstream_needs_caller' });
  assert.equal(asked(), 0, origin);
});

test('callers whose token alone was verified, as the official SDK does it, get theirs', async (context) => {
  const { mint, auth, asked } = await calling(context, whose);
  const users = ['alice', 'bob', 'carol'];
  const theirs = users.map((subject) => mint({ subject }));
  const verified = await Promise.all(theirs.map((token) => auth.verifyAccessToken(token)));
  for (const round of [1, 2]) {
    const tokens = await Promise.all(verified.map((extra) => auth.downstream('reports').tokenFor({ authInfo: extra })));
    assert.deepEqual(tokens.map((token) => claimsOf(token.expose()).sub), users, String(round));
  }
  assert.equal(asked(), 3);
  assert.throws(() => verified[0]?.dangerousRawToken(), { code: 'no_token' });
  const shown = inspect(verified, { depth: 9, showHidden: true });
  for (const token of theirs) assert.ok(!shown.includes(token.split('.')[2] ?? ''));
});

test('a tool acts as itself', async (context) => {
  const api = await startApi(context);
  const jobs = { grant: 'client_credentials', audience: [], resource: ['https://reports.example.com'] };
  const { auth, asked } = await calling(context, whose, { api: [api.url], change: jobs });
  const reports = auth.downstream('reports');
  const token = await reports.token();
  assert.equal(claimsOf(token.expose()).sub, 'dev');
  assert.equal((await reports.token()).expose(), token.expose());
  api.answers.push({ status: 401 });
  const response = await reports.fetchAsTool()(api.url, { method: 'POST', body: 'once more' });
  assert.deepEqual([response.status, api.seen.length, asked()], [200, 2, 2]);
  assert.deepEqual(api.seen.map((one) => one.token === token.expose()), [true, false]);
});

test('nobody is the caller outside of a request, after its response, or of a request inside that has none', async (context) => {
  /** @type {(() => Promise<unknown>) | undefined} */
  let later;
  /** @type {(() => void)[]} */
  const answered = [];
  /** @type {Tool} */
  const tool = async (given, auth) => {
    const tokenFor = () => auth.downstream('reports').tokenFor();
    const inner = new McpAuth({ resource: 'https://mcp.example.com/mcp', authorizationServers: ['https://as.example.com'], policy: { methods: { ping: { access: 'public' } } } });
    const request = new Request('https://mcp.example.com/mcp', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' });
    const within = await inner.protect(async () => Response.json(await tokenFor().catch((error) => error.code)))(request);
    // In the context of this request, when it is over.
    const isOver = new Promise((resolve) => answered.push(/** @type {any} */ (resolve)));
    later ??= () => ended;
    const ended = isOver.then(tokenFor);
    ended.catch(() => undefined);
    return [await within.json(), (await tokenFor()) instanceof DownstreamToken];
  };
  const { resource, mint, auth } = await calling(context, tool);
  assert.deepEqual(await (await fetch(resource, post(mint()))).json(), ['no_caller', true]);
  for (const tell of answered) tell();
  await assert.rejects(later?.() ?? Promise.resolve(), { code: 'no_caller' });
  await assert.rejects(auth.downstream('reports').tokenFor(), { code: 'no_caller' });
  await assert.rejects(auth.downstream('reports').fetch('http://127.0.0.1:1/'), TypeError, 'elsewhere it is `fetch`');
});

test('a token, and the token of the request, is in no log, text or error', async (context) => {
  /** @type {string[]} */
  const told = [];
  const log = (/** @type {any} */ fields, /** @type {string} */ message) => void told.push(JSON.stringify(fields), message);
  setLogger({ debug: log, info: log, warn: log, error: log });
  context.after(() => setLogger(undefined));
  /** @type {Tool} */
  const tool = async (given, auth) => {
    const reports = auth.downstream('reports');
    const token = await reports.tokenFor(given);
    told.push(inspect(token, { depth: 9, showHidden: true }), JSON.stringify({ token }), String(token), `${Object.values(token)}`, inspect(reports, { depth: 9, showHidden: true }));
    told.push(inspect(structuredClone({ ...token })), inspect(new Error('x', { cause: token }), { depth: 9 }));
    return token.expose();
  };
  const { resource, mint, issuer } = await calling(context, tool);
  const alice = mint();
  const token = await (await fetch(resource, post(alice))).json();
  issuer.setMode('token:error:invalid_client');
  const bob = mint({ subject: 'bob' });
  await (await fetch(resource, post(bob))).text();
  assert.ok(told.some((line) => line.includes('downstream_refused')), told.join('\n'));
  for (const secret of [token, alice, bob]) assert.ok(!told.join('\n').includes(secret.split('.')[2] ?? ''));
});
