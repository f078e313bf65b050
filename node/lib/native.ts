/** Finds and loads the native half, and says what it offers. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import type { NumberedCaller } from './described.js';

/** What a request that waits for an authorization server is asked again with. */
export interface Pending {
  wait(): Promise<void>;
  poll(): Outcome;
}

export interface Forward {
  readonly hasCaller: boolean;
  readonly changesResponses: boolean;
  readonly readsLists: boolean;
  readonly takesBody: boolean;
  /**
   * What takes the place of headers of the request that are there, as handlers see them: names and values in turn, one
   * per line. Nothing: they stay.
   */
  readonly replacedHeaders: string | null;
  /** The body that goes on in place of the one that came. */
  readonly body: Buffer | null;
  /** A session identifier of a handler's as the client gets it, or nothing where it must not be sent. Not after `respond`. */
  sealSession(given: string): string | null;
  /** What ends the response with these headers in time; after `respond`, the one that was given there. Not for what is no stream of events. */
  streamEnd(headers: string): StreamEnd | null;
  caller(): string | null;
  token(): string;
  has(scopes: string[]): boolean;
  require(scopes: string[]): string | null;
  withdraw(): void;
  respond(status: number, headers: string): string | Filter;
}

export interface Filter {
  readonly hasBegun: boolean;
  readonly headers: string;
  push(chunk: Uint8Array): Piece;
  end(): Piece;
}

/** What ends a stream of events in time. */
export interface StreamEnd {
  /** Nothing: the stream goes on; bytes: it ends here, and they are the last of it. */
  step(): Buffer | null;
  /** How much of the next piece may be sent, after a step that let the stream go on; nothing: the whole piece. */
  cut(piece: Uint8Array): number | null;
  /** Takes note of what was sent, and takes the next step. */
  see(sent: Uint8Array): Buffer | null;
  /** The answer in place of the whole response, after a step that ended the stream before its head was sent. */
  refusal(): Answered;
  /** When to take a step at the latest; nothing: that is not known, or the next piece ends it. */
  readonly millisecondsLeft: number | null;
  /** Lets the bell ring when something is revoked. Whether something was since this was last asked. */
  listen(bell: RevocationBell): boolean;
  close(): void;
}

/** Calls a function some time after something was revoked, once until it is reset. */
export interface RevocationBell {
  reset(): void;
}

/** Send it, send something else instead, hold everything (`true`), or break off (`false`). */
export type Piece = Buffer | Answered | boolean;

export interface ReadBody {
  readonly maxBytes: number;
  /** In milliseconds. */
  readonly timeout: number;
  decide(body: Uint8Array): Outcome;
  tooLarge(): Answered;
  /** The answer where somebody has read the body before. */
  alreadyRead(): Answered;
  timedOut(): Answered;
}

/** An answer to be sent. Headers are names and values in turn, one per line. */
export interface Answered {
  status: number;
  headers: string;
  body: Buffer;
  refusal?: string | null;
}

export type Settled = string | Forward | ReadBody | Answered;
export type Outcome = Settled | Pending;

/** An API that tools call for their callers. A text is a token: when it ends, its scopes and itself, a line each. */
export interface NativeDownstream {
  tokenFor(forward: Forward): Outcome;
  /** For a caller, in JSON, whose token is not known any more. */
  tokenForDescribed(caller: string): Outcome;
  /** For the tool itself. */
  token(): Outcome;
  /** The text is empty. */
  disconnect(forward: Forward): Outcome;
  isAt(url: string): boolean;
  /** Without a request, a token for the tool itself. */
  forget(forward: Forward | null, token: string): void;
}

export interface NativeAuth {
  /**
   * A text is the caller, in JSON, of a request that names no session, whose response goes on as it is unless it names
   * one; see `reopen` and `sealSession`. Callers who come again get a number, which is all that is said of them from then on;
   * see `KnownCallers`.
   */
  decide(method: string, target: string, headers: string, peer?: string): Outcome | number | NumberedCaller;
  /** Whether `decide` needs the address of the connection, for limits. */
  countsAddresses(): boolean;
  reopen(method: string, target: string, headers: string): Forward | null;
  /** As that of {@link Forward}, where the decision was a text. */
  sealSession(target: string, caller: string, given: string): string | null;
  /** Takes a configuration, in JSON. */
  reload(config: string, onlyCheck: boolean): void;
  logRefusedConfiguration(faults: string): void;
  /** As that of {@link Forward}, where the decision was a text. */
  streamEnd(target: string, caller: string, headers: string): StreamEnd | null;
  /** Takes a revocation, in JSON. */
  revoke(revoked: string): void;
  /** `caller` is what {@link Forward.caller} says; `null` where the system has no randomness. */
  sealState(caller: string, purpose: string, lifetime: number, state: Uint8Array): string | null;
  openState(caller: string, purpose: string, sealed: string): Buffer | 'invalid' | 'expired';
  /** Of a request that nobody has decided about: unverified. */
  dangerousBearerToken(method: string, target: string, headers: string): string | null;
  /** `alg` and `kid` of a token, in JSON: unverified. */
  unverifiedKeyHint(token: string): Outcome;
  verify(token: string, path?: string): Outcome;
  /** The caller of a token that was verified for the first resource, for {@link NativeDownstream} alone. */
  verifiedAgain(token: string): Forward | null;
  explainToken(path: string, token: string): Outcome;
  ready(): Outcome;
  downstream(name: string, scopes?: string[]): NativeDownstream;
  /** For a path or a URL; without one, the first resource. */
  resourceAt(target?: string): Resource | null;
  /** In lower case. */
  tokenHeaders(): string[];
  allowedHosts(): string[];
  documentPaths(): string[];
  noticePaths(): string[];
  connectPaths(): string[];
  verified(number: number, answer: string): void;
}

/** A protected resource. */
export interface Resource {
  readonly identifier: string;
  readonly metadataUrl: string;
}

export interface NativeDevIssuer {
  readonly issuer: string;
  readonly jwksUri: string;
  mint(options: string): string;
  rotateKeys(dropOld: boolean): void;
  revoke(token: string): void;
  setMode(mode: string): void;
  requests(): [metadata: number, jwks: number];
  tokenRequests(): Record<string, number>;
  stop(): void;
}

type Class<T> = abstract new (...values: never[]) => T;

interface Native {
  NativeAuth: new (
    config: string,
    extras: string,
    policy?: (caller: string, operation: string) => string,
    beginVerification?: (token: string, number: number) => void,
    beginRevocationCheck?: (caller: string, number: number) => void,
  ) => NativeAuth;
  /** The configuration that is in the environment, in JSON. */
  configFromEnv(read: (name: string) => string | undefined): string;
  /** What a request for this path or URL is for. */
  metadataDocumentAt(target: string): 'protected_resource' | 'authorization_server' | null;
  issuerMetadataUrl(issuer: string, serverType: 'oauth' | 'oidc'): string;
  /** Runs the `mcp-auth` command in place of the process, and returns its exit code. */
  runCommand(args: string[]): number;
  /** Without functions, events go to standard error. Neither function throws. */
  setLogger(wants?: (level: string, target: string) => boolean, tell?: (record: string) => void): void;
  RevocationBell: new (tell: () => void) => RevocationBell;
  NativeDevIssuer: { start(options: string): NativeDevIssuer };
  Pending: Class<Pending>;
  Forward: Class<Forward>;
  ReadBody: Class<ReadBody>;
  Filter: Class<Filter>;
}

function platform(): string {
  const { platform, arch } = process;
  if (platform === 'win32') return `win32-${arch}-msvc`;
  return platform === 'linux' ? `linux-${arch}-${libc()}` : `${platform}-${arch}`;
}

function libc(): 'gnu' | 'musl' {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header?.glibcVersionRuntime ? 'gnu' : 'musl';
}

function load(): Native {
  const name = platform();
  const local = join(__dirname, '..', `mcp-auth-node.${name}.node`);
  const published = `mcp-auth-node-${name}`;
  try {
    return require(existsSync(local) ? local : published) as Native;
  } catch (cause) {
    throw new Error(
      `mcp-auth-node has no binary that works here (${name}, Node ${process.version}). ` +
        `It looked for ${local} and for the package ${published}. ` +
        'Install again without --omit=optional (--no-optional), on the platform that it is to run on; ' +
        'or build it from its repository: `npm pack` in the folder node/.',
      { cause },
    );
  }
}

/** The native half. */
export const native: Native = load();

/** Waits until there is an answer. */
export async function settle(outcome: Outcome): Promise<Settled> {
  while (outcome instanceof native.Pending) {
    await outcome.wait();
    outcome = outcome.poll();
  }
  return outcome as Settled;
}
