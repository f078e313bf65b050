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
  for (const { name, request, answer, expect } of cases) {
    await context.test(name, async () => {
      const { method, target, authorization, headers, body } = request;
      const sent = new Request(new URL(target, 'https://mcp.example.com'), {
        method,
        headers: { ...headers, authorization: authorization[0], 'content-length': String(Buffer.byteLength(body)) },
        body,
      });
      const allowed = await auth.handle(sent);
      if (allowed instanceof Response) {
        assert.deepEqual([allowed.status, expect.seen], [expect.status, undefined]);
        return;
      }
      const seen = await allowed.request.text();
      assert.equal(seen, expect.seen);
      assert.equal(allowed.request.headers.get('content-length'), String(Buffer.byteLength(seen)));
      const response = await allowed.respond(new Response(answer, { headers: { 'content-type': 'application/json' } }));
      assert.deepEqual([response.status, await response.text()], [expect.status, expect.told]);
    });
  }
});

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
