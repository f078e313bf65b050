// @ts-check
// node mint.mjs ISSUER RESOURCE: what `mcp-auth check server` takes, as JSON.
import { Issuer } from './http.mjs';

const [url, resource] = process.argv.slice(2);
const issuer = new Issuer(url);
console.log(
  JSON.stringify({
    token: await issuer.mint(resource),
    weak: await issuer.mint(resource, { scope: 'other' }),
    refused: await issuer.mint('https://other.example/mcp'),
  }),
);
