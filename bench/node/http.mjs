// @ts-check
// Express 5 with and without protection: requests per second of the server's processor, ratios to the unprotected route.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { DevIssuer } from 'mcp-auth-node/testing';
import { median, RESOURCE } from './peers.mjs';

const ROUNDS = Number(process.argv[2] ?? 20);
/** Requests in a slice: short, since what other programs do changes quickly. */
const AMOUNT = 1_000;
/** Slices before the first round, until V8 has compiled what it will compile. */
const WARM_UP = 12;

const UNPROTECTED = 'unprotected';
const NAMES = ['mcp-auth-node', 'node:crypto, bare', 'SDK + jose', 'mcp-auth (npm)'];

const issuer = new DevIssuer({ algorithm: 'RS256' });
const mint = () => issuer.mint({ audience: RESOURCE, scope: 'mcp', algorithm: 'RS256' });
const seen = mint();
/** @type {Record<string, { process: import('node:child_process').ChildProcess, port: number }>} */
const servers = {};
for (const name of [UNPROTECTED, ...NAMES]) {
  const process = fork(fileURLToPath(new URL('server.mjs', import.meta.url)), [name, issuer.issuer, issuer.jwksUri]);
  const [port] = await once(process, 'message');
  servers[name] = { process, port };
}

/** @param {string} name @param {string[]} tokens */
async function measure(name, tokens) {
  const { port, process } = servers[name] ?? missing(name);
  const url = `http://127.0.0.1:${port}/mcp`;
  const headers = (/** @type {string} */ token) => ({
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    // Every MCP client sends it.
    accept: 'application/json, text/event-stream',
  });
  const next = (/** @type {any} */ request) => ({ ...request, headers: { ...request.headers, ...headers(tokens[at++ % tokens.length] ?? '') } });
  let at = 0;
  // Both kinds take the same way through the client.
  const requests = [{ method: 'POST', setupRequest: next }];
  const before = await processorTime(process);
  const result = await autocannon({
    url,
    method: 'POST',
    headers: headers(tokens[0] ?? ''),
    requests: /** @type {any} */ (requests),
    connections: 16,
    amount: AMOUNT,
  });
  if (result.non2xx || result.errors) throw new Error(`${name}: ${result.non2xx} refused, ${result.errors} errors`);
  const { user, system } = await processorTime(process);
  return result['2xx'] / ((user + system - before.user - before.system) / 1e6);
}

/** What the server's processor has done so far: on a machine that others use too, a clock says less.
 * @param {import('node:child_process').ChildProcess} server */
async function processorTime(server) {
  server.send('');
  const [usage] = await once(server, 'message');
  return /** @type {NodeJS.CpuUsage} */ (usage);
}

/** @param {string} name @returns {never} */
function missing(name) {
  throw new Error(`no server is named ${name}`);
}

for (const kind of ['seen', 'distinct']) {
  /** @type {Record<string, { rate: number, ratio: number }[]>} */
  const results = Object.fromEntries(NAMES.map((name) => [name, []]));
  const some = () => (kind === 'seen' ? [seen] : Array.from({ length: AMOUNT }, mint));
  for (const name of [UNPROTECTED, ...NAMES]) {
    for (let slice = 0; slice < WARM_UP; slice += 1) await measure(name, some());
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    const tokens = some();
    for (const name of NAMES) {
      // Right before and after it, since what other programs do changes quickly.
      const before = await measure(UNPROTECTED, tokens);
      const rate = await measure(name, tokens);
      const unprotected = (before + (await measure(UNPROTECTED, tokens))) / 2;
      results[name]?.push({ rate, ratio: rate / unprotected });
    }
  }
  console.log(`\nExpress 5, RS256, ${kind} tokens, medians of ${ROUNDS} interleaved rounds\n\n| middleware | requests/s of processor | ratio |\n|---|---|---|`);
  for (const [name, rounds] of Object.entries(results)) {
    const [rate, ratio] = [median(rounds.map(({ rate }) => rate)), median(rounds.map(({ ratio }) => ratio))];
    console.log(`| ${name} | ${rate.toFixed(0)} | ${ratio.toFixed(3)} |`);
  }
}
for (const { process } of Object.values(servers)) process.kill();
issuer.stop();
