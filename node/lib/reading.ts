/** Settings as data for the native half, and what is wrong with them in the words of JavaScript. */
import type { AuthorizationServer, ClientSettings, ConnectConfig, DownstreamConfig, DownstreamTarget, FailureLimit, FailureLimits, Introspection, Limits, ProtectedResource, Redis, ScopePolicy, SharedStore, SignInConfig } from './config.js';
import type { Options } from './mcp-auth.js';
import { camelCase, snakeCase } from './names.js';

/** What a setting can be; a list is of the texts that it can be. Scopes may be one text, other texts are in a list. */
type Kind = 'text' | 'url' | 'texts' | 'secrets' | 'scopes' | 'seconds' | 'number' | 'flag' | 'function' | 'object' | 'any' | readonly string[] | Members | Entries | Named | List;
/** An object with these members. */
type Members = { readonly members: Fields };
/** An object whose members have any name: texts, or objects with these members. */
type Entries = { readonly entries: Fields };
/** An object whose members have any name, and are objects with these members. */
type Named = { readonly named: Fields };
/** A list of objects with these members; of texts too where `text` says which member such a text is. */
type List = { readonly each: Fields; readonly text?: string };
type Fields = { readonly [name: string]: Kind };

const ARGUMENT_RULE: Fields = { argument: 'text', equals: 'any', startsWith: 'text', unless: 'any', scopes: 'scopes' };
const CALLER = ['user', 'client'] as const;
const REQUIREMENT: Fields = {
  access: ['public', 'optional', 'required'],
  allOf: 'scopes',
  anyOf: 'any',
  roles: 'texts',
  groups: 'texts',
  permissions: 'texts',
  caller: CALLER,
  allowedClients: 'texts',
  when: { each: ARGUMENT_RULE },
};
const POLICY = {
  require: 'scopes',
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
  backChannelLogout: { members: { audience: 'texts' } },
  sharedSignals: { members: { audience: 'texts', authorization: 'any' } },
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
  requiredScopes: 'scopes',
  policy: { members: POLICY },
  mirroredArguments: 'object',
  knownTasksOnly: 'flag',
  dangerousUnboundSessions: 'flag',
  sealTaskIds: 'flag',
  sealRequestState: 'flag',
  sealEventIds: 'flag',
  challengeStyle: ['http', 'tool_result'],
  scopesSupported: 'scopes',
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
const FAILURE_LIMIT = { count: 'number', period: 'seconds' } satisfies Record<keyof FailureLimit, Kind>;
const FAILURE_LIMITS = {
  failuresPerAddress: { members: FAILURE_LIMIT },
  failuresPerPrincipal: { members: FAILURE_LIMIT },
  trustedProxies: 'texts',
} satisfies Record<keyof FailureLimits, Kind>;
const REDIS = { url: 'any', urlFile: 'text', prefix: 'text' } satisfies Record<keyof Redis, Kind>;
const SHARED_STORE = {
  redis: { members: REDIS },
  maxStale: 'seconds',
  timeout: 'seconds',
  longestTokenLifetime: 'seconds',
} satisfies Record<keyof SharedStore, Kind>;
const CLIENT = {
  clientId: 'text',
  authMethod: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'none'],
  clientSecret: 'any',
  clientSecretFile: 'text',
  privateKeyFile: 'text',
  privateKeyId: 'text',
  certificateFile: 'text',
} satisfies Record<keyof ClientSettings, Kind>;
const DOWNSTREAM_TARGET = { ...CLIENT, tokenEndpoint: 'url' } satisfies Record<keyof DownstreamTarget, Kind>;
const DOWNSTREAM = {
  ...CLIENT,
  grant: ['token_exchange', 'on_behalf_of', 'id_jag', 'client_credentials', 'authorization_code'],
  issuer: 'url',
  tokenEndpoint: 'url',
  authorizationEndpoint: 'url',
  revocationEndpoint: 'url',
  audience: 'texts',
  resource: 'texts',
  scopes: 'scopes',
  requestedTokenType: 'text',
  subjectIssuers: 'texts',
  allowMachines: 'flag',
  actorToken: 'any',
  consentScopes: 'scopes',
  api: 'texts',
  target: { members: DOWNSTREAM_TARGET },
  dangerousAllowHttp: 'flag',
} satisfies Record<keyof DownstreamConfig, Kind>;
const SIGN_IN = { ...CLIENT, issuer: 'url' } satisfies Record<keyof SignInConfig, Kind>;
const CONNECT = { url: 'url', folder: 'text', redis: { members: REDIS }, signIn: { each: SIGN_IN } } satisfies Record<keyof ConnectConfig, Kind>;
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
  handleKeys: 'secrets',
  handleKeysFile: 'text',
  sharedStore: { members: SHARED_STORE },
  requestStateMaxAge: 'seconds',
  logoutPath: 'text',
  sharedSignalsPath: 'text',
  limits: { members: FAILURE_LIMITS },
  downstreams: { named: DOWNSTREAM },
  downstreamCacheEntries: 'number',
  connect: { members: CONNECT },
} satisfies Record<keyof Limits, Kind>;
/** Of the second argument: what is code, and what belongs to it. */
const OPTIONS = {
  authorize: 'function',
  verifyToken: 'function',
  verifyTimeout: 'seconds',
  tokenPrefixes: 'texts',
  revocationCheck: 'function',
  revocationCheckInterval: 'seconds',
  serveAuthorizationServerMetadata: 'flag',
  hideResourceMetadata: 'flag',
} satisfies Record<keyof Omit<Options, 'testing'>, Kind>;

/** Where a setting belongs that stands elsewhere. */
const PLACES: [names: readonly string[], where: string][] = [
  [Object.keys(SERVER), 'to an authorization server: `authorizationServers: [{ issuer: …, NAME: … }]`'],
  [Object.keys(RESOURCE), 'to the resource, beside `authorizationServers`'],
  [Object.keys(LIMITS), 'to the configuration, beside the resources'],
  [Object.keys(OPTIONS), 'to the second argument: `new McpAuth(config, { NAME: … })`'],
  [Object.keys(FAILURE_LIMITS), 'to `limits` of the configuration'],
  [Object.keys(INTROSPECTION), 'to `introspection` of an authorization server'],
  [Object.keys(POLICY), 'to the policy: `policy: { NAME: … }`'],
  [Object.keys(REQUIREMENT), 'to what a tool, prompt, resource or method needs: `policy: { tools: { x: { NAME: … } } }`'],
];

/** Names of settings as the native half has them, of which it speaks in its faults. */
const KNOWN = new Set([...PLACES.flatMap(([names]) => names), ...Object.keys(ARGUMENT_RULE), ...Object.keys(SHARED_STORE), ...Object.keys(REDIS), ...Object.keys(DOWNSTREAM), 'resources', 'claim', 'user', 'client'].map(snakeCase));

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

/** What is wrong with the second argument. */
export function faultsOfOptions(options: object): string[] {
  if (typeof options !== 'object' || options === null) return [`options: must be an object, not ${shown(options)}`];
  const reading = new Reading();
  reading.members('options.', options, { ...OPTIONS, testing: 'any' }, whyUnknownOption);
  return reading.faults;
}

/** What a name is that nobody knows, among those that are known there. */
function whyUnknown(name: string, known: readonly string[]): string {
  const ours = camelCase(name);
  if (ours !== name && known.includes(ours)) return `is \`${ours}\` here; \`McpAuth.fromConfig\` takes the names of files`;
  const spelt = ours.replace(/^dangerously/, 'dangerous');
  const place = placeOf(spelt);
  if (spelt === name && place) return `belongs ${place}`;
  const meant = known.includes(spelt) || place ? spelt : (nearest(spelt, known) ?? nearest(spelt, PLACES.flatMap(([names]) => names)));
  if (meant === undefined) return `is not known: there are ${known.map((one) => `\`${one}\``).join(', ')}`;
  const where = known.includes(meant) ? undefined : placeOf(meant);
  return `is not known: did you mean \`${meant}\`?${where ? ` It belongs ${where}` : ''}`;
}

/** Where a setting of this name belongs, with an example. */
function placeOf(name: string): string | undefined {
  const place = PLACES.find(([names]) => names.includes(name));
  // An issuer is what the example has already.
  return place?.[1].replaceAll('NAME', name).replace('issuer: …, issuer: …', 'issuer: …');
}

/** What an option of the second argument is that nobody knows. */
function whyUnknownOption(name: string, known: readonly string[]): string {
  const isAtTop = Object.hasOwn(RESOURCE, name) || Object.hasOwn(LIMITS, name);
  return isAtTop ? `belongs to the first argument, the configuration: \`new McpAuth({ …, ${name}: … })\`` : whyUnknown(name, known.filter((one) => one !== 'testing'));
}

/** What a setting cannot be; the text says what it must be. */
class Wrong extends Error {
  /** What is wrong with its items or members, each with its place below the setting; empty where it is the whole. */
  readonly below: [place: string, reason: string][];

  constructor(reason: string, below: [place: string, reason: string][] = []) {
    super(reason);
    this.below = below;
  }

  /** With each place, the first of which is empty. */
  all(): [place: string, reason: string][] {
    return this.below.length > 0 ? this.below : [['', this.message]];
  }
}

/** Reads each of these, and collects what is wrong with them. */
function readEach<Item>(items: [place: string, given: unknown][], readOne: (given: unknown, place: string) => Item): Item[] {
  const wrong: [place: string, reason: string][] = [];
  const data: Item[] = [];
  for (const [place, given] of items) {
    try {
      data.push(readOne(given, place));
    } catch (error) {
      if (!(error instanceof Wrong)) throw error;
      wrong.push(...error.all().map(([inner, reason]): [string, string] => [place + inner, reason]));
    }
  }
  if (wrong.length > 0) throw new Wrong('', wrong);
  return data;
}

/** The items of a list with their places; those that are not there, too. */
function itemsOf(list: unknown[]): [place: string, given: unknown][] {
  return Array.from(list, (one, at) => [`[${at}]`, one]);
}

class Reading {
  readonly faults: string[] = [];
  /** Names of settings that are not in the data, because they are wrong. */
  readonly leftOut: string[] = [];

  members(where: string, given: unknown, fields: Fields, why: typeof whyUnknown = whyUnknown): object {
    const data: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(given as object)) {
      if (value === undefined) continue;
      try {
        const kind = Object.hasOwn(fields, name) ? fields[name] : undefined;
        if (!kind) throw new Wrong(why(name, Object.keys(fields)));
        data[snakeCase(name)] = this.value(`${where}${name}`, kind, value);
      } catch (error) {
        if (!(error instanceof Wrong)) throw error;
        this.faults.push(...error.all().map(([place, reason]) => `${where}${name}${place}: ${reason}`));
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
      // One that is `undefined` would be a rule that nobody heeds.
      const entries = Object.entries(objectOf(value));
      const needed = readEach(entries.map(([name, one]) => [`.${name}`, one]), (one, place) => this.requirement(where + place, one, kind.entries));
      return Object.fromEntries(entries.map(([name], at) => [name, needed[at]]));
    }
    if ('named' in kind) {
      const entries = Object.entries(objectOf(value));
      const data = readEach(entries.map(([name, one]) => [`.${name}`, one]), (one, place) => this.members(`${where}${place}.`, objectOf(one), kind.named));
      return Object.fromEntries(entries.map(([name], at) => [name, data[at]]));
    }
    if (!Array.isArray(value)) throw new Wrong(`must be a list, not ${shown(value)}`);
    return readEach(itemsOf(value), (one, place) => this.item(where + place, one, kind));
  }

  private item(where: string, one: unknown, { each, text }: List): unknown {
    const isText = typeof one === 'string' || one instanceof URL;
    // What a list of issuers holds, is one.
    if (isText && text) return this.members(`${where}.`, { [text]: one }, each);
    return this.members(`${where}.`, objectOf(one), each);
  }

  private requirement(where: string, one: unknown, fields: Fields): unknown {
    if (typeof one === 'string' || Array.isArray(one)) return simple('scopes', one);
    if (typeof one !== 'object' || one === null) throw new Wrong(`must be scopes, or an object such as { allOf: ['notes:write'] }, not ${shown(one)}`);
    return this.members(`${where}.`, objectOf(one), fields);
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
    case 'scopes':
      return typeof value === 'string' ? value : textsOf(value);
    case 'texts':
      return textsOf(value);
    case 'secrets':
      return secretsOf(value);
    case 'seconds':
      if (typeof value !== 'number' || !(value >= 0 && value < Infinity)) throw new Wrong(`must be a number of seconds, not ${shown(value)}`);
      return value;
    case 'number':
      if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Wrong(`must be a whole number, not ${shown(value)}`);
      return value;
    case 'flag':
      if (typeof value !== 'boolean') throw new Wrong(`must be true or false, not ${shown(value)}`);
      return value;
    case 'function':
      if (typeof value !== 'function') throw new Wrong('is no function');
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

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') throw new Wrong(`must be a list, as [${shown(value)}], not a text`);
  if (!Array.isArray(value)) throw new Wrong(`must be texts in a list, not ${shown(value)}`);
  return readEach(itemsOf(value), (one) => {
    if (typeof one === 'string') return one;
    if (one instanceof URL) return originOrUrl(one);
    throw new Wrong(`must be a text, not ${shown(one)}`);
  });
}

/** Nothing of them is shown, whatever is wrong with them. */
function secretsOf(value: unknown): string[] {
  if (!Array.isArray(value)) throw new Wrong('must be texts in a list');
  return readEach(itemsOf(value), (one) => {
    if (typeof one === 'string') return one;
    throw new Wrong('must be a text');
  });
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
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean') return String(value);
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
