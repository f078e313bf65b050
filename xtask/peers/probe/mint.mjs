// @ts-check
// node mint.mjs ISSUER RESOURCE: a good token for the resource.
import { Issuer } from './http.mjs';

const [issuer, resource] = process.argv.slice(2);
console.log(await new Issuer(issuer).mint(resource));
