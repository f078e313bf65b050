// @ts-check
// The language-neutral cases of vectors/, which every SDK runs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { McpAuth } from '../dist/index.js';
import { native, settle } from '../dist/native.js';

for (const file of ['decisions', 'introspection', 'operations', 'rules']) {
  const text = readFileSync(new URL(`../../vectors/${file}.json`, import.meta.url), 'utf8');
  const { now, config, documents, cases } = JSON.parse(text);
  const auth = McpAuth.fromConfig(config, /** @type {any} */ ({ testing: { now, documents } }));
  test(`vectors/${file}.json`, async (context) => {
    assert.ok(cases.length > 40);
    for (const { name, request, expect } of cases) {
      await context.test(name, async () => {
        const { status, code, challenge } = await decide(auth, request);
        assert.deepEqual({ status, code }, { status: expect.status, code: expect.code });
        if (status === 401) assert.ok(challenge, 'a 401 says where to sign in');
        if (expect.scope !== undefined) assert.ok(challenge?.includes(`scope="${expect.scope}"`), challenge);
      });
    }
  });
}

test('vectors/handles.json', async (context) => {
  const text = readFileSync(new URL('../../vectors/handles.json', import.meta.url), 'utf8');
  const { now, config, documents, cases } = JSON.parse(text);
  const auth = McpAuth.fromConfig(config, /** @type {any} */ ({ testing: { now, documents } }));
  assert.ok(cases.length > 40);
  const json = { 'content-type': 'application/json' };
  for (const { name, request, answer, answer_headers: answerHeaders = json, expect } of cases) {
    await context.test(name, async () => {
      const { method, target, authorization, headers, body } = request;
      const sent = new Request(new URL(target, 'https://mcp.example.com'), {
        method,
        headers: { ...headers, authorization: authorization[0], 'content-length': String(Buffer.byteLength(body)) },
        body: method === 'GET' ? null : body,
      });
      const allowed = await auth.handle(sent);
      if (allowed instanceof Response) {
        assert.deepEqual([allowed.status, expect.seen], [expect.status, undefined]);
        return;
      }
      const seen = await allowed.request.text();
      assert.equal(seen, expect.seen);
      assert.equal(allowed.request.headers.get('content-length'), String(Buffer.byteLength(seen)));
      for (const [header, value] of Object.entries(expect.seen_headers ?? {})) {
        assert.equal(allowed.request.headers.get(header), value);
      }
      const response = await allowed.respond(new Response(answer, { headers: answerHeaders }));
      assert.deepEqual([response.status, await response.text()], [expect.status, expect.told]);
    });
  }
});

test('vectors/notices.json', async (context) => {
  const text = readFileSync(new URL('../../vectors/notices.json', import.meta.url), 'utf8');
  const { configurations, documents, access_tokens: tokens, cases } = JSON.parse(text);
  assert.ok(cases.length > 100);
  for (const { name, configuration, now, notices, revoked } of cases) {
    await context.test(name, async () => {
      const auth = McpAuth.fromConfig(configurations[configuration], /** @type {any} */ ({ testing: { now, documents } }));
      for (const { request, expect } of notices) {
        const told = await tell(auth, request);
        if (expect === null) assert.equal(told.status, 401);
        else assert.deepEqual(told, expect);
      }
      const refused = [];
      for (const [token, written] of Object.entries(tokens)) {
        const call = { method: 'POST', target: '/mcp', authorization: [`Bearer ${written}`] };
        const { code } = await decide(auth, call);
        if (code !== 'ok') refused.push([token, code]);
      }
      const expected = revoked.map((/** @type {string} */ token) => [token, 'revoked']);
      assert.deepEqual(refused.sort(), expected.sort());
    });
  }
});

/** What the sender of a notice is told. @param {McpAuth} auth @param {any} request */
async function tell(auth, { method, target, authorization, headers, body }) {
  const sent = new Request(new URL(target, 'https://mcp.example.com'), { method, headers, body });
  for (const value of authorization) sent.headers.append('authorization', value);
  const answer = /** @type {Response} */ (await auth.handle(sent));
  const written = await answer.text();
  const told = written === '' ? {} : JSON.parse(written);
  return {
    status: answer.status,
    code: told.err ?? told.error ?? '',
    reason: told.description ?? told.error_description ?? '',
  };
}

/** @param {any} auth @param {any} request */
async function decide(auth, { method, target, authorization, headers = {}, body = '' }) {
  const lines = [...authorization.map((/** @type {string} */ value) => ['authorization', value]), ...Object.entries(headers)];
  let settled = await settle(auth.native.decide(method, target, lines.flat().join('\n')));
  if (settled instanceof native.ReadBody) {
    const bytes = Buffer.from(body);
    settled = bytes.length > settled.maxBytes ? settled.tooLarge() : await settle(settled.decide(bytes));
  }
  if (typeof settled === 'string' || settled instanceof native.Forward) return { status: 200, code: 'ok' };
  const answered = /** @type {import('../dist/native.js').Answered} */ (settled);
  const [, challenge] = /www-authenticate\n(.*)/.exec(answered.headers) ?? [];
  const code = answered.refusal ? JSON.parse(answered.refusal).code : JSON.parse(answered.body.toString() || '{}').error;
  return { status: answered.status, code: code ?? 'ok', challenge };
}
