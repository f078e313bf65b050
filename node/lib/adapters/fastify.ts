/** A plugin for Fastify: carries out what {@link McpAuth} decides. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';

// Only those who have Fastify import this.
import type {} from 'fastify';

import type { AuthInfo } from '../auth-info.js';
import { handledAs } from '../current-caller.js';
import { McpAuthError } from '../errors.js';
import type { McpAuth } from '../mcp-auth.js';
import { requireAuth } from '../right-auth.js';
import { type AuthenticatedRequest, decide, handledBy } from './node.js';

export { caller } from '../caller.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is calling, behind `protect`; absent only for operations that need no token by policy. */
    auth?: AuthInfo;
  }
}

interface FastifyRequestLike {
  raw: IncomingMessage;
  auth?: AuthInfo;
}

interface FastifyReplyLike {
  raw: ServerResponse;
  hijack(): unknown;
}

/** It calls `done`, or returns a promise of the same. */
type Hook = (
  request: FastifyRequestLike,
  reply: FastifyReplyLike,
  payload: Readable,
  done: (error: null, payload: Readable) => void,
) => Promise<Readable> | void;

/** What is used of an instance of Fastify. */
interface Instance {
  readonly prefix: string;
  addHook(name: 'preParsing', hook: Hook): unknown;
  addHook(name: 'preValidation', hook: (request: FastifyRequestLike, reply: FastifyReplyLike, done: () => void) => void): unknown;
  hasRoute(route: { method: string; url: string }): boolean;
  route(route: { method: string[]; url: string; handler: () => unknown }): unknown;
}

/** An instance of Fastify, of whatever server and whatever types. */
interface FastifyLike {
  addHook(...hook: never[]): unknown;
}

/** What the plugin is told. */
export interface ProtectOptions {
  auth: McpAuth;
  /**
   * Whether it has routes for the metadata. Set it to `false` under a `prefix`, and register {@link metadata} without
   * one: metadata is at the root of the origin. Default: `true`.
   */
  metadata?: boolean;
}

/**
 * Protects every route of the instance it is registered with, and answers requests for metadata:
 *
 * ```ts
 * await app.register(protect, { auth });
 * app.post('/mcp', async (request) => { request.auth … });
 * ```
 */
export const protect = reachingBeside(async (given: FastifyLike, { auth, metadata: hasMetadata = true }: ProtectOptions): Promise<void> => {
  requireAuth(auth, '`await app.register(protect, { auth })`');
  const instance = given as unknown as Instance;
  if (hasMetadata && instance.prefix !== '') {
    throw new McpAuthError(
      'misplaced',
      500,
      `\`protect\` is registered under the prefix ${instance.prefix}, and metadata is at the root: register \`metadata\` of ` +
        'mcp-auth-node/fastify with the same `auth` without a prefix, and here `protect` with `{ auth, metadata: false }`',
    );
  }
  instance.addHook('preParsing', hookOf(auth));
  // Only now: a body is read in the context of its connection.
  instance.addHook('preValidation', (request, reply, done) => handledAs(() => handledBy(request.raw, reply.raw), done));
  if (hasMetadata) addRoutes(instance, auth);
});

/** Answers requests for metadata alone, for instances whose `protect` is under a prefix. */
export const metadata = async (given: FastifyLike, { auth }: { auth: McpAuth }): Promise<void> => {
  requireAuth(auth, '`await app.register(metadata, { auth })`');
  const instance = given as unknown as Instance;
  instance.addHook('preParsing', hookOf(auth));
  addRoutes(instance, auth);
};

/** As fastify-plugin has it: hooks reach the routes beside the plugin. */
function reachingBeside<Plugin extends object>(plugin: Plugin): Plugin {
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true, [Symbol.for('fastify.display-name')]: 'mcp-auth-node' });
}

function hookOf(auth: McpAuth): Hook {
  return (request, reply, payload, done) => {
    const goesOn = decide(auth, request.raw, reply.raw);
    // Nearly every request is decided at once, and needs no promise.
    if (typeof goesOn === 'boolean') return done(null, handOn(goesOn, request, reply, payload));
    return goesOn.then((later) => handOn(later, request, reply, payload));
  };
}

/** What Fastify reads in place of the payload. */
function handOn(goesOn: boolean, request: FastifyRequestLike, reply: FastifyReplyLike, payload: Readable): Readable {
  if (!goesOn) {
    reply.hijack();
    return payload;
  }
  const raw = request.raw as IncomingMessage & AuthenticatedRequest;
  if (raw.auth) request.auth = raw.auth;
  if (raw.body === undefined) return payload;
  // The parser reads again what the policy has read.
  const body = Buffer.from(JSON.stringify(raw.body));
  // Fastify compares the two; a chunked body says nothing.
  const length = Number(raw.headers['content-length'] ?? body.length);
  return Object.assign(Readable.from([body]), { receivedEncodedLength: length });
}

/** A hook in a scope of its own sees only requests that have a route. The hook answers, so that no handler is called. */
function addRoutes(instance: Instance, auth: McpAuth): void {
  for (const path of auth.documentPaths()) {
    // A colon would begin a parameter.
    const url = path.replaceAll(':', '::');
    const methods = ['GET', 'HEAD', 'OPTIONS'].filter((method) => !instance.hasRoute({ method, url }));
    if (methods.length > 0) instance.route({ method: methods, url, handler: () => undefined });
  }
  for (const url of auth.noticePaths()) {
    if (!instance.hasRoute({ method: 'POST', url })) instance.route({ method: ['POST'], url, handler: () => undefined });
  }
  for (const url of auth.connectPaths()) {
    if (!instance.hasRoute({ method: 'GET', url })) instance.route({ method: ['GET'], url, handler: () => undefined });
  }
}
