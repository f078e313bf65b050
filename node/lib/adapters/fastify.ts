/** A plugin for Fastify: carries out what {@link McpAuth} decides. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';

import type { AuthInfo } from '../auth-info.js';
import type { McpAuth } from '../mcp-auth.js';
import { type AuthenticatedRequest, decide } from './node.js';

interface FastifyRequestLike {
  raw: IncomingMessage;
  auth?: AuthInfo;
}

interface FastifyReplyLike {
  raw: ServerResponse;
  hijack(): unknown;
}

interface FastifyLike {
  addHook(
    name: 'preParsing',
    hook: (request: never, reply: never, payload: never) => Promise<unknown>,
  ): unknown;
}

/**
 * Protects every route of the instance it is registered with, and answers requests for metadata:
 *
 * ```ts
 * await app.register(protect, { auth });
 * app.post('/mcp', async (request) => { request.auth … });
 * ```
 */
export const protect = Object.assign(
  async (instance: FastifyLike, { auth }: { auth: McpAuth }): Promise<void> => {
    instance.addHook('preParsing', async (request: FastifyRequestLike, reply: FastifyReplyLike, payload: Readable) => {
      const raw = request.raw as AuthenticatedRequest;
      if (!(await decide(auth, raw, reply.raw))) {
        reply.hijack();
        return payload;
      }
      if (raw.auth) request.auth = raw.auth;
      if (raw.body === undefined) return payload;
      // The parser reads again what the policy has read.
      const body = Buffer.from(JSON.stringify(raw.body));
      const length = Number(raw.headers['content-length'] ?? body.length);
      return Object.assign(Readable.from([body]), { receivedEncodedLength: length });
    });
  },
  // As fastify-plugin has it: hooks reach the routes beside the plugin.
  { [Symbol.for('skip-override')]: true, [Symbol.for('fastify.display-name')]: 'mcp-auth-node' },
);
