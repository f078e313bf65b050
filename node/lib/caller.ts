import { AuthInfo } from './auth-info.js';
import { McpAuthError } from './errors.js';

/**
 * Who is calling, out of what a handler is given: the request of Express, Fastify and `node:http`, the context of Hono,
 * the `extra` of a tool of the official SDK 1.x, the `ctx` of one of 2.x. There is always somebody: where nobody is, or
 * somebody whom another library let in, it throws.
 *
 * ```ts
 * app.post('/mcp', (request, response) => { caller(request).subject … });
 * server.registerTool('delete', {}, (extra) => { caller(extra).require('notes:delete'); … });
 * ```
 *
 * @throws {McpAuthError} with the code `no_caller`
 */
export function caller(given: object): AuthInfo {
  for (const place of PLACES) {
    const found = place(given);
    if (found instanceof AuthInfo) return found;
  }
  throw new McpAuthError('no_caller', 500, `nobody is calling: ${isOfTool(given) ? NOT_HANDED_OVER : NOT_PROTECTED}`);
}

const WITHOUT_TOKEN = 'Where calls may come without a token (`access` of a policy), nobody may be calling:';
const NOT_PROTECTED = `\`protect(auth)\` must come before this handler. ${WITHOUT_TOKEN} look at \`request.auth\` instead`;
const NOT_HANDED_OVER =
  'this is of a tool, whose transport does not know the caller. Hand them to a web-standard transport: in Hono, ' +
  "`transport.handleRequest(context.req.raw, { authInfo: context.get('auth') })`; elsewhere `{ authInfo }` of `auth.handle`. " +
  `Any other transport finds them where \`protect(auth)\` comes before it. ${WITHOUT_TOKEN} look at \`authInfo\` instead`;

/** Whether this is `extra` of a tool of the official SDK 1.x, or `ctx` of 2.x. */
function isOfTool(given: object | undefined): boolean {
  return typeof given === 'object' && given !== null && ('sendNotification' in given || 'mcpReq' in given);
}

/** Where the caller is, in the order in which it is looked for. */
const PLACES: ((given: any) => unknown)[] = [
  (given) => given,
  (given) => given?.auth,
  (given) => given?.authInfo,
  (given) => given?.http?.authInfo,
  // Hono's context; Express has a `get` too, which reads a header.
  (given) => (typeof given?.get === 'function' ? given.get('auth') : undefined),
];
