/** Metadata of authorization servers: types, fetching, and what the MCP specification asks of it. */
import { camelCased } from '../config.js';
import { native } from '../native.js';
import { MCPAuthAuthServerError, MCPAuthConfigError } from './errors.js';

/** What kind of authorization server it is, which says where its metadata is. */
export type AuthServerType = 'oauth' | 'oidc';

/** RFC 8414 metadata. Members that are not named here may be there too. */
export interface CamelCaseAuthorizationServerMetadata {
  issuer: string;
  authorizationEndpoint: string;
  tokenEndpoint: string;
  jwksUri?: string;
  registrationEndpoint?: string;
  scopesSupported?: string[];
  responseTypesSupported: string[];
  responseModesSupported?: string[];
  grantTypesSupported?: string[];
  tokenEndpointAuthMethodsSupported?: string[];
  tokenEndpointAuthSigningAlgValuesSupported?: string[];
  serviceDocumentation?: string;
  uiLocalesSupported?: string[];
  opPolicyUri?: string;
  opTosUri?: string;
  revocationEndpoint?: string;
  revocationEndpointAuthMethodsSupported?: string[];
  revocationEndpointAuthSigningAlgValuesSupported?: string[];
  introspectionEndpoint?: string;
  introspectionEndpointAuthMethodsSupported?: string[];
  introspectionEndpointAuthSigningAlgValuesSupported?: string[];
  codeChallengeMethodsSupported?: string[];
  userinfoEndpoint?: string;
}

/** The same as it is on the wire. */
export type AuthorizationServerMetadata = Record<string, unknown> & { issuer: string };

/** An authorization server whose metadata is known. */
export interface ResolvedAuthServerConfig {
  metadata: CamelCaseAuthorizationServerMetadata;
  type: AuthServerType;
}

/** An authorization server whose metadata is fetched when it is first needed. */
export interface AuthServerDiscoveryConfig {
  issuer: string;
  type: AuthServerType;
}

export type AuthServerConfig = ResolvedAuthServerConfig | AuthServerDiscoveryConfig;

export function getIssuer(config: AuthServerConfig): string {
  return 'metadata' in config ? config.metadata.issuer : config.issuer;
}

const TEXTS = ['issuer', 'authorizationEndpoint', 'tokenEndpoint'] as const;
const OPTIONAL_TEXTS = ['jwksUri', 'registrationEndpoint', 'introspectionEndpoint', 'userinfoEndpoint'] as const;
const OPTIONAL_LISTS = ['grantTypesSupported', 'codeChallengeMethodsSupported', 'scopesSupported'] as const;

/** What keeps a document from being metadata; empty when nothing does. */
export function faultsOf(metadata: unknown): string[] {
  if (typeof metadata !== 'object' || metadata === null) return ['it is no object'];
  const members = metadata as Record<string, unknown>;
  const isList = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === 'string');
  const absent = (name: string) => members[name] === undefined;
  return [
    ...TEXTS.filter((name) => typeof members[name] !== 'string').map((name) => `\`${name}\` must be a text`),
    ...(isList(members.responseTypesSupported) ? [] : ['`responseTypesSupported` must be a list of texts']),
    ...OPTIONAL_TEXTS.filter((name) => !absent(name) && typeof members[name] !== 'string').map(
      (name) => `\`${name}\` must be a text`,
    ),
    ...OPTIONAL_LISTS.filter((name) => !absent(name) && !isList(members[name])).map(
      (name) => `\`${name}\` must be a list of texts`,
    ),
  ];
}

/** How to fetch. */
export interface ServerMetadataConfig {
  type: AuthServerType;
  /** Changes the document before it is read, for providers whose document is almost right. */
  transpileData?: (data: object) => object | Promise<object>;
}

/**
 * Fetches the metadata of an authorization server from the well-known URL of its type.
 *
 * @throws {MCPAuthConfigError} when it cannot be fetched
 * @throws {MCPAuthAuthServerError} when it is malformed
 */
export async function fetchServerConfig(issuer: string, config: ServerMetadataConfig): Promise<ResolvedAuthServerConfig> {
  return fetchServerConfigByWellKnownUrl(native.issuerMetadataUrl(issuer, config.type), config);
}

/** The same from a URL of your own. */
export async function fetchServerConfigByWellKnownUrl(
  wellKnownUrl: string | URL,
  { type, transpileData }: ServerMetadataConfig,
): Promise<ResolvedAuthServerConfig> {
  const document = await fetchDocument(wellKnownUrl);
  const changed = transpileData ? await transpileData(document) : document;
  const metadata = camelCased(changed);
  const faults = faultsOf(metadata);
  if (faults.length > 0) {
    throw new MCPAuthAuthServerError('invalid_server_metadata', { cause: faults.join('; '), metadata: document });
  }
  return { metadata: metadata as unknown as CamelCaseAuthorizationServerMetadata, type };
}

async function fetchDocument(url: string | URL): Promise<object> {
  const failed = (reason: string, cause?: unknown) =>
    Object.assign(new MCPAuthConfigError('fetch_server_config_error', `${url} cannot be fetched: ${reason}`), { cause });
  const response = await fetch(url, { headers: { accept: 'application/json' } }).catch((cause: Error) => {
    throw failed(cause.message, cause);
  });
  if (!response.ok) throw failed(`status ${response.status}`);
  const document: unknown = await response.json().catch(() => undefined);
  if (typeof document !== 'object' || document === null) {
    throw new MCPAuthAuthServerError('invalid_server_metadata', { cause: 'it is no JSON object', metadata: document });
  }
  return document;
}
