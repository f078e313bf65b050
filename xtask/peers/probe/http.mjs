// @ts-check
import { request } from 'node:http';

/** The first message of every MCP client up to 2025-11-25, which every server here understands. */
const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'probe', version: '0' } },
});

/**
 * One request, with headers exactly as given: `fetch` would not send every `Host`.
 *
 * @param {string} url
 * @param {import('node:http').OutgoingHttpHeaders} [headers]
 * @param {string} [method]
 * @returns {Promise<{ status: number, headers: import('node:http').IncomingHttpHeaders, body: string }>}
 */
export function send(url, headers = {}, method = 'GET', body = '') {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false, timeout: 30_000 }, (response) => {
      let received = '';
      response.setEncoding('utf8').on('data', (chunk) => (received += chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: received }));
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer within 30 seconds')));
    sent.on('error', reject).end(body);
  });
}

/**
 * The first request of an MCP client.
 *
 * @param {string} resource
 * @param {string | undefined} token
 * @param {import('node:http').OutgoingHttpHeaders} [headers]
 */
export function initialize(resource, token, headers = {}) {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const accept = 'application/json, text/event-stream';
  const all = { 'content-type': 'application/json', accept, ...authorization, ...headers };
  return send(resource, all, 'POST', INITIALIZE);
}

/** The development issuer's control endpoints. */
export class Issuer {
  /** @param {string} url */
  constructor(url) {
    this.url = url;
  }

  /**
   * @param {string} resource
   * @param {Record<string, string>} [parameters]
   */
  async mint(resource, parameters = {}) {
    return (await this.post('mint', { user: 'alice', scope: 'mcp', resource, ...parameters })).trim();
  }

  async rotate() {
    await this.post('rotate', {});
  }

  /** @param {'online' | 'offline'} mode */
  async mode(mode) {
    await this.post('mode', { mode });
  }

  /** How often the keys were asked for. */
  async keyFetches() {
    const response = await fetch(`${this.url}/dev/requests`);
    return (await response.json()).jwks;
  }

  /**
   * @param {string} name
   * @param {Record<string, string>} parameters
   */
  async post(name, parameters) {
    const form = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ''));
    const response = await fetch(`${this.url}/dev/${name}`, { method: 'POST', body: form });
    if (!response.ok) throw new Error(`/dev/${name}: ${response.status} ${await response.text()}`);
    return response.text();
  }
}
