// @ts-check
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const FOLDER = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a program of Node to its end, and returns what it wrote.
 * @param {string} code @param {string[]} [options] */
export async function run(code, options = [], timeout = 60_000) {
  const { stdout } = await promisify(execFile)(process.execPath, [...options, '--input-type=commonjs', '--eval', code], {
    cwd: FOLDER,
    timeout,
  });
  return stdout.trim();
}

/** Starts a program that says a line when it is ready, and ends it with the test.
 * @param {import('node:test').TestContext} context @param {string[]} command
 * @param {Record<string, string>} env @param {RegExp} ready */
export async function start(context, command, env, ready) {
  const child = spawn(process.execPath, command, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  context.after(() => child.kill());
  for await (const line of createInterface({ input: child.stdout })) if (ready.test(line)) return child;
  const [code] = await once(child, 'close');
  throw new Error(`${command.join(' ')} ended with ${code} before it was ready`);
}

/** A port of loopback that was free a moment ago. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}
