/** Errors of the original's surface, with its names, codes and sentences. */

/** What every error of this surface is. */
export class MCPAuthError extends Error {
  override name = 'MCPAuthError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }

  /** For the body of a response; the cause only when asked for. What is empty is left out. */
  toJson(showCause = false): Record<string, unknown> {
    return withoutEmpty({ error: this.code, errorDescription: this.message, cause: showCause && this.cause });
  }
}

/** A server's configuration could not be fetched, or is not usable. */
export class MCPAuthConfigError extends MCPAuthError {
  override name = 'MCPAuthConfigError';
}

export type AuthServerErrorCode = 'invalid_server_metadata' | 'invalid_server_config' | 'missing_jwks_uri';

/** What {@link MCPAuthAuthServerError} says for each code. */
export const authServerErrorDescription: Readonly<Record<AuthServerErrorCode, string>> = Object.freeze({
  invalid_server_metadata: 'The server metadata is invalid or malformed.',
  invalid_server_config: 'The server configuration does not match the MCP specification.',
  missing_jwks_uri: 'The server metadata does not contain a JWKS URI, which is required for JWT verification.',
});

/** Something is wrong with an authorization server, or with what was said about it: `cause` says what. */
export class MCPAuthAuthServerError extends MCPAuthError {
  override name = 'MCPAuthAuthServerError';
  declare readonly code: AuthServerErrorCode;
  override readonly cause?: unknown;

  constructor(code: AuthServerErrorCode, cause?: unknown) {
    super(code, authServerErrorDescription[code] || 'An error occurred with the authorization server.');
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

/** What {@link MCPAuthBearerAuthError} says for each code. */
export const bearerAuthErrorDescription: Readonly<Record<BearerAuthErrorCode, string>> = Object.freeze({
  missing_auth_header: 'Missing `Authorization` header. Please provide a valid bearer token.',
  invalid_auth_header_format: 'Invalid `Authorization` header format. Expected "Bearer <token>".',
  missing_bearer_token: 'Missing bearer token in `Authorization` header. Please provide a valid token.',
  invalid_issuer: 'The token issuer does not match the expected issuer.',
  invalid_audience: 'The token audience does not match the expected audience.',
  missing_required_scopes: 'The token does not contain the necessary scopes for this request.',
  invalid_token: 'The provided token is not valid or has expired.',
});

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
  override readonly cause?: MCPAuthBearerAuthErrorDetails;

  constructor(code: BearerAuthErrorCode, cause?: MCPAuthBearerAuthErrorDetails) {
    super(code, bearerAuthErrorDescription[code] || 'An error occurred with the Bearer auth.');
    this.cause = cause;
  }

  /** A refusal, wherever errors are told apart by status. */
  get status(): 401 {
    return 401;
  }

  override toJson(showCause = false): Record<string, unknown> {
    const { uri, missingScopes } = this.cause ?? {};
    return withoutEmpty({ ...super.toJson(showCause), errorUri: uri?.href, missingScopes });
  }
}

export type MCPAuthTokenVerificationErrorCode = 'invalid_token' | 'token_verification_failed';

/** What {@link MCPAuthTokenVerificationError} says for each code. */
export const tokenVerificationErrorDescription: Readonly<Record<MCPAuthTokenVerificationErrorCode, string>> = Object.freeze({
  invalid_token: 'The provided token is invalid or malformed.',
  token_verification_failed: 'Token verification failed due to an error.',
});

/** A token is refused; thrown by functions that verify tokens. */
export class MCPAuthTokenVerificationError extends MCPAuthError {
  override name = 'MCPAuthTokenVerificationError';
  declare readonly code: MCPAuthTokenVerificationErrorCode;
  override readonly cause?: unknown;

  constructor(code: MCPAuthTokenVerificationErrorCode, cause?: unknown) {
    super(code, tokenVerificationErrorDescription[code] || 'An error occurred while verifying the token.');
    this.cause = cause;
  }

  /** A refusal, wherever errors are told apart by status. */
  get status(): 401 | 503 {
    return 401;
  }
}

/** Whether a token is good cannot be told right now: its key could not be had. */
export class CannotTellError extends MCPAuthTokenVerificationError {
  override get status(): 503 {
    return 503;
  }
}

function withoutEmpty(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => Boolean(value)));
}
