/** Authentication and authorization for MCP servers. See docs/node.md. */
export { AuthInfo } from './auth-info.js';
export { caller } from './caller.js';
export type {
  Algorithm,
  ArgumentRule,
  AuthorizationServer,
  Config,
  ConfigData,
  FailureLimit,
  FailureLimits,
  Introspection,
  Limits,
  ProtectedResource,
  Redis,
  Requirement,
  ScopePolicy,
  SharedStore,
} from './config.js';
export { Downstream, DownstreamToken } from './downstream.js';
export { elicits } from './elicits.js';
export {
  ConfigError,
  DownstreamError,
  ForbiddenError,
  InsufficientScopeError,
  McpAuthError,
  RequestError,
  StateError,
  TokenError,
  TooManyFailuresError,
  UnavailableError,
  type UrlElicitation,
  type UrlElicitationRequired,
} from './errors.js';
export type { Authorize, Operation, RevocationCheck, Verdict, VerifyToken } from './functions.js';
export { type LogFields, type Logger, type LogLevel, setLogger } from './log.js';
export { McpAuth, type Options, type TokenVerifier } from './mcp-auth.js';
export { requires } from './requires.js';
export type { Revocation } from './revocation.js';
export type { StateSealer } from './state.js';
export type { Allowed } from './web.js';

// The original's surface; its `AuthInfo` has another name beside ours.
export type { AuthInfo as OriginalAuthInfo } from './original/auth-info.js';
export * from './original/index.js';
