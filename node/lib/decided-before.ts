import type { AuthInfo } from './auth-info.js';
import { McpAuthError } from './errors.js';
import type { McpAuth } from './mcp-auth.js';

/** A request that an {@link McpAuth} let through, with what was decided about. */
export interface Decided {
  readonly auth: McpAuth;
  readonly method: string;
  readonly target: string;
  readonly authInfo: AuthInfo | undefined;
}

/**
 * Whether a request that a `protect` around this one let through is the same: its token is gone, so that nobody can decide
 * again.
 *
 * @throws {McpAuthError} when it was decided by another `McpAuth`, or about another method or target: the token, which
 * would be needed to decide again, is gone
 */
export function isSameAsBefore(before: Decided, auth: McpAuth, method: string, target: string): boolean {
  if (before.auth === auth && before.method === method && before.target === target) return true;
  // Nobody was calling, so that no token is gone: this one decides by itself.
  if (!before.authInfo) return false;
  const reason =
    before.auth === auth
      ? `it was ${before.method} ${before.target} for the first and is ${method} ${target} for the second`
      : 'they are of two `McpAuth`: make one with both in `resources`, and protect once';
  throw new McpAuthError('decided_before', 500, `\`protect\` is twice around one request, and the first took the token away; ${reason}`);
}
