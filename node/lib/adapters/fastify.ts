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

type Hook = (request: FastifyRequestLike, reply: FastifyReplyLike, payload: Readable) => Promise<Readable>;

/** An instance of Fastify, whose own types need not be there. */
interface FastifyLike {
  addHook(...hook: never[]): unknown;
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
    const hook: Hook = async (request, reply, payload) => {
      const raw = request.raw as AuthenticatedRequest;
      if (!(await decide(auth, raw, reply.raw))) {
        reply.hijack();
        return payload;
      }
      if (raw.auth) request.auth = raw.auth;
      if (raw.body === undefined) return payload;
      // The parser reads again what the policy has read.
      const body = Buffer.from(JSON.stringify(raw.body));
      // Fastify compares the two; a chunked body says nothing.
      const length = Number(raw.headers['content-length'] ?? body.length);
      return Object.assign(Readable.from([body]), { receivedEncodedLength: length });
    };
    (instance.addHook as (name: string, hook: Hook) => unknown).call(instance, 'preParsing', hook);
  },
  // As fastify-plugin has it: hooks reach the routes beside the plugin.
  { [Symbol.for('skip-override')]: true, [Symbol.for('fastify.display-name')]: 'mcp-auth-node' },
);
