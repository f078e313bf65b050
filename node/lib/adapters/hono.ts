/** Middleware for Hono: carries out what {@link McpAuth} decides. */
import type { AuthInfo } from '../auth-info.js';
import type { McpAuth } from '../mcp-auth.js';

interface ContextLike {
  req: { raw: Request };
  res: Response;
  set(key: never, value: unknown): void;
}

/** What handlers find with `context.get('auth')`: `new Hono<AuthEnv>()`. */
export interface AuthEnv {
  Variables: { auth: AuthInfo | undefined };
}

/**
 * Protects every route after it, and answers requests for metadata:
 *
 * ```ts
 * app.use(protect(auth));
 * app.post('/mcp', (context) => { context.get('auth') … });
 * ```
 */
export function protect(auth: McpAuth) {
  return async (context: ContextLike, next: () => Promise<void>): Promise<Response | void> => {
    const answer = await auth.handle(context.req.raw);
    if (answer instanceof Response) return answer;
    context.req.raw = answer.request;
    context.set('auth' as never, answer.authInfo);
    await next();
    const response = await answer.respond(context.res);
    if (response === context.res) return;
    // Hono would merge the headers of the old one into the new one.
    context.res = undefined as never;
    context.res = response;
  };
}
