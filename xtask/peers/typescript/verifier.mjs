// @ts-check
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';

/**
 * A verifier for both generations of the official SDK: jose as it documents itself, and the refusal
 * that the SDK documents for tokens. Whatever else goes wrong is left to the SDK.
 *
 * @param {string} issuer
 * @param {string} resource
 * @param {(message: string) => Error} invalidToken  Its message goes into the challenge as it is.
 */
export function verifier(issuer, resource, invalidToken) {
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  /** @param {string} token */
  const verifyAccessToken = async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, { issuer, audience: resource });
      const scopes = String(payload.scope ?? '').split(' ');
      return { token, clientId: String(payload.client_id ?? ''), scopes, expiresAt: payload.exp };
    } catch (error) {
      throw error instanceof errors.JOSEError ? invalidToken('invalid token') : error;
    }
  };
  return { verifyAccessToken };
}
