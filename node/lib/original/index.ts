/** The original's surface: the names of npm `mcp-auth` 0.2. See docs/node.md. */
export type { AuthInfo } from './auth-info.js';
export { type BearerAuthConfig, handleBearerAuth, type ValidateIssuerFunction } from './bearer-auth.js';
export {
  authServerErrorDescription,
  type AuthServerErrorCode,
  bearerAuthErrorDescription,
  type BearerAuthErrorCode,
  MCPAuthAuthServerError,
  MCPAuthBearerAuthError,
  type MCPAuthBearerAuthErrorDetails,
  MCPAuthConfigError,
  MCPAuthError,
  MCPAuthTokenVerificationError,
  type MCPAuthTokenVerificationErrorCode,
  tokenVerificationErrorDescription,
} from './errors.js';
export * from './mcp-auth.js';
export * from './metadata.js';
export * from './schemas.js';
export * from './validate.js';
export {
  createVerifyJwt,
  type GetKey,
  type JwtVerifyOptions,
  type Key,
  type RemoteJwkSetOptions,
  type VerifyAccessTokenFunction,
  type VerifyJwtConfig,
} from './verify-jwt.js';
