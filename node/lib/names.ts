/** Names of members, as files and JavaScript have them. */

/** `jwksUri` → `jwks_uri`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** `jwks_uri` → `jwksUri`. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The same for the names of an object's members. */
export function camelCased<Value>(object: Record<string, Value>): Record<string, Value>;
export function camelCased(object: object): Record<string, unknown>;
export function camelCased(object: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [camelCase(name), value]));
}
