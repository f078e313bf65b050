/** For tests: an authorization server on loopback, in this process, that makes any token. */
import type { Algorithm } from './config.js';
import { native, type NativeDevIssuer } from './native.js';
import { Client } from './test-client.js';
import { type App, type Host, startHost } from './test-host.js';

export { type Client, Refused } from './test-client.js';
export type { Answer, App } from './test-host.js';

/** In which way a token is wrong. */
export type Broken = (typeof BROKEN)[number];

/** Every way in which a token can be wrong. */
export const BROKEN = [
  'signature',
  'payload',
  'algorithm-none',
  'unknown-key-id',
  'foreign-key',
  'embedded-key',
  'hmac-with-public-key',
  'critical-header',
  'id-token',
  'sender-constrained',
  'duplicate-claim',
  'padding',
  'truncated',
  'not-json',
] as const;

/** How the issuer answers: as it should, not at all, or with a status of 200 to 599; with `token:` how its token endpoint alone does. */
export type Mode = 'online' | 'offline' | 'hang' | 'garbage' | `status:${number}` | `token:${TokenMode}`;

/** How the token endpoint answers; `hold` waits until the mode is another one. */
export type TokenMode =
  | 'hold'
  | 'html'
  | 'redirect'
  | 'other-token-type'
  | 'other-issued-token-type'
  | 'without-issued-token-type'
  | 'more-scopes'
  | 'without-expires-in'
  | 'same-token'
  | 'repeated-member'
  | 'interaction-required'
  | 'consent-required'
  | `status:${number}`
  | `error:${string}`;

/** What the token endpoint is asked for. */
export type TokenQuestion =
  | 'token'
  | 'authorization_code'
  | 'refresh_token'
  | 'client_credentials'
  | 'token_exchange'
  | 'id_jag'
  | 'on_behalf_of'
  | 'jwt_bearer';

/** A client that is there from the start. */
export interface DevClient {
  id: string;
  /** Of a confidential client; a public one exchanges nothing. */
  secret?: string;
  /** Scopes that it may get in exchange for a token that does not have them. */
  mayGet?: string[];
  /** For which audiences and resources it may exchange tokens. Default: for any. */
  targets?: string[];
  /** Resource servers whose tokens it may exchange, with `exchangesOwnTokensOnly`. */
  actsFor?: string[];
  /** What it is called at other authorization servers, by their issuer. */
  idsElsewhere?: Record<string, string>;
}

/** How the issuer is; every default is a working one. */
export interface DevIssuerOptions {
  /** The path of the issuer identifier, such as `/tenant1`. */
  path?: string;
  scopes?: string[];
  /** What tokens are signed with. Default `ES256`. */
  algorithm?: Algorithm;
  autoApprove?: boolean;
  defaultAudience?: string;
  /** In seconds. Default: one hour. */
  accessTokenLifetime?: number;
  /** Beside `dev`, whose secret is `dev`. */
  clients?: DevClient[];
  /** Refuses to exchange tokens that are neither of the client nor for it. */
  exchangesOwnTokensOnly?: boolean;
  /** Whose ID-JAGs it takes. */
  idJagIssuers?: string[];
}

/** What a token shall be. Without any: good for an hour, of `alice`, by the client `dev`. */
export interface MintOptions {
  subject?: string;
  audience?: string | string[];
  scope?: string;
  clientId?: string;
  issuer?: string;
  /** In seconds after `issuedAt`; negative for one that has expired. */
  expiresIn?: number;
  notBeforeIn?: number;
  issuedAt?: number;
  claims?: Record<string, unknown>;
  /** Claims to leave out. */
  without?: string[];
  /** Members of its header: others, and other values of those that it has. */
  header?: Record<string, unknown>;
  algorithm?: Algorithm;
  /** Wrong in one way, such as `signature` or `unknown-key-id`. */
  broken?: Broken;
  opaque?: boolean;
}

/** Who a client is, and where it looks for the server. */
export interface ClientOptions extends MintOptions {
  /** The path of the MCP endpoint. Default: `/mcp`. */
  path?: string;
}

/** An authorization server for tests. */
export class DevIssuer {
  readonly #native: NativeDevIssuer;
  /** The apps that clients were made of. */
  readonly #hosts = new Map<App, Promise<Host>>();

  /** Starts on a free port of loopback. */
  constructor(options: DevIssuerOptions = {}) {
    this.#native = native.NativeDevIssuer.start(JSON.stringify(options));
  }

  get issuer(): string {
    return this.#native.issuer;
  }

  get jwksUri(): string {
    return this.#native.jwksUri;
  }

  /** How often it was asked. */
  get requests(): { metadata: number; jwks: number } {
    const [metadata, jwks] = this.#native.requests();
    return { metadata, jwks };
  }

  /** How often its token endpoint was asked: `token` in all, and by grant. */
  get tokenRequests(): Record<TokenQuestion, number> {
    return this.#native.tokenRequests() as Record<TokenQuestion, number>;
  }

  /** Makes a token. */
  mint({ audience, ...options }: MintOptions = {}): string {
    const audiences = audience === undefined ? undefined : [audience].flat();
    return this.#native.mint(JSON.stringify({ ...options, audience: audiences }));
  }

  /**
   * An MCP client of a protected app, in this process, that has a token and has done the handshake:
   *
   * ```ts
   * const alice = await issuer.client(app, { subject: 'alice', scope: 'notes:read' });
   * await alice.callTool('whoami');
   * ```
   *
   * The app runs until {@link stop}, once for all of its clients. It finds its audience in the metadata of the app.
   *
   * @throws {Refused} when the token is not let in
   */
  async client(app: App, { path = '/mcp', ...options }: ClientOptions = {}): Promise<Client> {
    const host = this.#hosts.get(app) ?? startHost(app);
    this.#hosts.set(app, host);
    return Client.connect(await host, path, (audience) => this.mint({ audience, ...options }));
  }

  /** Signs with a new key from now on. */
  rotateKeys({ dropOld = false } = {}): void {
    this.#native.rotateKeys(dropOld);
  }

  revoke(token: string): void {
    this.#native.revoke(token);
  }

  /** Answers in another way: `online`, `offline`, `hang`, `garbage`, `status:500`, or `token:html` for the token endpoint alone. */
  setMode(mode: Mode): void {
    if (typeof mode !== 'string') throw new TypeError(`the mode is a text: online, offline, hang, garbage, status:NNN or token:NAME, not ${String(mode)}`);
    this.#native.setMode(mode);
  }

  /** Ends it, and the apps that clients were made of. */
  stop(): void {
    for (const host of this.#hosts.values()) {
      // One that did not start, has told whoever asked for it.
      host.then(({ close }) => close(), () => {});
    }
    this.#hosts.clear();
    this.#native.stop();
  }
}
