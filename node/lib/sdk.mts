/**
 * Types alone: lets handlers of the official SDK 1.x see everything that is known of the caller in
 * `extra.authInfo`, as the original does. `import 'mcp-auth-node/sdk'` once.
 */
declare module '@modelcontextprotocol/sdk/server/auth/types.js' {
  interface AuthInfo {
    /** `iss`: who issued the token. */
    issuer: string;
    /** `sub`: the caller, unique within the issuer. */
    subject?: string;
    /** `aud`: for whom the token was issued. */
    audience?: string | string[];
    /** All claims of the token. */
    claims?: Record<string, unknown>;
  }
}

export type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js';
