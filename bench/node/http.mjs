// @ts-check
// Express and Fastify with and without protection: what a request costs the server's processor, and what garbage leaves in its memory.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { BARE, CONTENDERS, EMPTY, OURS, RESOURCE, SUBJECT, UNPROTECTED } from './peers.mjs';

/** Requests in a slice: short, since what other programs do changes quickly; autocannon takes a second at least. */
const AMOUNT = 1_000;
/** Slices before the first round, until V8 has compiled what it will compile. */
const WARM_UP = 6;
/** Tokens that are refused. */
const GARBAGE = 20_000;

/** @typedef {import('mcp-auth-node/testing').DevIssuer} DevIssuer */

/** @param {DevIssuer} issuer */
const mint = (issuer) => issuer.mint({ audience: RESOURCE, scope: 'mcp', algorithm: 'RS256', subject: SUBJECT });

/** @param {DevIssuer} issuer @param {number} rounds */
export async function overHttp(issuer, rounds) {
  /** @type {import('./rows.mjs').Row[]} */
  const rows = [];
  for (const [framework, names] of Object.entries(CONTENDERS)) {
    /** @type {Record<string, Server>} */
    const servers = {};
    for (const name of names) servers[name] = await Server.start(framework, name, issuer);
    for (const kind of ['seen', 'distinct']) {
      const seen = [mint(issuer)];
      const some = () => (kind === 'seen' ? seen : Array.from({ length: AMOUNT }, () => mint(issuer)));
      for (let slice = 0; slice < WARM_UP; slice += 1) {
        const tokens = some();
        for (const server of Object.values(servers)) await server.cost(tokens);
      }
      const figures = await measure(servers, rounds, some);
      for (const [contender, own] of Object.entries(figures)) {
        const row = { work: `${framework}, ${kind}`, contender, figures: own };
        rows.push(contender === OURS ? { ...row, targets: targets(kind) } : row);
      }
    }
    for (const server of Object.values(servers)) server.stop();
  }
  const about =
    'Express 5 and Fastify 5, a route that answers with the subject of the token, RS256; processor time of the server\'s process ' +
    'for a request; ratio = unprotected / protected';
  return { name: 'http', about, rows };
}

/** @param {string} kind */
function targets(kind) {
  return kind === 'seen' ? [{ figure: 'ratio', at_least: 0.92 }] : [{ figure: 'bare check / own', at_least: 0.97 }];
}

/** @param {Record<string, Server>} servers @param {number} rounds @param {() => string[]} some */
async function measure(servers, rounds, some) {
  /** @type {Record<string, import('./rows.mjs').Figures>} */
  const figures = {};
  /** @param {string} contender @param {string} name @param {number} value */
  const add = (contender, name, value) => {
    const own = (figures[contender] ??= {});
    (own[name] ??= []).push(value);
  };
  for (let round = 0; round < rounds; round += 1) {
    const tokens = some();
    /** @type {Record<string, number>} */
    const costs = {};
    const names = Object.keys(servers);
    for (let turn = 0; turn < names.length; turn += 1) {
      // Nobody always comes after the same other.
      const name = names[(turn + round) % names.length] ?? '';
      costs[name] = Number(await servers[name]?.cost(tokens));
    }
    for (const [name, cost] of Object.entries(costs)) {
      add(name, 'µs', cost);
      if (name === UNPROTECTED) continue;
      add(name, 'ratio', Number(costs[UNPROTECTED]) / cost);
      add(name, 'µs over an empty layer', cost - Number(costs[EMPTY]));
      add(name, 'bare check / own', Number(costs[BARE]) / cost);
    }
  }
  return figures;
}

/** @param {DevIssuer} issuer */
export async function afterGarbage(issuer) {
  /** @type {import('./rows.mjs').Row[]} */
  const rows = [];
  for (const framework of Object.keys(CONTENDERS)) {
    const grown = { [UNPROTECTED]: 0, [OURS]: 0 };
    for (const name of /** @type {const} */ ([UNPROTECTED, OURS])) {
      const server = await Server.start(framework, name, issuer);
      const good = mint(issuer);
      for (let slice = 0; slice < WARM_UP; slice += 1) await server.cost([good]);
      const before = await server.memory();
      const signature = good.lastIndexOf('.') + 1;
      const another = (/** @type {number} */ number) => `${good.slice(0, signature)}${String(number).padStart(8, '0')}${good.slice(signature + 8)}`;
      const garbage = Array.from({ length: GARBAGE }, (_, number) => another(number));
      await server.send(garbage, GARBAGE);
      grown[name] = ((await server.memory()) - before) / 2 ** 20;
      server.stop();
    }
    const work = `${framework}, garbage`;
    rows.push({ work, contender: UNPROTECTED, figures: { MiB: [grown[UNPROTECTED]] } });
    rows.push({
      work,
      contender: OURS,
      figures: { MiB: [grown[OURS]], 'MiB over the unprotected app': [grown[OURS] - grown[UNPROTECTED]] },
      targets: [{ figure: 'MiB over the unprotected app', at_most: 4 }],
    });
  }
  return { name: 'memory', about: `What ${GARBAGE} tokens that are refused leave in the memory of the server`, rows };
}

/** An app in a process of its own. */
class Server {
  /** @param {string} name @param {import('node:child_process').ChildProcess} child @param {number} port */
  constructor(name, child, port) {
    this.name = name;
    this.child = child;
    this.port = port;
  }

  /** @param {string} framework @param {string} name @param {DevIssuer} issuer */
  static async start(framework, name, issuer) {
    const script = fileURLToPath(new URL('server.mjs', import.meta.url));
    const child = fork(script, [framework, name, issuer.issuer, issuer.jwksUri], { execArgv: ['--expose-gc'], env: { ...process.env, RUST_LOG: 'off' } });
    const [port] = await once(child, 'message');
    return new Server(name, child, port);
  }

  /** Its processor's time for a request, in microseconds. @param {string[]} tokens */
  async cost(tokens) {
    const before = await this.#ask('processor');
    const { refused, answer } = await this.send(tokens, AMOUNT);
    if (refused || answer !== JSON.stringify({ sub: SUBJECT })) throw new Error(`${this.name}: ${refused} refused; ${answer}`);
    const { user, system } = await this.#ask('processor');
    return (user + system - before.user - before.system) / AMOUNT;
  }

  memory() {
    return this.#ask('memory');
  }

  /** @param {string[]} tokens @param {number} amount */
  async send(tokens, amount) {
    let at = 0;
    let answer = '';
    const headers = () => ({
      authorization: `Bearer ${tokens[at++ % tokens.length]}`,
      'content-type': 'application/json',
      // Every MCP client sends it.
      accept: 'application/json, text/event-stream',
    });
    const setupRequest = (/** @type {any} */ request) => ({ ...request, headers: headers() });
    const onResponse = (/** @type {number} */ _status, /** @type {string} */ body) => void (answer = body);
    const result = await autocannon({
      url: `http://127.0.0.1:${this.port}/mcp`,
      requests: /** @type {any} */ ([{ method: 'POST', body: '{}', setupRequest, onResponse }]),
      connections: 16,
      amount,
    });
    if (result.errors) throw new Error(`${this.name}: ${result.errors} errors`);
    return { refused: result.non2xx, answer };
  }

  /** What other programs do, a clock would count too. @param {string} question @returns {Promise<any>} */
  async #ask(question) {
    this.child.send(question);
    const [answer] = await once(this.child, 'message');
    return answer;
  }

  stop() {
    this.child.kill();
  }
}
