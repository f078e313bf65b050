// @ts-check
import { initialize } from './http.mjs';

/**
 * Tokens by what is special about them, as parameters of the issuer's `/dev/mint`. `''` leaves out a default.
 *
 * @type {[string, (resource: string) => Record<string, string>][]}
 */
const TOKENS = [
  ['valid', () => ({})],
  ['valid, typ JWT', () => ({ typ: 'JWT' })],
  ['valid, no typ', () => ({ without_header: 'typ' })],
  ['valid, aud is a list', (resource) => ({ 'claim.aud': JSON.stringify(['https://other.example', resource]) })],
  ['valid, 20 KiB', () => ({ 'claim.filling': 'x'.repeat(15_000) })],
  ['no aud', () => ({ without: 'aud' })],
  ['aud of another server', () => ({ resource: 'https://other.example/mcp' })],
  ['aud is the origin alone', (resource) => ({ resource: new URL(resource).origin })],
  ['aud is a longer path', (resource) => ({ resource: `${resource}/more` })],
  ['expired', () => ({ expires_in: '-3600' })],
  ['no exp', () => ({ without: 'exp' })],
  ['nbf in an hour', () => ({ not_before_in: '3600', expires_in: '7200' })],
  ['another issuer', () => ({ issuer: 'https://other.example' })],
  ['no iss', () => ({ without: 'iss' })],
  ['alg none', () => ({ broken: 'algorithm-none' })],
  ['HS256 with the public key', () => ({ broken: 'hmac-with-public-key' })],
  ['signature changed', () => ({ broken: 'signature' })],
  ['payload changed', () => ({ broken: 'payload' })],
  ['key not published, known kid', () => ({ broken: 'foreign-key' })],
  ['key in the header', () => ({ broken: 'embedded-key' })],
  ['unknown kid', () => ({ broken: 'unknown-key-id' })],
  ['crit nobody knows', () => ({ broken: 'critical-header' })],
  ['typ of a logout token', () => ({ typ: 'logout+jwt' })],
  ['ID token', () => ({ broken: 'id-token', scope: '' })],
  ['ID token with a scope', () => ({ broken: 'id-token', 'claim.scope': 'mcp' })],
  ['bound to a key (cnf)', () => ({ broken: 'sender-constrained' })],
  ['sub twice', () => ({ broken: 'duplicate-claim' })],
  ['base64 padding', () => ({ broken: 'padding' })],
  ['no signature part', () => ({ broken: 'truncated' })],
  ['payload is not JSON', () => ({ broken: 'not-json' })],
  ['iat in an hour', () => ({ 'claim.iat': String(Math.floor(Date.now() / 1000) + 3600) })],
  ['without the scope', () => ({ scope: 'other' })],
];

/**
 * Sends every token; `valid` ones must be accepted, the others refused.
 *
 * @param {import('./http.mjs').Issuer} issuer
 * @param {string} resource
 */
export async function* tokens(issuer, resource) {
  for (const [name, parameters] of TOKENS) {
    const token = await issuer.mint(resource, parameters(resource));
    const { status } = await initialize(resource, token);
    yield [name, String(status)];
  }
}
