// @ts-check
// The official example with every feature, over Streamable HTTP. It has no authorization.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/** A port that nobody has; the server is told which. @returns {Promise<number>} */
const freePort = () =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address());
      probe.close(() => resolve(port));
    });
  });

const port = await freePort();
const program = fileURLToPath(import.meta.resolve('@modelcontextprotocol/server-everything/dist/index.js'));
const server = spawn(process.execPath, [program, 'streamableHttp'], { env: { ...process.env, PORT: String(port) } });
process.stdin.on('end', () => server.kill()).resume();
server.on('exit', () => process.exit());
let said = '';
let isReady = false;
for (const stream of [server.stdout, server.stderr]) {
  stream.on('data', (chunk) => {
    said += chunk;
    if (isReady || !said.includes(String(port))) return;
    isReady = true;
    console.log(JSON.stringify({ resource: `http://127.0.0.1:${port}/mcp` }));
  });
}
