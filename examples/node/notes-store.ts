/** The notes of `notes-db.ts`. Each method takes the owner, so that there is no query without one. */
import { readFileSync } from 'node:fs';
import Database from 'libsql';
import pg from 'pg';

/** A subject is unique within its issuer only. */
export interface Owner {
  issuer: string;
  subject: string;
}

export interface Note {
  id: string;
  content: string;
}

/** Whether the policies of the table hold for this role, and it can neither take them away nor become who can. */
const IS_GUARDED = `SELECT row_security_active(oid) AND NOT pg_has_role(relowner, 'MEMBER') AS guarded
  FROM pg_class WHERE oid = 'notes'::regclass`;

/** Whose rows a query meets is decided in PostgreSQL, by the policy in `postgres.sql`: no query says it. */
export class PostgresNotes {
  readonly #pool: pg.Pool;

  private constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  /** Fails where the database is not there, or the role could see everybody's notes. */
  static async connect(url: string, connections: number): Promise<PostgresNotes> {
    const pool = new pg.Pool({ connectionString: url, max: connections, connectionTimeoutMillis: 10_000 });
    // A connection may end at any time, in the pool or in use; the next call gets another one.
    pool.on('error', () => undefined);
    pool.on('connect', (client) => client.on('error', (error) => console.warn('a connection ended:', error.message)));
    const { rows } = await pool.query(IS_GUARDED);
    if (rows[0]?.guarded !== true) throw new Error('the role in DATABASE_URL is not held by the policy of notes');
    return new PostgresNotes(pool);
  }

  add(owner: Owner, content: string): Promise<Note> {
    return this.#as(owner, async (client) => {
      const insert = 'INSERT INTO notes (content) VALUES ($1) RETURNING id, content';
      const { rows } = await client.query<Note>(insert, [content]);
      return rows[0]!;
    });
  }

  list(owner: Owner): Promise<Note[]> {
    return this.#as(owner, async (client) => {
      const { rows } = await client.query<Note>('SELECT id, content FROM notes ORDER BY created, id');
      return rows;
    });
  }

  delete(owner: Owner, id: string): Promise<boolean> {
    return this.#as(owner, async (client) => {
      const { rowCount } = await client.query('DELETE FROM notes WHERE id = $1', [id]);
      return rowCount === 1;
    });
  }

  /** A transaction in which the database knows who is calling. `true` is for: only until it ends, however it ends. */
  async #as<T>({ issuer, subject }: Owner, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let finished = false;
    try {
      await client.query('BEGIN');
      const identity = "SELECT set_config('app.issuer', $1, true), set_config('app.subject', $2, true)";
      await client.query(identity, [issuer, subject]);
      const result = await work(client);
      await client.query('COMMIT');
      finished = true;
      return result;
    } finally {
      // A connection whose transaction did not end in order is closed, and never used for another caller.
      client.release(!finished);
    }
  }
}

/** SQLite knows no users: each query names the owner. */
export class SqliteNotes {
  readonly #database: Database.Database;

  constructor(file: string) {
    this.#database = new Database(file);
    // From `dist`, where this runs.
    const table = new URL('../../notes-db/sqlite.sql', import.meta.url);
    this.#database.exec(readFileSync(table, 'utf8'));
  }

  async add({ issuer, subject }: Owner, content: string): Promise<Note> {
    const insert = 'INSERT INTO notes (issuer, subject, content) VALUES (?, ?, ?) RETURNING id, content';
    return this.#database.prepare(insert).get(issuer, subject, content) as Note;
  }

  async list({ issuer, subject }: Owner): Promise<Note[]> {
    const select = 'SELECT id, content FROM notes WHERE issuer = ? AND subject = ? ORDER BY rowid';
    return this.#database.prepare(select).all(issuer, subject) as Note[];
  }

  async delete({ issuer, subject }: Owner, id: string): Promise<boolean> {
    const remove = 'DELETE FROM notes WHERE id = ? AND issuer = ? AND subject = ?';
    return this.#database.prepare(remove).run(id, issuer, subject).changes === 1;
  }
}
