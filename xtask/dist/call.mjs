// One call out of an installed package.
import assert from 'node:assert/strict';
import { McpAuth } from 'mcp-auth-node';
import { DevIssuer } from 'mcp-auth-node/testing';

const resource = 'https://mcp.example.com/mcp';
const issuer = new DevIssuer();
const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer] });
const caller = await auth.verifyAccessToken(issuer.mint({ audience: resource }));
assert.equal(caller.subject, 'alice');
await assert.rejects(auth.verifyAccessToken(issuer.mint({ audience: resource, broken: 'signature' })), { status: 401 });
issuer.stop();
