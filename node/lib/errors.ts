/** Refusals, as classes: what was compared is in their fields, and `code` is the same in every language. */
import { camelCased } from './names.js';

/** What every error of this package is. */
export class McpAuthError extends Error {
  override name = 'McpAuthError';
  /** A stable word, such as `expired`. */
  readonly code: string;
  /** The HTTP status of the refusal. */
  readonly status: number;

  constructor(code: string, status: number, message: string, fields: object = {}) {
    super(message);
    this.code = code;
    this.status = status;
    Object.assign(this, fields);
  }
}

/** The configuration cannot be used; `faults` names each field that is wrong. */
export class ConfigError extends McpAuthError {
  override name = 'ConfigError';
  declare readonly faults: string[];

  constructor(message: string, faults: string[] = [message]) {
    super('invalid_config', 500, message, { faults });
  }
}

/** @internal What the native half throws about a configuration holds its faults, in JSON. */
export function configErrorOf(error: unknown): ConfigError {
  const text = (error as Error).message;
  try {
    const { message, faults } = JSON.parse(text) as { message: string; faults: string[] };
    return new ConfigError(message, faults);
  } catch {
    return new ConfigError(text);
  }
}

/** The request carries no token, or not as RFC 6750 has it. */
export class RequestError extends McpAuthError {
  override name = 'RequestError';
}

/** The token is not acceptable. Which fields there are depends on `code`. */
export class TokenError extends McpAuthError {
  override name = 'TokenError';
  declare readonly actual?: string | string[];
  declare readonly expected?: string[];
  declare readonly algorithm?: string;
  declare readonly claim?: string;
  declare readonly exp?: number;
  declare readonly keyId?: string | null;
  declare readonly now?: number;
  declare readonly reason?: string;
  declare readonly validFrom?: number;
}

/** The token is good, but lacks a scope. */
export class InsufficientScopeError extends McpAuthError {
  override name = 'InsufficientScopeError';
  declare readonly required: string[];
  declare readonly granted: string[];
  /** The value of `WWW-Authenticate` that asks for them. */
  declare readonly challenge?: string;
}

/** Refused by policy; another token of the same caller would not help. */
export class ForbiddenError extends McpAuthError {
  override name = 'ForbiddenError';
  declare readonly origin?: string;
  declare readonly reason?: string;
}

/** Too many requests of this address or this caller were refused, and this one is as well. */
export class TooManyFailuresError extends McpAuthError {
  override name = 'TooManyFailuresError';
  /** The code of the refusal that it stands for. */
  declare readonly refusedFor: string;
  /** Seconds after which a refusal would be told in full again. */
  declare readonly retryAfter: number;
}

/** Whether the token is good cannot be told right now. */
export class UnavailableError extends McpAuthError {
  override name = 'UnavailableError';
  declare readonly issuer: string;
  declare readonly reason: string;
  /** Seconds after which to try again. */
  declare readonly retryAfter: number;
}

/** There is no token for another API. Nothing was sent to it, and the text may be shown to anybody. */
export class DownstreamError extends McpAuthError {
  override name = 'DownstreamError';
  /** Seconds after which to try again, where that may help. */
  declare readonly retryAfter?: number;
  /** What the user has to consent to; or what was asked for beyond what is configured. */
  declare readonly scopes?: string[];
  /** What Entra ID wants of the user, in JSON, in base64. */
  declare readonly claims?: string;
  /** The `error` of a JSON-RPC response, where the user has to open a URL first: see {@link elicits}. */
  declare readonly jsonRpcError?: UrlElicitationRequired;
}

/** What a client is told whose user has to open a URL first (2025-11-25 and later). */
export type UrlElicitationRequired = {
  code: -32042;
  message: string;
  data: { elicitations: UrlElicitation[] };
};

/** Nothing in it tells who the user is, and the URL is of use to nobody else. */
export type UrlElicitation = { mode: 'url'; elicitationId: string; url: string; message: string };

/** A state that a client brought back is not accepted: `code` is `invalid` or `expired`. */
export class StateError extends McpAuthError {
  override name = 'StateError';
  declare readonly code: 'invalid' | 'expired';

  /** @internal */
  constructor(code: 'invalid' | 'expired') {
    super(code, 400, code === 'expired' ? 'the state has ended' : 'the state was not sealed here for this caller and purpose');
  }
}

const CLASSES = {
  downstream: DownstreamError,
  forbidden: ForbiddenError,
  limit: TooManyFailuresError,
  request: RequestError,
  scope: InsufficientScopeError,
  token: TokenError,
  unavailable: UnavailableError,
} as const;

/** A refusal as data, as every SDK gets it. */
interface Refusal {
  kind: keyof typeof CLASSES;
  code: string;
  status: number;
  message: string;
  compared: Record<string, unknown>;
}

/** The error for a refusal, which the native half describes in JSON. */
export function refusalOf(json: string): McpAuthError {
  const { kind, code, status, message, compared } = JSON.parse(json) as Refusal;
  return new CLASSES[kind](code, status, message, camelCased(compared));
}

/** @internal A refusal in one object, for people who look at a response. */
export function detailsOf(json: string): object {
  const { kind, code, status, message, compared } = JSON.parse(json) as Refusal;
  return { ...camelCased(compared), kind, code, status, message };
}
