/** State that a server gives to a client and takes back. See docs/sessions.md. */
import { AuthInfo } from './auth-info.js';
import { McpAuthError, StateError } from './errors.js';
import type { NativeAuth } from './native.js';

/**
 * Seals state that a server gives to a client and takes back, such as the step of a dialogue: for servers that keep
 * nothing themselves.
 *
 * ```ts
 * const sealer = auth.stateSealer();
 * const text = sealer.seal(caller(request), 'order', 600, JSON.stringify({ step: 2 }));
 * const { step } = JSON.parse(sealer.open(caller(request), 'order', text).toString());
 * ```
 *
 * Nobody else can read or change it. That a state is used once, it cannot tell: whoever got it may come with it again
 * until it ends.
 */
export class StateSealer {
  readonly #native: NativeAuth;

  /** @internal */
  constructor(native: NativeAuth) {
    this.#native = native;
  }

  /** The state as a text for the client, which this caller may bring back for this purpose within this time. */
  seal(caller: AuthInfo, purpose: string, lifetimeSeconds: number, state: string | Uint8Array): string {
    const owner = describedCaller(caller);
    requireText(purpose, 'the purpose');
    if (!Number.isSafeInteger(lifetimeSeconds) || lifetimeSeconds <= 0) {
      throw new TypeError(`the lifetime must be a whole number of seconds above 0, not ${String(lifetimeSeconds)}`);
    }
    if (typeof state !== 'string' && !(state instanceof Uint8Array)) throw new TypeError('the state must be a text or bytes');
    const sealed = this.#native.sealState(owner, purpose, lifetimeSeconds, Buffer.from(state));
    if (sealed === null) throw new McpAuthError('no_randomness', 500, 'the system has no randomness');
    return sealed;
  }

  /**
   * The state in a text that came back.
   *
   * @throws {StateError} with the code `invalid` or `expired`. Say the same of both to whoever sent it.
   */
  open(caller: AuthInfo, purpose: string, sealed: string): Buffer {
    const owner = describedCaller(caller);
    requireText(purpose, 'the purpose');
    // What a client sent may be anything.
    const opened = typeof sealed === 'string' ? this.#native.openState(owner, purpose, sealed) : 'invalid';
    if (typeof opened === 'string') throw new StateError(opened);
    return opened;
  }
}

function describedCaller(caller: unknown): string {
  if (caller instanceof AuthInfo) return caller.described();
  throw new TypeError('the caller must be the `AuthInfo` of the request: `caller(request)`');
}

function requireText(text: unknown, name: string): void {
  if (typeof text !== 'string') throw new TypeError(`${name} must be a text`);
}
