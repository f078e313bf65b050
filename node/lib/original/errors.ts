/** Errors of the original's surface, with its names and codes. */

/** What every error of this surface is. */
export class MCPAuthError extends Error {
  override name = 'MCPAuthError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }

  /** For the body of a response; the cause only when asked for. */
  toJson(showCause = false): Record<string, unknown> {
    const json: Record<string, unknown> = { error: this.code, errorDescription: this.message };
    if (showCause && this.cause !== undefined) json.cause = this.cause;
    return json;
  }
}

/** A server's configuration could not be fetched, or is not usable. */
export class MCPAuthConfigError extends MCPAuthError {
  override name = 'MCPAuthConfigError';
}

export type AuthServerErrorCode = 'invalid_server_metadata' | 'invalid_server_config' | 'missing_jwks_uri';

const AUTH_SERVER_ERRORS: Record<AuthServerErrorCode, string> = {
  invalid_server_metadata: 'the metadata of the authorization server is malformed',
  invalid_server_config: 'the authorization server is not what the MCP specification asks for',
  missing_jwks_uri: 'the metadata of the authorization server has no `jwks_uri`, which JWTs need',
};

/** Something is wrong with an authorization server, or with what was said about it. */
export class MCPAuthAuthServerError extends MCPAuthError {
  override name = 'MCPAuthAuthServerError';
  declare readonly code: AuthServerErrorCode;

  constructor(code: AuthServerErrorCode, cause?: unknown) {
    const detail = cause as { cause?: unknown } | undefined;
    super(code, typeof detail?.cause === 'string' ? detail.cause : AUTH_SERVER_ERRORS[code]);
    this.cause = cause;
  }
}

export type BearerAuthErrorCode =
  | 'missing_auth_header'
  | 'invalid_auth_header_format'
  | 'missing_bearer_token'
  | 'invalid_issuer'
  | 'invalid_audience'
  | 'missing_required_scopes'
  | 'invalid_token';

const BEARER_AUTH_ERRORS: Record<BearerAuthErrorCode, string> = {
  missing_auth_header: 'the request has no `Authorization` header',
  invalid_auth_header_format: 'the `Authorization` header is not `Bearer` and one token',
  missing_bearer_token: 'the `Authorization` header has no token',
  invalid_issuer: 'the issuer is not trusted here',
  invalid_audience: 'the access token was issued for another resource',
  missing_required_scopes: 'the access token lacks a required scope',
  invalid_token: 'the access token is not acceptable',
};

/** What is known besides the code. */
export interface MCPAuthBearerAuthErrorDetails {
  cause?: unknown;
  uri?: URL;
  missingScopes?: string[];
  expected?: unknown;
  actual?: unknown;
}

/** A request is refused. */
export class MCPAuthBearerAuthError extends MCPAuthError {
  override name = 'MCPAuthBearerAuthError';
  declare readonly code: BearerAuthErrorCode;
  declare readonly cause?: MCPAuthBearerAuthErrorDetails;
  /** A refusal, wherever errors are told apart by status. */
  readonly status = 401;

  constructor(code: BearerAuthErrorCode, cause?: MCPAuthBearerAuthErrorDetails) {
    super(code, BEARER_AUTH_ERRORS[code]);
    this.cause = cause;
  }

  override toJson(showCause = false): Record<string, unknown> {
    const { uri, missingScopes } = this.cause ?? {};
    return { ...super.toJson(showCause), ...(uri && { errorUri: uri.href }), ...(missingScopes && { missingScopes }) };
  }
}

export type MCPAuthTokenVerificationErrorCode = 'invalid_token' | 'token_verification_failed';

const VERIFICATION_ERRORS: Record<MCPAuthTokenVerificationErrorCode, string> = {
  invalid_token: 'the access token is not acceptable',
  token_verification_failed: 'the access token could not be verified',
};

/** A token is refused; thrown by functions that verify tokens. */
export class MCPAuthTokenVerificationError extends MCPAuthError {
  override name = 'MCPAuthTokenVerificationError';
  declare readonly code: MCPAuthTokenVerificationErrorCode;
  /** A bad token, or no way to tell. */
  readonly status: 401 | 503;

  constructor(code: MCPAuthTokenVerificationErrorCode, cause?: unknown) {
    super(code, VERIFICATION_ERRORS[code]);
    this.status = code === 'invalid_token' ? 401 : 503;
    this.cause = cause;
  }
}
