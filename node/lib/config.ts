/** The configuration: the same fields as in Rust and Python, in camelCase. */

/** What a token may be signed with. */
export type Algorithm =
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA'
  | 'Ed25519'
  | 'ML-DSA-44'
  | 'ML-DSA-65'
  | 'ML-DSA-87';

/** Scopes that a call needs besides, depending on one argument: one of `equals`, `startsWith` and `unless` at most. */
export interface ArgumentRule {
  /** The name of an argument, or a JSON Pointer such as `/options/mode`. */
  argument: string;
  equals?: unknown;
  startsWith?: string;
  unless?: unknown;
  scopes: string | string[];
}

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
      when?: ArgumentRule[];
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
  method?: 'rfc7662' | 'google_tokeninfo' | 'github_check_token' | 'dangerous_userinfo';
  endpoint?: string | URL;
  tokenPrefixes?: string[];
  clientId?: string;
  authMethod?: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'tls_client_auth' | 'none';
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
  | URL
  | {
      issuer: string | URL;
      serverType?: 'any' | 'oidc' | 'oauth';
      metadataUrl?: string | URL;
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
      dangerousAcceptAnyIssuer?: boolean;
      introspection?: Introspection;
      /** Accepts its logout tokens (OpenID Connect Back-Channel Logout) that have one of these in `aud`. */
      backChannelLogout?: { audience: string[] };
      /** Accepts its security events (Shared Signals, pushed) that have one of these in `aud`. */
      sharedSignals?: { audience: string[]; authorization?: string };
      tokenHeader?: string;
      algorithms?: Algorithm[];
      requireAtJwt?: boolean;
      requireSubject?: boolean;
      dangerousAllowHttp?: boolean;
    };

/** One protected resource: an MCP endpoint. */
export interface ProtectedResource {
  /** The URL that clients connect to. */
  resource: string | URL;
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
  /** Let whoever has a session identifier use the session: for servers that bind sessions themselves. */
  dangerousUnboundSessions?: boolean;
  /** Seal identifiers of tasks for the caller whose call made them. */
  sealTaskIds?: boolean;
  /** Seal `requestState` for the caller and the request that it was given to. */
  sealRequestState?: boolean;
  /** Seal identifiers of events for the caller and the session whose stream has them. */
  sealEventIds?: boolean;
  challengeStyle?: 'http' | 'tool_result';
  scopesSupported?: string | string[];
  dangerousAcceptAnyAudience?: boolean;
  dangerousAdvertiseOfflineAccess?: boolean;
  resourceName?: string;
  resourceDocumentation?: string | URL;
  resourcePolicyUri?: string | URL;
  resourceTosUri?: string | URL;
  /** Members of the metadata for people in other languages: `{ 'resource_name#de': 'Notizen' }`. */
  localized?: Record<string, string>;
  jwksUri?: string | URL;
  resourceSigningAlgValuesSupported?: string[];
  authorizationDetailsTypesSupported?: string[];
  tlsClientCertificateBoundAccessTokens?: boolean;
  dpopSigningAlgValuesSupported?: string[];
  dpopBoundAccessTokensRequired?: boolean;
  signedMetadata?: string;
  allowedOrigins?: (string | URL)[];
  allowedHosts?: string[];
}

/** The Redis of all instances: `redis://`, `rediss://` or `unix://`, with its password, or a file that holds this URL. */
export interface Redis {
  url?: string;
  urlFile?: string;
  /** How all keys in Redis begin. */
  prefix?: string;
}

/** What all instances of a server share: what is revoked on one is refused on all. */
export interface SharedStore {
  redis?: Redis;
  /** For this long, what is known counts while the store is away. */
  maxStale?: number;
  /** No request waits longer for the store. */
  timeout?: number;
  /** How long access tokens live at most. */
  longestTokenLifetime?: number;
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
  /** Secrets that session identifiers and states are sealed with: the first seals, all open. The same for all instances. */
  handleKeys?: string[];
  /** A file that holds such keys, one in each line. */
  handleKeysFile?: string;
  /** What all instances of a server share. */
  sharedStore?: SharedStore;
  /** For this long, a `requestState` that was sealed may come back. */
  requestStateMaxAge?: number;
  /** Where logout tokens are sent. Default: `/backchannel-logout`. */
  logoutPath?: string;
  /** Where security events are pushed. Default: `/shared-signals`. */
  sharedSignalsPath?: string;
  /** After how many refusals a sender is answered 429. What is allowed goes on. */
  limits?: FailureLimits;
  /** The APIs that tools call for their callers, by name. */
  downstreams?: Record<string, DownstreamConfig>;
  /** How many tokens for each of these APIs are kept. Default: 100,000. */
  downstreamCacheEntries?: number;
  /** Where users connect their accounts, for APIs with the grant `authorization_code`. */
  connect?: ConnectConfig;
}

/** Where users connect their accounts at other providers. */
export interface ConnectConfig {
  /** The public URL of the pages. */
  url: string | URL;
  /** The folder where grants are kept, sealed with `handleKeys`. */
  folder?: string;
  /** The Redis where all instances keep grants, in place of a folder. */
  redis?: Redis;
  /** Where users sign in before they go to a provider. */
  signIn: SignInConfig[];
}

/** Us as an OpenID Connect client of an issuer of our callers. */
export interface SignInConfig extends ClientSettings {
  issuer: string | URL;
}

/** Us as a client of an authorization server. */
export interface ClientSettings {
  clientId: string;
  authMethod?: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'tls_client_auth' | 'none';
  clientSecret?: string;
  clientSecretFile?: string;
  privateKeyFile?: string;
  privateKeyId?: string;
  certificateFile?: string;
}

/** An API that tools call for their callers, and how a token for it is had. */
export interface DownstreamConfig extends ClientSettings {
  grant?: 'token_exchange' | 'on_behalf_of' | 'id_jag' | 'client_credentials' | 'authorization_code';
  /** The authorization server that gives the token: one of `authorizationServers`. */
  issuer?: string | URL;
  /** The token endpoint, where no metadata names it. */
  tokenEndpoint?: string | URL;
  /** Where users grant it, for `authorization_code`, where no metadata names it. */
  authorizationEndpoint?: string | URL;
  /** Where a grant is ended, for `authorization_code`, where no metadata names it. */
  revocationEndpoint?: string | URL;
  audience?: string[];
  resource?: (string | URL)[];
  scopes?: string | string[];
  requestedTokenType?: string;
  /** Callers of which issuers it is for; none: those of `issuer` alone. */
  subjectIssuers?: string[];
  /** Also for callers behind whom nobody stands. */
  allowMachines?: boolean;
  /** Who acts for the caller. */
  actorToken?: 'client_credentials' | { file: string };
  /** Scopes of this server to ask for, where the user must consent first. */
  consentScopes?: string | string[];
  /** The URLs of the API: the token goes to these, and what is below them, alone. */
  api?: (string | URL)[];
  /** The API's own authorization server, for `id_jag`. */
  target?: DownstreamTarget;
  dangerousAllowHttp?: boolean;
}

/** The authorization server of an API, as another one than that of its callers. */
export interface DownstreamTarget extends ClientSettings {
  tokenEndpoint: string | URL;
}

/** After how many refusals a sender is answered 429, for what would be refused anyway. */
export interface FailureLimits {
  /** Of one address, for tokens that nobody trusted has issued. */
  failuresPerAddress?: FailureLimit;
  /** Of one caller, for what it may not do; and of one token that is not good any more. */
  failuresPerPrincipal?: FailureLimit;
  /** Addresses, and ranges such as `10.0.0.0/8`, of proxies whose `X-Forwarded-For` is believed. */
  trustedProxies?: string[];
}

/** So many at once, and then one more each `count`-th part of the period, which is in seconds. */
export interface FailureLimit {
  count: number;
  period: number;
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
