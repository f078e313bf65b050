/**
 * Headers of requests of `node:http`. There they are three times: as they came, in a list that Node counts, and in
 * two objects that it makes of the list when somebody first asks.
 */
import { IncomingMessage } from 'node:http';

/** Under which symbols Node keeps the two objects and the count. */
interface Symbols {
  headers: symbol;
  distinct: symbol;
  count: symbol;
}

/** Of nothing, in other runtimes and in a Node that does otherwise. */
const symbols = findSymbols();

/** Takes headers away, wherever a handler would look. The names are in lower case. */
export function removeHeaders(request: IncomingMessage, names: readonly string[]): void {
  for (const name of names) {
    if (isNodes(request)) {
      // Most objects are not there yet: making them here, and without a member, would slow down whoever uses them.
      request[symbols.count] -= removeRaw(request.rawHeaders, name);
      delete request[symbols.headers]?.[name];
      delete request[symbols.distinct]?.[name];
    } else {
      delete request.headers[name];
      removeRaw(request.rawHeaders, name);
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

/** All values of a header, separated by commas. Does not make the objects, which may not be needed. */
export function headerOf(request: IncomingMessage, name: string): string {
  const raw = request.rawHeaders;
  let all = '';
  for (let at = 0; at + 1 < raw.length; at += 2) {
    if (isNamed(raw[at] as string, name)) all += all ? `, ${raw[at + 1]}` : raw[at + 1];
  }
  return all;
}

/** How many items of the list they were. */
function removeRaw(raw: string[], name: string): number {
  const before = raw.length;
  for (let at = before - 2; at >= 0; at -= 2) {
    if (isNamed(raw[at] as string, name)) raw.splice(at, 2);
  }
  return before - raw.length;
}

function isNamed(raw: string, name: string): boolean {
  return raw.length === name.length && raw.toLowerCase() === name;
}

/** Whether it keeps its headers so: frameworks also make requests of their own, for tests. */
function isNodes(request: any): request is Record<symbol, any> {
  return typeof request[symbols.count] === 'number';
}

function findSymbols(): Symbols {
  const sample = new IncomingMessage(null as never);
  void sample.headersDistinct;
  const own = Object.getOwnPropertySymbols(sample);
  const find = (name: string) => own.find(({ description }) => description === name) ?? Symbol(name);
  const found = { headers: find('kHeaders'), distinct: find('kHeadersDistinct'), count: find('kHeadersCount') };
  // They are nobody's promise: used only where they mean what is expected.
  return isExpected(found) ? found : { headers: Symbol(), distinct: Symbol(), count: Symbol() };
}

function isExpected({ headers, distinct, count }: Symbols): boolean {
  const sample: any = new IncomingMessage(null as never);
  sample.rawHeaders = ['Name', 'value', 'other', 'value'];
  sample[count] = 2;
  const isMadeLate = !sample[headers] && !sample[distinct];
  const isCounted = sample.headers.name === 'value' && !('other' in sample.headers);
  return isMadeLate && isCounted && sample.headers === sample[headers] && sample.headersDistinct === sample[distinct];
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
