// @ts-check
/**
 * The whole flow, told once for both generations of the SDK: start with no token, be refused,
 * register, sign in as bob, call `whoami`, lose the access token to age, refresh, call again.
 *
 * @typedef {import('./main.mjs').Sdk} Sdk
 * @typedef {import('./main.mjs').Connection} Connection
 * @typedef {import('./trace.mjs').Trace} Trace
 */
import assert from 'node:assert/strict';
import { serveClientDocument } from './document.mjs';
import { mint } from './mint.mjs';
import { approve } from './person.mjs';
import { StoringProvider } from './provider.mjs';

const USER = 'bob';

/**
 * @param {Sdk} sdk
 * @param {string} resource
 * @param {string} registration
 * @param {Trace} trace
 */
export async function signInAndRefresh(sdk, resource, registration, trace) {
  const document = registration === 'cimd' ? await serveClientDocument() : undefined;
  try {
    await run(sdk, resource, document, trace);
  } finally {
    document?.close();
  }
  return `${registration}, signed in as ${USER}, called whoami, refreshed, called it again`;
}

/**
 * @param {Sdk} sdk
 * @param {string} resource
 * @param {import('./document.mjs').ClientDocument | undefined} document
 * @param {Trace} trace
 */
async function run(sdk, resource, document, trace) {
  const provider = new StoringProvider(document?.clientId);
  const connect = () => sdk.connection(new URL(resource), { authProvider: provider, fetch: trace.fetch });

  trace.step = 'connect with no token';
  const refused = connect();
  await assert.rejects(refused.open(), sdk.isUnauthorized);
  assertRefusedThenSentToSignIn(trace, resource, provider);
  assertRegistered(trace, provider, document);

  trace.step = 'sign in at the consent page';
  const redirect = await approve(trace.fetch, provider.authorizationUrls[0], USER);
  assert.equal(redirect.get('state'), provider.expectedState, 'state');
  if (document) assert.ok(document.reads() > 0, 'the issuer read the client metadata document');

  trace.step = 'exchange the code';
  await refused.finishAuth(redirect);
  await refused.close();
  assertTokenRequest(trace, 0, provider, { grant_type: 'authorization_code', code_verifier: '...', resource });

  trace.step = 'call whoami';
  const connection = connect();
  await connection.open();
  const first = await whoami(connection, provider, resource);

  trace.step = 'refresh an expired token';
  const before = provider.tokens();
  const mark = trace.exchanges.length;
  provider.saveTokens({ ...before, access_token: await expiredToken(trace, provider, resource) });
  const second = await whoami(connection, provider, resource);
  assert.equal(trace.to(resource, mark)[0].status, 401, 'the expired token is refused');
  assertTokenRequest(trace, mark, provider, { grant_type: 'refresh_token', resource });
  assert.notEqual(second.jti, first.jti, 'a new access token was used');
  assert.notEqual(provider.tokens().refresh_token, before.refresh_token, 'the refresh token was rotated');
  assert.equal(provider.authorizationUrls.length, 1, 'the person signed in once only');

  trace.step = 'close';
  await connection.close();
}

/** @param {Trace} trace @param {string} resource @param {StoringProvider} provider */
function assertRefusedThenSentToSignIn(trace, resource, provider) {
  const [first] = trace.exchanges;
  assert.deepEqual([first.url.href, first.scheme, first.status], [resource, undefined, 401], 'the first request');
  assert.equal(provider.authorizationUrls.length, 1, 'sent to sign in');
  const { authorizationServerMetadata, resourceMetadata } = provider.discoveryState();
  assert.equal(resourceMetadata.resource, resource, 'resource of the RFC 9728 document');
  assert.ok(resourceMetadata.authorization_servers.includes(authorizationServerMetadata.issuer));

  const asked = provider.authorizationUrls[0].searchParams;
  assert.equal(asked.get('response_type'), 'code');
  assert.equal(asked.get('code_challenge_method'), 'S256');
  assert.ok(asked.get('code_challenge'));
  assert.equal(asked.get('resource'), resource);
}

/**
 * @param {Trace} trace
 * @param {StoringProvider} provider
 * @param {import('./document.mjs').ClientDocument | undefined} document
 */
function assertRegistered(trace, provider, document) {
  const metadata = provider.discoveryState().authorizationServerMetadata;
  if (document) assert.equal(metadata.client_id_metadata_document_supported, true);
  const registrations = trace.to(metadata.registration_endpoint);
  assert.deepEqual(registrations.map((e) => e.status), document ? [] : [201], 'dynamic registrations');
  const clientId = provider.authorizationUrls[0].searchParams.get('client_id');
  assert.equal(clientId, document?.clientId ?? provider.clientInformation().client_id);
}

/** One token request since `mark`, granted, that sent these parameters.
 * @param {Trace} trace @param {number} mark @param {StoringProvider} provider
 * @param {Record<string, string>} parameters */
function assertTokenRequest(trace, mark, provider, parameters) {
  const requests = trace.to(provider.discoveryState().authorizationServerMetadata.token_endpoint, mark);
  assert.deepEqual(requests.map((e) => e.status), [200], 'token requests');
  for (const [name, value] of Object.entries(parameters)) assert.equal(requests[0].form.get(name), value, name);
}

/** Calls `whoami` and returns the claims, which must be those of the user who signed in.
 * @param {Connection} connection @param {StoringProvider} provider @param {string} resource */
async function whoami(connection, provider, resource) {
  const result = await connection.callTool('whoami');
  assert.ok(!result.isError, 'whoami answered with an error');
  const claims = result.structuredContent;
  assert.equal(claims?.sub, USER, 'sub');
  assert.deepEqual([claims.aud].flat(), [resource], 'aud');
  assert.equal(claims.iss, provider.discoveryState().authorizationServerMetadata.issuer, 'iss');
  assert.ok(claims.jti, 'jti');
  return claims;
}

/** A token of the same user for the same resource that expired two minutes ago.
 * @param {Trace} trace @param {StoringProvider} provider @param {string} resource */
function expiredToken(trace, provider, resource) {
  const { issuer } = provider.discoveryState().authorizationServerMetadata;
  return mint(trace.fetch, issuer, { user: USER, resource, scope: 'mcp', expires_in: '-120' });
}
