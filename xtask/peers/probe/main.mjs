// @ts-check
// node main.mjs GROUP ISSUER RESOURCE: one JSON array of [what was tried, what came of it] pairs.
import { Issuer } from './http.mjs';
import { outage, rotation, stampede } from './keys.mjs';
import { requests } from './requests.mjs';
import { tokens } from './tokens.mjs';

const GROUPS = { outage, stampede, rotation, tokens, requests };

const [group, issuer, resource] = process.argv.slice(2);
const findings = [];
for await (const finding of GROUPS[/** @type {keyof typeof GROUPS} */ (group)](new Issuer(issuer), resource)) {
  findings.push(finding);
}
console.log(JSON.stringify(findings));
