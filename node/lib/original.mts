/**
 * The original's surface alone, as npm `mcp-auth` 0.2 has it: with the types that it gives to the official SDK 1.x and
 * to Express. Change the name of the package in your imports to `mcp-auth-node/original`, and nothing else.
 */
import type {} from 'express-serve-static-core';

import type { AuthInfo } from './sdk.mjs';

declare module 'express-serve-static-core' {
  interface Request {
    auth?: AuthInfo;
  }
}

export * from './original/index.js';
