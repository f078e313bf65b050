/** Verification of JWTs with the options of the original, which are those of `jose`. */
import { createPublicKey, KeyObject, randomUUID } from 'node:crypto';

import type { Algorithm, AuthorizationServer, Limits } from '../config.js';
import { McpAuthError, refusalOf, TokenError } from '../errors.js';
import { McpAuth } from '../mcp-auth.js';
import type { Answered } from '../native.js';
import type { AuthInfo } from './auth-info.js';
import { originalAuthInfo } from './auth-info.js';
import { CannotTellError, MCPAuthAuthServerError, MCPAuthTokenVerificationError } from './errors.js';

/** Verifies a token; throws {@link MCPAuthTokenVerificationError} when it is not acceptable. */
export type VerifyAccessTokenFunction = (token: string) => AuthInfo | Promise<AuthInfo>;

/** Those options of `jose`'s `jwtVerify` that mean something here; another one is an error. */
export interface JwtVerifyOptions {
  algorithms?: string[];
  audience?: string | string[];
  /** In seconds. */
  clockTolerance?: number;
  issuer?: string | string[];
  /** `at+jwt`, which is then required; otherwise `JWT` and none are fine too. */
  typ?: string;
}

/** Those options of `jose`'s `createRemoteJWKSet` that mean something here, in milliseconds. */
export interface RemoteJwkSetOptions {
  cacheMaxAge?: number;
  timeoutDuration?: number;
  /** Taken and not needed: fetches have a budget, so that a new key is found at once. */
  cooldownDuration?: number;
}

export type VerifyJwtConfig = {
  jwtVerify?: JwtVerifyOptions;
  remoteJwkSet?: RemoteJwkSetOptions;
};

type Server = Exclude<AuthorizationServer, string>;

/** The options as settings of ours. */
export interface Settings {
  server: Partial<Server>;
  audiences: string[] | undefined;
  issuers: string[] | undefined;
  limits: Limits;
}

/** @throws {MCPAuthAuthServerError} for an option that nothing here would heed */
export function settingsOf({ jwtVerify = {}, remoteJwkSet = {} }: VerifyJwtConfig): Settings {
  const { algorithms, audience, clockTolerance, issuer, typ, ...others } = jwtVerify;
  const { cacheMaxAge, timeoutDuration, cooldownDuration: _, ...remoteOthers } = remoteJwkSet;
  // `jose` has options whose name is a symbol.
  const unknown = [...Reflect.ownKeys(others), ...Reflect.ownKeys(remoteOthers)].map((name) => `\`${String(name)}\``);
  for (const [name, value] of Object.entries({ clockTolerance, cacheMaxAge, timeoutDuration })) {
    if (value !== undefined && typeof value !== 'number') unknown.push(`\`${name}\` that is no number`);
  }
  const requireAtJwt = typ === undefined ? undefined : ['at+jwt', 'application/at+jwt'].includes(typ.toLowerCase());
  if (requireAtJwt === false) unknown.push('a `typ` besides `at+jwt`');
  if (unknown.length > 0) throw wrong(`${unknown.join(', ')} cannot be used here`);
  return {
    // The original has no caller without a name.
    // Names that there are not are a fault of the configuration.
    server: { algorithms: algorithms as Algorithm[] | undefined, requireAtJwt, requireSubject: true },
    audiences: audience === undefined ? undefined : [audience].flat(),
    issuers: issuer === undefined ? undefined : [issuer].flat(),
    limits: {
      clockTolerance,
      fetchTimeout: timeoutDuration === undefined ? undefined : timeoutDuration / 1000,
      keyMaxAge: cacheMaxAge === undefined ? undefined : cacheMaxAge / 1000,
    },
  };
}

/** A key as `jose` knows it. */
export type Key = KeyObject | CryptoKey | { kty?: string; [member: string]: unknown };

/**
 * Finds the key for a token, as `jose`'s `createRemoteJWKSet` and `createLocalJWKSet` make it. It sees `alg` and `kid`,
 * and nothing else of the token: a key is not chosen by what a stranger wrote.
 */
export type GetKey = (header: never, token: never) => Key | Promise<Key>;

/** A resource that no token is for, where audiences alone are configured. */
export function nobody(): string {
  return `https://${randomUUID()}.invalid`;
}

/** Keys that are remembered for one function: an issuer has a handful. */
const MOST_KEYS = 16;

/**
 * A function that verifies JWTs with keys that you find, or with one key. `options.issuer` and `options.audience` are
 * required: a signature alone does not say for whom a token is.
 *
 * @throws {MCPAuthAuthServerError} when one of them is missing, or an option cannot be heeded
 */
export function createVerifyJwt(getKey: GetKey | Key, options: JwtVerifyOptions = {}): VerifyAccessTokenFunction {
  const { server, limits, issuers = [], audiences = [] } = settingsOf({ jwtVerify: options });
  if (issuers.length === 0 || audiences.length === 0) {
    const missing = issuers.length === 0 ? "issuer: 'https://auth.example.com'" : "audience: 'https://mcp.example.com/mcp'";
    throw wrong(`createVerifyJwt needs one more line in its options: \`${missing},\``);
  }
  const resource = nobody();
  const construct = (jwks?: { keys: object[] }) => {
    const authorizationServers = issuers.map((issuer) => ({ ...server, issuer, jwks }));
    return new McpAuth({ ...limits, resource, audiences, authorizationServers });
  };
  const withoutKeys = construct();
  const verifiers = new Map<string, McpAuth>();
  const verifierFor = (jwk: object) => {
    const text = JSON.stringify(jwk);
    let verifier = verifiers.get(text);
    if (!verifier) {
      verifier = construct({ keys: [jwk] });
      if (verifiers.size >= MOST_KEYS) verifiers.clear();
      verifiers.set(text, verifier);
    }
    return verifier;
  };
  return async (token) => {
    try {
      const header = keyHint(withoutKeys, token);
      const key = typeof getKey === 'function' ? await find(getKey, header) : getKey;
      const jwk = { ...publicJwk(key), ...('kid' in header && { kid: header.kid }) };
      return originalAuthInfo(await verifierFor(jwk).verifyAccessToken(token), token);
    } catch (error) {
      throw refused(error);
    }
  };
}

/** @throws {McpAuthError} when no key could verify this */
function keyHint(auth: McpAuth, token: string): { alg: string; kid?: string } {
  const hint = auth.native.unverifiedKeyHint(token);
  if (typeof hint !== 'string') throw refusalOf((hint as Answered).refusal ?? '');
  return JSON.parse(hint) as { alg: string; kid?: string };
}

/** The key; a failure to find one is no fault of the token, unless the keys are there and it is not among them. */
async function find(getKey: GetKey, header: object): Promise<Key> {
  try {
    return await getKey(header as never, {} as never);
  } catch (error) {
    if (codeOf(error) === NO_MATCHING_KEY) throw error;
    throw new CannotTellError('token_verification_failed', { cause: error });
  }
}

const NO_MATCHING_KEY = 'ERR_JWKS_NO_MATCHING_KEY';

/** What `jose` calls our refusals. */
const CODES: Record<string, string> = {
  algorithm_not_allowed: 'ERR_JOSE_ALG_NOT_ALLOWED',
  bad_signature: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
  expired: 'ERR_JWT_EXPIRED',
  malformed: 'ERR_JWS_INVALID',
  missing_claim: 'ERR_JWT_CLAIM_VALIDATION_FAILED',
  not_yet_valid: 'ERR_JWT_CLAIM_VALIDATION_FAILED',
  unknown_issuer: 'ERR_JWT_CLAIM_VALIDATION_FAILED',
  unknown_key: NO_MATCHING_KEY,
  wrong_audience: 'ERR_JWT_CLAIM_VALIDATION_FAILED',
  wrong_type: 'ERR_JWT_CLAIM_VALIDATION_FAILED',
};

function refused(error: unknown): MCPAuthTokenVerificationError {
  if (error instanceof MCPAuthTokenVerificationError) return error;
  if (error instanceof TokenError && error.code === 'missing_claim' && error.claim === 'sub') {
    const cause = 'The JWT payload does not contain the `sub` field or it is malformed.';
    return new MCPAuthTokenVerificationError('invalid_token', { cause });
  }
  const code = error instanceof McpAuthError ? CODES[error.code] : codeOf(error);
  return new MCPAuthTokenVerificationError('invalid_token', { code: code ?? 'JWT_VERIFICATION_FAILED', cause: error });
}

/** The code of an error of `jose`. Reading what somebody threw can throw again. */
function codeOf(error: unknown): string | undefined {
  try {
    return (error as { code?: unknown } | null)?.code === NO_MATCHING_KEY ? NO_MATCHING_KEY : undefined;
  } catch {
    return undefined;
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

/** What the configuration lacks, or has and must not have. */
export function wrong(cause: string): MCPAuthAuthServerError {
  return new MCPAuthAuthServerError('invalid_server_config', { cause });
}
