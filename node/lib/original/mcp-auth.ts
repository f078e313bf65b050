import type { IncomingMessage, ServerResponse } from 'node:http';

import { middleware, type Middleware } from '../adapters/node.js';
import type { AuthorizationServer, Config, ProtectedResource } from '../config.js';
import { snakeCase } from '../config.js';
import { ConfigError, TokenError } from '../errors.js';
import { McpAuth } from '../mcp-auth.js';
import { native } from '../native.js';
import { type AuthInfo, claimsOf, originalAuthInfo } from './auth-info.js';
import { MCPAuthAuthServerError } from './errors.js';
import { type AuthServerConfig, fetchServerConfig, getIssuer, type ResolvedAuthServerConfig } from './metadata.js';
import { validateServerConfig } from './validate.js';
import { nobody, settingsOf, type VerifyAccessTokenFunction, type VerifyJwtConfig } from './verify-jwt.js';

/** What is protected, and whose tokens are accepted for it. */
export interface ResourceServerConfig {
  metadata: {
    resource: string;
    authorizationServers?: AuthServerConfig[];
    scopesSupported?: string[];
    bearerMethodsSupported?: string[];
    resourceName?: string;
    resourceDocumentation?: string;
  };
  /** Web origins whose pages may call and read the metadata. */
  allowedOrigins?: string[];
}

export interface ResourceServerModeConfig {
  protectedResources: ResourceServerConfig | ResourceServerConfig[];
}

/** @deprecated Use {@link ResourceServerModeConfig}. */
export interface AuthServerModeConfig {
  server: AuthServerConfig;
}

export type MCPAuthConfig = ResourceServerModeConfig | AuthServerModeConfig;

export interface BearerAuthConfig {
  /** Which of the protected resources it is about; required when there are any. */
  resource?: string;
  /** For whom tokens must be. Default: the resource. */
  audience?: string;
  /**
   * Accepts tokens for anybody. The original does that whenever `audience` is not given; here it has to be
   * asked for, because the MCP specification requires the check.
   */
  dangerouslyAcceptAnyAudience?: boolean;
  requiredScopes?: string[];
  /** Says in responses what was compared. Only for development. */
  showErrorDetails?: boolean;
}

/** A request that went on. */
export type RequestWithAuth = IncomingMessage & { auth?: AuthInfo };

/** The original's class, on the same core as {@link McpAuth}. */
export class MCPAuth {
  readonly config: MCPAuthConfig;
  readonly #resources: ResourceServerConfig[];
  /** Of requests that went on, for a second `bearerAuth` behind the first one. */
  readonly #tokens = new WeakMap<IncomingMessage, string>();

  /** @throws {MCPAuthAuthServerError} */
  constructor(config: MCPAuthConfig) {
    this.config = config;
    if ('server' in config) {
      console.warn('mcp-auth-node: `server` is deprecated, use `protectedResources`: clients find metadata there.');
      this.#resources = [];
      validate(config.server);
      return;
    }
    if (!('protectedResources' in config)) throw wrong('`protectedResources` is missing');
    this.#resources = [config.protectedResources].flat();
    this.#checkResources();
  }

  #checkResources(): void {
    const resources = this.#resources.map(({ metadata }) => metadata.resource);
    const twice = resources.find((resource, at) => resources.indexOf(resource) !== at);
    if (twice !== undefined) throw wrong(`the resource \`${twice}\` is there twice`);
    for (const { metadata } of this.#resources) {
      const servers = metadata.authorizationServers ?? [];
      const issuers = servers.map(getIssuer);
      const same = issuers.find((issuer, at) => issuers.indexOf(issuer) !== at);
      if (same !== undefined) throw wrong(`the authorization server \`${same}\` of \`${metadata.resource}\` is there twice`);
      servers.forEach(validate);
    }
  }

  /** Serves the metadata of all protected resources (RFC 9728). */
  protectedResourceMetadataRouter(): Middleware {
    if ('server' in this.config) throw wrong('`protectedResourceMetadataRouter` needs `protectedResources`');
    // Every page may read them.
    const resources = this.#resources.map((resource) => ({ ...protectedResource(resource, {}), allowedOrigins: ['*'] }));
    const serveMetadata = middleware(construct({ resources }));
    return (request, response, next) => {
      if (native.metadataDocumentAt(request.url ?? '') !== 'protected_resource') return next();
      serveMetadata(request, response, next);
    };
  }

  /**
   * Serves the metadata of the authorization server, for clients of the 2025-03-26 specification.
   *
   * @deprecated Use {@link protectedResourceMetadataRouter}.
   */
  delegatedRouter(): Middleware {
    if (!('server' in this.config)) throw wrong('`delegatedRouter` needs `server`');
    const { server } = this.config;
    let document: Promise<string> | undefined;
    const read = async () => {
      const { metadata } = 'metadata' in server ? server : await fetchServerConfig(server.issuer, server);
      return JSON.stringify(snakeCased(metadata));
    };
    return (request, response, next) => {
      const isAsked = native.metadataDocumentAt(request.url ?? '') === 'authorization_server';
      if (!isAsked || request.method !== 'GET') return next();
      document ??= read().catch((error: unknown) => {
        document = undefined;
        throw error;
      });
      document.then((text) => sendDocument(response, text), next);
    };
  }

  /** Middleware for Express that lets requests with a good token go on, with `request.auth`. */
  bearerAuth(verifyAccessToken: VerifyAccessTokenFunction, config?: BearerAuthConfig): Middleware;
  bearerAuth(mode: 'jwt', config?: BearerAuthConfig & VerifyJwtConfig): Middleware;
  bearerAuth(
    modeOrVerify: 'jwt' | VerifyAccessTokenFunction,
    { jwtVerify, remoteJwkSet, ...config }: BearerAuthConfig & VerifyJwtConfig = {},
  ): Middleware {
    if (modeOrVerify !== 'jwt' && typeof modeOrVerify !== 'function') {
      throw new TypeError("the first argument must be 'jwt' or a function that verifies a token");
    }
    const settings = settingsOf({ jwtVerify, remoteJwkSet });
    const found = this.#resourceOf(config);
    if (modeOrVerify === 'jwt') found.metadata.authorizationServers?.forEach(requireKeys);
    const audiences = [config.audience ?? [], settings.resource.audiences ?? []].flat();
    if (audiences.length === 0 && !config.resource && !config.dangerouslyAcceptAnyAudience) {
      throw wrong(
        'tokens must be for this server: add `audience: \'https://mcp.example.com/mcp\',` (or `resource`) to the options of `bearerAuth`. ' +
          'The original accepts tokens for anybody then; `dangerouslyAcceptAnyAudience: true` does so here',
      );
    }
    const resource: ProtectedResource = {
      ...protectedResource(found, settings.server),
      audiences,
      requiredScopes: config.requiredScopes ?? [],
      dangerousAcceptAnyAudience: config.dangerouslyAcceptAnyAudience ?? false,
    };
    const ours = config.resource === undefined ? audiences : [config.resource, ...audiences];
    const rules = { issuers: resource.authorizationServers.map(issuerOf), audiences: ours, ...config };
    const verifyToken = typeof modeOrVerify === 'function' ? checked(modeOrVerify, rules) : undefined;
    const auth = construct({ ...settings.limits, resources: [resource] }, verifyToken);
    checkNames(config);
    const { showErrorDetails } = config;
    return middleware(auth, { showErrorDetails, hidesMetadata: !config.resource, caller: originalAuthInfo, tokens: this.#tokens });
  }

  #resourceOf({ resource }: BearerAuthConfig): ResourceServerConfig {
    if ('server' in this.config) {
      return { metadata: { resource: resource ?? nobody(), authorizationServers: [this.config.server] } };
    }
    if (!resource) throw wrong('`bearerAuth` needs `resource`: which of the `protectedResources` it is about');
    const found = this.#resources.find(({ metadata }) => metadata.resource === resource);
    if (!found) throw wrong(`the resource \`${resource}\` is not among the \`protectedResources\``);
    return found;
  }
}

function protectedResource({ metadata, allowedOrigins }: ResourceServerConfig, settings: object): ProtectedResource {
  const { resource, authorizationServers = [], bearerMethodsSupported: _, ...rest } = metadata;
  return { ...rest, resource, allowedOrigins, authorizationServers: authorizationServers.map((one) => server(one, settings)) };
}

function server(config: AuthServerConfig, settings: object): AuthorizationServer {
  const { type: serverType } = config;
  if (!('metadata' in config)) return { ...settings, issuer: config.issuer, serverType };
  return { ...settings, issuer: config.metadata.issuer, metadata: snakeCased(config.metadata) };
}

function snakeCased(metadata: ResolvedAuthServerConfig['metadata']): Record<string, unknown> {
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [snakeCase(name), value]));
}

function issuerOf(server: AuthorizationServer): string {
  return typeof server === 'string' ? server : server.issuer;
}

interface Rules extends BearerAuthConfig {
  issuers: string[];
  audiences: string[];
}

/** A function of the user's, with the checks that the original makes afterwards. */
function checked(verify: VerifyAccessTokenFunction, { issuers, audiences, dangerouslyAcceptAnyAudience }: Rules) {
  return async (token: string): Promise<Record<string, unknown>> => {
    const found = await verify(token);
    const actual = [found.audience ?? []].flat();
    if (!issuers.includes(found.issuer)) {
      const fields = { actual: found.issuer, expected: issuers };
      throw new TokenError('unknown_issuer', 401, 'the issuer is not trusted here', fields);
    }
    if (!dangerouslyAcceptAnyAudience && !actual.some((audience) => audiences.includes(audience))) {
      const fields = { actual, expected: audiences };
      throw new TokenError('wrong_audience', 401, 'the access token was issued for another resource', fields);
    }
    return claimsOf(found);
  };
}

function construct(config: Config, verifyToken?: (token: string) => Promise<Record<string, unknown>>): McpAuth {
  try {
    return new McpAuth(config, { verifyToken });
  } catch (error) {
    throw error instanceof ConfigError ? wrong(error.message) : error;
  }
}

/** Metadata that is here already must be what the specification asks for. */
function validate(config: AuthServerConfig): void {
  if (!('metadata' in config)) return;
  const result = validateServerConfig(config);
  if (!result.isValid) {
    const cause = result.errors.map(({ description }) => description).join('; ');
    throw new MCPAuthAuthServerError('invalid_server_config', { ...result, cause });
  }
  for (const { description } of result.warnings) {
    console.warn(`mcp-auth-node: authorization server ${config.metadata.issuer}: ${description}`);
  }
}

const OPTIONS = ['resource', 'audience', 'dangerouslyAcceptAnyAudience', 'requiredScopes', 'showErrorDetails'];

/** A misspelt option would be a rule that does not exist. */
function checkNames(config: object): void {
  const unknown = Object.keys(config).filter((name) => !OPTIONS.includes(name));
  if (unknown.length > 0) throw wrong(`\`bearerAuth\` has no option \`${unknown.join('`, `')}\``);
}

function requireKeys(config: AuthServerConfig): void {
  if ('metadata' in config && config.metadata.jwksUri === undefined) throw new MCPAuthAuthServerError('missing_jwks_uri');
}

function sendDocument(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'application/json', 'access-control-allow-origin': '*' });
  response.end(text);
}

function wrong(cause: string): MCPAuthAuthServerError {
  return new MCPAuthAuthServerError('invalid_server_config', { cause });
}
