import type { IncomingMessage, ServerResponse } from 'node:http';

import { middleware, type Middleware } from '../adapters/node.js';
import type { AuthorizationServer, ProtectedResource } from '../config.js';
import { snakeCase } from '../names.js';
import { native } from '../native.js';
import { type AuthInfo, originalAuthInfo } from './auth-info.js';
import { answering, audiencesOf, type BearerAuthOptions, checkNames, construct, issuerAmong, showsDetails, TOKENS } from './bearer-auth.js';
import { MCPAuthAuthServerError } from './errors.js';
import { type AuthServerConfig, fetchServerConfig, getIssuer, type ResolvedAuthServerConfig } from './metadata.js';
import type { CamelCaseProtectedResourceMetadata } from './schemas.js';
import { validateServerConfig } from './validate.js';
import { nobody, type Settings, settingsOf, type VerifyAccessTokenFunction, type VerifyJwtConfig, wrong } from './verify-jwt.js';

/** The built-in way to verify tokens. */
export type VerifyAccessTokenMode = 'jwt';

/** What is protected, and whose tokens are accepted for it. */
export type ResourceServerConfig = {
  metadata: Omit<CamelCaseProtectedResourceMetadata, 'authorizationServers'> & { authorizationServers?: AuthServerConfig[] };
  /** Web origins whose pages may call. */
  allowedOrigins?: string[];
};

export type ResourceServerModeConfig = {
  protectedResources: ResourceServerConfig | ResourceServerConfig[];
};

/** @deprecated Use {@link ResourceServerModeConfig}. */
export type AuthServerModeConfig = {
  server: AuthServerConfig;
};

export type MCPAuthConfig = ResourceServerModeConfig | AuthServerModeConfig;

/**
 * A request that went on, whose caller is a plain object, with the token in it. With the request of a framework, such as
 * `RequestWithAuth<express.Request>`, it has the members of that, whatever `auth` is there.
 */
export type RequestWithAuth<Request extends IncomingMessage = IncomingMessage> = Omit<Request, 'auth'> & { auth?: AuthInfo };

/** The original's class, on the same core as `McpAuth`. */
export class MCPAuth {
  readonly config: MCPAuthConfig;
  readonly #resources: ResourceServerConfig[];

  /** @throws {MCPAuthAuthServerError} */
  constructor(config: MCPAuthConfig) {
    this.config = config;
    if ('server' in config) {
      console.warn('mcp-auth-node: `server` is deprecated, use `protectedResources`: clients find metadata there.');
      this.#resources = [];
      validate(config.server);
      return;
    }
    if (!('protectedResources' in config)) throw wrong('No authorization server or protected resource metadata is provided.');
    this.#resources = [config.protectedResources].flat();
    this.#checkResources();
  }

  #checkResources(): void {
    const resources = this.#resources.map(({ metadata }) => metadata.resource);
    const twice = resources.find((resource, at) => resources.indexOf(resource) !== at);
    if (twice !== undefined) throw wrong(`The resource metadata (\`${twice}\`) is duplicated.`);
    for (const { metadata } of this.#resources) {
      const servers = metadata.authorizationServers ?? [];
      const issuers = servers.map(getIssuer);
      const same = issuers.find((issuer, at) => issuers.indexOf(issuer) !== at);
      if (same !== undefined) throw wrong(`The authorization server (\`${same}\`) for resource \`${metadata.resource}\` is duplicated.`);
      servers.forEach(validate);
    }
  }

  /** Serves the metadata of all protected resources (RFC 9728). */
  protectedResourceMetadataRouter(): Middleware {
    if ('server' in this.config) throw wrong('`protectedResourceMetadataRouter` is not available in `authorization server` mode.');
    const resources = this.#resources.map((resource) => protectedResource(resource, {}));
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
    if (!('server' in this.config)) throw wrong('`delegatedRouter` is not available in `resource server` mode.');
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
  bearerAuth(verifyAccessToken: VerifyAccessTokenFunction, config?: BearerAuthOptions): Middleware;
  bearerAuth(mode: VerifyAccessTokenMode, config?: BearerAuthOptions & VerifyJwtConfig): Middleware;
  bearerAuth(
    modeOrVerify: VerifyAccessTokenMode | VerifyAccessTokenFunction,
    { jwtVerify, remoteJwkSet, ...options }: BearerAuthOptions & VerifyJwtConfig = {},
  ): Middleware {
    if (modeOrVerify !== 'jwt' && typeof modeOrVerify !== 'function') {
      throw new TypeError('`verifyAccessToken` must be a function that takes a token and returns an `AuthInfo` object.');
    }
    checkNames(options);
    const settings = settingsOf({ jwtVerify, remoteJwkSet });
    const found = this.#resourceOf(options);
    if (modeOrVerify === 'jwt') return jwtAuth(found, options, settings);
    const resource = protectedResource(found, settings.server);
    const rules = {
      validateIssuer: issuerAmong(resource.authorizationServers.map(issuerOf)),
      audiences: audiencesOf(options),
      acceptsAnyAudience: options.dangerouslyAcceptAnyAudience === true,
    };
    return answering(modeOrVerify, rules, options, resource);
  }

  #resourceOf({ resource }: BearerAuthOptions): ResourceServerConfig {
    if ('server' in this.config) {
      return { metadata: { resource: resource ?? nobody(), authorizationServers: [this.config.server] } };
    }
    if (!resource) {
      throw wrong('A `resource` must be specified in the `bearerAuth` configuration when using a `protectedResources` configuration.');
    }
    const found = this.#resources.find(({ metadata }) => metadata.resource === resource);
    if (found) return found;
    throw wrong(
      `No token verifier found for the specified resource: \`${resource}\`. Please ensure that this resource is correctly configured in the \`protectedResources\` array in the MCPAuth constructor.`,
    );
  }
}

/** Middleware that lets the library verify JWTs. */
function jwtAuth(found: ResourceServerConfig, options: BearerAuthOptions, settings: Settings): Middleware {
  const { resource: identifier, requiredScopes = [], dangerouslyAcceptAnyAudience = false } = options;
  found.metadata.authorizationServers?.forEach(requireKeys);
  const audiences = audiencesOfBoth(options.audience, settings.audiences);
  if (audiences.length === 0 && !identifier && !dangerouslyAcceptAnyAudience) {
    throw wrong(
      'tokens must be for this server: add `audience: \'https://mcp.example.com/mcp\',` (or `resource`) to the options of `bearerAuth`. ' +
        'The original accepts tokens for anybody then; `dangerouslyAcceptAnyAudience: true` does so here',
    );
  }
  const { authorizationServers, ...resource } = protectedResource(found, settings.server);
  const { issuers } = settings;
  const config = {
    ...settings.limits,
    resources: [
      {
        ...resource,
        audiences,
        requiredScopes,
        authorizationServers: authorizationServers.filter((one) => issuers === undefined || issuers.includes(issuerOf(one))),
        dangerousAcceptAnyAudience: dangerouslyAcceptAnyAudience,
      },
    ],
  };
  const auth = construct(config, { hideResourceMetadata: !identifier });
  return middleware(auth, { showErrorDetails: showsDetails(options), caller: originalAuthInfo, tokens: TOKENS });
}

/** What must be in `aud`, where `audience` and `jwtVerify.audience` hold both. */
function audiencesOfBoth(audience: string | undefined, others: string[] | undefined): string[] {
  if (audience === undefined) return others ?? [];
  if (others !== undefined && !others.includes(audience)) {
    throw wrong('`audience` is not in `jwtVerify.audience`: only tokens for both would be accepted. Leave one of them out');
  }
  return [audience];
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
  return String(typeof server === 'string' || server instanceof URL ? server : server.issuer);
}

/** Metadata that is here already must be what the specification asks for. */
function validate(config: AuthServerConfig): void {
  if (!('metadata' in config)) return;
  const result = validateServerConfig(config);
  if (!result.isValid) throw new MCPAuthAuthServerError('invalid_server_config', result);
  for (const { description } of result.warnings) {
    console.warn(`mcp-auth-node: authorization server ${config.metadata.issuer}: ${description}`);
  }
}

function requireKeys(config: AuthServerConfig): void {
  if ('metadata' in config && config.metadata.jwksUri === undefined) throw new MCPAuthAuthServerError('missing_jwks_uri');
}

function sendDocument(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'application/json', 'access-control-allow-origin': '*' });
  response.end(text);
}
