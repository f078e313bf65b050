/**
 * Types alone: lets handlers of the official SDK 2.x see what is known of the caller in `ctx.http.authInfo`.
 * `import 'mcp-auth-node/sdk2'` once. For more than that, such as `require`, there is `caller(ctx)`.
 */
declare module '@modelcontextprotocol/server' {
  interface AuthInfo {
    /** `iss`: who issued the token. */
    issuer?: string;
    /** `sub`: the caller, unique within the issuer. */
    subject?: string;
    /** `aud`: for whom the token was issued. */
    audience?: string | string[];
    /** All claims of the token. */
    claims?: Record<string, unknown>;
  }
}

export type { AuthInfo } from '@modelcontextprotocol/server';
