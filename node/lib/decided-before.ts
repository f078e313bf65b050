import type { AuthInfo } from './auth-info.js';
import { McpAuthError } from './errors.js';
import type { McpAuth } from './mcp-auth.js';

/** A request that an {@link McpAuth} let through, with what was decided about. */
interface Decided {
  auth: McpAuth;
  method: string;
  target: string;
  authInfo: AuthInfo | undefined;
}

/** By the request that went on: its token is gone, so that nobody can decide again. */
const decided = new WeakMap<object, Decided>();

/** Remembers a request that went on. */
export function remember(request: object, decision: Decided): void {
  decided.set(request, decision);
}

/**
 * What was decided about the same request before, by a `protect` around this one.
 *
 * @throws {McpAuthError} when it was decided by another `McpAuth`, or about another method or target: the token, which
 * would be needed to decide again, is gone
 */
export function decidedBefore(request: object, auth: McpAuth, method: string, target: string): Decided | undefined {
  const before = decided.get(request);
  if (!before) return undefined;
  if (before.auth === auth && before.method === method && before.target === target) return before;
  // Nobody was calling, so that no token is gone: this one decides by itself.
  if (!before.authInfo) return undefined;
  const reason =
    before.auth === auth
      ? `it was ${before.method} ${before.target} for the first and is ${method} ${target} for the second`
      : 'they are of two `McpAuth`: make one with both in `resources`, and protect once';
  throw new McpAuthError('decided_before', 500, `\`protect\` is twice around one request, and the first took the token away; ${reason}`);
}
