import { DownstreamError, type UrlElicitation } from './errors.js';

/** `UrlElicitationRequiredError` of the official SDK, of 1.x or 2.x. */
type RequiredError = new (elicitations: UrlElicitation[], message?: string) => Error;

/**
 * A tool of the official SDK that calls an API to which users connect their accounts. What they have to open first
 * becomes the error with which clients open it, -32042:
 *
 * ```ts
 * import { UrlElicitationRequiredError } from '@modelcontextprotocol/sdk/types.js';
 * server.registerTool('issues', {}, elicits(UrlElicitationRequiredError, async (extra) => {
 *   const token = await auth.downstream('github').tokenFor(extra);
 *   …
 * }));
 * ```
 *
 * The SDK hands on errors of its own class alone. In 2.x it is the same name of `@modelcontextprotocol/server`.
 */
export function elicits<Handler extends (...given: never[]) => unknown>(
  required: RequiredError,
  handler: Handler,
): ((...given: Parameters<Handler>) => Promise<Awaited<ReturnType<Handler>>>) & Handler;
export function elicits(required: RequiredError, handler: (...given: unknown[]) => unknown): (...given: unknown[]) => Promise<unknown> {
  if (typeof required !== 'function' || typeof handler !== 'function') {
    throw new TypeError('`elicits` takes the class and the handler: `elicits(UrlElicitationRequiredError, (given, extra) => …)`');
  }
  return async (...given) => {
    try {
      return await handler(...given);
    } catch (error) {
      const wanted = error instanceof DownstreamError ? error.jsonRpcError : undefined;
      throw wanted ? new required(wanted.data.elicitations, wanted.message) : error;
    }
  };
}
