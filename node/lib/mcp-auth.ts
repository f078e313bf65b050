import { AuthInfo, type Requested } from './auth-info.js';
import type { Config, ConfigData } from './config.js';
import { handledAs, rememberCallers } from './current-caller.js';
import { Described, KnownCallers } from './described.js';
import { Downstream } from './downstream.js';
import { ConfigError, configErrorOf, McpAuthError, refusalOf, UnavailableError } from './errors.js';
import { beginRevocationCheck, beginVerification, policyFunction, VERIFY_TIMEOUT, type Authorize, type RevocationCheck, type VerifyToken } from './functions.js';
import type { HeaderLines } from './headers.js';
import { type Answered, type Forward, native, type NativeAuth, type Outcome, type Resource, settle } from './native.js';
import { faultsOfOptions, inOurWords, read } from './reading.js';
import { type Revocation, revocationData } from './revocation.js';
import { StateSealer } from './state.js';
import { explainFailure, watchRequests } from './outage.js';
import { pathsOf, Told } from './told.js';
import { type Allowed, handle } from './web.js';

/** What is code and not data. */
export interface Options {
  /**
   * Rules of your own, for every call and every item of a list, besides the policies. It must be quick and
   * must not wait: what needs a database belongs in the handler, see {@link AuthInfo.require}.
   */
  authorize?: Authorize;
  /** Verifies tokens in a way of your own, before the authorization servers are asked. */
  verifyToken?: VerifyToken;
  /** Seconds after which a {@link Options.verifyToken} without an answer is a 503. Default: 10. */
  verifyTimeout?: number;
  /** What tokens for {@link Options.verifyToken} begin with; without it, it is asked about all of them. */
  tokenPrefixes?: string[];
  /** Asked about every accepted token: whether it was taken back. */
  revocationCheck?: RevocationCheck;
  /**
   * For so many seconds an answer of {@link Options.revocationCheck} holds for a token that is kept; while there is no
   * new one, for twice as long. Default: 60.
   */
  revocationCheckInterval?: number;
  /** Also serves the first issuer's metadata on our origin, for clients of the 2025-03-26 specification. */
  serveAuthorizationServerMetadata?: boolean;
  /** Serves no metadata of the resources and names none in challenges: where something else does, or nobody may. */
  hideResourceMetadata?: boolean;
  /** @internal For tests: the time, and what authorization servers answer. */
  testing?: { now?: number; documents?: Record<string, object> };
}

/** What `OAuthTokenVerifier` of the official SDK is, in 1.x and in 2.x. */
export interface TokenVerifier {
  verifyAccessToken(token: string): Promise<AuthInfo>;
}

/**
 * Protects an MCP server as an OAuth 2.1 resource server.
 *
 * ```ts
 * const auth = new McpAuth({
 *   resource: 'https://mcp.example.com/mcp',
 *   authorizationServers: ['https://tenant.example.com/'],
 * });
 * app.use(protect(auth)); // of mcp-auth-node/express
 * ```
 */
export class McpAuth {
  /** @internal */
  readonly native: NativeAuth;
  /** Those whom it has given numbers. */
  readonly #known = new KnownCallers();
  /** @internal What frameworks were told. */
  readonly told = new Told();
  /** Code stays when the configuration is replaced. */
  readonly #options: Options;
  #tokenHeaders: readonly string[];
  /** @internal Whether refusals are counted by address: then that of the connection is needed. */
  countsAddresses: boolean;
  /** Settings that count where requests are decided, and not where tokens are verified. */
  #ofRequests: readonly string[];
  #paths: readonly string[];
  /** Those that were asked for, by their names. */
  readonly #downstreams = new Map<string, Downstream>();

  /**
   * Checks the configuration; does not touch the network.
   *
   * @throws {ConfigError} which lists every fault at once
   */
  constructor(config: Config, options: Options = {}) {
    if (typeof config !== 'object' || config === null) throw new ConfigError('the configuration is no object');
    const { native, ofRequests, paths } = withData(config, (data) => construct(data, options));
    this.native = native;
    this.#options = options;
    this.#ofRequests = ofRequests;
    this.#paths = paths;
    this.#tokenHeaders = this.native.tokenHeaders();
    this.countsAddresses = this.native.countsAddresses();
  }

  /** The same from the form that files have: snake_case, a list of `resources`. */
  static fromConfig(data: ConfigData, options?: Options): McpAuth {
    return new McpAuth({ [DATA]: data } as unknown as Config, options);
  }

  /** Reads one resource from `MCP_AUTH_RESOURCE`, `MCP_AUTH_ISSUER` and `MCP_AUTH_SCOPES`. */
  static fromEnv(options?: Options): McpAuth {
    return McpAuth.fromConfig(dataFromEnv(), options);
  }

  /**
   * Puts this configuration in the place of the one that is in force, as a whole or not at all.
   *
   * ```ts
   * process.on('SIGHUP', () => auth.reload(readConfig()));
   * ```
   *
   * It is checked as that of the constructor, the files that it names are read again, and the functions that were given to the
   * constructor stay. Requests that come later are decided by it. An issuer whose settings did not change keeps its keys and the
   * tokens that it accepted; open streams go on under the new rules, and end where they would not be admitted any more.
   *
   * It is about this instance alone: tell every worker and each process of a cluster.
   *
   * @throws {ConfigError} which lists every fault at once, also of what cannot change while the server runs; everything is then
   *   as it was
   */
  reload(config: Config): void {
    if (typeof config !== 'object' || config === null) throw new ConfigError('the configuration is no object');
    try {
      withData(config, (data, isFaulty) => this.#reloadData(data, isFaulty));
    } catch (error) {
      if (error instanceof ConfigError) this.native.logRefusedConfiguration(error.faults.join('; '));
      throw error;
    }
  }

  /** {@link reload} with the form that files have, as {@link fromConfig} takes it. */
  reloadFromConfig(data: ConfigData): void {
    this.reload({ [DATA]: data } as unknown as Config);
  }

  /** {@link reload} with what {@link fromEnv} reads. */
  reloadFromEnv(): void {
    this.reloadFromConfig(dataFromEnv());
  }

  #reloadData(data: object, isFaulty: boolean): void {
    const text = JSON.stringify(data);
    reloadNative(this.native, text, true);
    // What is wrong is told with the faults that were found in it before.
    if (isFaulty) return;
    const [paths, ofRequests] = [pathsOf(data), namesOfRequests(data, this.#options)];
    const faults = this.told.faults(paths, ofRequests);
    if (faults.length > 0) throw new ConfigError(['the configuration cannot be used:', ...faults].join('\n- '), faults);
    reloadNative(this.native, text, false);
    if (hasDownstreams(data)) rememberCallers();
    this.#ofRequests = ofRequests;
    this.#paths = paths;
    // Those of before too: a request that was decided by them may be on its way to its handler.
    this.#tokenHeaders = [...new Set([...this.#tokenHeaders, ...this.native.tokenHeaders()])];
    this.countsAddresses = this.native.countsAddresses();
  }

  /**
   * Decides about a web-standard request: the response to send, or what to go on with.
   *
   * ```ts
   * const answer = await auth.handle(request);
   * if (answer instanceof Response) return answer;
   * return answer.respond(await serve(answer.request, answer.authInfo));
   * ```
   *
   * For `limits.failuresPerAddress` it needs the address of the connection, which a request does not have: in Bun
   * `server.requestIP(request)?.address`, in Deno `info.remoteAddr.hostname`.
   */
  handle(request: Request, connection: { remoteAddress?: string } = {}): Promise<Response | Allowed> {
    return handle(this, request, connection.remoteAddress);
  }

  /** The same around a handler, such as that of `Bun.serve` or a route of Next.js. */
  protect<Rest extends unknown[]>(
    handler: (request: Request, authInfo: AuthInfo | undefined, ...rest: Rest) => Response | Promise<Response>,
  ): (request: Request, ...rest: Rest) => Promise<Response> {
    return async (request, ...rest) => {
      const answer = await handle(this, request);
      if (answer instanceof Response) return answer;
      const describe = () => ({ authInfo: answer.authInfo, isAnswered: () => false });
      return answer.respond(await handledAs(describe, () => handler(answer.request, answer.authInfo, ...rest)));
    };
  }

  /**
   * Verifies a token, for the first resource or the one at `path`; scopes and policies are not looked at.
   *
   * @throws {TokenError} when it is refused
   * @throws {UnavailableError} when that cannot be told right now
   */
  async verifyAccessToken(token: string, path?: string): Promise<AuthInfo> {
    let outcome: Outcome = this.native.verify(token, path);
    if (typeof outcome !== 'string') outcome = await settle(outcome);
    if (typeof outcome !== 'string') throw refusalOf((outcome as Answered).refusal ?? '');
    const verifiedAgain = () => (path === undefined ? this.native.verifiedAgain(token) : null);
    return new AuthInfo(new Described(outcome), { reopen: () => null, resource: () => this.resourceAt(path), verifiedAgain });
  }

  /**
   * A verifier for the official SDK, which answers 401 only to errors of its own class. When it cannot be told whether
   * a token is good, its 500 becomes a 503 with `Retry-After`, on `node:http` and what is built on it:
   *
   * ```ts
   * auth.tokenVerifier((message) => new InvalidTokenError(message)); // 1.x
   * auth.tokenVerifier((message) => new OAuthError(OAuthErrorCode.InvalidToken, message)); // 2.x
   * ```
   */
  tokenVerifier(refused: (message: string, cause: McpAuthError) => Error): TokenVerifier {
    if (this.#ofRequests.length > 0) {
      const names = this.#ofRequests.map((name) => `\`${name}\``).join(', ');
      throw new ConfigError(
        `${names}: a verifier of tokens alone does not look at ${this.#ofRequests.length > 1 ? 'these' : 'this'}. ` +
          'Use `protect(auth)`, which does; or leave it out here, and give scopes to `requireBearerAuth({ requiredScopes })`',
      );
    }
    this.told.verifiesAlone = true;
    watchRequests();
    return {
      verifyAccessToken: async (token) => {
        try {
          return await this.verifyAccessToken(token);
        } catch (error) {
          // What cannot be told right now is no fault of the token.
          if (error instanceof UnavailableError) explainFailure(error);
          const isRefusal = error instanceof McpAuthError && error.status === 401;
          throw isRefusal ? refused('the access token is not acceptable', error) : error;
        }
      },
    };
  }

  /** Fetches every issuer's keys, for servers that rather fail at start-up. */
  async ready(): Promise<void> {
    const outcome = await settle(this.native.ready());
    if (typeof outcome !== 'string') throw refusalOf((outcome as Answered).refusal ?? '');
  }

  /** Why the resource at this path accepts a token or refuses it, check by check. */
  async explainToken(path: string, token: string): Promise<unknown> {
    return JSON.parse((await settle(this.native.explainToken(path, token))) as string);
  }

  /**
   * Refuses these tokens from now on, also those that were accepted before: 401, `revoked` in the log.
   *
   * ```ts
   * auth.revoke({ issuer: 'https://tenant.example.com/', subject: 'alice' });
   * ```
   *
   * It is about tokens that were issued until now, or until `issuedUntil`. It is known to this instance alone, and until it
   * ends, unless all instances and processes have one `sharedStore`.
   *
   * @throws {TypeError} for anything but an issuer and one of `subject`, `clientId`, `sid` and `jti`
   */
  revoke(revocation: Revocation): void {
    this.native.revoke(revocationData(revocation));
  }

  /**
   * An API that tools call for their callers, one of `downstreams` of the configuration: tokens for it, each for one caller.
   *
   * ```ts
   * const token = await auth.downstream('reports').tokenFor(extra);
   * ```
   *
   * It follows {@link reload}. A name that is not configured is an error of {@link Downstream.tokenFor}.
   */
  downstream(name: string): Downstream {
    const known = this.#downstreams.get(name) ?? new Downstream(this.native, name);
    // A name that a client has chosen must not take memory for ever.
    if (this.#downstreams.size < MAX_DOWNSTREAMS) this.#downstreams.set(name, known);
    return known;
  }

  /**
   * Seals state that a server gives to a client and takes back, with the configured `handleKeys`: every instance with
   * the same ones opens what another has sealed.
   */
  stateSealer(): StateSealer {
    return new StateSealer(this.native);
  }

  /** The host names that requests may be addressed to, for the `Host` check of a framework. */
  get allowedHosts(): string[] {
    return this.native.allowedHosts();
  }

  /** @internal In lower case: where tokens may be. */
  get tokenHeaders(): readonly string[] {
    return this.#tokenHeaders;
  }

  /** @internal The paths at which there is a document for clients, which needs no token, for routes that are made once. */
  documentPaths(): string[] {
    this.told.makeRoutes(this.#paths);
    return this.native.documentPaths();
  }

  /** @internal The paths where issuers tell something, by a POST that needs no token. */
  noticePaths(): string[] {
    return this.native.noticePaths();
  }

  /** @internal The paths of the pages where users connect their accounts, by a GET that needs no token. */
  connectPaths(): string[] {
    return this.native.connectPaths();
  }

  /**
   * @internal Decides about a request, with the address of the connection where {@link countsAddresses}. Every one is decided by
   * the native half; what is kept here says who somebody is, and not what they may do.
   */
  decide(method: string, target: string, headers: HeaderLines, peer: string | undefined): Decision {
    const { native } = this;
    const outcome = peer === undefined ? native.decide(method, target, headers) : native.decide(method, target, headers, peer);
    if (typeof outcome === 'number') return this.#known.of(outcome);
    if (typeof outcome === 'string') return new Described(outcome);
    return 'described' in outcome ? this.#known.add(outcome) : outcome;
  }

  /** @internal */
  callerOf(forward: Described | Forward, request: Requested): AuthInfo | undefined {
    if (!(forward instanceof Described) && !forward.hasCaller) return undefined;
    return new AuthInfo(forward, request);
  }

  /** @internal The resource that a request for a path or a URL is for; without one, the first. */
  resourceAt(target?: string): Resource | undefined {
    return this.native.resourceAt(target) ?? undefined;
  }
}

/** What was decided about a request: it goes on where it says who is calling, or is a {@link Forward}. */
export type Decision = Described | Exclude<Outcome, string>;

/** So many are kept. */
const MAX_DOWNSTREAMS = 100;

const DATA = Symbol('data');

function isData(config: object): config is { [DATA]: ConfigData } {
  return DATA in config;
}

function dataFromEnv(): ConfigData {
  try {
    return JSON.parse(native.configFromEnv((name) => process.env[name])) as ConfigData;
  } catch (error) {
    throw configErrorOf(error);
  }
}

function reloadNative(auth: NativeAuth, data: string, onlyCheck: boolean): void {
  try {
    auth.reload(data, onlyCheck);
  } catch (error) {
    throw configErrorOf(error);
  }
}

/** Uses the configuration as data; with the faults that only JavaScript can see, and those of the native half in our words. */
function withData<Result>(config: object, use: (data: object, isFaulty: boolean) => Result): Result {
  if (isData(config)) return use(config[DATA], false);
  const { data, faults, leftOut } = read(config);
  try {
    const result = use(data, faults.length > 0);
    if (faults.length === 0) return result;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // Not of what was left out of the data.
    const others = error.faults.filter((fault) => faults.length === 0 || isElsewhere(fault, leftOut));
    faults.push(...inOurWords(others, config));
  }
  throw new ConfigError(['the configuration cannot be used:', ...faults].join('\n- '), faults);
}

function isElsewhere(fault: string, leftOut: string[]): boolean {
  const [place = ''] = fault.split(': ', 1);
  return !place.includes(' ') && !leftOut.some((name) => place.includes(name));
}

interface Constructed {
  native: NativeAuth;
  ofRequests: string[];
  paths: string[];
}

/** Settings that count where requests are decided alone, by their names in data. */
const OF_REQUESTS = { policy: 'policy', required_scopes: 'requiredScopes', allowed_origins: 'allowedOrigins', challenge_style: 'challengeStyle' };

function namesOfRequests(data: object, { authorize }: Options): string[] {
  const { resources = [data] } = data as { resources?: object[] };
  const isSet = (name: string) => resources.some((one) => isPresent((one as Record<string, unknown>)[name]));
  const names = Object.entries(OF_REQUESTS).flatMap(([name, ours]) => (isSet(name) ? [ours] : []));
  return authorize ? [...names, 'authorize'] : names;
}

function hasDownstreams(data: object): boolean {
  return isPresent((data as ConfigData).downstreams);
}

/** An empty list is none. */
function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0);
}

function construct(data: object, options: Options): Constructed {
  const faults = faultsOfOptions(options);
  if (faults.length > 0) throw new ConfigError(faults.join('\n'), faults);
  const { authorize, verifyToken, verifyTimeout = VERIFY_TIMEOUT, tokenPrefixes, testing } = options;
  const { serveAuthorizationServerMetadata, hideResourceMetadata, revocationCheck, revocationCheckInterval = 60 } = options;
  if (authorize?.constructor.name === 'AsyncFunction') faults.push('options.authorize: is async, and must not wait');
  if (tokenPrefixes && !verifyToken) faults.push('options.tokenPrefixes: needs `verifyToken`');
  // A timer of Node takes no more than some 24 days, and takes more for none at all.
  if (!(verifyTimeout > 0 && verifyTimeout <= 3600)) faults.push(`options.verifyTimeout: must be above 0 and 3600 seconds at most, not ${verifyTimeout}`);
  if (!(revocationCheckInterval >= 1 && revocationCheckInterval <= 3600)) {
    faults.push(`options.revocationCheckInterval: must be 1 to 3600 seconds, not ${revocationCheckInterval}`);
  }
  if (faults.length > 0) throw new ConfigError(faults.join('\n'), faults);
  const extras = { serveAuthorizationServerMetadata, hideResourceMetadata, tokenPrefixes, revocationCheckInterval, ...testing };
  try {
    const auth: NativeAuth = new native.NativeAuth(
      JSON.stringify(data),
      JSON.stringify(extras),
      authorize && policyFunction(authorize),
      verifyToken && beginVerification(verifyToken, verifyTimeout, (number, answer) => auth.verified(number, answer)),
      revocationCheck && beginRevocationCheck(revocationCheck, (number, answer) => auth.verified(number, answer)),
    );
    if (hasDownstreams(data)) rememberCallers();
    return { native: auth, ofRequests: namesOfRequests(data, options), paths: pathsOf(data) };
  } catch (error) {
    throw configErrorOf(error);
  }
}
