/** For tests: an authorization server on loopback, in this process, that makes any token. */
import type { Algorithm } from './config.js';
import { native, type NativeDevIssuer } from './native.js';

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

/** How the issuer answers: as it should, not at all, or with a status of 200 to 599. */
export type Mode = 'online' | 'offline' | 'hang' | 'garbage' | `status:${number}`;

/** How the issuer is; every default is a working one. */
export interface DevIssuerOptions {
  /** The path of the issuer identifier, such as `/tenant1`. */
  path?: string;
  scopes?: string[];
  /** What tokens are signed with. Default `ES256`. */
  algorithm?: Algorithm;
  autoApprove?: boolean;
  defaultAudience?: string;
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
  algorithm?: Algorithm;
  /** Wrong in one way, such as `signature` or `unknown-key-id`. */
  broken?: Broken;
  opaque?: boolean;
}

/** An authorization server for tests. */
export class DevIssuer {
  readonly #native: NativeDevIssuer;

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

  /** Makes a token. */
  mint({ audience, ...options }: MintOptions = {}): string {
    const audiences = audience === undefined ? undefined : [audience].flat();
    return this.#native.mint(JSON.stringify({ ...options, audience: audiences }));
  }

  /** Signs with a new key from now on. */
  rotateKeys({ dropOld = false } = {}): void {
    this.#native.rotateKeys(dropOld);
  }

  revoke(token: string): void {
    this.#native.revoke(token);
  }

  /** Answers in another way: `online`, `offline`, `hang`, `garbage` or `status:500`. */
  setMode(mode: Mode): void {
    this.#native.setMode(mode);
  }

  stop(): void {
    this.#native.stop();
  }
}
