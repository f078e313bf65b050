// @ts-check
import { initialize, send } from './http.mjs';

const EVIL = 'evil.example';

/**
 * What the server says to requests whose token, if any, is fine.
 *
 * @param {import('./http.mjs').Issuer} issuer
 * @param {string} resource
 */
export async function* requests(issuer, resource) {
  const token = await issuer.mint(resource);
  const challenge = (await initialize(resource, undefined)).headers['www-authenticate'] ?? '';
  yield ['no token: status', String((await initialize(resource, undefined)).status)];
  yield ['no token: error', /error="([^"]*)"/.exec(challenge)?.[1] ?? 'none'];
  yield ['no token: scope', /scope="([^"]*)"/.exec(challenge)?.[1] ?? 'none'];
  yield ['no token: resource_metadata', /resource_metadata=/.test(challenge) ? 'yes' : 'no'];
  const lacking = await initialize(resource, await issuer.mint(resource, { scope: 'other' }));
  const forbidden = lacking.headers['www-authenticate'] ?? '';
  yield ['scope missing: error', /error="([^"]*)"/.exec(forbidden)?.[1] ?? 'none'];
  yield ['scope missing: scope', /[ ,]scope="([^"]*)"/.exec(forbidden)?.[1] ?? 'none'];
  yield ['token in the query', String((await initialize(`${resource}?access_token=${token}`, undefined)).status)];
  yield ['token in query and header', String((await initialize(`${resource}?access_token=${token}`, token)).status)];
  yield ['two Authorization headers', await twoTokens(resource, token)];
  yield ['scheme in lower case', String((await initialize(resource, undefined, { authorization: `bearer ${token}` })).status)];
  yield ['Origin of a stranger', String((await initialize(resource, token, { origin: `https://${EVIL}` })).status)];
  yield ['Host of a stranger', String((await initialize(resource, token, { host: EVIL })).status)];
  yield* metadata(resource);
}

/** @param {string} resource @param {string} token */
async function twoTokens(resource, token) {
  const authorization = [`Bearer ${token}`, 'Bearer other'];
  const sent = await initialize(resource, undefined, /** @type {any} */ ({ authorization }));
  return String(sent.status);
}

/** @param {string} resource */
async function* metadata(resource) {
  const { origin, pathname } = new URL(resource);
  const inserted = `${origin}/.well-known/oauth-protected-resource${pathname}`;
  const document = await send(inserted);
  yield ['metadata, path inserted', String(document.status)];
  yield ['metadata: resource is the URL', document.status === 200 && JSON.parse(document.body).resource === resource ? 'yes' : 'no'];
  yield ['metadata, at the root', String((await send(`${origin}/.well-known/oauth-protected-resource`)).status)];
  yield ['metadata for 2025-03-26', String((await send(`${origin}/.well-known/oauth-authorization-server`)).status)];
  const hostile = { host: EVIL, 'x-forwarded-host': EVIL, forwarded: `host=${EVIL}` };
  const answers = [await send(inserted, hostile), await initialize(resource, undefined, hostile)];
  const said = answers.some(({ headers, body }) => `${headers['www-authenticate']}${body}`.includes(`//${EVIL}`));
  yield ['URLs made of Host', said ? 'yes' : 'no'];
}
