// @ts-check
// The token of a caller for another API, which is kept: of a request that asked before, and of one that asks for the first time.
import { McpAuth } from 'mcp-auth-node';
import { protect } from 'mcp-auth-node/express';
import { OURS, RESOURCE } from './peers.mjs';

const CALLERS = 300;
/** Of each caller in a round, where asking takes so little that the clock's steps would show. */
const TIMES = 20;
/** Rounds that warm up. */
const WARM_UP = 3;
const TARGETS = [{ figure: 'µs', at_most: 5 }];

/** @param {import('mcp-auth-node/testing').DevIssuer} issuer @param {number} rounds */
export async function downstream(issuer, rounds) {
  const reports = { issuer: issuer.issuer, clientId: 'dev', clientSecret: 'dev', audience: ['reports'], scopes: ['mcp'], dangerousAllowHttp: true };
  const auth = new McpAuth({ resource: RESOURCE, authorizationServers: [issuer.issuer], downstreams: { reports } });
  const api = auth.downstream('reports');
  const middleware = protect(auth);
  const tokens = Array.from({ length: CALLERS }, (_, number) => issuer.mint({ audience: RESOURCE, scope: 'mcp', subject: `user ${number}` }));
  /** The callers of new requests. */
  const callers = () => Promise.all(tokens.map((token) => callerOf(middleware, token)));
  /** Microseconds of an answer. @param {object[]} asking */
  const measure = async (asking) => {
    const before = process.cpuUsage();
    for (const caller of asking) await api.tokenFor(caller);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / asking.length;
  };

  const known = await callers();
  for (const caller of known) await api.tokenFor(caller);
  const again = Array.from({ length: TIMES }, () => known).flat();
  /** @type {import('./rows.mjs').Row[]} */
  const rows = ['tokenFor, again', 'tokenFor, first'].map((work) => ({ work, contender: OURS, figures: { µs: [] }, targets: TARGETS }));
  for (let round = 0; round < rounds + WARM_UP; round += 1) {
    const first = (await Promise.all(Array.from({ length: TIMES }, callers))).flat();
    const times = [await measure(again), await measure(first)];
    if (round >= WARM_UP) for (const [at, time] of times.entries()) rows[at]?.figures.µs?.push(time);
  }
  const about = 'The token of a caller for another API, which is kept, to a request that asked before, and to one that asks first; processor time';
  return { name: 'downstream', about, rows };
}

/** With as little of a request as it takes. @param {import('./peers.mjs').Middleware} middleware @param {string} token */
function callerOf(middleware, token) {
  return new Promise((/** @type {(caller: object) => void} */ resolve, reject) => {
    const authorization = `Bearer ${token}`;
    const request = { method: 'POST', url: '/mcp', headers: { authorization }, rawHeaders: ['Authorization', authorization], auth: {} };
    const fail = () => reject(new Error('refused'));
    const response = { set: () => response, status: () => response, json: fail, writeHead: fail, end: fail };
    void middleware(request, response, () => resolve(request.auth));
  });
}
