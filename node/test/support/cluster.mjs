// @ts-check
// A primary that also verifies, and one worker process per token: resource, issuer, tokens.
import cluster from 'node:cluster';
import { McpAuth } from '../../dist/index.js';

const [resource = '', issuer = '', ...tokens] = process.argv.slice(2);
const auth = new McpAuth({ resource, authorizationServers: [issuer] });

if (cluster.isPrimary) {
  await auth.verifyAccessToken(tokens[0] ?? '');
  const answers = tokens.map((_, index) => {
    const worker = cluster.fork({ INDEX: String(index) });
    return new Promise((resolve) => worker.on('message', resolve));
  });
  console.log((await Promise.all(answers)).join(' '));
} else {
  const { subject } = await auth.verifyAccessToken(tokens[Number(process.env.INDEX)] ?? '');
  process.send?.(subject, () => process.disconnect());
}
