import { Described, type Facts } from './described.js';
import { InsufficientScopeError, McpAuthError, refusalOf } from './errors.js';
import type { Forward, Resource } from './native.js';

/** @internal The request that a caller came with, for what few handlers ask. */
export interface Requested {
  /** The native half of it again. */
  reopen(): Forward | null;
  /** The native half of a caller whose token alone was verified, for tokens for other APIs. */
  verifiedAgain?(): Forward | null;
  /** Which resource it was for. */
  resource(): Resource | undefined;
  /** Called when a handler was refused more scopes, before it knows. */
  onRefusal?(): void;
}

/**
 * The authenticated caller: who they are and what their token grants.
 *
 * It satisfies `AuthInfo` of the official SDK, 1.x and 2.x. What it says is read when it is first asked for.
 */
export class AuthInfo {
  /** What was decided about the request: at first nothing but who is calling, for nearly every one. */
  #source: Described | Forward;
  #described: Described | undefined;
  readonly #request: Requested | undefined;
  #verified: Forward | undefined;
  #scopes: string[] | undefined;
  #audience: string[] | undefined;
  #claims: Record<string, unknown> | undefined;

  /** @internal */
  constructor(source: Described | Forward, request?: Requested) {
    this.#source = source;
    this.#request = request;
  }

  /**
   * @internal The native half of the request, which most requests do not need: `undefined` where there is none,
   * or where the token has expired since.
   */
  opened(): Forward | undefined {
    if (this.#source instanceof Described) {
      this.#described = this.#source;
      this.#source = this.#request?.reopen() ?? this.#source;
    }
    return this.#source instanceof Described ? undefined : this.#source;
  }

  /** @internal Who tokens for other APIs are asked for: `undefined` where the token of the caller is not known any more. */
  asksForTokens(): Forward | undefined {
    return this.opened() ?? (this.#verified ??= this.#request?.verifiedAgain?.() ?? undefined);
  }

  /** @internal The native half was asked something for which the response may become a challenge. */
  noteRefusal(): void {
    this.#request?.onRefusal?.();
  }

  /** @internal As the native half describes the caller, whatever a handler has done to what it was shown. */
  described(): string {
    return this.#read().text;
  }

  /** All claims of the token. */
  get claims(): Record<string, unknown> {
    this.#claims ??= this.#read().claims();
    return this.#claims;
  }

  /** `iss`: who issued the token. */
  get issuer(): string {
    return this.#facts.issuer;
  }

  /** `sub`: the caller, unique within the issuer; machine clients may have none. */
  get subject(): string | undefined {
    return this.#facts.subject;
  }

  /** The OAuth client, or an empty text. */
  get clientId(): string {
    return this.#facts.client_id ?? '';
  }

  /** `aud`: for whom the token was issued. */
  get audience(): string[] {
    this.#audience ??= [...this.#facts.audience];
    return this.#audience;
  }

  /** The granted scopes. */
  get scopes(): string[] {
    this.#scopes ??= [...this.#facts.scopes];
    return this.#scopes;
  }

  /** `exp`, in seconds since 1970. */
  get expiresAt(): number | undefined {
    return this.#facts.expires_at;
  }

  /** Whether a person is calling, or a client on its own behalf; `unknown` when the token does not tell. */
  get principal(): 'user' | 'client' | 'unknown' {
    return this.#facts.principal;
  }

  /**
   * The key under which to store what belongs to this caller: `iss` and `sub`; a subject alone is not unique. A machine
   * without `sub` is known by its client; `undefined` is nobody to store anything for.
   */
  get key(): [issuer: string, subject: string | undefined] {
    const [issuer, subject] = this.#facts.key;
    return [issuer, subject ?? undefined];
  }

  /** Empty: handlers do not see the token. See {@link dangerousRawToken}. */
  get token(): string {
    return '';
  }

  /** The protected resource, as the official SDK compares it. */
  get resource(): URL | undefined {
    const resource = this.#request?.resource();
    return resource && new URL(resource.identifier);
  }

  /** Where the metadata of the resource is. */
  get resourceMetadataUrl(): string | undefined {
    return this.#request?.resource()?.metadataUrl;
  }

  /** What the official SDK has no member for. */
  get extra(): Record<string, unknown> {
    const { claims, issuer, subject, audience, principal } = this;
    return { claims, issuer, subject, audience, principal };
  }

  /** Whether the token grants these scopes; scopes that include others count as the policy says. */
  has(...scopes: string[]): boolean {
    // A description has no policy, by which scopes may include others.
    if (!(this.#source instanceof Described)) return this.#source.has(scopes);
    return scopes.every((scope) => this.scopes.includes(scope));
  }

  /**
   * Asks for more scopes, from inside a handler: over HTTP the refusal becomes the 403 that makes clients
   * ask the user for them, as long as nothing was sent yet.
   *
   * @throws {InsufficientScopeError} when the token lacks one of them
   */
  require(...scopes: string[]): void {
    if (this.has(...scopes)) return;
    const refusal = this.opened()?.require(scopes);
    if (refusal) {
      this.noteRefusal();
      throw refusalOf(refusal);
    }
    const fields = { required: scopes, granted: this.scopes };
    throw new InsufficientScopeError('insufficient_scope', 403, `scopes [${scopes.join(' ')}] are required`, fields);
  }

  /**
   * Takes back what {@link require} asked for in this request: the handler has caught its error and answers in another
   * way. Inside of `requires`, that is done for whoever catches it.
   */
  withdrawRefusal(): void {
    if (!(this.#source instanceof Described)) this.#source.withdraw();
  }

  /**
   * The token itself, for exchanging it at its issuer. Never send it to another service: the MCP
   * specification forbids passing a client's token on. Only for callers of a request.
   */
  dangerousRawToken(): string {
    const token = this.opened()?.token();
    if (!token) throw new McpAuthError('no_token', 500, 'no request, an expired token, or one that `verifyToken` was given');
    return token;
  }

  /** For `console.log`. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return this.toJSON();
  }

  /** Everything but the token. */
  toJSON(): object {
    const { issuer, subject, clientId, scopes, audience, expiresAt, principal, claims } = this;
    return { issuer, subject, clientId, scopes, audience, expiresAt, principal, claims };
  }

  get #facts(): Facts {
    return this.#read().facts;
  }

  #read(): Described {
    if (this.#source instanceof Described) return this.#source;
    this.#described ??= describedBy(this.#source);
    return this.#described;
  }
}

function describedBy(forward: Forward): Described {
  const text = forward.caller();
  if (text === null) throw new McpAuthError('no_caller', 500, 'nobody is calling');
  return new Described(text);
}
