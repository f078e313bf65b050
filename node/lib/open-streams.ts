/** Streams of events that are open, each of which ends with the token of its caller. */
import { native, type RevocationBell, type StreamEnd } from './native.js';

/** Timers of Node take no more; a longer one is set again. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Those that wait for their end. */
const waiting = new Set<OpenStream>();

/** Of this thread. It rings once for all of them. */
let bell: RevocationBell | undefined;

function bellOfThread(): RevocationBell {
  bell ??= new native.RevocationBell(() => {
    bell?.reset();
    for (const stream of waiting) stream.look();
  });
  return bell;
}

/** A stream of events on its way to the client. */
export class OpenStream {
  readonly #end: StreamEnd;
  readonly #finish: (last: Buffer) => void;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  /** @param finish sends the last piece, which may be empty, ends the response, and tells whoever makes it */
  constructor(end: StreamEnd, finish: (last: Buffer) => void) {
    this.#end = end;
    this.#finish = finish;
  }

  /** Whether nothing more is taken: it has ended with the token, or by itself. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Waits for its end from now on. One timer, which does not keep the process alive. */
  watch(): void {
    waiting.add(this);
    this.look();
  }

  /** Whether the next piece may be sent; where it may not, the stream has ended. */
  goesOn(): boolean {
    if (!this.#isOver) this.#carryOut(this.#end.step());
    return !this.#isOver;
  }

  /** What may be sent of the next piece: where it is in the middle of an event, the stream may end within it. */
  cut(piece: Uint8Array): Uint8Array {
    const length = this.#isOver ? null : this.#end.cut(piece);
    return length === null ? piece : piece.subarray(0, length);
  }

  /** Takes note of what was sent. */
  sent(piece: Uint8Array): void {
    if (!this.#isOver) this.#carryOut(this.#end.see(piece));
  }

  /** It ends by itself, or its client has gone. */
  close(): void {
    this.#isOver = true;
    waiting.delete(this);
    clearTimeout(this.#timer);
    this.#end.close();
  }

  /** Called when its time has come, and when something was revoked. */
  look(): void {
    // What was revoked until now is seen by the step.
    while (this.#end.listen(bellOfThread())) continue;
    if (!this.goesOn()) return;
    clearTimeout(this.#timer);
    const left = this.#end.millisecondsLeft;
    this.#timer = left === null ? undefined : setTimeout(() => this.look(), Math.min(left, LONGEST_TIMER)).unref();
  }

  #carryOut(last: Buffer | null): void {
    if (last === null) return;
    this.close();
    this.#finish(last);
  }
}
