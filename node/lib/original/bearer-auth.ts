/** Middleware that asks a function of the user's about tokens, and what it checks of the answers. */
import type { IncomingMessage } from 'node:http';

import { middleware, type Middleware } from '../adapters/node.js';
import type { Config, ProtectedResource } from '../config.js';
import { ConfigError, InsufficientScopeError, TokenError } from '../errors.js';
import { McpAuth, type Options } from '../mcp-auth.js';
import { type AuthInfo, answeredAuthInfo, claimsOf } from './auth-info.js';
import { MCPAuthBearerAuthError } from './errors.js';
import { nobody, type VerifyAccessTokenFunction, wrong } from './verify-jwt.js';

/** Throws `MCPAuthBearerAuthError('invalid_issuer')` when tokens of this issuer are not accepted. */
export type ValidateIssuerFunction = (tokenIssuer: string) => void;

export type BearerAuthConfig = {
  verifyAccessToken: VerifyAccessTokenFunction;
  /** The issuer, compared exactly, or a function that throws for an issuer that is not accepted. */
  issuer: string | ValidateIssuerFunction;
  /** For whom tokens must be. Default: the resource. */
  audience?: string;
  requiredScopes?: string[];
  /** The protected resource: challenges name its metadata. For `MCPAuth`, which of `protectedResources` it is about. */
  resource?: string;
  /** Says in responses what was compared. Only for development; it warns. */
  showErrorDetails?: boolean;
  /**
   * Accepts tokens for anybody. The original does that whenever `audience` is not given; here it has to be
   * asked for, because the MCP specification requires the check.
   */
  dangerouslyAcceptAnyAudience?: boolean;
};

/** What `MCPAuth` is told; it has a verification and issuers of its own. */
export type BearerAuthOptions = Omit<BearerAuthConfig, 'verifyAccessToken' | 'issuer'>;

/** What is compared of the answer of a function of the user's. */
export interface AnswerRules {
  validateIssuer: ValidateIssuerFunction;
  /** One of these; without any, an answer must name none. */
  audiences: string[];
  acceptsAnyAudience: boolean;
}

/**
 * Middleware for Express that lets requests go on, with `request.auth`, for whose token `verifyAccessToken` gives an
 * acceptable answer.
 *
 * @throws {TypeError} when `verifyAccessToken` or `issuer` cannot be used
 * @throws {MCPAuthAuthServerError} for an option that does not exist
 */
export function handleBearerAuth({ verifyAccessToken, issuer, ...options }: BearerAuthConfig): Middleware {
  if (typeof verifyAccessToken !== 'function') {
    throw new TypeError('`verifyAccessToken` must be a function that takes a token and returns an `AuthInfo` object.');
  }
  if (typeof issuer !== 'function' && typeof issuer !== 'string') {
    throw new TypeError('`issuer` must be either a string or a function that validates the token issuer.');
  }
  if (typeof issuer === 'string' && !URL.canParse(issuer)) throw new TypeError('`issuer` must be a valid URL.');
  checkNames(options);
  const audiences = audiencesOf(options);
  const validateIssuer = typeof issuer === 'function' ? issuer : issuerAmong([issuer]);
  const rules = { validateIssuer, audiences, acceptsAnyAudience: options.dangerouslyAcceptAnyAudience === true };
  // Nobody is told of an authorization server, and none is asked: the function decides about every token.
  const resource = { resource: options.resource ?? nobody(), authorizationServers: [nobody()] };
  return answering(verifyAccessToken, rules, options, resource, true);
}

/** Of requests that went on, whose header is gone: for a second middleware behind the first one. */
export const TOKENS = new WeakMap<IncomingMessage, string>();

/** Middleware that asks a function about every token. */
export function answering(
  verify: VerifyAccessTokenFunction,
  rules: AnswerRules,
  options: BearerAuthOptions,
  resource: ProtectedResource,
  servesNoMetadata = false,
): Middleware {
  if (rules.audiences.length === 0 && !rules.acceptsAnyAudience) {
    console.warn(
      'mcp-auth-node: neither `audience` nor `resource` is set: only the function that verifies tokens can know for whom they are.',
    );
  }
  const { requiredScopes = [], dangerouslyAcceptAnyAudience: dangerousAcceptAnyAudience } = options;
  const config = { resources: [{ ...resource, audiences: rules.audiences, requiredScopes, dangerousAcceptAnyAudience }] };
  const auth = construct(config, { verifyToken: checked(verify, rules), hideResourceMetadata: !options.resource });
  return middleware(auth, { showErrorDetails: showsDetails(options), caller: answeredAuthInfo, tokens: TOKENS, servesNoMetadata });
}

/** For whom tokens must be. */
export function audiencesOf({ audience, resource }: BearerAuthOptions): string[] {
  const either = audience ?? resource;
  return either === undefined ? [] : [either];
}

export function issuerAmong(issuers: string[]): ValidateIssuerFunction {
  return (actual) => {
    if (issuers.includes(actual)) return;
    throw new TokenError('unknown_issuer', 401, 'the issuer is not trusted here', { actual, expected: issuers });
  };
}

/** The function, with the checks that the original makes afterwards. */
function checked(verify: VerifyAccessTokenFunction, { validateIssuer, audiences, acceptsAnyAudience }: AnswerRules) {
  return async (token: string): Promise<Record<string, unknown>> => {
    // As plain data: what is checked is what is handed on.
    const claims = claimsOf(await asked(verify, token), token);
    const { iss, aud } = claims as { iss: string; aud?: string | string[] };
    // A function that should be synchronous and is not refuses by a rejection.
    await validateIssuer(iss);
    const actual = [aud ?? []].flat();
    const isOurs = audiences.length === 0 ? actual.length === 0 : actual.some((audience) => audiences.includes(audience));
    if (!isOurs && !acceptsAnyAudience) {
      throw new TokenError('wrong_audience', 401, 'the access token was issued for another resource', { actual, expected: audiences });
    }
    return claims;
  };
}

/** @throws {InsufficientScopeError} when the function says that scopes are missing, which is no fault of the token */
async function asked(verify: VerifyAccessTokenFunction, token: string): Promise<AuthInfo> {
  try {
    return await verify(token);
  } catch (error) {
    const isScope = error instanceof MCPAuthBearerAuthError && error.code === 'missing_required_scopes';
    if (!isScope) throw error;
    throw new InsufficientScopeError('insufficient_scope', 403, error.message, { required: error.cause?.missingScopes ?? [], granted: [] });
  }
}

/** @throws {MCPAuthAuthServerError} for what a `ConfigError` says */
export function construct(config: Config, options: Options = {}): McpAuth {
  try {
    return new McpAuth(config, options);
  } catch (error) {
    throw error instanceof ConfigError ? wrong(error.message) : error;
  }
}

const OPTIONS = ['resource', 'audience', 'dangerouslyAcceptAnyAudience', 'requiredScopes', 'showErrorDetails'];

/** A misspelt option would be a rule that does not exist. */
export function checkNames(options: object): void {
  const unknown = Object.keys(options).filter((name) => !OPTIONS.includes(name));
  if (unknown.length > 0) throw wrong(`\`bearerAuth\` has no option \`${unknown.join('`, `')}\``);
}

/** Whether responses say what was compared; it warns, as settings do that weaken something. */
export function showsDetails({ showErrorDetails }: BearerAuthOptions): boolean {
  if (showErrorDetails !== true) return false;
  console.warn('mcp-auth-node: `showErrorDetails` is set: responses tell everybody what was compared. Only for development.');
  return true;
}
