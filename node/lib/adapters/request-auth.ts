/** `request.auth`, where handlers find their caller. */
import { IncomingMessage } from 'node:http';

import { admittedOf } from './admitted.js';

type WithAuth = IncomingMessage & { auth?: unknown };

/** Prototypes of requests that find `auth` by themselves. */
const prototypes = new WeakSet<object>();

/**
 * Shows the caller of a request that was noted as admitted to handlers. Requests of Express find it by a member that they have in
 * common: to add one to each costs more there than all the rest, see `members.ts`.
 */
export function showCaller(request: WithAuth, caller: unknown): void {
  const prototype = Object.getPrototypeOf(request) as object;
  const isFound = prototypes.has(prototype) || canFind(prototype);
  if (isFound && !Object.hasOwn(request, 'auth')) return;
  request.auth = caller;
}

/** Not where somebody has put such a member before. */
function canFind(prototype: object): boolean {
  let shared: object | undefined;
  for (let object = prototype; object instanceof IncomingMessage; object = Object.getPrototypeOf(object) as object) {
    const own = Object.getOwnPropertyDescriptor(object, 'auth');
    if (own && own.get !== FOUND.get) return false;
    shared = object;
  }
  if (!shared || !Reflect.defineProperty(shared, 'auth', FOUND)) return false;
  prototypes.add(prototype);
  return true;
}

const FOUND: PropertyDescriptor & ThisType<WithAuth> = {
  configurable: true,
  enumerable: true,
  get() {
    return admittedOf(this)?.shown;
  },
  set(value) {
    Object.defineProperty(this, 'auth', { value, configurable: true, enumerable: true, writable: true });
  },
};
