import { McpAuth } from './mcp-auth.js';

/** What is given to `protect` must be an {@link McpAuth}: what else it may be is said by name, at once. */
export function requireAuth(given: unknown, usage: string): asserts given is McpAuth {
  if (given instanceof McpAuth) return;
  const isRequest = typeof given === 'object' && given !== null && ('rawHeaders' in given || 'raw' in given || 'req' in given);
  if (isRequest) throw new TypeError(`\`protect\` was used as middleware itself: call it, ${usage}`);
  throw new TypeError(`\`protect\` takes the \`McpAuth\`, not ${nameOf(given)}: ${usage}`);
}

/** What it is, as people call it. */
export function nameOf(given: unknown): string {
  if (given === undefined || given === null) return String(given);
  if (typeof given === 'function') return 'handle' in given && 'set' in given ? 'an app of Express' : `the function \`${given.name || 'without a name'}\``;
  if (typeof given !== 'object') return `a value of type ${typeof given}`;
  const { constructor } = given;
  return constructor && constructor !== Object ? `an instance of ${constructor.name}` : 'a plain object, perhaps its configuration: `new McpAuth(config)` makes one of it';
}
