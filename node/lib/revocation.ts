/** Tokens that are refused from now on. */

/** Tokens of an issuer, known by one of four. */
export type Revocation = RevocationOf<'subject'> | RevocationOf<'clientId'> | RevocationOf<'sid'> | RevocationOf<'jti'>;

/** What tokens are known by: `sub`, `client_id`, the session at the issuer, or the token itself. */
type RevokedBy = 'subject' | 'clientId' | 'sid' | 'jti';

type RevocationOf<Name extends RevokedBy> = { [name in Name]: string } & { [other in Exclude<RevokedBy, Name>]?: undefined } & {
  issuer: string;
  /** Until when they were issued: seconds since 1970 or a date. Default: until now. */
  issuedUntil?: number | Date;
};

const REVOKED_BY: readonly RevokedBy[] = ['subject', 'clientId', 'sid', 'jti'];

/** Later than that, a time is one in milliseconds. */
const LATEST = 100_000_000_000;

/** @internal As data for the native half. @throws {TypeError} when it would revoke nothing, or something else. */
export function revocationData(revocation: Revocation): string {
  if (typeof revocation !== 'object' || revocation === null) throw new TypeError("what is revoked must be an object: { issuer, subject: 'alice' }");
  const given = revocation as Record<string, unknown>;
  const present = Object.keys(given).filter((name) => given[name] !== undefined);
  const unknown = present.find((name) => name !== 'issuer' && name !== 'issuedUntil' && !REVOKED_BY.some((known) => known === name));
  if (unknown !== undefined) throw new TypeError(`\`${unknown}\` is no member of a revocation`);
  const named = REVOKED_BY.filter((name) => present.includes(name));
  const [name] = named;
  if (name === undefined || named.length > 1) throw new TypeError('exactly one of `subject`, `clientId`, `sid` and `jti` says what is revoked');
  const data: Record<string, unknown> = { issuer: textOf(given, 'issuer'), [name]: textOf(given, name) };
  if (revocation.issuedUntil !== undefined) data['issuedUntil'] = secondsOf(revocation.issuedUntil);
  return JSON.stringify(data);
}

function textOf(given: Record<string, unknown>, name: string): string {
  const text = given[name];
  if (typeof text !== 'string' || text === '') throw new TypeError(`\`${name}\` must be a text that is not empty`);
  return text;
}

function secondsOf(time: number | Date): number {
  const seconds = time instanceof Date ? time.getTime() / 1000 : time;
  if (typeof seconds === 'number' && seconds >= 0 && seconds < LATEST) return Math.floor(seconds);
  throw new TypeError('`issuedUntil` must be seconds since 1970, or a date');
}
