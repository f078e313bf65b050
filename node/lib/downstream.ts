/** Tokens for other APIs, which tools call for their callers. See docs/downstream.md. */
import type { AuthInfo } from './auth-info.js';
import { caller } from './caller.js';
import { currentCaller } from './current-caller.js';
import { type Asker, fetchWithToken } from './downstream-fetch.js';
import { McpAuthError, refusalOf } from './errors.js';
import { type Answered, type NativeAuth, type NativeDownstream, type Outcome, settle } from './native.js';

/**
 * A token for another API: of one caller, or of the tool itself. Neither `console.log` nor JSON shows it.
 *
 * It is made of an answer of an authorization server alone: the token of a request cannot become one.
 */
export class DownstreamToken {
  readonly #token: string;
  readonly #scopes: string;
  readonly #ends: string;

  /** @internal Of what the native half says: when it ends, its scopes, itself. */
  constructor(text: string) {
    const first = text.indexOf('\n');
    const second = text.indexOf('\n', first + 1);
    this.#ends = text.slice(0, first);
    this.#scopes = text.slice(first + 1, second);
    this.#token = text.slice(second + 1);
  }

  /** The token, for a client that takes no header. It must not be logged. */
  expose(): string {
    return this.#token;
  }

  /** The value of the `Authorization` header. It must not be logged. */
  headerValue(): string {
    return `Bearer ${this.#token}`;
  }

  /** What it grants, as its server says; where that says nothing, what was asked for. */
  get scopes(): string[] {
    return this.#scopes === '' ? [] : this.#scopes.split(' ');
  }

  /** When it ends, in seconds since 1970, if its server says so. */
  get expiresAt(): number | undefined {
    return this.#ends === '' ? undefined : Number(this.#ends);
  }

  /** Shows no token. */
  toString(): string {
    return 'a token for another API';
  }

  /** Everything but the token. */
  toJSON(): object {
    return { scopes: this.scopes, expiresAt: this.expiresAt };
  }

  /** For `console.log`. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return this.toJSON();
  }
}

/**
 * An API that tools call for their callers: one of `downstreams` of the configuration. It follows {@link McpAuth.reload}.
 *
 * ```ts
 * const token = await auth.downstream('reports').tokenFor(extra);
 * const response = await auth.downstream('reports').fetch('https://reports.example.com/all');
 * ```
 */
export class Downstream {
  readonly #auth: NativeAuth;
  readonly #name: string;
  readonly #native: NativeDownstream;

  /** @internal */
  constructor(auth: NativeAuth, name: string, scopes?: string[]) {
    if (typeof name !== 'string') throw new TypeError(`the name of an API must be a text, not ${typeof name}`);
    this.#auth = auth;
    this.#name = name;
    this.#native = auth.downstream(name, scopes);
  }

  /** The same with some of the configured scopes alone. More of them is an error, before anything is asked. */
  withScopes(scopes: readonly string[]): Downstream {
    if (!Array.isArray(scopes) || scopes.some((scope) => typeof scope !== 'string')) {
      throw new TypeError("`withScopes` takes a list of scopes: `withScopes(['reports:read'])`");
    }
    return new Downstream(this.#auth, this.#name, [...scopes]);
  }

  /**
   * A token for the caller: the one that is kept, or a new one.
   *
   * The caller is found in what a handler is given, as {@link caller} finds them. Without it they are the caller of the request
   * that is being handled: behind `protect` and in `requires`, until the response is sent. Work that requests share, such as a batch or
   * the callback of a pool, must say for whom it is.
   *
   * Where the caller has to do something first, the response to their request becomes the challenge that asks for it, as with
   * {@link AuthInfo.require}.
   *
   * @throws {DownstreamError} why there is none. Then call the API without the caller, or not at all: never with the token
   *   of the request
   * @throws {McpAuthError} with the code `no_caller`
   */
  async tokenFor(given?: object): Promise<DownstreamToken> {
    return this.#tokenOf(given === undefined ? currentOne() : caller(given));
  }

  /**
   * A token for the tool itself, with the grant `client_credentials` alone.
   *
   * @throws {DownstreamError} why there is none
   */
  async token(): Promise<DownstreamToken> {
    return tokenOf(this.#native.token());
  }

  /**
   * Removes what the caller has granted at the API's provider, and ends it there, with the grant `authorization_code` alone.
   * The caller is found as by {@link tokenFor}.
   *
   * @throws {DownstreamError} why not. Where the provider did not hear of it, the grant is used no more here, and the next call
   *   tells the provider
   */
  async disconnect(given?: object): Promise<void> {
    const who = given === undefined ? currentOne() : caller(given);
    const opened = who.asksForTokens();
    if (!opened) throw new McpAuthError('no_token', 500, 'the token of the caller is not known any more');
    await answerOf(this.#native.disconnect(opened));
  }

  /**
   * `fetch` with the token of the caller of the request that is being handled, as {@link tokenFor} knows them:
   *
   * ```ts
   * const response = await auth.downstream('reports').fetch('https://reports.example.com/all');
   * ```
   *
   * The token goes to the URLs of `api` and what is below them, and nowhere else, also where the API redirects; an
   * `authorization` that is there already is taken off. After a 401 the token is forgotten, and the request sent once more
   * with a new one, where its body can be sent again: not a stream.
   *
   * @throws {DownstreamError} why there is no token; then nothing is sent to the API
   */
  readonly fetch: typeof globalThis.fetch = (input, init) => this.#fetch(undefined, input, init);

  /** The same for a caller, as {@link tokenFor} finds them: for clients that take a `fetch`. */
  fetchFor(given: object): typeof globalThis.fetch {
    const who = caller(given);
    return (input, init) => this.#fetch(who, input, init);
  }

  /** The same for the tool itself, with the grant `client_credentials` alone. */
  fetchAsTool(): typeof globalThis.fetch {
    const asker: Asker = {
      isAt: (url) => this.#native.isAt(url),
      token: () => this.token(),
      forget: (token) => this.#native.forget(null, token.expose()),
    };
    return (input, init) => fetchWithToken(asker, input, init);
  }

  #fetch(given: AuthInfo | undefined, ...request: Parameters<typeof globalThis.fetch>): Promise<Response> {
    // The same one for all that is sent.
    let known = given;
    const who = () => (known ??= currentOne());
    const asker: Asker = {
      isAt: (url) => this.#native.isAt(url),
      token: () => this.#tokenOf(who()),
      forget: (token) => {
        const opened = who().asksForTokens();
        if (opened) this.#native.forget(opened, token.expose());
      },
    };
    return fetchWithToken(asker, ...request);
  }

  /** At once where one is kept, as it nearly always is. */
  #tokenOf(who: AuthInfo): DownstreamToken | Promise<DownstreamToken> {
    const opened = who.asksForTokens();
    // Without the request their token is not known, and the native half says what that means.
    if (!opened) return tokenOf(this.#native.tokenForDescribed(who.described()));
    const outcome = this.#native.tokenFor(opened);
    return typeof outcome === 'string' ? new DownstreamToken(outcome) : tokenOrRefusal(who, outcome);
  }
}

async function tokenOrRefusal(who: AuthInfo, outcome: Outcome): Promise<DownstreamToken> {
  try {
    return await tokenOf(outcome);
  } catch (error) {
    // It may have become the response.
    who.noteRefusal();
    throw error;
  }
}

async function tokenOf(outcome: Outcome): Promise<DownstreamToken> {
  return new DownstreamToken(await answerOf(outcome));
}

async function answerOf(outcome: Outcome): Promise<string> {
  const settled = typeof outcome === 'string' ? outcome : await settle(outcome);
  if (typeof settled === 'string') return settled;
  throw refusalOf((settled as Answered).refusal ?? '');
}

function currentOne(): AuthInfo {
  const who = currentCaller();
  if (who) return who;
  throw new McpAuthError(
    'no_caller',
    500,
    'nobody is calling: no request is being handled here whose caller is known. Say for whom: `tokenFor(request)`, `tokenFor(extra)` ' +
      'of a tool; for the tool itself there is `token()`',
  );
}
