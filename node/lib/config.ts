/** The configuration: the same fields as in Rust and Python, in camelCase. */

/** A tool, prompt, resource or method: the scopes it needs, or more than that. */
export type Requirement =
  | string
  | string[]
  | {
      access?: 'public' | 'optional' | 'required';
      allOf?: string | string[];
      anyOf?: (string | string[])[];
      roles?: string[];
      groups?: string[];
      permissions?: string[];
      caller?: 'user' | 'client';
      allowedClients?: string[];
      when?: { argument: string; [rule: string]: unknown }[];
    };

/** Who may do what, as data. See docs/policies.md. */
export interface ScopePolicy {
  require?: string | string[];
  tools?: Record<string, Requirement>;
  prompts?: Record<string, Requirement>;
  resources?: Record<string, Requirement>;
  methods?: Record<string, Requirement>;
  implies?: Record<string, string | string[]>;
  denyUndeclared?: boolean;
  strictLists?: boolean;
  caller?: 'user' | 'client';
  allowedClients?: string[];
  rolesClaim?: string;
  groupsClaim?: string;
  permissionsClaim?: string;
}

/** How opaque tokens are asked about (RFC 7662). Durations are in seconds. */
export interface Introspection {
  method?: string;
  endpoint?: string;
  tokenPrefixes?: string[];
  clientId?: string;
  authMethod?: string;
  clientSecret?: string;
  clientSecretFile?: string;
  privateKeyFile?: string;
  privateKeyId?: string;
  certificateFile?: string;
  signedResponse?: boolean;
  alsoJwts?: boolean;
  cacheMaxAge?: number;
}

/** An authorization server whose tokens are accepted; a text is its issuer, with every default. */
export type AuthorizationServer =
  | string
  | {
      issuer: string;
      serverType?: 'any' | 'oidc' | 'oauth';
      metadataUrl?: string;
      metadata?: Record<string, unknown>;
      jwks?: { keys: object[] };
      jwksFile?: string;
      allowedKeyHosts?: string[];
      tokenIssuers?: string[];
      audiences?: string[];
      dangerousSharedAudiences?: string[];
      scopeClaims?: string[];
      scopePrefix?: string;
      requiredClaims?: Record<string, unknown[]>;
      /** How its tokens say who is calling: `{ claim: 'idtyp', user: ['user'], client: ['app'] }`. */
      principalClaim?: { claim: string; user?: string[]; client?: string[] };
      /** What a caller is whose token does not tell; `unknown` if not set. */
      defaultPrincipal?: 'user' | 'client' | 'unknown';
      dangerousAcceptClients?: string[];
      introspection?: Introspection;
      tokenHeader?: string;
      algorithms?: string[];
      requireAtJwt?: boolean;
      requireSubject?: boolean;
      dangerousAllowHttp?: boolean;
    };

/** One protected resource: an MCP endpoint. */
export interface ProtectedResource {
  /** The URL that clients connect to. */
  resource: string;
  authorizationServers: AuthorizationServer[];
  audiences?: string[];
  requiredScopes?: string | string[];
  policy?: ScopePolicy;
  /**
   * Arguments that clients repeat in `Mcp-Param-*` headers: tool, name of the header without `Mcp-Param-`, and the
   * argument, by its name or a JSON Pointer. What is not here is learnt from lists of tools.
   */
  mirroredArguments?: Record<string, Record<string, string>>;
  /** Refuse requests about tasks of which this instance does not know who made them. */
  knownTasksOnly?: boolean;
  challengeStyle?: 'http' | 'tool_result';
  scopesSupported?: string | string[];
  dangerousAcceptAnyAudience?: boolean;
  dangerousAdvertiseOfflineAccess?: boolean;
  resourceName?: string;
  resourceDocumentation?: string;
  resourcePolicyUri?: string;
  resourceTosUri?: string;
  /** Members of the metadata for people in other languages: `{ 'resource_name#de': 'Notizen' }`. */
  localized?: Record<string, string>;
  jwksUri?: string;
  resourceSigningAlgValuesSupported?: string[];
  authorizationDetailsTypesSupported?: string[];
  tlsClientCertificateBoundAccessTokens?: boolean;
  dpopSigningAlgValuesSupported?: string[];
  dpopBoundAccessTokensRequired?: boolean;
  signedMetadata?: string;
  allowedOrigins?: string[];
  allowedHosts?: string[];
}

/** What holds for all resources. Durations are in seconds. */
export interface Limits {
  caFiles?: string[];
  clockTolerance?: number;
  fetchTimeout?: number;
  keyMaxAge?: number;
  keyMaxStale?: number;
  maxBodyBytes?: number;
  maxAnonymousBodyBytes?: number;
  bodyTimeout?: number;
  maxTokenBytes?: number;
  maxTokenClaims?: number;
  maxTokenDepth?: number;
  maxTokenHeaderBytes?: number;
  tokenCacheBytes?: number;
  tokenCacheMaxAge?: number;
}

/** One resource, or several. */
export type Config = Limits & (ProtectedResource | { resources: ProtectedResource[] });

/** The same in the form of a file: snake_case, a list of resources. */
export interface ConfigData {
  resources: {
    resource: string;
    authorization_servers: (string | { issuer: string; token_header?: string; [field: string]: unknown })[];
    [field: string]: unknown;
  }[];
  [field: string]: unknown;
}

/** Whose members are fields of ours, and are named anew; those of `*` may have any name. */
type Shape = { [field: string]: Shape };

const REQUIREMENTS: Shape = { '*': { when: {} } };
const POLICY: Shape = {
  tools: REQUIREMENTS,
  prompts: REQUIREMENTS,
  resources: REQUIREMENTS,
  methods: REQUIREMENTS,
};
const RESOURCE: Shape = { authorizationServers: { introspection: {}, principalClaim: {} }, policy: POLICY };
/** Of one resource, whose fields stand at the top, or of several. */
const CONFIG: Shape = { ...RESOURCE, resources: RESOURCE };

/** The configuration as the native half reads it. */
export function toData(config: Config): object {
  return rename(config, CONFIG) as object;
}

function rename(value: unknown, shape: Shape): unknown {
  if (Array.isArray(value)) return value.map((item) => rename(item, shape));
  if (typeof value !== 'object' || value === null) return value;
  const any = shape['*'];
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(
    entries.map(([name, member]) => {
      if (any) return [name, rename(member, any)];
      const inner = shape[name];
      return [snakeCase(name), inner ? rename(member, inner) : member];
    }),
  );
}

/** `jwksUri` → `jwks_uri`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** `jwks_uri` → `jwksUri`. */
function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The same for the names of an object's members. */
export function camelCased<Value>(object: Record<string, Value>): Record<string, Value>;
export function camelCased(object: object): Record<string, unknown>;
export function camelCased(object: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [camelCase(name), value]));
}
