/** Hands what the library reports on to the logger of the application. */
import { native } from './native.js';

const LEVELS = ['error', 'warn', 'info', 'debug'] as const;

/** How grave it is: refusals are `warn`, allowed calls `info`, preflights `debug`. */
export type LogLevel = (typeof LEVELS)[number];

/** A logger as pino makes them. */
export type Logger = { [level in LogLevel]: (fields: LogFields, message: string) => unknown } & {
  /** Whether a level is written now; asked before a record is made. */
  isLevelEnabled?: (level: string) => boolean;
};

/** What is known of an event: see the table of fields in docs/operations.md. */
export interface LogFields {
  /** Which part of the library reports it; decisions are of `mcp_auth::decision`. */
  target: string;
  code?: string;
  status?: number;
  resource?: string;
  /** What was called under a policy. */
  operation?: string;
  methods?: string[];
  rules?: string[];
  /** One value, or several. */
  expected?: string | string[];
  actual?: string | string[];
  [field: string]: unknown;
}

/**
 * Gives what the library reports to this logger of the application, in place of standard error; without one, to standard
 * error again. It holds for every `McpAuth` of the process, whether it was made before or after. Each thread with a logger of its
 * own keeps what happens on it.
 *
 * ```ts
 * setLogger(pino());
 * ```
 */
export function setLogger(logger: Logger | undefined): void {
  if (logger === undefined) return native.setLogger();
  const isLogger = typeof logger === 'object' && logger !== null && LEVELS.every((level) => typeof logger[level] === 'function');
  if (!isLogger) throw new TypeError('a logger has `error`, `warn`, `info` and `debug`, which take fields and a message, as that of pino has');
  const isEnabled = (level: LogLevel) => logger.isLevelEnabled?.(level) ?? true;
  native.setLogger(
    (level) => orElse(() => isEnabled(level as LogLevel), true),
    (record) => {
      const { level, fields, message } = JSON.parse(record) as { level: LogLevel; fields: LogFields; message: string };
      orElse(() => logger[level](fields, message), undefined);
    },
  );
}

/** What a logger throws does not become the fault of a request. */
function orElse<Result>(work: () => Result, otherwise: Result): Result {
  try {
    return work();
  } catch {
    return otherwise;
  }
}
