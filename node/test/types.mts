// Checked by tsc and never run: what the types promise.
import type { OAuthTokenVerifier as Verifier1 } from '@modelcontextprotocol/sdk/server/auth/provider.js';
import type { AuthInfo as AuthInfo1 } from '@modelcontextprotocol/sdk/server/auth/types.js';
import type { AuthInfo as AuthInfo2, OAuthTokenVerifier as Verifier2 } from '@modelcontextprotocol/server';
import { McpServer as McpServer1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { UrlElicitationRequiredError as Required1 } from '@modelcontextprotocol/sdk/types.js';
import { McpServer as McpServer2, UrlElicitationRequiredError as Required2 } from '@modelcontextprotocol/server';
import express from 'express';
import { fastify } from 'fastify';
import { Hono } from 'hono';
import { z } from 'zod';
import {
  AuthInfo,
  type Authorize,
  caller as mainCaller,
  type Config,
  createVerifyJwt,
  type Downstream,
  type DownstreamError,
  type DownstreamToken,
  elicits,
  fetchServerConfig,
  fetchServerConfigByWellKnownUrl,
  handleBearerAuth,
  MCPAuth,
  McpAuth,
  type OriginalAuthInfo,
  type RequestWithAuth,
  requires,
  setLogger,
  TokenError,
  validateServerConfig,
} from '../dist/index.js';
import type { Request as ExpressRequest } from 'express';
import { McpServer as Server1 } from '@modelcontextprotocol/sdk/server/mcp.js';
// Importing this puts an `auth` of the official SDK into every request of Express.
import type {} from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { McpServer as Server2, type ServerContext } from '@modelcontextprotocol/server';
import { type AuthenticatedRequest, caller as callerOf, protect } from '../dist/http.js';
import { DevIssuer } from '../dist/testing.js';
import { protect as fastifyProtect } from '../dist/adapters/fastify.js';
import { type AuthEnv, protect as honoProtect } from '../dist/adapters/hono.js';
import '../dist/sdk.mjs';
import '../dist/sdk2.mjs';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

const auth = new McpAuth({ resource: 'https://mcp.example.com/mcp', authorizationServers: ['https://as.example.com'] });

auth satisfies Verifier1;
auth satisfies Verifier2;
declare const caller: AuthInfo;
caller satisfies AuthInfo1;
caller satisfies AuthInfo2;
same<AuthInfo['subject'], string | undefined>(true);
same<AuthInfo['principal'], 'user' | 'client' | 'unknown'>(true);
same<Awaited<ReturnType<McpAuth['verifyAccessToken']>>, AuthInfo>(true);

// @ts-expect-error: authorization servers are required
new McpAuth({ resource: 'https://mcp.example.com/mcp' });
same<ReturnType<McpAuth['reload']>, void>(true);
same<Parameters<McpAuth['reload']>[0], Config>(true);
// @ts-expect-error: code stays
auth.reload({ resource: 'https://mcp.example.com/mcp', authorizationServers: ['https://as.example.com'] }, { authorize: () => true });
({ resource: 'x', authorizationServers: [], limits: { failuresPerAddress: { count: 20, period: 60 }, trustedProxies: ['10.0.0.0/8'] } }) satisfies Config;
// @ts-expect-error: a limit has a period
({ resource: 'x', authorizationServers: [], limits: { failuresPerAddress: { count: 20 } } }) satisfies Config;
// @ts-expect-error: a field in another case
({ resource: 'x', authorizationServers: [], required_scopes: ['a'] }) satisfies Config;
({
  resources: [{ resource: 'x', authorizationServers: [{ issuer: 'y', introspection: { clientId: 'c' } }] }],
  clockTolerance: 30,
}) satisfies Config;
({ resource: 'x', authorizationServers: ['y'], resourcePolicyUri: 'z', localized: { 'resource_name#de': 'Notizen' } }) satisfies Config;

const rule: Authorize = (who, { name }) => (name === 'x' ? { missingScopes: ['a'] } : who.has('b'));
new McpAuth({ resource: 'x', authorizationServers: [], policy: { tools: { x: { anyOf: ['a', ['b', 'c']] } } } }, { authorize: rule });

const reports = auth.downstream('reports');
same<typeof reports, Downstream>(true);
same<Awaited<ReturnType<Downstream['tokenFor']>>, DownstreamToken>(true);
same<Awaited<ReturnType<Downstream['token']>>, DownstreamToken>(true);
same<Downstream['fetch'], typeof fetch>(true);
same<ReturnType<Downstream['fetchFor']>, typeof fetch>(true);
same<DownstreamToken['expiresAt'], number | undefined>(true);
same<DownstreamError['retryAfter'], number | undefined>(true);
reports.withScopes(['reports:read']) satisfies Downstream;
void reports.tokenFor(caller);
same<ReturnType<Downstream['disconnect']>, Promise<void>>(true);
same<Exclude<DownstreamError['jsonRpcError'], undefined>['code'], -32042>(true);
for (const Required of [Required1, Required2]) {
  const tool = elicits(Required, async ({ id }: { id: string }) => ({ content: [{ type: 'text' as const, text: id }] }));
  same<Awaited<ReturnType<typeof tool>>['content'][0]['text'], string>(true);
}
// @ts-expect-error: a token is an answer of an authorization server, and nothing else
'text' satisfies DownstreamToken;
// @ts-expect-error: it is asked for a caller, and not by a name
void reports.tokenFor('alice');
({ resource: 'x', authorizationServers: [], downstreams: { reports: { issuer: 'y', clientId: 'c', audience: ['a'] } } }) satisfies Config;

const answer = await auth.handle(new Request('https://mcp.example.com/mcp'));
if (!(answer instanceof Response)) same<(typeof answer)['authInfo'], AuthInfo | undefined>(true);

express().use(protect(auth));
const app = express();
app.post('/mcp', (request, response) => void response.json(callerOf(request).claims));
app.post('/mcp', (request, response) => {
  const { auth: who, body, path } = request as AuthenticatedRequest<ExpressRequest>;
  same<typeof who, AuthInfo | undefined>(true);
  response.json({ subject: who?.key, body, path });
});

const withFastify = fastify();
await withFastify.register(fastifyProtect, { auth });
withFastify.get('/', async (request) => {
  same<(typeof request)['auth'], AuthInfo | undefined>(true);
});

// `require` in a tool of either SDK.
new Server1({ name: 'a', version: '1' }).registerTool('delete', {}, async (extra) => {
  callerOf(extra).require('notes:delete');
  return { content: [{ type: 'text', text: String(extra.authInfo?.subject) }] };
});
new Server2({ name: 'a', version: '1' }).registerTool('delete', {}, async (ctx) => {
  callerOf(ctx).require('notes:delete');
  return { content: [{ type: 'text', text: String(ctx.http?.authInfo?.subject) }] };
});
declare const context2: ServerContext;
same<NonNullable<NonNullable<typeof context2.http>['authInfo']>['claims'], Record<string, unknown> | undefined>(true);

// Inside a protected handler there is always a caller.
express().use((request) => same<ReturnType<typeof callerOf>, AuthInfo>(true) ?? callerOf(request).require('a'));
same<ReturnType<typeof mainCaller>, AuthInfo>(true);
// Behind the original's middleware it is a plain object.
express().use((request) => {
  const { auth: who, path } = request as RequestWithAuth<ExpressRequest>;
  same<typeof who, OriginalAuthInfo | undefined>(true);
  // @ts-expect-error: which has no methods
  who?.require(path);
});

// Whoever misspells an option or a value is told by the compiler, in every object that is given.
const minimal = { resource: 'x', authorizationServers: ['y'] };
// @ts-expect-error
new McpAuth({ resource: 'x', authorizationServers: ['y'], requiredScope: 'a' });
// @ts-expect-error
new McpAuth({ resource: 'x', authorizationServers: [{ issuer: 'y', algorithms: ['HS256'] }] });
// @ts-expect-error
new McpAuth({ resource: 'x', authorizationServers: [{ issuer: 'y', introspection: { method: 'rfc7663' } }] });
// @ts-expect-error
new McpAuth({ resource: 'x', authorizationServers: ['y'], policy: { tools: { a: { allOff: ['b'] } } } });
// @ts-expect-error
new McpAuth({ resource: 'x', authorizationServers: ['y'], policy: { tools: { a: { when: [{ argument: 'b', scope: ['c'] }] } } } });
// @ts-expect-error
new McpAuth(minimal, { verifyTimout: 1 });
// @ts-expect-error
new McpAuth({ ...minimal, clockTolerence: 1 });
// @ts-expect-error
new McpAuth({ resources: [{ resource: 'x', authorizationServers: ['y'], resourcName: 'a' }] });
// @ts-expect-error
new McpAuth({ resource: 'x', authorizationServers: [{ issuer: 'y', requireAtJWT: true }] });
// @ts-expect-error
new McpAuth({ resource: 'x', authorizationServers: [{ issuer: 'y', introspection: { clientID: 'c' } }] });
// @ts-expect-error
new McpAuth({ resource: 'x', authorizationServers: [{ issuer: 'y', principalClaim: { claim: 'idtyp', users: ['user'] } }] });
// @ts-expect-error
new McpAuth({ ...minimal, policy: { tool: { a: 'b' } } });
// @ts-expect-error
McpAuth.fromEnv({ authorise: () => true });
// @ts-expect-error
McpAuth.fromConfig({ resources: [] }, { tokenPrefix: ['a'] });
// @ts-expect-error
({ missingScope: ['a'] }) satisfies ReturnType<Authorize>;
// @ts-expect-error
await withFastify.register(fastifyProtect, { auth, metadat: false });
// @ts-expect-error
new DevIssuer({ scope: ['a'] });
// @ts-expect-error
new DevIssuer({ algorithm: 'HS256' });
// @ts-expect-error
setLogger({ warn() {}, info() {}, error() {} });
declare const issuer: DevIssuer;
// @ts-expect-error
issuer.mint({ scopes: 'a' });
// @ts-expect-error
await issuer.client(app, { scopes: 'a' });
// @ts-expect-error
await issuer.client(app, { broken: 'signatur' });
// @ts-expect-error
await issuer.client(auth);
await issuer.client(app, { path: '/notes', subject: 'alice' });
await issuer.client(withFastify);
await issuer.client(new Hono());
await issuer.client({ fetch: auth.protect(() => new Response()) });
// @ts-expect-error
issuer.rotateKeys({ dropold: true });
// @ts-expect-error
issuer.mint({ broken: 'signatur' });
// @ts-expect-error
issuer.setMode('down');
issuer.setMode('status:503');
// @ts-expect-error: what is inside stays there
auth.native;
new Hono<AuthEnv>().use(honoProtect(auth)).get('/', (context) => context.json(context.get('auth')?.claims ?? {}));

const mcpAuth = new MCPAuth({ protectedResources: { metadata: { resource: 'x', authorizationServers: [{ issuer: 'y', type: 'oidc' }] } } });
express().use(mcpAuth.protectedResourceMetadataRouter());
express().use(mcpAuth.bearerAuth('jwt', { resource: 'x', audience: 'x', jwtVerify: { clockTolerance: 5 }, remoteJwkSet: { timeoutDuration: 1000 } }));
express().use(mcpAuth.bearerAuth(async (token) => ({ token, issuer: 'y', clientId: '', scopes: [] }), { audience: 'x' }));
// @ts-expect-error: the only mode is jwt
mcpAuth.bearerAuth('opaque');
createVerifyJwt(async () => ({ kty: 'RSA' }), { issuer: 'y', audience: 'x' });
// @ts-expect-error
createVerifyJwt(async () => ({ kty: 'RSA' }), { issuer: 'y', audiences: 'x' });
// @ts-expect-error
mcpAuth.bearerAuth('jwt', { resource: 'x', requiredScope: ['a'] });
// @ts-expect-error
mcpAuth.bearerAuth('jwt', { resource: 'x', jwtVerify: { clockTolerence: 5 } });
// @ts-expect-error
mcpAuth.bearerAuth('jwt', { resource: 'x', remoteJwkSet: { timeout: 5 } });
// @ts-expect-error
handleBearerAuth({ verifyAccessToken: async (token) => ({ token, issuer: 'y', clientId: '', scopes: [] }), issuer: 'y', audiences: 'x' });
// @ts-expect-error
new MCPAuth({ protectedResource: { metadata: { resource: 'x' } } });
// @ts-expect-error
new MCPAuth({ protectedResources: { metadata: { resource: 'x', scopeSupported: ['a'] } } });
// @ts-expect-error
new MCPAuth({ protectedResources: { metadata: { resource: 'x' }, allowedOrigin: [] } });
// @ts-expect-error
new MCPAuth({ server: { issuer: 'y', type: 'oidcc' } });
// @ts-expect-error
fetchServerConfig('https://y.example', { type: 'oidc', transpile: (data) => data });
// @ts-expect-error
fetchServerConfigByWellKnownUrl('https://y.example', { typ: 'oidc' });

declare const config: Parameters<typeof validateServerConfig>[0];
validateServerConfig(config, true).successes satisfies { code: string }[];
// @ts-expect-error: only with verbose
validateServerConfig(config).successes;

declare const error: TokenError;
same<typeof error.code, string>(true);

// The official SDK 1.x, extended by mcp-auth-node/sdk.
declare const authInfo: AuthInfo1;
same<(typeof authInfo)['claims'], Record<string, unknown> | undefined>(true);

// `requires` knows what the SDK hands over, of tools with and without arguments.
const sdkServer = new McpServer1({ name: 'a', version: '1' });
sdkServer.registerTool('a', {}, requires('a', (extra) => ({ content: [{ type: 'text', text: String(mainCaller(extra).subject) }] })));
sdkServer.registerTool('a2', {}, requires('a', async (extra) => ({ content: [{ type: 'text', text: String(mainCaller(extra).subject) }] })));
sdkServer.registerTool('b', {}, requires('a', () => ({ content: [{ type: 'text', text: 'x' }] })));
sdkServer.registerTool('c', { inputSchema: { id: z.string() } }, requires('a', ({ id }, extra) => ({ content: [{ type: 'text', text: id.toUpperCase() + mainCaller(extra).subject }] })));
sdkServer.registerTool('c2', { inputSchema: { id: z.string() } }, requires('a', ({ id }) => ({ content: [{ type: 'text', text: id.toUpperCase() }] })));
sdkServer.registerPrompt('p', {}, requires('a', (extra) => ({ messages: [{ role: 'user', content: { type: 'text', text: mainCaller(extra).clientId } }] })));
sdkServer.registerResource('r', 'x://y', {}, requires('a', (uri, extra) => ({ contents: [{ uri: uri.href, text: mainCaller(extra).clientId }] })));
const later: Promise<number> = requires('a', (given: string) => given.length)('x');
const sdkServer2 = new McpServer2({ name: 'a', version: '1' });
sdkServer2.registerTool('a', {}, requires('a', (ctx) => ({ content: [{ type: 'text', text: String(mainCaller(ctx).subject) }] })));
sdkServer2.registerTool('c', { inputSchema: z.object({ id: z.string() }) }, requires('a', async ({ id }, ctx) => ({ content: [{ type: 'text', text: id.toUpperCase() + mainCaller(ctx).subject }] })));
// @ts-expect-error A result that is none.
sdkServer.registerTool('d', {}, requires('a', () => 5));
