/**
 * Headers of requests of `node:http`. There they are three times: as they came, in a list that Node counts; by name;
 * and in `headersDistinct`, which Node makes of the list when somebody first asks.
 */
import { IncomingMessage } from 'node:http';

import { member, setMember } from './members.js';

/** Under which symbols Node keeps `headersDistinct` and the count. */
interface Symbols {
  distinct: symbol;
  count: symbol;
}

/** Of nothing, in other runtimes and in a Node that does otherwise. */
const symbols = findSymbols();

/** Takes headers away, wherever a handler would look. The names are in lower case. */
export function removeHeaders(request: IncomingMessage, names: readonly string[]): void {
  for (const name of names) {
    delete member(request, 'headers')[name];
    const removed = removeRaw(member(request, 'rawHeaders'), name);
    if (isNodes(request)) {
      setMember(request, symbols.count, member(request, symbols.count) - removed);
      delete member(request, symbols.distinct)?.[name];
    } else {
      Object.defineProperty(request, 'headersDistinct', HEADERS_DISTINCT);
    }
  }
}

/** Gives a header one value, whatever it was. */
export function replaceHeader(request: IncomingMessage, name: string, value: string): void {
  removeHeaders(request, [name]);
  request.headers[name] = value;
  request.rawHeaders.push(name, value);
  if (!isNodes(request)) return;
  request[symbols.count] += 2;
  const distinct = request[symbols.distinct];
  if (distinct) distinct[name] = [value];
}

/** Gives headers that are there other values. The names are in lower case. */
export function replaceHeaders(request: IncomingMessage, replaced: Iterable<readonly [name: string, value: string]>): void {
  for (const [name, value] of replaced) {
    if (member(request, 'headers')[name] !== undefined) replaceHeader(request, name, value);
  }
}

/** How many items of the list they were. */
function removeRaw(raw: string[], name: string): number {
  const before = raw.length;
  let kept = 0;
  for (let at = 0; at < before; at += 2) {
    const one = raw[at] as string;
    if (one.length === name.length && one.toLowerCase() === name) continue;
    raw[kept] = one;
    raw[kept + 1] = raw[at + 1] as string;
    kept += 2;
  }
  // To set the length of a list takes longer.
  for (let left = kept; left < before; left += 1) raw.pop();
  return before - kept;
}

/** Whether it keeps its headers so: frameworks also make requests of their own, for tests. */
function isNodes(request: any): request is Record<symbol, any> {
  return typeof member(request, symbols.count) === 'number' && !Object.hasOwn(request, 'headersDistinct');
}

function findSymbols(): Symbols {
  const sample = new IncomingMessage(null as never);
  void sample.headersDistinct;
  const own = Object.getOwnPropertySymbols(sample);
  const find = (name: string) => own.find(({ description }) => description === name) ?? Symbol(name);
  const found = { distinct: find('kHeadersDistinct'), count: find('kHeadersCount') };
  // They are nobody's promise: used only where they mean what is expected.
  return isExpected(found) ? found : { distinct: Symbol(), count: Symbol() };
}

function isExpected({ distinct, count }: Symbols): boolean {
  const sample: any = new IncomingMessage(null as never);
  sample.rawHeaders = ['Name', 'value', 'other', 'value'];
  sample[count] = 2;
  const isMadeLate = !sample[distinct];
  const { headersDistinct } = sample;
  return isMadeLate && headersDistinct.name?.[0] === 'value' && !('other' in headersDistinct) && headersDistinct === sample[distinct];
}

/** Made of the list whenever it is asked for. */
const HEADERS_DISTINCT: PropertyDescriptor & ThisType<IncomingMessage> = {
  configurable: true,
  get() {
    const distinct: Record<string, string[]> = {};
    for (let at = 0; at < this.rawHeaders.length; at += 2) {
      (distinct[(this.rawHeaders[at] as string).toLowerCase()] ??= []).push(this.rawHeaders[at + 1] as string);
    }
    return distinct;
  },
};
