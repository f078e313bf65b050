/** Functions of the user's, in the form that the native half calls. */
import { AuthInfo } from './auth-info.js';
import { Described } from './described.js';
import { InsufficientScopeError, TokenError } from './errors.js';

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
 * not acceptable. An error is a refusal when its `status` is 401 or it is an {@link InsufficientScopeError}, and otherwise
 * "cannot tell right now". The log names its class alone: its text may hold the token.
 */
export type VerifyToken = (token: string) => Claims | null | undefined | Promise<Claims | null | undefined>;

type Claims = Record<string, unknown>;

/** How long {@link VerifyToken} may take where nothing else is said, in seconds. */
export const VERIFY_TIMEOUT = 10;

/**
 * @internal What is thrown into the native half would be read there, and reading it can throw again: whatever goes
 * wrong is said in words.
 */
export function policyFunction(authorize: Authorize): (caller: string, operation: string) => string {
  return (caller, operation) => {
    try {
      return said(authorize(new AuthInfo(new Described(caller)), JSON.parse(operation) as Operation));
    } catch (error) {
      return JSON.stringify({ failed: reasonOf(error) });
    }
  };
}

function said(verdict: unknown): string {
  if (verdict === true) return '"allow"';
  if (verdict === false) return JSON.stringify({ forbidden: 'refused by `authorize`' });
  if (typeof verdict !== 'object' || verdict === null) throw new TypeError(MEANINGFUL + (verdict === null ? 'null' : typeof verdict));
  const { then, missingScopes, forbidden } = verdict as Record<string, unknown>;
  if (typeof then === 'function') {
    // Nobody waits for it, and a rejection that nobody takes ends the process.
    Promise.resolve(verdict).catch(() => undefined);
    throw new TypeError(`${MEANINGFUL}a promise`);
  }
  if (typeof forbidden === 'string') return JSON.stringify({ forbidden });
  const areScopes = Array.isArray(missingScopes) && missingScopes.length > 0 && missingScopes.every((scope) => typeof scope === 'string');
  if (forbidden === undefined && areScopes) return JSON.stringify({ missingScopes });
  throw new TypeError(`${MEANINGFUL}${Array.isArray(verdict) ? 'a list' : '{ … }'}`);
}

/** With what was returned behind it, no longer than the log shows of a reason. */
const MEANINGFUL = 'needs true, false, {missingScopes} or {forbidden}, not ';

/** @internal */
export function beginVerification(
  verify: VerifyToken,
  seconds: number,
  answer: (number: number, answer: string) => void,
): (token: string, number: number) => void {
  return (token, number) => {
    let isAnswered = false;
    const finish = (text: string) => {
      if (isAnswered) return;
      isAnswered = true;
      clearTimeout(timer);
      answer(number, text);
    };
    const late = () => finish(JSON.stringify({ unavailable: `\`verifyToken\` did not answer within ${seconds} s` }));
    const timer = setTimeout(late, seconds * 1000);
    // Never at once: whoever asks is still being asked.
    void Promise.resolve(token).then(verify).then(found).catch(failed).then(finish);
  };
}

/**
 * Whether the token of a caller was taken back. What is thrown, and what is neither `true` nor `false`, says that it
 * cannot be told right now; so does an answer after more than 5 seconds.
 */
export type RevocationCheck = (caller: AuthInfo) => boolean | Promise<boolean>;

/** @internal */
export function beginRevocationCheck(
  check: RevocationCheck,
  answer: (number: number, answer: string) => void,
): (caller: string, number: number) => void {
  return (caller, number) => {
    let isAnswered = false;
    const finish = (told: object) => {
      if (isAnswered) return;
      isAnswered = true;
      clearTimeout(timer);
      answer(number, JSON.stringify(told));
    };
    const timer = setTimeout(() => finish({ unavailable: 'it did not answer within 5 s' }), 5000);
    const read = (revoked: unknown) =>
      finish(typeof revoked === 'boolean' ? { revoked } : { unavailable: `it returned ${nameOf(revoked)}, and must return true or false` });
    // Never at once: whoever asks is still being asked.
    void Promise.resolve(caller)
      .then((text) => check(new AuthInfo(new Described(text))))
      .then(read)
      .catch((error: unknown) => finish({ unavailable: `it threw ${classOf(error)}` }));
  };
}

/** What a verify function returned means nothing; its text is ours. */
class Unusable extends Error {}

/** Codes that come with what was compared. */
const COMPARED: Record<string, string> = { unknown_issuer: 'unknownIssuer', wrong_audience: 'wrongAudience' };

function found(claims: unknown): string {
  if (claims === null || claims === undefined) return JSON.stringify({ refused: 'not accepted' });
  if (typeof claims !== 'object' || Array.isArray(claims)) {
    throw new Unusable(`it returned ${nameOf(claims)}: claims are an object, and nothing refuses`);
  }
  const text = JSON.stringify({ claims }, finite);
  // What they are as JSON: `toJSON` may have made something else of them.
  const { claims: read } = JSON.parse(text) as { claims: unknown };
  if (typeof read !== 'object' || read === null || Array.isArray(read)) {
    throw new Unusable('it returned claims that are no object in JSON');
  }
  return text;
}

/** JSON would have `null` for such a number, and a time that is none is no limit. */
function finite(_name: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Unusable('it returned a number that JSON does not have');
  return value;
}

/** Reading an error can fail as well: it is whatever somebody threw. Nothing of its text is told, which may hold the token. */
function failed(error: unknown): string {
  try {
    if (error instanceof Unusable) return JSON.stringify({ unavailable: error.message });
    if (error instanceof TokenError && Object.hasOwn(COMPARED, error.code)) {
      const { actual, expected } = error;
      const texts = [actual ?? [], expected ?? []].flat();
      if (texts.every((text) => typeof text === 'string')) return JSON.stringify({ [COMPARED[error.code] as string]: { actual, expected } });
    }
    if (error instanceof InsufficientScopeError) {
      const { required, granted } = error;
      return JSON.stringify({ missingScopes: { required: scopesOf(required), granted: scopesOf(granted) } });
    }
    if ((error as { status?: unknown } | null)?.status === 401) return JSON.stringify({ refused: `it threw ${classOf(error)}` });
  } catch {
    // Whether it refuses cannot be told, so that it cannot be told whether the token is good.
  }
  return JSON.stringify({ unavailable: `it threw ${classOf(error)}` });
}

/** What is no scope is not asked for. */
function scopesOf(given: unknown): string[] {
  return Array.isArray(given) ? given.filter((scope) => typeof scope === 'string') : [];
}

/** The class of what was thrown, if it has one with a plain name. */
function classOf(error: unknown): string {
  try {
    const name: unknown = error instanceof Error ? (Object.getPrototypeOf(error) as Error).constructor.name : typeof error;
    if (typeof name === 'string' && /^[A-Za-z_$][\w$]{0,63}$/.test(name)) return name;
  } catch {
    // It cannot be read.
  }
  return 'something';
}

/** Why something was thrown, whatever it is. */
function reasonOf(error: unknown): string {
  try {
    const text: unknown = error instanceof Error ? error.message : String(error);
    // What was put there by somebody may be no text.
    return String(text);
  } catch {
    return 'what was thrown cannot be read';
  }
}

/** What a value is, for a message. */
function nameOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`;
}
