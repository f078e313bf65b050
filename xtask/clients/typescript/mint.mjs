// @ts-check
import assert from 'node:assert/strict';

/**
 * A token of the development issuer, without any sign-in.
 *
 * @param {typeof fetch} fetch
 * @param {string} issuer
 * @param {Record<string, string>} parameters
 */
export async function mint(fetch, issuer, parameters) {
  const response = await fetch(`${issuer}/dev/mint`, { method: 'POST', body: new URLSearchParams(parameters) });
  assert.equal(response.status, 200, 'POST /dev/mint');
  return (await response.text()).trim();
}
