// @ts-check
// One app in a process of its own: what it leaves to the garbage collector is its own.
import { start } from './peers.mjs';

const [framework = '', name = '', issuer = '', jwksUri = ''] = process.argv.slice(2);
const port = await start(framework, name, issuer, jwksUri);
process.on('message', (question) => {
  if (question === 'memory') {
    globalThis.gc?.();
    process.send?.(process.memoryUsage().rss);
  } else {
    process.send?.(process.cpuUsage());
  }
});
process.send?.(port);
