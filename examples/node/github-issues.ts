/**
 * Everybody works with their own issues at GitHub, where they have let this server do so.
 *
 * | scope | lets its bearer |
 * |---|---|
 * | `issues:read` | list the issues of a repository, and disconnect their account |
 * | `issues:write` | open an issue |
 *
 * | variable | meaning |
 * |---|---|
 * | `CONNECT_URL` | where the pages are on which users connect their accounts, such as `http://127.0.0.1:3000/connect` |
 * | `CONNECT_FOLDER` | where the grants of users are kept, `grants` unless set |
 * | `CONNECT_CLIENT_ID`, `CONNECT_CLIENT_SECRET_FILE` | this server as a client of the issuer, where users sign in |
 * | `HANDLE_KEYS_FILE` | the key that seals the grants |
 * | `GITHUB_CLIENT_ID`, `GITHUB_CLIENT_SECRET_FILE` | this server as an OAuth app of GitHub |
 * | `GITHUB_URL`, `GITHUB_API` | another GitHub than `https://github.com`, and its API |
 *
 * Besides it takes the variables that `whoami` takes, with one issuer.
 */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { UrlElicitationRequiredError } from '@modelcontextprotocol/sdk/types.js';
import { type AuthInfo, DownstreamError, elicits, McpAuth } from 'mcp-auth-node';
import { z } from 'zod';
import { serve } from './serve.js';

const { MCP_AUTH_RESOURCE = '', MCP_AUTH_ISSUER = '', MCP_AUTH_SCOPES = '' } = process.env;
const { CONNECT_URL = '', CONNECT_FOLDER = 'grants', HANDLE_KEYS_FILE } = process.env;
const { CONNECT_CLIENT_ID = '', CONNECT_CLIENT_SECRET_FILE } = process.env;
const { GITHUB_CLIENT_ID = '', GITHUB_CLIENT_SECRET_FILE } = process.env;
const { GITHUB_URL = 'https://github.com', GITHUB_API = 'https://api.github.com' } = process.env;

const auth = new McpAuth({
  resource: MCP_AUTH_RESOURCE,
  authorizationServers: [MCP_AUTH_ISSUER],
  requiredScopes: MCP_AUTH_SCOPES,
  scopesSupported: `${MCP_AUTH_SCOPES} issues:read issues:write`.trim(),
  policy: {
    tools: { list_issues: 'issues:read', create_issue: 'issues:write', disconnect: 'issues:read' },
    denyUndeclared: true,
  },
  handleKeysFile: HANDLE_KEYS_FILE,
  connect: {
    url: CONNECT_URL,
    folder: CONNECT_FOLDER,
    signIn: [
      { issuer: MCP_AUTH_ISSUER, clientId: CONNECT_CLIENT_ID, clientSecretFile: CONNECT_CLIENT_SECRET_FILE },
    ],
  },
  downstreams: {
    github: {
      grant: 'authorization_code',
      authorizationEndpoint: `${GITHUB_URL}/login/oauth/authorize`,
      tokenEndpoint: `${GITHUB_URL}/login/oauth/access_token`,
      clientId: GITHUB_CLIENT_ID,
      clientSecretFile: GITHUB_CLIENT_SECRET_FILE,
      scopes: ['repo'],
      api: [`${GITHUB_API}/`],
    },
  },
});
const github = auth.downstream('github');

serve(auth, (caller) => {
  const server = new McpServer({ name: 'github-issues', version: '1.0.0' });

  server.registerTool(
    'list_issues',
    {
      description: 'List the open issues of a repository at GitHub (owner/name), as me',
      inputSchema: { repository: z.string() },
    },
    elicits(UrlElicitationRequiredError, async ({ repository }: { repository: string }) => {
      const found = (await ask(caller, repository)) as GitHubIssue[];
      // To GitHub, a pull request is an issue.
      return result({ issues: found.filter((issue) => !issue.pull_request).map(issueOf) });
    }),
  );

  server.registerTool(
    'create_issue',
    {
      description: 'Open an issue in a repository at GitHub (owner/name), as me',
      inputSchema: { repository: z.string(), title: z.string() },
    },
    elicits(UrlElicitationRequiredError, async ({ repository, title }: { repository: string; title: string }) => {
      const created = await ask(caller, repository, { method: 'POST', body: JSON.stringify({ title }) });
      return result(issueOf(created as GitHubIssue));
    }),
  );

  server.registerTool('disconnect', { description: 'Disconnect my account at GitHub' }, async () => {
    await github.disconnect(caller);
    return result({ connected: false });
  });

  return server;
});

/** Asks with the token of the caller. No redirect is followed. */
async function ask(caller: AuthInfo, repository: string, init: RequestInit = {}): Promise<unknown> {
  // A model writes it, and it becomes part of a URL.
  const names = repository.split('/');
  if (names.length !== 2 || !names.every(isName)) throw new Error('a repository is written owner/name');
  const headers = { accept: 'application/vnd.github+json', 'content-type': 'application/json', 'user-agent': 'github-issues' };
  const url = `${GITHUB_API}/repos/${repository}/issues`;
  const response = await github.fetchFor(caller)(url, { ...init, headers, redirect: 'manual' }).catch(told);
  if (!response.ok) throw new Error(`GitHub answers with ${response.status}`);
  return response.json();
}

function isName(text: string): boolean {
  return /^[A-Za-z0-9._-]+$/.test(text) && text !== '.' && text !== '..';
}

/** Why there is no token is for the caller, whatever else went wrong is not. */
function told(error: unknown): never {
  throw error instanceof DownstreamError ? error : new Error('GitHub does not answer');
}

/** An issue, as GitHub writes it. */
interface GitHubIssue {
  number: number;
  title: string;
  user: { login: string };
  pull_request?: object;
}

function issueOf({ number, title, user }: GitHubIssue) {
  return { number, title, author: user.login };
}

function result(value: object) {
  return { content: [{ type: 'text' as const, text: JSON.stringify(value) }], structuredContent: { ...value } };
}
