-- SQLite has no rules about rows and no users: each query of the server names the owner itself.

CREATE TABLE IF NOT EXISTS notes (
  id TEXT PRIMARY KEY NOT NULL DEFAULT (lower(hex(randomblob(16)))),
  issuer TEXT NOT NULL CHECK (issuer <> ''),
  subject TEXT NOT NULL CHECK (subject <> ''),
  content TEXT NOT NULL CHECK (length(content) <= 10000 AND instr(content, char(0)) = 0)
);

CREATE INDEX IF NOT EXISTS notes_of_owner ON notes (issuer, subject);
