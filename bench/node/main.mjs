// @ts-check
// The Node SDK beside its peers: `cargo xtask bench-node`.
import { parseArgs } from 'node:util';
import { DevIssuer } from 'mcp-auth-node/testing';
import { downstream } from './downstream.mjs';
import { overHttp, afterGarbage } from './http.mjs';
import { inProcess } from './in-process.mjs';
import { print, write } from './rows.mjs';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '40' }, json: { type: 'string' } } });
const rounds = Number(values.rounds);
const issuer = new DevIssuer({ algorithm: 'RS256' });
const sections = [];
for (const measure of [inProcess, downstream, overHttp, afterGarbage]) {
  const section = await measure(issuer, rounds);
  print(section);
  sections.push(section);
}
issuer.stop();
if (values.json) write(values.json, sections);
