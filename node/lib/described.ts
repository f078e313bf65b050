/** What the native half says of callers, read once for all requests of one. */

/**
 * What comes before the claims, which are last, where the native half describes a caller. In no text before them can it
 * stand: quotes are escaped there.
 */
const BEFORE_CLAIMS = ',"claims":';

/** What it says before the claims. */
export interface Facts {
  readonly issuer: string;
  readonly subject?: string;
  readonly client_id?: string;
  readonly scopes: readonly string[];
  readonly audience: readonly string[];
  readonly expires_at?: number;
  readonly principal: 'user' | 'client' | 'unknown';
  readonly key: readonly [issuer: string, subject: string | null];
}

/** A caller as the native half describes them, in JSON. Requests share it, and hand out nothing of it that can be changed. */
export class Described {
  readonly text: string;
  #facts: Facts | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /** Without the claims, which are most of the text, and which many handlers do not ask for. */
  get facts(): Facts {
    this.#facts ??= JSON.parse(`${this.text.slice(0, this.text.indexOf(BEFORE_CLAIMS))}}`) as Facts;
    return this.#facts;
  }

  /** Read anew for each who asks: it is theirs to change. */
  claims(): Record<string, unknown> {
    const start = this.text.indexOf(BEFORE_CLAIMS) + BEFORE_CLAIMS.length;
    return JSON.parse(this.text.slice(start, -1)) as Record<string, unknown>;
  }
}

/** A caller whom the native half has given a number, with which it names them from then on. */
export interface NumberedCaller {
  readonly number: number;
  readonly described: string;
}

/** As many as the native half keeps numbers of at a time. */
const PLACES = 512;

/** Callers by the numbers that the native half has given them. A number says who was described so, and nothing else: each request is decided there. */
export class KnownCallers {
  readonly #places: ({ number: number; described: Described } | undefined)[] = new Array(PLACES).fill(undefined);

  /** Takes note of a caller. */
  add({ number, described }: NumberedCaller): Described {
    const known = { number, described: new Described(described) };
    this.#places[number % PLACES] = known;
    return known.described;
  }

  /** @throws {Error} where nobody was noted by this number */
  of(number: number): Described {
    const known = this.#places[number % PLACES];
    if (known?.number !== number) throw new Error('the native half names a caller whom it has not described');
    return known.described;
  }
}
