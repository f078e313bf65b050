/**
 * Everybody has notes of their own, in PostgreSQL or in a file of SQLite, for any identity provider.
 *
 * | scope | lets its bearer |
 * |---|---|
 * | `notes:read` | list their own notes |
 * | `notes:write` | add a note of their own, and delete it |
 *
 * | variable | meaning |
 * |---|---|
 * | `DATABASE_URL` | `postgres://…`: a database that `../notes-db/postgres.sql` has prepared; SQLite unless set |
 * | `NOTES_FILE` | the file of SQLite, `notes.db` unless set |
 * | `NOTES_CONNECTIONS` | how many connections to PostgreSQL there may be, 10 unless set |
 *
 * Besides it takes the variables that `whoami` takes.
 */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { type AuthInfo, McpAuth } from 'mcp-auth-node';
import { z } from 'zod';
import { type Owner, PostgresNotes, SqliteNotes } from './notes-store.js';
import { serve } from './serve.js';

const { MCP_AUTH_RESOURCE = '', MCP_AUTH_ISSUER = '', MCP_AUTH_SCOPES = '' } = process.env;
const { DATABASE_URL, NOTES_FILE = 'notes.db', NOTES_CONNECTIONS = '10' } = process.env;

const auth = new McpAuth({
  resource: MCP_AUTH_RESOURCE,
  authorizationServers: MCP_AUTH_ISSUER.split(','),
  requiredScopes: MCP_AUTH_SCOPES,
  scopesSupported: `${MCP_AUTH_SCOPES} notes:read notes:write`.trim(),
  policy: {
    tools: { list_notes: 'notes:read', add_note: 'notes:write', delete_note: 'notes:write' },
    denyUndeclared: true,
  },
});

const notes =
  DATABASE_URL === undefined
    ? new SqliteNotes(NOTES_FILE)
    : await PostgresNotes.connect(DATABASE_URL, Number(NOTES_CONNECTIONS));

serve(auth, (caller) => {
  const server = new McpServer({ name: 'notes-db', version: '1.0.0' });

  server.registerTool(
    'add_note',
    { description: 'Add a note of my own', inputSchema: { content: z.string() } },
    async ({ content }) => result(await told(notes.add(owner(caller), content))),
  );

  server.registerTool('list_notes', { description: 'List my notes' }, async () =>
    result({ notes: await told(notes.list(owner(caller))) }),
  );

  server.registerTool(
    'delete_note',
    { description: 'Delete a note of mine', inputSchema: { id: z.string() } },
    async ({ id }) => result({ deleted: await told(notes.delete(owner(caller), id)) }),
  );

  return server;
});

/** The issuer and the subject of the verified token; a token that names nobody has no notes. */
function owner(caller: AuthInfo): Owner {
  const [issuer, subject] = caller.key;
  if (subject === undefined) throw new Error('the token does not say whose notes');
  return { issuer, subject };
}

/** What a database says is for the log: it may quote what others wrote. */
async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    console.warn('the database refused:', error);
    throw new Error('the notes could not be read or changed');
  }
}

function result(value: object) {
  return { content: [{ type: 'text' as const, text: JSON.stringify(value) }], structuredContent: { ...value } };
}
