/** Settings as data for the native half, and what is wrong with them in the words of JavaScript. */
import type { AuthorizationServer, Introspection, Limits, ProtectedResource, ScopePolicy } from './config.js';
import { camelCase, snakeCase } from './names.js';

/** What a setting can be; a list is of the texts that it can be. */
type Kind = 'text' | 'url' | 'texts' | 'seconds' | 'number' | 'flag' | 'object' | 'any' | readonly string[] | Members | Entries | List;
/** An object with these members. */
type Members = { readonly members: Fields };
/** An object whose members have any name: texts, or objects with these members. */
type Entries = { readonly entries: Fields };
/** A list of objects with these members; of texts too where `text` says which member such a text is. */
type List = { readonly each: Fields; readonly text?: string };
type Fields = { readonly [name: string]: Kind };

const ARGUMENT_RULE: Fields = { argument: 'text', equals: 'any', startsWith: 'text', unless: 'any', scopes: 'texts' };
const CALLER = ['user', 'client'] as const;
const REQUIREMENT: Fields = {
  access: ['public', 'optional', 'required'],
  allOf: 'texts',
  anyOf: 'any',
  roles: 'texts',
  groups: 'texts',
  permissions: 'texts',
  caller: CALLER,
  allowedClients: 'texts',
  when: { each: ARGUMENT_RULE },
};
const POLICY = {
  require: 'texts',
  tools: { entries: REQUIREMENT },
  prompts: { entries: REQUIREMENT },
  resources: { entries: REQUIREMENT },
  methods: { entries: REQUIREMENT },
  implies: 'object',
  denyUndeclared: 'flag',
  strictLists: 'flag',
  caller: CALLER,
  allowedClients: 'texts',
  rolesClaim: 'text',
  groupsClaim: 'text',
  permissionsClaim: 'text',
} satisfies Record<keyof ScopePolicy, Kind>;
const INTROSPECTION = {
  method: ['rfc7662', 'google_tokeninfo', 'github_check_token', 'dangerous_userinfo'],
  endpoint: 'url',
  tokenPrefixes: 'texts',
  clientId: 'text',
  authMethod: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'none'],
  clientSecret: 'any',
  clientSecretFile: 'text',
  privateKeyFile: 'text',
  privateKeyId: 'text',
  certificateFile: 'text',
  signedResponse: 'flag',
  alsoJwts: 'flag',
  cacheMaxAge: 'seconds',
} satisfies Record<keyof Introspection, Kind>;
const SERVER = {
  issuer: 'url',
  serverType: ['any', 'oidc', 'oauth'],
  metadataUrl: 'url',
  metadata: 'object',
  jwks: 'object',
  jwksFile: 'text',
  allowedKeyHosts: 'texts',
  tokenIssuers: 'texts',
  audiences: 'texts',
  dangerousSharedAudiences: 'texts',
  scopeClaims: 'texts',
  scopePrefix: 'text',
  requiredClaims: 'object',
  principalClaim: { members: { claim: 'text', user: 'texts', client: 'texts' } },
  defaultPrincipal: ['user', 'client', 'unknown'],
  dangerousAcceptClients: 'texts',
  dangerousAcceptAnyIssuer: 'flag',
  introspection: { members: INTROSPECTION },
  tokenHeader: 'text',
  algorithms: 'texts',
  requireAtJwt: 'flag',
  requireSubject: 'flag',
  dangerousAllowHttp: 'flag',
} satisfies Record<keyof Exclude<AuthorizationServer, string | URL>, Kind>;
const RESOURCE = {
  resource: 'url',
  authorizationServers: { each: SERVER, text: 'issuer' },
  audiences: 'texts',
  requiredScopes: 'texts',
  policy: { members: POLICY },
  mirroredArguments: 'object',
  knownTasksOnly: 'flag',
  challengeStyle: ['http', 'tool_result'],
  scopesSupported: 'texts',
  dangerousAcceptAnyAudience: 'flag',
  dangerousAdvertiseOfflineAccess: 'flag',
  resourceName: 'text',
  resourceDocumentation: 'url',
  resourcePolicyUri: 'url',
  resourceTosUri: 'url',
  localized: 'object',
  jwksUri: 'url',
  resourceSigningAlgValuesSupported: 'texts',
  authorizationDetailsTypesSupported: 'texts',
  tlsClientCertificateBoundAccessTokens: 'flag',
  dpopSigningAlgValuesSupported: 'texts',
  dpopBoundAccessTokensRequired: 'flag',
  signedMetadata: 'text',
  allowedOrigins: 'texts',
  allowedHosts: 'texts',
} satisfies Record<keyof ProtectedResource, Kind>;
const LIMITS = {
  caFiles: 'texts',
  clockTolerance: 'seconds',
  fetchTimeout: 'seconds',
  keyMaxAge: 'seconds',
  keyMaxStale: 'seconds',
  maxBodyBytes: 'number',
  maxAnonymousBodyBytes: 'number',
  bodyTimeout: 'seconds',
  maxTokenBytes: 'number',
  maxTokenClaims: 'number',
  maxTokenDepth: 'number',
  maxTokenHeaderBytes: 'number',
  tokenCacheBytes: 'number',
  tokenCacheMaxAge: 'seconds',
} satisfies Record<keyof Limits, Kind>;
/** Settings that are code, in the second argument. */
const OPTIONS = [
  'authorize',
  'verifyToken',
  'verifyTimeout',
  'tokenPrefixes',
  'serveAuthorizationServerMetadata',
  'hideResourceMetadata',
];

/** Where a setting belongs that stands elsewhere. */
const PLACES: [names: readonly string[], where: string][] = [
  [Object.keys(SERVER), 'to an authorization server: `authorizationServers: [{ issuer: …, NAME: … }]`'],
  [Object.keys(RESOURCE), 'to the resource, beside `authorizationServers`'],
  [Object.keys(LIMITS), 'to the configuration, beside the resources'],
  [OPTIONS, 'to the second argument: `new McpAuth(config, { NAME: … })`'],
  [Object.keys(INTROSPECTION), 'to `introspection` of an authorization server'],
  [Object.keys(POLICY), 'to the policy: `policy: { NAME: … }`'],
  [Object.keys(REQUIREMENT), 'to what a tool, prompt, resource or method needs: `policy: { tools: { x: { NAME: … } } }`'],
];

/** Names of settings as the native half has them, of which it speaks in its faults. */
const KNOWN = new Set([...PLACES.flatMap(([names]) => names), ...Object.keys(ARGUMENT_RULE), 'resources', 'claim', 'user', 'client'].map(snakeCase));

/** What `config` says, as data, and what is wrong with it. */
export function read(config: object): { data: object; faults: string[]; leftOut: string[] } {
  const reading = new Reading();
  const isListed = (config as { resources?: unknown }).resources !== undefined;
  const fields: Fields = isListed ? { ...LIMITS, resources: { each: RESOURCE } } : { ...LIMITS, ...RESOURCE };
  const data = reading.members('', config, fields);
  return { data, faults: reading.faults, leftOut: reading.leftOut };
}

/** Faults of the native half in the words of who wrote `config`. */
export function inOurWords(faults: string[], config: object): string[] {
  const isListed = (config as { resources?: unknown }).resources !== undefined;
  const named = (name: string) => (KNOWN.has(name) ? camelCase(name) : name);
  return faults.map((fault) => {
    const end = fault.indexOf(': ');
    const [path, reason] = end < 0 ? ['', fault] : [fault.slice(0, end), fault.slice(end)];
    const ours = path.replace(/[a-z]+(_[a-z]+)+/g, named);
    const place = isListed ? ours : ours.replace(/^resources\[0\]\./, '');
    return place + reason.replace(/`([a-z]+(?:_[a-z]+)+)`/g, (_, name: string) => `\`${named(name)}\``);
  });
}

/** What a name is that nobody knows, among those that are known there. */
export function whyUnknown(name: string, known: readonly string[], places: typeof PLACES = PLACES): string {
  const ours = camelCase(name);
  if (ours !== name && known.includes(ours)) return `is \`${ours}\` here; \`McpAuth.fromConfig\` takes the names of files`;
  const place = places.find(([names]) => names.includes(name));
  if (place) return `belongs ${place[1].replaceAll('NAME', name)}`;
  const meant = nearest(name, known) ?? nearest(name, places.flatMap(([names]) => names));
  return meant ? `is not known: did you mean \`${meant}\`?` : `is not known: there are ${known.map((one) => `\`${one}\``).join(', ')}`;
}

/** What an option of the second argument is that nobody knows. */
export function whyUnknownOption(name: string): string {
  const config = PLACES.filter(([names]) => names !== OPTIONS);
  const isOfConfig = config.some(([names]) => names.includes(name));
  return isOfConfig ? `belongs to the first argument, the configuration: \`new McpAuth({ …, ${name}: … })\`` : whyUnknown(name, OPTIONS, []);
}

/** What a setting cannot be; the text says what it must be. */
class Wrong extends Error {}

class Reading {
  readonly faults: string[] = [];
  /** Names of settings that are not in the data, because they are wrong. */
  readonly leftOut: string[] = [];

  members(where: string, given: unknown, fields: Fields): object {
    const data: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(given as object)) {
      if (value === undefined) continue;
      try {
        const kind = Object.hasOwn(fields, name) ? fields[name] : undefined;
        if (!kind) throw new Wrong(whyUnknown(name, Object.keys(fields)));
        data[snakeCase(name)] = this.value(`${where}${name}`, kind, value);
      } catch (error) {
        if (!(error instanceof Wrong)) throw error;
        this.faults.push(`${where}${name}: ${error.message}`);
        this.leftOut.push(snakeCase(name));
      }
    }
    return data;
  }

  private value(where: string, kind: Kind, value: unknown): unknown {
    if (typeof kind === 'string') return simple(kind, value);
    if (isTexts(kind)) return oneOf(kind, value);
    if ('members' in kind) return this.members(`${where}.`, objectOf(value), kind.members);
    if ('entries' in kind) {
      const entries = Object.entries(objectOf(value)).filter(([, one]) => one !== undefined);
      return Object.fromEntries(entries.map(([name, one]) => [name, this.requirement(`${where}.${name}`, one, kind.entries)]));
    }
    if (!Array.isArray(value)) throw new Wrong(`must be a list, not ${shown(value)}`);
    return value.map((one, at) => this.item(`${where}[${at}]`, one, kind));
  }

  private item(where: string, one: unknown, { each, text }: List): unknown {
    const isText = typeof one === 'string' || one instanceof URL;
    // What a list of issuers holds, is one.
    if (isText && text) return this.members(`${where}.`, { [text]: one }, each);
    return this.members(`${where}.`, objectOf(one), each);
  }

  private requirement(where: string, one: unknown, fields: Fields): unknown {
    return typeof one === 'string' || Array.isArray(one) ? simple('texts', one) : this.members(`${where}.`, objectOf(one), fields);
  }
}

function isTexts(kind: Exclude<Kind, string>): kind is readonly string[] {
  return Array.isArray(kind);
}

function simple(kind: Kind & string, value: unknown): unknown {
  switch (kind) {
    case 'text':
      if (typeof value !== 'string') throw new Wrong(`must be a text, not ${shown(value)}`);
      return value;
    case 'url':
      return urlOf(value);
    case 'texts': {
      if (typeof value === 'string') return value;
      const isList = Array.isArray(value) && value.every((one) => typeof one === 'string' || one instanceof URL);
      if (!isList) throw new Wrong(`must be texts in a list, not ${shown(value)}`);
      return value.map((one: string | URL) => (typeof one === 'string' ? one : originOrUrl(one)));
    }
    case 'seconds':
      if (typeof value !== 'number' || !(value >= 0 && value < Infinity)) throw new Wrong(`must be a number of seconds, not ${shown(value)}`);
      return value;
    case 'number':
      if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Wrong(`must be a whole number, not ${shown(value)}`);
      return value;
    case 'flag':
      if (typeof value !== 'boolean') throw new Wrong(`must be true or false, not ${shown(value)}`);
      return value;
    case 'object':
      return objectOf(value);
    case 'any':
      return value;
  }
}

function oneOf(texts: readonly string[], value: unknown): string {
  if (typeof value === 'string' && texts.includes(value)) return value;
  const meant = typeof value === 'string' ? nearest(value, texts) : undefined;
  throw new Wrong(`must be one of ${texts.map((one) => `\`${one}\``).join(', ')}, not ${shown(value)}${meant ? `: did you mean \`${meant}\`?` : ''}`);
}

function objectOf(value: unknown): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof URL)) return value;
  throw new Wrong(`must be an object, not ${shown(value)}`);
}

/** A URL as it is written. An object of it has a slash at the end of an origin, whether one was there or not. */
function urlOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (!(value instanceof URL)) throw new Wrong(`must be a URL, not ${shown(value)}`);
  if (value.pathname !== '/' || value.search || value.hash) return value.href;
  throw new Wrong(
    `is a URL object without a path, of which nobody can tell whether its slash was there: write '${value.origin}' or '${value.href}', exactly as its own metadata has it`,
  );
}

/** Of a list of origins or audiences. */
function originOrUrl(url: URL): string {
  return url.pathname === '/' && !url.search && !url.hash ? url.origin : url.href;
}

/** A value, for a message. Secrets are never looked at here. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Promise) return 'a promise: `await` it';
  return `a value of type ${typeof value}`;
}

/** The name that is so like this one that it was meant. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > 60) return undefined;
  const most = Math.max(1, Math.floor(name.length / 4));
  const [best] = known.map((one) => ({ one, far: distance(name.toLowerCase(), one.toLowerCase()) })).sort((a, b) => a.far - b.far);
  return best && best.far <= most ? best.one : undefined;
}

/** How many letters have to be put in, taken out or changed. */
function distance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let at = 1; at <= to.length; at += 1) {
      const changed = (above[at - 1] as number) + (from[row - 1] === to[at - 1] ? 0 : 1);
      current.push(Math.min(changed, (above[at] as number) + 1, (current[at - 1] as number) + 1));
    }
    above = current;
  }
  return above[to.length] as number;
}
