import type { AuthInfo as Caller } from '../auth-info.js';

/** The caller, as the original has it: a plain object, with the token in it. */
export interface AuthInfo {
  token: string;
  issuer: string;
  clientId: string;
  scopes: string[];
  expiresAt?: number;
  subject?: string;
  audience?: string | string[];
  claims?: Record<string, unknown>;
  resource?: URL;
  extra?: Record<string, unknown>;
}

/** What handlers get of a JWT. */
export function originalAuthInfo(caller: Caller, token: string): AuthInfo {
  const { issuer, clientId, scopes, subject, claims } = caller;
  const { aud, exp } = claims as { aud?: string | string[]; exp?: number };
  return { token, issuer, clientId, scopes, expiresAt: exp, subject, audience: aud, claims };
}

/** The answer of a function of the user's, as JSON has it. The token of the request is not written down once more. */
type Answer = Omit<AuthInfo, 'token' | 'resource'> & { token?: string; resource?: string };

/** What handlers get of a caller whose claims {@link claimsOf} made: never of a JWT, which could hold an answer too. */
export function answeredAuthInfo(caller: Caller, token: string): AuthInfo {
  const { resource, ...answer } = caller.claims.answer as Answer;
  const withToken = { ...answer, token: answer.token ?? token };
  return resource === undefined ? withToken : { ...withToken, resource: new URL(resource) };
}

/**
 * What a function of the user's found out, as claims: what is decided by, and beside it the whole for handlers. It is
 * read once, so that both are the same.
 */
export function claimsOf(found: AuthInfo, token: string): Record<string, unknown> {
  const { token: named, issuer, clientId, scopes, expiresAt, subject, audience, claims, resource, extra } = found;
  return {
    iss: issuer,
    client_id: clientId || undefined,
    // A text with a space in it is no scope, and not two of them.
    scope: scopes.filter((scope) => !scope.includes(' ')),
    exp: expiresAt,
    nbf: claims?.nbf,
    sub: subject,
    aud: audience,
    answer: { token: named === token ? undefined : named, issuer, clientId, scopes, expiresAt, subject, audience, claims, resource, extra },
  };
}
