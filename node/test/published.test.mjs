// @ts-check
// The published package beside ours: every name and member, and what functions and errors say.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import * as ours from '../dist/original.mjs';
import * as main from '../dist/index.js';
import * as published from './published/node_modules/mcp-auth/lib/index.js';

const both = /** @type {const} */ ([published, ours]);
const text = (/** @type {string} */ path) => readFileSync(new URL(path, import.meta.url), 'utf8');

/** What stands in the first column of the table of docs/node.md under this title.
 * @param {string} title */
function tabled(title) {
  const [, after = ''] = text('../../docs/node.md').split(`\n### ${title}\n`);
  const [section = ''] = after.split('\n#');
  return [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name).sort();
}

/** The members of a value and of what it inherits from, without those of every object.
 * @param {any} value @returns {string[]} */
function membersOf(value) {
  const names = new Set();
  for (let at = value; at && at !== Object.prototype && at !== Function.prototype && at !== Error.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  return [...names].filter((name) => !name.startsWith('_') && !['constructor', 'stack', 'name', 'length', 'prototype'].includes(name));
}

const isClass = (/** @type {any} */ value) => typeof value === 'function' && /^class\b/.test(String(value));
const METADATA = {
  issuer: 'https://auth.example.com',
  authorizationEndpoint: 'https://auth.example.com/authorize',
  tokenEndpoint: 'https://auth.example.com/token',
  responseTypesSupported: ['code'],
  codeChallengeMethodsSupported: ['S256'],
  registrationEndpoint: 'https://auth.example.com/register',
};
/** An object of each class. @type {Record<string, unknown[]>} */
const EXAMPLES = {
  MCPAuth: [{ protectedResources: { metadata: { resource: 'https://mcp.example.com/mcp', authorizationServers: [{ metadata: METADATA, type: 'oidc' }] } } }],
  MCPAuthError: ['code', 'message'],
  MCPAuthConfigError: ['code', 'message'],
  MCPAuthAuthServerError: ['invalid_server_config', {}],
  MCPAuthBearerAuthError: ['invalid_issuer', {}],
  MCPAuthTokenVerificationError: ['invalid_token', {}],
};

test('every public name and member is here, or in the table with a reason', () => {
  const missing = [];
  for (const [name, theirs] of Object.entries(published)) {
    const mine = /** @type {any} */ (ours)[name];
    assert.equal(typeof mine, typeof theirs, name);
    assert.equal(isClass(mine), isClass(theirs), name);
    assert.equal(/** @type {any} */ (main)[name], mine, `${name} of the main entry`);
    const isSchema = name.endsWith('Schema');
    /** @type {[prefix: string, theirs: any, ours: any][]} */
    const pairs = [[isSchema ? '…Schema' : name, theirs, mine]];
    if (isClass(theirs)) {
      const example = EXAMPLES[name];
      assert.ok(example, name);
      pairs.push([`${name}#`, Reflect.construct(/** @type {any} */ (theirs), example), Reflect.construct(mine, example)]);
    }
    for (const [prefix, one, other] of pairs) {
      const here = new Set(membersOf(other));
      missing.push(...membersOf(one).filter((member) => !here.has(member)).map((member) => `${prefix}${prefix.endsWith('#') ? '' : '.'}${member}`));
    }
  }
  // The modules behind `mcp-auth/*`, which no documentation names.
  const { exports } = JSON.parse(text('./published/node_modules/mcp-auth/package.json'));
  missing.push(...Object.keys(exports).filter((path) => path !== '.').map((path) => `mcp-auth/${path.slice(2)}`));
  const zods = missing.filter((name) => name.startsWith('…Schema.'));
  assert.ok(zods.length > 20);
  const rows = [...missing.filter((name) => !zods.includes(name)), '…Schema.extend'];
  assert.deepEqual([...new Set(rows)].sort(), tabled('What is left out'));
});

test('every public type is compared', () => {
  const lib = new URL('./published/node_modules/mcp-auth/lib/', import.meta.url);
  const names = new Set();
  /** @param {string} path */
  const walk = (path) => {
    const declarations = readFileSync(new URL(path, lib), 'utf8');
    for (const [, name] of declarations.matchAll(/^export (?:type|interface) (\w+)/gm)) names.add(name);
    for (const [, list = ''] of declarations.matchAll(/^export \{([^}]*)\}/gm)) {
      for (const [, name] of list.matchAll(/type (\w+)/g)) names.add(name);
    }
    for (const [, next = ''] of declarations.matchAll(/^export \* from '\.\/(.*)\.js'/gm)) walk(`${next}.d.ts`);
  };
  walk('index.d.ts');
  assert.ok(names.size > 20);
  const compared = new Set([...text('./published-types.mts').matchAll(/^fits<Published\.(\w+), Ours\.\1>/gm)].map(([, name]) => name));
  assert.deepEqual([...compared].sort(), [...names].sort());
});

test('errors say the same, for each code and for an unknown one', () => {
  const causes = [
    undefined,
    null,
    '',
    0,
    false,
    'a text',
    {},
    { cause: 'inner' },
    { uri: new URL('https://a.example/help'), missingScopes: ['a', 'b'], expected: 'x', actual: 'y' },
    { uri: 'https://a.example/help', missingScopes: [] },
    new Error('cause'),
  ];
  const tables = /** @type {const} */ ({
    MCPAuthAuthServerError: 'authServerErrorDescription',
    MCPAuthBearerAuthError: 'bearerAuthErrorDescription',
    MCPAuthTokenVerificationError: 'tokenVerificationErrorDescription',
  });
  for (const [name, table] of Object.entries(tables)) {
    assert.deepEqual(ours[table], published[table]);
    assert.ok(Object.isFrozen(ours[table]));
    for (const code of [...Object.keys(published[table]), 'unknown', '']) {
      for (const cause of causes) {
        const [theirs, mine] = both.map((one) => {
          const error = Reflect.construct(/** @type {any} */ (one)[name], [code, cause]);
          return [error.name, error.message, error.code, error.cause, error.toJson(), error.toJson(false), error.toJson(true), { ...error }, error instanceof one.MCPAuthError];
        });
        assert.deepEqual(mine, theirs, `${name} ${code}`);
      }
    }
  }
  for (const [code, message] of [['a_code', 'A sentence.'], ['', ''], ['a', '']]) {
    for (const name of /** @type {const} */ (['MCPAuthError', 'MCPAuthConfigError'])) {
      const [theirs, mine] = both.map((one) => {
        const error = new one[name](code, message);
        return [error.name, error.message, error.code, error.toJson(true), { ...error }, 'cause' in error, String(error)];
      });
      assert.deepEqual(mine, theirs);
    }
  }
});

const SNAKE = {
  issuer: 'https://auth.example.com',
  authorization_endpoint: 'https://auth.example.com/authorize',
  token_endpoint: 'https://auth.example.com/token',
  response_types_supported: ['code'],
};
/** Values that are odd in a member. */
const ODD = [undefined, null, '', 'text', 7, Number.NaN, true, [], ['a', 'b'], ['a', 7, null], [undefined], {}, new Map(), new Set(), new Date(0), Promise.resolve(), () => 1, 1n, Symbol.iterator];

test('schemas accept and refuse the same, in the same words', async () => {
  const whole = { ...SNAKE, ...METADATA, resource: 'https://mcp.example.com/mcp', unknown_member: 1, unknownMember: 1 };
  const names = /** @type {const} */ ([
    'authorizationServerMetadataSchema',
    'camelCaseAuthorizationServerMetadataSchema',
    'protectedResourceMetadataSchema',
    'camelCaseProtectedResourceMetadataSchema',
  ]);
  for (const name of names) {
    const members = Object.keys(published[name].shape);
    const values = [...ODD, whole, Object.create(whole), members.flatMap((member) => ODD.map((value) => ({ ...whole, [member]: value })))].flat();
    for (const value of [...values, ...ODD]) {
      const [theirs, mine] = both.map((one) => {
        const { success, data, error } = one[name].safeParse(value);
        return { success, data, issues: error?.issues, errors: error?.errors, message: error?.message, name: error?.name };
      });
      assert.deepEqual(mine, theirs);
      const thrown = both.map((one) => {
        try {
          return one[name].parse(value);
        } catch (error) {
          return /** @type {any} */ (error).issues;
        }
      });
      assert.deepEqual(thrown[1], thrown[0]);
    }
    const { safeParseAsync, parseAsync } = ours[name];
    assert.deepEqual(await safeParseAsync(whole), ours[name].safeParse(whole));
    assert.deepEqual(await parseAsync(whole), published[name].parse(whole));
    await assert.rejects(parseAsync(7), { name: 'ZodError' });
  }
});

test('metadata is validated alike', () => {
  /** @type {any[]} */
  const rows = [
    METADATA,
    ...Object.keys(METADATA).flatMap((member) => ODD.map((value) => ({ ...METADATA, [member]: value }))),
    ...[['token'], ['code token'], ['id_token code'], ['codes'], []].map((responseTypesSupported) => ({ ...METADATA, responseTypesSupported })),
    ...[['implicit'], ['authorization_code'], [], undefined].map((grantTypesSupported) => ({ ...METADATA, grantTypesSupported })),
    ...[['plain'], ['S256', 'plain'], ['s256'], []].map((codeChallengeMethodsSupported) => ({ ...METADATA, codeChallengeMethodsSupported })),
    { ...METADATA, responseTypesSupported: ['token'], grantTypesSupported: ['implicit'], codeChallengeMethodsSupported: undefined, registrationEndpoint: undefined },
    ...ODD,
  ];
  for (const metadata of rows) {
    for (const verbose of [undefined, false, true]) {
      const [theirs, mine] = both.map((one) => {
        const validate = /** @type {any} */ (one.validateServerConfig);
        const { isValid, errors = [], warnings, ...rest } = validate({ metadata, type: 'oidc' }, verbose);
        const causes = errors.map((/** @type {any} */ { cause, ...error }) => ({ ...error, issues: cause?.issues }));
        // Theirs leaves out `isValid` where it is false.
        return { isValid: isValid === true, errors: causes, warnings, ...rest };
      });
      assert.deepEqual(mine, theirs);
    }
  }
});

test('constants and small functions are the same', () => {
  assert.deepEqual([ours.defaultValues, ours.serverMetadataPaths], [published.defaultValues, published.serverMetadataPaths]);
  for (const value of [ours.defaultValues, ours.serverMetadataPaths]) assert.ok(Object.isFrozen(value));
  for (const config of /** @type {any[]} */ ([{ metadata: METADATA, type: 'oidc' }, { issuer: 'https://b.example', type: 'oauth' }])) {
    assert.equal(ours.getIssuer(config), published.getIssuer(config));
  }
});

test('what cannot be constructed is refused alike', () => {
  const server = { metadata: METADATA, type: 'oidc' };
  const resource = { metadata: { resource: 'https://mcp.example.com/mcp', authorizationServers: [server] } };
  const { issuer: _, ...nameless } = METADATA;
  /** @type {[string, (one: any) => unknown][]} */
  const rows = [
    ['nothing', (one) => new one.MCPAuth({})],
    ['a resource twice', (one) => new one.MCPAuth({ protectedResources: [resource, resource] })],
    ['a server twice', (one) => new one.MCPAuth({ protectedResources: { metadata: { ...resource.metadata, authorizationServers: [server, server] } } })],
    ['metadata without PKCE', (one) => new one.MCPAuth({ server: { metadata: { ...METADATA, codeChallengeMethodsSupported: undefined }, type: 'oidc' } })],
    ['metadata without an issuer', (one) => new one.MCPAuth({ protectedResources: { metadata: { ...resource.metadata, authorizationServers: [{ metadata: nameless, type: 'oidc' }] } } })],
    ['no resource named', (one) => new one.MCPAuth({ protectedResources: resource }).bearerAuth('jwt')],
    ['another resource', (one) => new one.MCPAuth({ protectedResources: resource }).bearerAuth('jwt', { resource: 'https://other.example' })],
    ['an unknown mode', (one) => new one.MCPAuth({ protectedResources: resource }).bearerAuth('opaque', { resource: resource.metadata.resource })],
    ['a router of the other mode', (one) => new one.MCPAuth({ protectedResources: resource }).delegatedRouter()],
    ['the other router of the other mode', (one) => new one.MCPAuth({ server }).protectedResourceMetadataRouter()],
    ['no function', (one) => one.handleBearerAuth({ issuer: 'https://a.example' })],
    ['no issuer', (one) => one.handleBearerAuth({ verifyAccessToken() {} })],
    ['an issuer that is no URL', (one) => one.handleBearerAuth({ verifyAccessToken() {}, issuer: 'a' })],
  ];
  for (const [name, make] of rows) {
    const [theirs, mine] = both.map((one) => {
      try {
        make(one);
        return 'constructed';
      } catch (thrown) {
        const error = /** @type {any} */ (thrown);
        const { cause, errors } = error.cause ?? {};
        return [error.name, error.code, error.message, cause, errors?.map((/** @type {any} */ { code }) => code)];
      }
    });
    assert.notEqual(theirs, 'constructed', name);
    assert.deepEqual(mine, theirs, name);
  }
});

test('the walk is over what is published', () => {
  const { version } = JSON.parse(text('./published/node_modules/mcp-auth/package.json'));
  assert.equal(version, '0.2.0');
  assert.ok(readdirSync(new URL('./published/node_modules/mcp-auth/lib', import.meta.url)).includes('index.js'));
});
