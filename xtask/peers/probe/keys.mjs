// @ts-check
import { initialize } from './http.mjs';

/** How many requests at once, or bad tokens in a row. */
const MANY = 50;

/**
 * The first requests to a server that has no keys yet come at once.
 *
 * @param {import('./http.mjs').Issuer} issuer
 * @param {string} resource
 */
export async function* stampede(issuer, resource) {
  const token = await issuer.mint(resource);
  const before = await issuer.keyFetches();
  const answers = await Promise.all(Array.from({ length: MANY }, () => initialize(resource, token)));
  const accepted = answers.filter(({ status }) => status === 200).length;
  yield [`${MANY} first requests: accepted`, String(accepted)];
  const first = (await issuer.keyFetches()) - before;
  yield [`${MANY} first requests: key fetches`, String(first)];
  for (let sent = 0; sent < MANY; sent += 1) await initialize(resource, token);
  yield [`${MANY} later requests: key fetches`, String((await issuer.keyFetches()) - before - first)];
}

/**
 * A key that is new right after the keys were fetched, then many that do not exist.
 *
 * @param {import('./http.mjs').Issuer} issuer
 * @param {string} resource
 */
export async function* rotation(issuer, resource) {
  await initialize(resource, await issuer.mint(resource));
  await issuer.rotate();
  const renewed = await initialize(resource, await issuer.mint(resource));
  yield ['rotation right after a fetch', String(renewed.status)];
  const before = await issuer.keyFetches();
  for (let sent = 0; sent < MANY; sent += 1) {
    await initialize(resource, await issuer.mint(resource, { broken: 'unknown-key-id' }));
  }
  yield [`${MANY} unknown kids: key fetches`, String((await issuer.keyFetches()) - before)];
}

/**
 * The issuer is unreachable when its keys are first needed, and back for the next request.
 *
 * @param {import('./http.mjs').Issuer} issuer
 * @param {string} resource
 */
export async function* outage(issuer, resource) {
  const token = await issuer.mint(resource);
  await issuer.mode('offline');
  try {
    const { status, headers } = await initialize(resource, token);
    yield ['issuer unreachable, no keys yet', String(status)];
    yield ['issuer unreachable: challenge', headers['www-authenticate'] ? 'yes' : 'no'];
  } finally {
    await issuer.mode('online');
  }
  yield ['issuer back, next request', String((await initialize(resource, token)).status)];
}
