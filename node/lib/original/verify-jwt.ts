/** Verification of JWTs with the options of the original, which are those of `jose`. */
import { createPublicKey, KeyObject, randomUUID } from 'node:crypto';

import type { AuthorizationServer, Limits, ProtectedResource } from '../config.js';
import { McpAuthError } from '../errors.js';
import { McpAuth } from '../mcp-auth.js';
import type { AuthInfo } from './auth-info.js';
import { originalAuthInfo } from './auth-info.js';
import { MCPAuthAuthServerError, MCPAuthTokenVerificationError } from './errors.js';

/** Verifies a token; throws {@link MCPAuthTokenVerificationError} when it is not acceptable. */
export type VerifyAccessTokenFunction = (token: string) => AuthInfo | Promise<AuthInfo>;

/** Those options of `jose`'s `jwtVerify` that mean something here; another one is an error. */
export interface JwtVerifyOptions {
  algorithms?: string[];
  audience?: string | string[];
  /** In seconds. */
  clockTolerance?: number;
  issuer?: string | string[];
  /** `at+jwt` requires it; otherwise `JWT` and none are fine too. */
  typ?: string;
}

/** Those options of `jose`'s `createRemoteJWKSet` that mean something here, in milliseconds. */
export interface RemoteJwkSetOptions {
  cacheMaxAge?: number;
  timeoutDuration?: number;
  /** Taken and not needed: fetches have a budget, so that a new key is found at once. */
  cooldownDuration?: number;
}

export interface VerifyJwtConfig {
  jwtVerify?: JwtVerifyOptions;
  remoteJwkSet?: RemoteJwkSetOptions;
}

type Server = Exclude<AuthorizationServer, string>;

/** The options as settings of ours. */
export function settingsOf({ jwtVerify = {}, remoteJwkSet = {} }: VerifyJwtConfig): {
  server: Partial<Server>;
  resource: Pick<ProtectedResource, 'audiences'>;
  limits: Limits;
} {
  const { algorithms, audience, clockTolerance, issuer: _, typ, ...others } = jwtVerify;
  const { cacheMaxAge, timeoutDuration, cooldownDuration: __, ...remoteOthers } = remoteJwkSet;
  const unknown = [...Object.keys(others), ...Object.keys(remoteOthers)];
  if (unknown.length > 0 || typeof clockTolerance === 'string') {
    const names = unknown.length > 0 ? unknown.map((name) => `\`${name}\``).join(', ') : 'a text as `clockTolerance`';
    throw new MCPAuthAuthServerError('invalid_server_config', { cause: `${names} cannot be used here` });
  }
  const requireAtJwt = typ === undefined ? undefined : /^(application\/)?at\+jwt$/i.test(typ);
  return {
    server: { algorithms, requireAtJwt },
    resource: { audiences: audience === undefined ? undefined : [audience].flat() },
    limits: {
      clockTolerance,
      fetchTimeout: timeoutDuration === undefined ? undefined : timeoutDuration / 1000,
      keyMaxAge: cacheMaxAge === undefined ? undefined : cacheMaxAge / 1000,
    },
  };
}

/** A key as `jose` knows it. */
export type Key = KeyObject | CryptoKey | { kty?: string; [member: string]: unknown };

/** Finds the key for a token, as `jose`'s `createRemoteJWKSet` and `createLocalJWKSet` make it. */
export type GetKey = (header: never, token: never) => Key | Promise<Key>;

/** A resource that no token is for, where audiences alone are configured. */
export function nobody(): string {
  return `https://${randomUUID()}.invalid`;
}

/** Keys that are remembered for one function: an issuer has a handful. */
const MOST_KEYS = 16;

/**
 * A function that verifies JWTs with keys that you find. `options.issuer` and `options.audience` are
 * required: a signature alone does not say for whom a token is.
 */
export function createVerifyJwt(getKey: GetKey, options: JwtVerifyOptions = {}): VerifyAccessTokenFunction {
  const issuers = [options.issuer ?? []].flat();
  const audiences = [options.audience ?? []].flat();
  if (issuers.length === 0 || audiences.length === 0) {
    const missing = issuers.length === 0 ? "issuer: 'https://auth.example.com'" : "audience: 'https://mcp.example.com/mcp'";
    throw new MCPAuthAuthServerError('invalid_server_config', {
      cause: `createVerifyJwt needs one more line in its options: \`${missing},\``,
    });
  }
  const { server, limits } = settingsOf({ jwtVerify: options });
  const verifiers = new Map<string, McpAuth>();
  const verifierFor = (jwk: object) => {
    const text = JSON.stringify(jwk);
    let verifier = verifiers.get(text);
    if (!verifier) {
      const authorizationServers = issuers.map((issuer) => ({ ...server, issuer, jwks: { keys: [jwk] } }));
      verifier = new McpAuth({ ...limits, resource: nobody(), audiences, authorizationServers });
      if (verifiers.size >= MOST_KEYS) verifiers.clear();
      verifiers.set(text, verifier);
    }
    return verifier;
  };
  return async (token) => {
    const [header = '', payload = '', signature = ''] = token.split('.');
    try {
      const protectedHeader = JSON.parse(Buffer.from(header, 'base64url').toString()) as { alg?: string; kid?: string };
      const key = await find(getKey, protectedHeader, { protected: header, payload, signature });
      const jwk = { ...publicJwk(key), ...(protectedHeader.kid !== undefined && { kid: protectedHeader.kid }) };
      return originalAuthInfo(await verifierFor(jwk).verifyAccessToken(token), token);
    } catch (error) {
      if (error instanceof MCPAuthTokenVerificationError) throw error;
      const code = error instanceof McpAuthError ? error.code : 'malformed';
      throw new MCPAuthTokenVerificationError('invalid_token', { code, cause: error });
    }
  };
}

/** The key; a failure to find one is no fault of the token, unless the keys are there and it is not among them. */
async function find(getKey: GetKey, header: object, token: object): Promise<Key> {
  try {
    return await getKey(header as never, token as never);
  } catch (error) {
    throw new MCPAuthTokenVerificationError(isNoMatch(error) ? 'invalid_token' : 'token_verification_failed', { cause: error });
  }
}

/** Reading what somebody threw can throw again. */
function isNoMatch(error: unknown): boolean {
  try {
    return (error as { code?: unknown } | null)?.code === 'ERR_JWKS_NO_MATCHING_KEY';
  } catch {
    return false;
  }
}

/** The public half alone, whatever it is given as. */
function publicJwk(key: Key): object {
  if (key instanceof KeyObject) {
    if (key.type === 'secret') throw new TypeError('a secret cannot verify tokens here: use a public key');
    return (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });
  }
  if ('kty' in key && typeof key.kty === 'string') return createPublicKey({ key: key as never, format: 'jwk' }).export({ format: 'jwk' });
  return publicJwk(KeyObject.from(key as CryptoKey));
}
