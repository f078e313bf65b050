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

export function originalAuthInfo(caller: Caller, token: string): AuthInfo {
  const { issuer, clientId, scopes, expiresAt, subject, claims } = caller;
  const audience = claims.aud as string | string[] | undefined;
  return { token, issuer, clientId, scopes, expiresAt, subject, audience, claims };
}

/** What a function of the user's found out, as claims. */
export function claimsOf({ issuer, clientId, scopes, expiresAt, subject, audience, claims }: AuthInfo): Record<string, unknown> {
  return {
    ...claims,
    iss: issuer,
    client_id: clientId || undefined,
    scope: scopes.join(' '),
    exp: expiresAt,
    sub: subject,
    aud: audience,
  };
}
