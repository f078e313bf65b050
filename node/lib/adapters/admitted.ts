/** Requests that went on, until they are answered. */
import type { IncomingMessage } from 'node:http';

import type { Decided } from '../decided-before.js';
import { member } from './members.js';
import type { Streamed } from './node-stream.js';

/** What is to be known of a request, when its response begins. */
export interface Watched extends Streamed {
  /** Whether its response is looked at when it begins. */
  isWatched: boolean;
  /** Whether it is held where an event stream begins. */
  readonly holdsStreams: boolean;
  /** Whether the session that its response names is sealed. */
  isSealed: boolean;
  /** A session identifier of a handler's as the client gets it, or nothing where it must not be sent. */
  sealSession(given: string): string | null;
  /** A handler was refused more scopes, or an event stream begins, in which one may be: whether the response is held from now on. */
  hold(): boolean;
  /** The response begins: it is never held. */
  letGo(): void;
}

/** A request that went on, and what may still become of its response. */
export interface Admitted extends Decided, Watched {
  readonly request: IncomingMessage;
  /** Who handlers find in `request.auth`. */
  readonly shown: unknown;
}

/** What was noted about a request, if it went on. */
export function admittedOf(request: IncomingMessage | undefined): Admitted | undefined {
  const list = request && member(request, 'rawHeaders');
  return list && Note.at(list);
}

/** Notes that a request went on. */
export function noteAdmitted(admitted: Admitted): void {
  Note.put(member(admitted.request, 'rawHeaders'), admitted);
}

/** Its fields are put on the object that it is given. */
class Itself {
  constructor(object: object) {
    return object;
  }
}

/**
 * A private field of the list of a request's headers, which no handler can read: it leads to the token. Not an entry of a
 * `WeakMap`, because it leads to its own key as well: V8 then keeps the whole request until it next collects the old generation.
 * Not a field of the request: see {@link member}.
 */
class Note extends Itself {
  #admitted: Admitted;

  private constructor(list: object, admitted: Admitted) {
    super(list);
    this.#admitted = admitted;
  }

  static at(list: object): Admitted | undefined {
    return #admitted in list ? list.#admitted : undefined;
  }

  static put(list: object, admitted: Admitted): void {
    if (#admitted in list) list.#admitted = admitted;
    else new Note(list, admitted);
  }
}
