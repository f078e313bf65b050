/** Session identifiers in heads of responses of `node:http`: those that are set before, and those that `writeHead` is given. */
import type { ServerResponse } from 'node:http';

import { SESSION_HEADER } from '../session-header.js';
import { admittedOf } from './admitted.js';
import { member } from './members.js';

/** What seals an identifier, or says with nothing that it must not be sent. */
interface Sealer {
  sealSession(given: string): string | null;
}

/** Whether a head names a session; `headers` is what `writeHead` is given. */
export function namesSession(response: ServerResponse, headers: unknown): boolean {
  if (response.hasHeader(SESSION_HEADER)) return true;
  if (typeof headers !== 'object' || headers === null) return false;
  if (!Array.isArray(headers)) {
    for (const name in headers) if (isItsName(name)) return true;
    return false;
  }
  return headers.flat().some(isItsName);
}

/** Seals the sessions that a head names, once, and returns what `writeHead` is to be given. */
export function sealSession(response: ServerResponse, headers: unknown): unknown {
  const request = admittedOf(member(response, 'req'));
  if (!request || request.isSealed || !namesSession(response, headers)) return headers;
  request.isSealed = true;
  return sealIn(response, headers, request);
}

/** The same, by whatever seals it. */
export function sealIn(response: ServerResponse, headers: unknown, sealer: Sealer): unknown {
  const set = response.getHeader(SESSION_HEADER);
  if (set !== undefined) {
    const sealed = sealAll(set, sealer);
    if (sealed.length > 0) response.setHeader(SESSION_HEADER, single(sealed));
    else response.removeHeader(SESSION_HEADER);
  }
  if (typeof headers !== 'object' || headers === null) return headers;
  const isList = Array.isArray(headers);
  const sealed: [name: unknown, value: unknown][] = [];
  for (const [name, value] of isList ? pairsOf(headers) : Object.entries(headers)) {
    if (!isItsName(name)) {
      sealed.push([name, value]);
      continue;
    }
    const values = sealAll(value, sealer);
    if (values.length > 0) sealed.push([name, single(values)]);
  }
  return isList ? sealed.flat(1) : Object.fromEntries(sealed);
}

function isItsName(name: unknown): boolean {
  return typeof name === 'string' && name.length === SESSION_HEADER.length && name.toLowerCase() === SESSION_HEADER;
}

/** Of names and values in turn, or of pairs of them. */
function pairsOf(list: unknown[]): [name: unknown, value: unknown][] {
  if (Array.isArray(list[0])) return list as [unknown, unknown][];
  const pairs: [unknown, unknown][] = [];
  for (let at = 0; at + 1 < list.length; at += 2) pairs.push([list[at], list[at + 1]]);
  return pairs;
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
