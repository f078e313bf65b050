// @ts-check
// One token verified, in process, until its subject is known; beside a bare verification of the signature by node:crypto.
import { BARE, bareCheck, middlewares, missing, OURS, RESOURCE, SUBJECT, verifiers } from './peers.mjs';

const PER_ROUND = 300;
/** Of what takes so little that the clock's steps would show. */
const SEEN_PER_ROUND = 6_000;
/** Rounds that warm up. */
const WARM_UP = 3;

/** @param {import('mcp-auth-node/testing').DevIssuer} issuer @param {number} rounds */
export async function inProcess(issuer, rounds) {
  const mint = () => issuer.mint({ audience: RESOURCE, scope: 'mcp', algorithm: 'RS256', subject: SUBJECT });
  const seen = mint();
  const check = await bareCheck(issuer.jwksUri);
  const { auth, jose } = verifiers(issuer.issuer, issuer.jwksUri);
  const all = await middlewares(issuer.issuer, issuer.jwksUri);
  /** @param {string} name */
  const through = (name) => middlewareAsVerifier(...(all[name] ?? missing(name)));
  /** @type {Record<string, (token: string) => Promise<string | undefined>>} Each returns the subject. */
  const subjectOf = {
    [BARE]: async (token) => (check(token) ? SUBJECT : undefined),
    [`${OURS}, verifyAccessToken`]: async (token) => (await auth.verifyAccessToken(token)).subject,
    [`${OURS}, protect`]: through(OURS),
    jose: async (token) => (await jose(token)).payload.sub,
    'SDK + jose, requireBearerAuth': through('SDK + jose'),
    'mcp-auth (npm), bearerAuth': through('mcp-auth (npm)'),
  };
  const again = Array.from({ length: PER_ROUND }, () => seen);
  const oftenAgain = Array.from({ length: SEEN_PER_ROUND }, () => seen);
  /** Microseconds of a token. @param {string} name @param {string[]} tokens */
  const measure = async (name, tokens) => {
    const verify = subjectOf[name] ?? missing(name);
    const before = process.cpuUsage();
    for (const token of tokens) if ((await verify(token)) !== SUBJECT) throw new Error(`${name} refuses`);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / tokens.length;
  };

  /** @type {Map<string, import('./rows.mjs').Row>} */
  const rows = new Map();
  for (let round = 0; round < rounds + WARM_UP; round += 1) {
    // Nobody has seen them yet: both of ours have a memory of their own.
    const distinct = Array.from({ length: PER_ROUND }, mint);
    for (const work of ['distinct', 'seen']) {
      for (const contender of Object.keys(subjectOf)) {
        const repeated = contender.startsWith(OURS) ? oftenAgain : again;
        // Right before and after it, since what other programs do changes quickly.
        const before = await measure(BARE, distinct);
        const time = await measure(contender, work === 'seen' ? repeated : distinct);
        const bare = (before + (await measure(BARE, distinct))) / 2;
        const key = `${work} ${contender}`;
        const row = rows.get(key) ?? { work, contender, figures: { µs: [], ratio: [] } };
        rows.set(key, row);
        if (round < WARM_UP) continue;
        row.figures.µs?.push(time);
        row.figures.ratio?.push(time / bare);
      }
    }
  }
  const about = `One token in a loop, until its subject is known; processor time; ratio = time / bare check of node:crypto`;
  return { name: 'verify', about, rows: [...rows.values()] };
}

/** With as little of a request as it takes.
 * @param {import('./peers.mjs').Middleware} middleware @param {import('./peers.mjs').ReadSubject} readSubject */
function middlewareAsVerifier(middleware, readSubject) {
  return (/** @type {string} */ token) =>
    new Promise((/** @type {(subject: string | undefined) => void} */ resolve, reject) => {
      const authorization = `Bearer ${token}`;
      const request = { method: 'POST', url: '/mcp', headers: { authorization }, rawHeaders: ['Authorization', authorization] };
      const fail = () => reject(new Error('refused'));
      const response = { set: () => response, status: () => response, json: fail, writeHead: fail, end: fail };
      void middleware(request, response, (error) => (error ? reject(error) : resolve(readSubject(request))));
    });
}
