/** What `mcp-auth-node/http` and `mcp-auth-node/express` offer. */
export { type AuthenticatedRequest, type Middleware, protect, protectListener } from './adapters/node.js';
export { caller } from './caller.js';
