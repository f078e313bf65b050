// @ts-check
// One token verified, in process: ratios to a bare verification of the signature by node:crypto.
import { DevIssuer } from 'mcp-auth-node/testing';
import { bareCheck, median, middlewares, RESOURCE, verifiers } from './peers.mjs';

const ROUNDS = Number(process.argv[2] ?? 40);
const PER_ROUND = 300;
/** Of what takes so little that the clock's steps would show. */
const SEEN_PER_ROUND = 6_000;

const issuer = new DevIssuer({ algorithm: 'RS256' });
const mint = () => issuer.mint({ audience: RESOURCE, scope: 'mcp', algorithm: 'RS256' });
const seen = mint();
const check = await bareCheck(issuer.jwksUri);
if (!check(seen)) throw new Error('the bare check refuses');

const { auth, jose } = verifiers(issuer.issuer, issuer.jwksUri);
const { 'SDK + jose': sdk, 'mcp-auth (npm)': original, 'mcp-auth-node': ours } = await middlewares(issuer.issuer, issuer.jwksUri);

/** Through middleware, with as little of a request as it takes.
 * @param {import('./peers.mjs').Middleware | undefined} middleware */
const through = (middleware) => (/** @type {string} */ token) =>
  new Promise((resolve, reject) => {
    const authorization = `Bearer ${token}`;
    const request = { method: 'POST', url: '/mcp', headers: { authorization }, rawHeaders: ['Authorization', authorization] };
    const fail = () => reject(new Error('refused'));
    const response = { set: () => response, status: () => response, json: fail, writeHead: fail, end: fail };
    void middleware?.(request, response, (error) => (error ? reject(error) : resolve(undefined)));
  });

/** @type {Record<string, { tokens: 'seen' | 'distinct', run: (tokens: string[]) => Promise<void> | void }>} */
const WORK = {
  'node:crypto, bare': { tokens: 'distinct', run: (tokens) => tokens.forEach(check) },
};
/** @type {[string, (token: string) => Promise<unknown>][]} */
const VERIFIERS = [
  ['mcp-auth-node, verifyAccessToken', (token) => auth.verifyAccessToken(token)],
  ['mcp-auth-node, protect', through(ours)],
  ['jose', jose],
  ['SDK + jose, requireBearerAuth', through(sdk)],
  ['mcp-auth (npm), bearerAuth', through(original)],
];
for (const [name, verifyOne] of VERIFIERS) {
  const run = async (/** @type {string[]} */ tokens) => {
    for (const token of tokens) await verifyOne(token);
  };
  WORK[`${name}, distinct`] = { tokens: 'distinct', run };
  WORK[`${name}, seen`] = { tokens: 'seen', run };
}

/** @param {string} name Its time for one token, in microseconds of the processor. */
async function measure(name) {
  const { tokens, run } = WORK[name] ?? { tokens: 'seen', run: () => {} };
  const isQuick = tokens === 'seen' && name.startsWith('mcp-auth-node');
  const length = isQuick ? SEEN_PER_ROUND : PER_ROUND;
  const batch = Array.from({ length }, () => (tokens === 'seen' ? seen : mint()));
  const before = process.cpuUsage();
  await run(batch);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / length;
}

const BARE = 'node:crypto, bare';
/** @type {Record<string, { time: number, ratio: number }[]>} */
const results = Object.fromEntries(Object.keys(WORK).map((name) => [name, []]));
for (let round = 0; round < ROUNDS; round += 1) {
  for (const name of Object.keys(WORK)) {
    // Right before and after it, since what other programs do changes quickly.
    const before = await measure(BARE);
    const time = await measure(name);
    const bare = (before + (await measure(BARE))) / 2;
    // The first rounds warm up.
    if (round >= 3) results[name]?.push({ time, ratio: time / bare });
  }
}
console.log(`RS256, medians of ${ROUNDS - 3} interleaved rounds of ${PER_ROUND}\n\n| work | µs of processor | ratio |\n|---|---|---|`);
for (const [name, rounds] of Object.entries(results)) {
  const [time, ratio] = [median(rounds.map(({ time }) => time)), median(rounds.map(({ ratio }) => ratio))];
  console.log(`| ${name} | ${time.toFixed(1)} | ${ratio.toFixed(3)} |`);
}
issuer.stop();
