/** Authentication and authorization for MCP servers. See docs/node.md. */
export { AuthInfo } from './auth-info.js';
export type {
  AuthorizationServer,
  Config,
  ConfigData,
  Introspection,
  Limits,
  ProtectedResource,
  Requirement,
  ScopePolicy,
} from './config.js';
export * from './errors.js';
export type { Authorize, Operation, Verdict, VerifyToken } from './functions.js';
export { McpAuth, type Options, type TokenVerifier } from './mcp-auth.js';
export type { Allowed } from './web.js';

// The original's surface; its `AuthInfo` has another name beside ours.
export type { AuthInfo as OriginalAuthInfo } from './original/auth-info.js';
export * from './original/index.js';
