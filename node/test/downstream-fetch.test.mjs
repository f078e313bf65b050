// @ts-check
// `fetch` with the token of another API: where it goes, and where it never does.
import assert from 'node:assert/strict';
import test from 'node:test';
import { McpAuth } from '../dist/index.js';
import { calling, startApi } from './support/calling.mjs';
import { post } from './support/server.mjs';

/** A server whose tool makes one request, and the API with a part that is none; `call` tells how it went. @param {import('node:test').TestContext} context */
async function startCalling(context) {
  const [api, other] = [await startApi(context), await startApi(context)];
  /** @type {(fetchFor: typeof fetch, auth: McpAuth) => Promise<Response>} */
  let make = () => Promise.reject(new Error('nothing to make'));
  /** @type {import('./support/calling.mjs').Tool} */
  const tool = async (given, auth) => {
    const reports = auth.downstream('reports');
    for (const fetchFor of [reports.fetch, reports.fetchFor(/** @type {object} */ (given))]) {
      try {
        const response = await make(fetchFor, auth);
        await response.text();
        told.push(response.status);
      } catch (error) {
        told.push(/** @type {any} */ (error).code ?? /** @type {any} */ (error).name);
      }
      seen.push([...api.seen.splice(0), ...other.seen.splice(0)]);
    }
    return null;
  };
  /** @type {unknown[]} */
  let told = [];
  /** @type {(typeof api.seen)[]} */
  let seen = [];
  const server = await calling(context, tool, { api: [`${api.url}/v1/`] });
  /** What each of the two ways gave, and which requests it made. @param {typeof make} next @param {object} [options] */
  const call = async (next, options) => {
    make = next;
    [told, seen] = [[], []];
    assert.equal((await fetch(server.resource, post(server.mint(options)))).status, 200);
    return { told, seen };
  };
  return { ...server, api, other, call };
}

test('the token goes to the API, in place of one that is there, and nowhere else', async (context) => {
  const { api, other, call } = await startCalling(context);
  const init = { method: 'POST', headers: { authorization: 'Bearer of-the-program', 'x-kept': 'yes' }, body: 'a body' };
  /** @type {(string | URL | Request)[]} */
  const inside = [`${api.url}/v1/all?x=1`, new URL(`${api.url}/v1`), `${api.url}/v2/../v1/all`];
  for (const url of inside) {
    const { told, seen } = await call((fetchFor) => fetchFor(url, init));
    assert.deepEqual(told, [200, 200], String(url));
    for (const [request] of seen) {
      assert.match(request?.token ?? '', /^ey/, String(url));
      assert.deepEqual([request?.method, request?.body, request?.headers['x-kept']], ['POST', 'a body', 'yes']);
    }
  }
  const asRequest = await call((fetchFor) => fetchFor(new Request(`${api.url}/v1/all`, init)));
  assert.deepEqual(asRequest.seen.flat().map(({ body, token }) => [body, token?.startsWith('ey')]), [['a body', true], ['a body', true]]);
  const outside = [`${api.url}/v2`, `${api.url}/v10`, `${api.url}/v1/../admin`, `${api.url}/v1/%2e%2e/admin`, `${api.url}/v1//x`, `${other.url}/v1/all`];
  for (const url of outside) {
    const { told, seen } = await call((fetchFor) => fetchFor(url, init));
    assert.deepEqual(told, [200, 200], url);
    assert.deepEqual(seen.flat().map(({ token }) => token), [undefined, undefined], url);
  }
});

test('where the API redirects, the token goes along within it alone, and what leads to it from elsewhere has none', async (context) => {
  const { api, other, call } = await startCalling(context);
  /** @type {[what: string, status: number, from: string, to: string, init: RequestInit, tokens: boolean[], told: number | string][]} */
  const rows = [
    ['within', 302, `${api.url}/v1/a`, '/v1/b', {}, [true, true], 200],
    ['to the same origin, beside the API', 302, `${api.url}/v1/a`, '/v2/b', {}, [true, false], 200],
    ['to another host', 302, `${api.url}/v1/a`, `${other.url}/v1/b`, {}, [true, false], 200],
    ['to another host, with a method that stays', 308, `${api.url}/v1/a`, `${other.url}/v1/b`, {}, [true, false], 200],
    ['within, with a body', 307, `${api.url}/v1/a`, '/v1/b', { method: 'PUT', body: 'x' }, [true, true], 200],
    ['to another host, with a body', 307, `${api.url}/v1/a`, `${other.url}/v1/b`, { method: 'PUT', body: 'x' }, [true], 307],
    ['to another host, without the body', 303, `${api.url}/v1/a`, `${other.url}/v1/b`, { method: 'PUT', body: 'x' }, [true, false], 200],
    ['from elsewhere to the API', 302, `${other.url}/a`, `${api.url}/v1/b`, {}, [false, false], 200],
    ['to what is no URL', 302, `${api.url}/v1/a`, 'http://[', {}, [true], 302],
    ['to another scheme', 302, `${api.url}/v1/a`, 'file:///etc/passwd', {}, [true], 302],
    ['unless it is not wanted', 302, `${api.url}/v1/a`, '/v1/b', { redirect: 'manual' }, [true], 302],
    ['unless it is a mistake', 302, `${api.url}/v1/a`, '/v1/b', { redirect: 'error' }, [true], 'TypeError'],
  ];
  for (const [what, status, from, location, init, tokens, expected] of rows) {
    const first = from.startsWith(api.url) ? api : other;
    const { told, seen } = await call((fetchFor) => {
      first.answers.push({ status, location });
      return fetchFor(from, { ...init, headers: { authorization: 'Bearer of-the-program', cookie: 'a=b' } });
    });
    assert.deepEqual(told, [expected, expected], what);
    for (const requests of seen) {
      const ordered = from.startsWith(api.url) ? requests : [...requests].reverse();
      assert.deepEqual(ordered.map(({ token }) => token !== undefined), tokens, what);
      for (const { token, headers } of requests) if (!token && headers.host !== new URL(from).host) assert.equal(headers.cookie, undefined, what);
    }
  }
  const { told } = await call((fetchFor) => {
    api.answers.push(...Array.from({ length: 21 }, () => ({ status: 302, location: '/v1/a' })));
    return fetchFor(`${api.url}/v1/a`);
  });
  assert.deepEqual(told, ['TypeError', 'TypeError']);
});

test('there and back again, the token stays off', async (context) => {
  const { api, other, call } = await startCalling(context);
  const { seen } = await call((fetchFor) => {
    api.answers.push({ status: 302, location: `${other.url}/a` });
    other.answers.push({ status: 302, location: `${api.url}/v1/b` });
    return fetchFor(`${api.url}/v1/a`);
  });
  for (const requests of seen) {
    const tokens = Object.fromEntries(requests.map(({ path, token }) => [path, token !== undefined]));
    assert.deepEqual(tokens, { '/v1/a': true, '/a': false, '/v1/b': false });
  }
});

test('after a 401 it is tried once more with a new token, where the body can be sent again', async (context) => {
  const { api, call, asked } = await startCalling(context);
  const form = new FormData();
  form.set('a', 'once more');
  /** @type {[what: string, body: () => any][]} */
  const repeatable = [
    ['nothing', () => undefined],
    ['a text', () => 'once more'],
    ['bytes', () => new TextEncoder().encode('once more')],
    ['a blob', () => new Blob(['once more'])],
    ['fields', () => new URLSearchParams({ a: 'once more' })],
    ['a form', () => form],
  ];
  for (const [what, body] of repeatable) {
    const { told, seen } = await call((fetchFor) => {
      api.answers.push({ status: 401 });
      const given = body();
      return fetchFor(`${api.url}/v1/a`, given === undefined ? {} : { method: 'POST', body: given });
    }, { subject: `with ${what}` });
    // The second way comes too soon: its token is the new one of the first, which is not forgotten at once.
    assert.deepEqual([told, seen.map((requests) => requests.length)], [[200, 401], [2, 1]], what);
    const [first, second] = seen[0] ?? [];
    assert.notEqual(first?.token, second?.token, what);
    assert.equal(seen[1]?.[0]?.token, second?.token, what);
    if (what !== 'nothing') assert.ok(second?.body.includes('once'), what);
    const boundary = /boundary=(.*)/.exec(second?.headers['content-type'] ?? '')?.[1];
    if (what === 'a form') assert.ok(boundary && second?.body.includes(boundary), what);
  }
  const stream = () => new Blob(['once']).stream();
  const once = await call((fetchFor) => {
    api.answers.push({ status: 401 });
    return fetchFor(`${api.url}/v1/a`, /** @type {any} */ ({ method: 'POST', body: stream(), duplex: 'half' }));
  }, { subject: 'with a stream' });
  assert.deepEqual([once.told, once.seen.map((requests) => requests.length)], [[401, 401], [1, 1]]);
  const before = asked();
  const twice = await call((fetchFor) => {
    api.answers.splice(0);
    api.answers.push({ status: 401 }, { status: 401 });
    return fetchFor(`${api.url}/v1/a`);
  }, { subject: 'always refused' });
  assert.deepEqual([twice.told, twice.seen.map((requests) => requests.length)], [[401, 401], [2, 1]]);
  // The first way asked twice, and the second got what the first got last.
  assert.equal(asked() - before, 2);
});

test('without a token nothing is sent to the API', async (context) => {
  const { api, call, issuer } = await startCalling(context);
  for (const [mode, code] of /** @type {[import('../dist/testing.js').Mode, string][]} */ ([
    ['token:status:503', 'downstream_unavailable'],
    ['token:same-token', 'downstream_unusable_answer'],
    ['offline', 'downstream_unavailable'],
  ])) {
    const subject = `of-${mode}`;
    // Its keys are known by then.
    issuer.setMode('online');
    await call((fetchFor) => fetchFor(`${api.url}/v2`), { subject });
    issuer.setMode(mode);
    const { told, seen } = await call((fetchFor) => fetchFor(`${api.url}/v1/a`), { subject });
    assert.deepEqual([told, seen.flat()], [[code, code], []], mode);
  }
});

test('a request that was broken off before is not made', async (context) => {
  const { api, call } = await startCalling(context);
  const { told } = await call((fetchFor) => fetchFor(`${api.url}/v1/a`, { signal: AbortSignal.abort() }));
  assert.deepEqual([told, api.seen.length], [[DOMException.ABORT_ERR, DOMException.ABORT_ERR], 0]);
  const given = await call((fetchFor) => fetchFor(new Request(`${api.url}/v1/a`, { signal: AbortSignal.abort() })));
  assert.deepEqual(given.told, told);
});
