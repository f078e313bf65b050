// @ts-check
// What is wrong with a configuration, all at once and in the words of JavaScript.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ConfigError, McpAuth } from '../dist/index.js';
import { camelCase } from '../dist/names.js';
import { native } from '../dist/native.js';

const GOOD = { resource: 'https://mcp.example.com/mcp', authorizationServers: ['https://as.example.com'] };

/** @param {any} config @param {any} [options] @returns {string[]} */
function faults(config, options) {
  try {
    new McpAuth(config, options);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.faults;
  }
  return [];
}

/** What is given besides, and what is said of it. @type {Record<string, [config: object, fault: string]>} */
const FAULTS = {
  'a letter too few': [{ requiredScope: ['a'] }, 'requiredScope: is not known: did you mean `requiredScopes`?'],
  'the other word for dangerous': [{ dangerouslyAcceptAnyAudience: true }, 'dangerouslyAcceptAnyAudience: is not known: did you mean `dangerousAcceptAnyAudience`?'],
  'the names of files': [{ required_scopes: ['a'] }, 'required_scopes: is `requiredScopes` here; `McpAuth.fromConfig` takes the names of files'],
  'beside the server': [{ dangerousAcceptClients: ['a'] }, 'dangerousAcceptClients: belongs to an authorization server: `authorizationServers: [{ issuer: …, dangerousAcceptClients: … }]`'],
  'in the server': [{ authorizationServers: [{ issuer: 'https://as.example.com', requiredScopes: ['a'] }] }, 'authorizationServers[0].requiredScopes: belongs to the resource, beside `authorizationServers`'],
  'in the wrong argument': [{ authorize() {} }, 'authorize: belongs to the second argument: `new McpAuth(config, { authorize: … })`'],
  'a duration as a text': [{ clockTolerance: '30s' }, 'clockTolerance: must be a number of seconds, not "30s"'],
  'a duration as a date': [{ fetchTimeout: new Date(5) }, 'fetchTimeout: must be a number of seconds, not a value of type object'],
  'not a number': [{ keyMaxAge: NaN }, 'keyMaxAge: must be a number of seconds, not NaN'],
  'a duration that is too long': [{ clockTolerance: 301 }, 'clockTolerance: at most 300 seconds are allowed'],
  'a switch as a text': [{ dangerousAcceptAnyAudience: 'false' }, 'dangerousAcceptAnyAudience: must be true or false, not "false"'],
  'a promise': [{ requiredScopes: Promise.resolve(['a']) }, 'requiredScopes: must be texts in a list, not a promise: `await` it'],
  'no such value': [{ challengeStyle: 'tool_results' }, 'challengeStyle: must be one of `http`, `tool_result`, not "tool_results": did you mean `tool_result`?'],
  'no such method': [
    { authorizationServers: [{ issuer: 'https://as.example.com', introspection: { method: 'rfc7663', clientId: 'a', clientSecret: 'b' } }] },
    'authorizationServers[0].introspection.method: must be one of `rfc7662`, `google_tokeninfo`, `github_check_token`, `dangerous_userinfo`, not "rfc7663": did you mean `rfc7662`?',
  ],
  'misspelt in a policy': [{ policy: { tools: { delete_note: { allOff: ['a'] } } } }, 'policy.tools.delete_note.allOff: is not known: did you mean `allOf`?'],
  'a policy beside its policy': [{ denyUndeclared: true }, 'denyUndeclared: belongs to the policy: `policy: { denyUndeclared: … }`'],
  'one text for a list': [{ audiences: 'account' }, 'audiences: must be a list, as ["account"], not a text'],
  'one origin for a list': [{ allowedOrigins: 'https://app.example' }, 'allowedOrigins: must be a list, as ["https://app.example"], not a text'],
  'one algorithm for a list': [
    { authorizationServers: [{ issuer: 'https://as.example.com', algorithms: 'ES256' }] },
    'authorizationServers[0].algorithms: must be a list, as ["ES256"], not a text',
  ],
  'one client for a list': [
    { authorizationServers: [{ issuer: 'https://as.example.com', dangerousAcceptClients: 'x' }] },
    'authorizationServers[0].dangerousAcceptClients: must be a list, as ["x"], not a text',
  ],
  'one key for a list': [{ handleKeys: 's3cret'.repeat(8) }, 'handleKeys: must be texts in a list'],
  'a key that is no text': [{ handleKeys: ['s3cret'.repeat(8), 5] }, 'handleKeys[1]: must be a text'],
  'a key that is too short': [{ handleKeys: ['s3cret'] }, 'handleKeys[0]: a key has 32 characters or more, such as those of `openssl rand -base64 32`'],
  'keys of a resource': [
    { resource: undefined, authorizationServers: undefined, resources: [{ ...GOOD, handleKeys: ['s3cret'.repeat(8)] }] },
    'resources[0].handleKeys: belongs to the configuration, beside the resources',
  ],
  'sessions beside the resource': [{ dangerousUnboundSession: true }, 'dangerousUnboundSession: is not known: did you mean `dangerousUnboundSessions`?'],
  'a number in a list of texts': [{ audiences: ['a', 5] }, 'audiences[1]: must be a text, not 5'],
  'no server': [{ authorizationServers: [undefined] }, 'authorizationServers[0]: must be an object, not undefined'],
  'no second server': [{ authorizationServers: ['https://as.example.com', null] }, 'authorizationServers[1]: must be an object, not null'],
  'a tool that needs null': [{ policy: { tools: { a: null } } }, "policy.tools.a: must be scopes, or an object such as { allOf: ['notes:write'] }, not null"],
  'a prompt that needs undefined': [{ policy: { prompts: { b: undefined } } }, "policy.prompts.b: must be scopes, or an object such as { allOf: ['notes:write'] }, not undefined"],
  'a scope that is a number': [{ policy: { methods: { 'tools/list': ['a', 7] } } }, 'policy.methods.tools/list[1]: must be a text, not 7'],
  'misspelt and misplaced': [
    { dangerouslyAcceptClients: ['a'] },
    'dangerouslyAcceptClients: is not known: did you mean `dangerousAcceptClients`? It belongs to an authorization server: `authorizationServers: [{ issuer: …, dangerousAcceptClients: … }]`',
  ],
  'misspelt by a letter and misplaced': [
    { algorithm: ['ES256'] },
    'algorithm: is not known: did you mean `algorithms`? It belongs to an authorization server: `authorizationServers: [{ issuer: …, algorithms: … }]`',
  ],
  'an issuer beside the servers': [{ issuer: 'https://as.example.com' }, 'issuer: belongs to an authorization server: `authorizationServers: [{ issuer: … }]`'],
  'http, told by the native half': [{ authorizationServers: ['http://as.example.com'] }, 'authorizationServers[0].issuer: "http://as.example.com" must use https; http is for loopback hosts only (or set `dangerousAllowHttp`)'],
  'the URL object of an origin': [
    { authorizationServers: [new URL('https://as.example.com')] },
    "authorizationServers[0].issuer: is a URL object without a path, of which nobody can tell whether its slash was there: write 'https://as.example.com' or 'https://as.example.com/', exactly as its own metadata has it",
  ],
};

for (const [name, [config, fault]] of Object.entries(FAULTS)) {
  test(`a fault: ${name}`, () => assert.deepEqual(faults({ ...GOOD, ...config }), [fault]));
}

test('faults are listed all at once, those of the native half too', () => {
  const config = { resource: 'mcp.example.com', authorizationServers: ['http://as.example.com'], clockTolerance: '30s', requiredScope: 'a' };
  const found = faults(config);
  assert.deepEqual(found.map((fault) => fault.split(': ')[0]).sort(), ['authorizationServers[0].issuer', 'clockTolerance', 'requiredScope', 'resource']);
  const listed = faults({ resources: [{ ...GOOD, resource: 'x' }, { ...GOOD, audience: ['a'] }] });
  assert.deepEqual(listed.map((fault) => fault.split(': ')[0]).sort(), ['resources[0].resource', 'resources[1].audience']);
});

test('no fault shows a secret', () => {
  const server = { issuer: 'https://as.example.com', introspection: { clientId: 5, clientSecret: 'hush-hush', methd: 'x' } };
  const found = faults({ ...GOOD, authorizationServers: [server] });
  assert.equal(found.length, 2);
  assert.ok(!found.join().includes('hush'), found.join());
});

test('options of the second argument say where they belong', () => {
  assert.deepEqual(faults(GOOD, { verifyTimout: 5 }), ['options.verifyTimout: is not known: did you mean `verifyTimeout`?']);
  assert.deepEqual(faults(GOOD, { policy: {} }), ['options.policy: belongs to the first argument, the configuration: `new McpAuth({ …, policy: … })`']);
  assert.deepEqual(faults(GOOD, { authorize: async () => true }), ['options.authorize: is async, and must not wait']);
  assert.deepEqual(faults(GOOD, { verifyToken: 'x' }), ['options.verifyToken: is no function']);
});

/** Values that an option cannot have, though JavaScript would compare them. @type {[options: any, fault: string][]} */
const OPTIONS = [
  [{ verifyTimeout: '10' }, 'options.verifyTimeout: must be a number of seconds, not "10"'],
  [{ verifyTimeout: true }, 'options.verifyTimeout: must be a number of seconds, not true'],
  [{ verifyTimeout: [1] }, 'options.verifyTimeout: must be a number of seconds, not a list'],
  [{ verifyTimeout: 0 }, 'options.verifyTimeout: must be above 0 and 3600 seconds at most, not 0'],
  [{ verifyTimeout: 3601 }, 'options.verifyTimeout: must be above 0 and 3600 seconds at most, not 3601'],
  [{ tokenPrefixes: 'key_', verifyToken() {} }, 'options.tokenPrefixes: must be a list, as ["key_"], not a text'],
  [{ tokenPrefixes: ['key_', 1], verifyToken() {} }, 'options.tokenPrefixes[1]: must be a text, not 1'],
  [{ hideResourceMetadata: 'false' }, 'options.hideResourceMetadata: must be true or false, not "false"'],
  [{ serveAuthorizationServerMetadata: 1 }, 'options.serveAuthorizationServerMetadata: must be true or false, not 1'],
  [null, 'options: must be an object, not null'],
  [() => true, 'options: must be an object, not a value of type function'],
  [{ dangerouslyAcceptClients: ['a'] }, 'options.dangerouslyAcceptClients: is not known: did you mean `dangerousAcceptClients`? It belongs to an authorization server: `authorizationServers: [{ issuer: …, dangerousAcceptClients: … }]`'],
  [{ algorithms: ['ES256'] }, 'options.algorithms: belongs to an authorization server: `authorizationServers: [{ issuer: …, algorithms: … }]`'],
];

for (const [options, fault] of OPTIONS) {
  test(`an option: ${fault}`, () => assert.deepEqual(faults(GOOD, options), [fault]));
}

test('URL objects are accepted wherever a URL is', () => {
  const auth = new McpAuth({
    resource: new URL('https://mcp.example.com/mcp'),
    authorizationServers: [new URL('https://as.example.com/tenant'), { issuer: new URL('https://as.example.com/b'), metadataUrl: new URL('https://as.example.com/m') }],
    allowedOrigins: [new URL('https://app.example.com')],
    resourceDocumentation: new URL('https://mcp.example.com/docs'),
  });
  assert.equal(/** @type {any} */ (auth).resourceAt().identifier, 'https://mcp.example.com/mcp');
});

/** What a verifier of tokens alone would not heed. @type {[config: object, options: object, name: string][]} */
const UNHEEDED = [
  [{ policy: { tools: { a: 'b' } } }, {}, '`policy`'],
  [{ requiredScopes: ['a'] }, {}, '`requiredScopes`'],
  [{ allowedOrigins: ['https://a.example'] }, {}, '`allowedOrigins`'],
  [{}, { authorize: () => true }, '`authorize`'],
];

for (const [config, options, name] of UNHEEDED) {
  test(`${name} is not ignored in silence by a verifier of tokens alone`, () => {
    const auth = new McpAuth({ ...GOOD, ...config }, options);
    const refused = (/** @type {string} */ message) => new Error(message);
    assert.throws(() => auth.tokenVerifier(refused), (error) => error instanceof ConfigError && error.message.startsWith(name) && error.message.includes('protect(auth)'));
  });
}
test('a verifier of tokens alone is made where nothing is ignored', () => {
  const auth = new McpAuth({ ...GOOD, requiredScopes: [], clockTolerance: 5 });
  assert.equal(typeof auth.tokenVerifier((message) => new Error(message)).verifyAccessToken, 'function');
});

test('every setting of the library has its name here', () => {
  const variables = /** @type {Record<string, string>} */ ({ MCP_AUTH_RESOURCE: GOOD.resource, MCP_AUTH_ISSUER: 'https://as.example.com' });
  const { resources: [{ authorization_servers: [server], ...resource }], ...limits } = JSON.parse(native.configFromEnv((name) => variables[name]));
  const named = (/** @type {object} */ data) => Object.fromEntries(Object.keys(data).map((name) => [camelCase(name), Symbol('no value')]));
  const config = { ...named(limits), resources: [{ ...named(resource), authorizationServers: [named(server)] }] };
  const unknown = faults(config).filter((fault) => !/: must be /.test(fault));
  assert.deepEqual(unknown, []);
});
