// @ts-check
/**
 * What went over the wire: a `fetch` that remembers every exchange, so that a failure can show
 * the one that went wrong. Tokens, codes and secrets are never kept.
 *
 * @typedef {object} Exchange
 * @property {string} method
 * @property {URL} url
 * @property {string | undefined} scheme  the scheme of the `Authorization` header that was sent
 * @property {URLSearchParams} form       the form that was sent; empty for any other body
 * @property {number} status              0: no answer
 * @property {string} challenge           `WWW-Authenticate` of the answer
 * @property {string} body                what a refusal said, or why there was no answer
 */

const SECRETS = new Set([
  'access_token', 'refresh_token', 'id_token', 'client_secret', 'registration_access_token',
  'code', 'code_verifier', 'code_challenge', 'state', 'request',
]);

export class Trace {
  /** @type {Exchange[]} */
  exchanges = [];
  /** The step that runs now, named in a failure. */
  step = 'start';

  /** @type {(input: string | URL | Request, init?: RequestInit) => Promise<Response>} */
  fetch = async (input, init) => {
    const exchange = begin(input, init);
    this.exchanges.push(exchange);
    try {
      const response = await fetch(input, init);
      exchange.status = response.status;
      exchange.challenge = response.headers.get('www-authenticate') ?? '';
      if (!response.ok) exchange.body = await response.clone().text();
      return response;
    } catch (error) {
      exchange.body = String(error instanceof Error ? (error.cause ?? error) : error);
      throw error;
    }
  };

  /** The exchanges since `mark` that went to `url`, whatever its query.
   * @param {string | URL} url @param {number} [mark] */
  to(url, mark = 0) {
    const { origin, pathname } = new URL(url);
    return this.exchanges.slice(mark).filter((e) => e.url.origin === origin && e.url.pathname === pathname);
  }

  /** Prints the step, the error, and the exchanges: the refused ones in full.
   * @param {unknown} error */
  report(error) {
    console.error(`FAILED at: ${this.step}`);
    console.error(error instanceof Error ? (error.stack ?? error.message) : error);
    for (const e of this.exchanges) console.error(e.status >= 200 && e.status < 400 ? line(e) : inFull(e));
  }
}

/** @param {string | URL | Request} input @param {RequestInit} [init] @returns {Exchange} */
function begin(input, init) {
  const request = input instanceof Request ? input : undefined;
  const headers = new Headers(init?.headers ?? request?.headers);
  const form = init?.body instanceof URLSearchParams ? init.body : new URLSearchParams();
  return {
    method: init?.method ?? request?.method ?? 'GET',
    url: new URL(request?.url ?? String(input)),
    scheme: headers.get('authorization')?.split(' ')[0],
    form: withoutSecrets(form),
    status: 0,
    challenge: '',
    body: '',
  };
}

/** @param {Exchange} e */
function line(e) {
  const query = withoutSecrets(e.url.searchParams).toString();
  return `  ${e.method} ${e.url.origin}${e.url.pathname}${query && `?${query}`} -> ${e.status || 'no answer'}`;
}

/** @param {Exchange} e */
function inFull(e) {
  const parts = [
    line(e),
    `Authorization: ${e.scheme ? `${e.scheme} ...` : '(none)'}`,
    e.form.size ? `form: ${e.form}` : '',
    e.challenge && `WWW-Authenticate: ${e.challenge}`,
    e.body && `body: ${e.body.slice(0, 2000)}`,
  ];
  return parts.filter(Boolean).join('\n      ');
}

/** @param {URLSearchParams} params */
function withoutSecrets(params) {
  return new URLSearchParams([...params].map(([name, value]) => [name, SECRETS.has(name) ? '...' : value]));
}
