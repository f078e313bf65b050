/** Session identifiers in heads of responses of `node:http`: those that are set before, and those that `writeHead` is given. */
import type { ServerResponse } from 'node:http';

import { SESSION_HEADER } from '../session-header.js';

/** What seals an identifier, or says with nothing that it must not be sent. */
interface Sealer {
  /** Whether that was done. */
  isSealed: boolean;
  sealSession(given: string): string | null;
}

/** Whether a head names a session; `headers` is what `writeHead` is given. */
function namesSession(response: ServerResponse, headers: unknown): boolean {
  if (response.hasHeader(SESSION_HEADER)) return true;
  if (typeof headers !== 'object' || headers === null) return false;
  if (!Array.isArray(headers)) {
    for (const name in headers) if (isNamed(name, SESSION_HEADER)) return true;
    return false;
  }
  return headers.flat().some((one) => isNamed(one, SESSION_HEADER));
}

/** Seals the sessions that a head names, once, and returns what `writeHead` is to be given. */
export function sealSession(request: Sealer, response: ServerResponse, headers: unknown): unknown {
  if (request.isSealed || !namesSession(response, headers)) return headers;
  request.isSealed = true;
  return sealIn(response, headers, request);
}

function sealIn(response: ServerResponse, headers: unknown, sealer: Sealer): unknown {
  const set = response.getHeader(SESSION_HEADER);
  if (set !== undefined) {
    const sealed = sealAll(set, sealer);
    if (sealed.length > 0) response.setHeader(SESSION_HEADER, single(sealed));
    else response.removeHeader(SESSION_HEADER);
  }
  if (typeof headers !== 'object' || headers === null) return headers;
  const isList = Array.isArray(headers);
  const sealed: [name: unknown, value: unknown][] = [];
  for (const [name, value] of pairsGiven(headers)) {
    if (!isNamed(name, SESSION_HEADER)) {
      sealed.push([name, value]);
      continue;
    }
    const values = sealAll(value, sealer);
    if (values.length > 0) sealed.push([name, single(values)]);
  }
  return isList ? sealed.flat(1) : Object.fromEntries(sealed);
}

/** Whether what was given is this name, which is in lower case. */
export function isNamed(given: unknown, name: string): boolean {
  return typeof given === 'string' && given.length === name.length && given.toLowerCase() === name;
}

/** Names and values of what `writeHead` is given: an object, a list of them in turn, or a list of pairs. */
export function* pairsGiven(headers: unknown): Generator<[name: unknown, value: unknown]> {
  if (typeof headers !== 'object' || headers === null) return;
  if (!Array.isArray(headers)) yield* Object.entries(headers);
  else if (Array.isArray(headers[0])) yield* headers as [unknown, unknown][];
  else for (let at = 0; at + 1 < headers.length; at += 2) yield [headers[at], headers[at + 1]];
}

function sealAll(value: unknown, sealer: Sealer): string[] {
  const values = Array.isArray(value) ? value : [value];
  const sealed: string[] = [];
  for (const one of values) {
    const text = sealer.sealSession(String(one));
    if (text !== null) sealed.push(text);
  }
  return sealed;
}

/** As it was given, where it is one. */
function single(values: string[]): string | string[] {
  return values.length === 1 ? (values[0] as string) : values;
}
