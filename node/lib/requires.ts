import { caller } from './caller.js';
import { handledAs } from './current-caller.js';
import { InsufficientScopeError } from './errors.js';

/** What a client gets in place of a result, once it is too late for a 403. */
interface Refused {
  [member: string]: unknown;
  content: { type: 'text'; text: string }[];
  isError: true;
  _meta: { 'mcp/www_authenticate': string[] };
}

/**
 * A tool, prompt or resource of the official SDK that needs scopes, declared beside it:
 *
 * ```ts
 * server.registerTool('delete', { inputSchema }, requires('notes:write', ({ id }, extra) => …));
 * server.registerTool('share', { inputSchema }, requires([], async ({ id }, extra) => {
 *   if (!mine(id)) caller(extra).require('notes:share'); // a scope that depends on the arguments
 *   …
 * }));
 * ```
 *
 * A caller without them gets the 403 that makes clients ask the user for more, before the handler runs; and so does one of
 * whom the handler asks more. Once something was sent, the result is an error that carries the challenge in
 * `_meta["mcp/www_authenticate"]`. A handler that catches the error and returns a result has withdrawn what it asked for.
 *
 * Lists show it all the same, as with `tools` of a policy: what a new token could unlock is listed. Where the policy has
 * `strictLists`, `denyUndeclared` or `implies`, name it there.
 */
export function requires<Handler extends (...given: never[]) => unknown>(
  scopes: string | readonly string[],
  handler: Handler,
): ((...given: Parameters<Handler>) => Promise<Awaited<ReturnType<Handler>>>) & Handler;
export function requires(scopes: string | readonly string[], handler: (...given: unknown[]) => unknown): (...given: unknown[]) => Promise<unknown> {
  const needed = [scopes].flat();
  const isWrong = needed.some((scope) => typeof scope !== 'string' || scope === '' || /\s/.test(scope));
  if (isWrong || typeof handler !== 'function') {
    throw new TypeError("`requires` takes scopes and the handler: `requires(['notes:read', 'notes:write'], (given, extra) => …)`");
  }
  return async (...given) => {
    // The SDK hands over what is known of the request last, behind the arguments if there are any.
    const who = caller((given.at(-1) ?? {}) as object);
    try {
      who.require(...needed);
      const result = await handledAs(() => ({ authInfo: who, isAnswered: () => false }), () => handler(...given));
      who.withdrawRefusal();
      return result;
    } catch (error) {
      if (!(error instanceof InsufficientScopeError) || error.challenge === undefined) throw error;
      return refused(error, error.challenge);
    }
  };
}

function refused({ required }: InsufficientScopeError, challenge: string): Refused {
  const text = `the access token lacks a required scope: ${required.join(' ')}`;
  return { content: [{ type: 'text', text }], isError: true, _meta: { 'mcp/www_authenticate': [challenge] } };
}
