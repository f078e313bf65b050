/** Metadata of authorization servers: fetched, and as configuration. */
import { camelCased } from '../names.js';
import { native } from '../native.js';
import { MCPAuthAuthServerError, MCPAuthConfigError } from './errors.js';
import {
  type AuthorizationServerMetadata,
  authorizationServerMetadataSchema,
  type CamelCaseAuthorizationServerMetadata,
} from './schemas.js';

/** What kind of authorization server it is, which says where its metadata is. */
export type AuthServerType = 'oauth' | 'oidc';

/** An authorization server whose metadata is known. */
export type ResolvedAuthServerConfig = {
  metadata: CamelCaseAuthorizationServerMetadata;
  type: AuthServerType;
};

/** An authorization server whose metadata is fetched when it is first needed. */
export type AuthServerDiscoveryConfig = {
  issuer: string;
  type: AuthServerType;
};

export type AuthServerConfig = ResolvedAuthServerConfig | AuthServerDiscoveryConfig;

export function getIssuer(config: AuthServerConfig): string {
  return 'metadata' in config ? config.metadata.issuer : config.issuer;
}

/** Where metadata is, by the standard of each type. {@link fetchServerConfig} knows where an issuer's path belongs. */
export const serverMetadataPaths = Object.freeze({
  oauth: '/.well-known/oauth-authorization-server',
  oidc: '/.well-known/openid-configuration',
});

/** How to fetch. */
export type ServerMetadataConfig = {
  type: AuthServerType;
  /** Changes the document before it is read, for providers whose document is almost right. */
  transpileData?: (
    data: object,
  ) => AuthorizationServerMetadata | Record<string, unknown> | Promise<AuthorizationServerMetadata | Record<string, unknown>>;
};

/**
 * Fetches the metadata of an authorization server from the well-known URL of its type.
 *
 * @throws {MCPAuthConfigError} when it cannot be fetched
 * @throws {MCPAuthAuthServerError} when it is malformed, or says that it is another issuer's and `transpileData` is not there
 */
export async function fetchServerConfig(issuer: string, config: ServerMetadataConfig): Promise<ResolvedAuthServerConfig> {
  const server = await fetchServerConfigByWellKnownUrl(native.issuerMetadataUrl(issuer, config.type), config);
  const { metadata } = server;
  // RFC 8414 §3.3: a document about another issuer must not be used.
  if (metadata.issuer !== issuer && config.transpileData === undefined) {
    const message = `The metadata of ${issuer} says that it is of ${metadata.issuer}: write that, or use fetchServerConfigByWellKnownUrl.`;
    throw new MCPAuthAuthServerError('invalid_server_metadata', { metadata, message });
  }
  return server;
}

/** The same from a URL of your own. */
export async function fetchServerConfigByWellKnownUrl(
  wellKnownUrl: string | URL,
  { type, transpileData }: ServerMetadataConfig,
): Promise<ResolvedAuthServerConfig> {
  const metadata = await fetchDocument(wellKnownUrl);
  const changed = await transpileData?.(metadata);
  const parsed = authorizationServerMetadataSchema.safeParse(changed ?? metadata);
  if (!parsed.success) throw new MCPAuthAuthServerError('invalid_server_metadata', { metadata, parseError: parsed.error });
  return { metadata: camelCased(parsed.data) as unknown as CamelCaseAuthorizationServerMetadata, type };
}

async function fetchDocument(url: string | URL): Promise<object> {
  const failed = (reason: string, cause?: unknown) => {
    const error = new MCPAuthConfigError('fetch_server_config_error', `Failed to fetch server config from ${url}: ${reason}`);
    return cause === undefined ? error : Object.assign(error, { cause });
  };
  // For all of it: who waits for metadata must not wait for ever.
  const signal = AbortSignal.timeout(MOST_SECONDS * 1000);
  const response = await fetch(url, { headers: { accept: 'application/json' }, signal }).catch((cause: Error) => {
    throw failed(cause.message, cause);
  });
  if (!response.ok) {
    void response.body?.cancel();
    throw failed(response.statusText);
  }
  const text = await readText(response).catch((cause: Error) => {
    throw failed(cause.message, cause);
  });
  const metadata = jsonOf(text);
  if (typeof metadata !== 'object' || metadata === null) {
    const message = 'The server metadata is not a valid object or is null.';
    throw new MCPAuthAuthServerError('invalid_server_metadata', { metadata, message });
  }
  return metadata;
}

/** How long a document may take, and how long it may be. */
const MOST_SECONDS = 10;
const MOST_BYTES = 1024 * 1024;

/** The body, as far as it is no longer than a document may be. */
async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    // Leaving the loop ends the connection.
    if (length > MOST_BYTES) throw new Error(`longer than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/** What is no JSON is no metadata either. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
