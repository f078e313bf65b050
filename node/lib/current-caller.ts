/** Who is calling, for what a handler calls without handing them on. */
import { AsyncLocalStorage } from 'node:async_hooks';

import type { AuthInfo } from './auth-info.js';

/** A request that is being handled. */
export interface Handled {
  /** Nobody where an operation needs no token by policy. */
  readonly authInfo: AuthInfo | undefined;
  /** Whether its response is sent. Work that another request shares with it, such as a pool's, may still run in its name. */
  isAnswered(): boolean;
}

const current = new AsyncLocalStorage<Handled>();
let isUsed = false;

/** From now on callers are known to what is called for them. Before, no request pays for it. */
export function rememberCallers(): void {
  isUsed = true;
}

/**
 * Calls the function for this request, also where nobody is calling: then it is not for the caller around it. The request is
 * described where somebody may ask about it alone.
 */
export function handledAs<Result>(describe: () => Handled, run: () => Result): Result {
  return isUsed ? current.run(describe(), run) : run();
}

/** The caller of the request that is being handled. */
export function currentCaller(): AuthInfo | undefined {
  const handled = current.getStore();
  return handled === undefined || handled.isAnswered() ? undefined : handled.authInfo;
}
