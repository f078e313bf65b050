/** Functions of the user's, in the form that the native half calls. */
import { AuthInfo } from './auth-info.js';
import { TokenError } from './errors.js';

/** One call of an MCP method. */
export interface Operation {
  method: string;
  /** The tool, prompt, resource or task that is meant. */
  name: string | null;
  kind: 'tool' | 'prompt' | 'resource' | 'other';
  arguments: Record<string, unknown> | null;
}

/** `true`, or which scopes are missing, or why not at all (for the log); `false` is the latter. */
export type Verdict = boolean | { missingScopes: string[] } | { forbidden: string };

/** Whether a caller may carry out an operation. An error denies. */
export type Authorize = (caller: AuthInfo, operation: Operation) => Verdict;

/**
 * The claims behind a token, which you have verified: `iss`, `sub`, `exp`, `scope`, … or `null` when it is
 * not acceptable. An error is a refusal when its `status` is 401, and otherwise "cannot tell right now".
 */
export type VerifyToken = (token: string) => Claims | null | undefined | Promise<Claims | null | undefined>;

type Claims = Record<string, unknown>;

/** @internal */
export function policyFunction(authorize: Authorize): (caller: string, operation: string) => string {
  return (caller, operation) => {
    const verdict: unknown = authorize(new AuthInfo(caller), JSON.parse(operation) as Operation);
    if (verdict === true) return '"allow"';
    if (verdict === false) return JSON.stringify({ forbidden: 'refused by `authorize`' });
    if (typeof verdict !== 'object' || verdict === null || verdict instanceof Promise) {
      const is = verdict instanceof Promise ? 'a promise, and must not wait' : String(verdict);
      throw new TypeError(`\`authorize\` returned ${is}: true, false, { missingScopes } and { forbidden } say something`);
    }
    return JSON.stringify(verdict);
  };
}

/** @internal */
export function beginVerification(
  verify: VerifyToken,
  answer: (number: number, answer: string) => void,
): (token: string, number: number) => void {
  return (token, number) => {
    // Never at once: whoever asks is still being asked.
    void Promise.resolve(token)
      .then(verify)
      .then(found)
      .catch(failed)
      .then((text) => answer(number, text));
  };
}

/** Codes that come with what was compared. */
const COMPARED: Record<string, string> = { unknown_issuer: 'unknownIssuer', wrong_audience: 'wrongAudience' };

function found(claims: Claims | null | undefined): string {
  const hasExpired = typeof claims?.exp === 'number' && claims.exp <= Date.now() / 1000;
  return JSON.stringify(claims && !hasExpired ? { claims } : { refused: hasExpired ? 'it has expired' : 'not accepted' });
}

function failed(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof TokenError && error.code in COMPARED) {
    return JSON.stringify({ [COMPARED[error.code] as string]: { actual: error.actual, expected: error.expected } });
  }
  const isRefusal = (error as { status?: unknown } | null)?.status === 401;
  return JSON.stringify(isRefusal ? { refused: message } : { unavailable: message });
}
