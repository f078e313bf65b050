-- Run this once, in an empty database, as a role that is not the one that the server uses.

CREATE TABLE notes (
  id text PRIMARY KEY DEFAULT gen_random_uuid()::text,
  issuer text NOT NULL DEFAULT current_setting('app.issuer', true) CHECK (issuer <> ''),
  subject text NOT NULL DEFAULT current_setting('app.subject', true) CHECK (subject <> ''),
  content text NOT NULL CHECK (length(content) <= 10000),
  created timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX notes_of_owner ON notes (issuer, subject);

-- FORCE: for the owner of the table too.
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes FORCE ROW LEVEL SECURITY;

-- A setting that was never made is NULL here, and one that a transaction took back is '': no row has either.
CREATE POLICY own_notes ON notes
  USING (
    issuer = current_setting('app.issuer', true)
    AND subject = current_setting('app.subject', true)
  )
  WITH CHECK (
    issuer = current_setting('app.issuer', true)
    AND subject = current_setting('app.subject', true)
  );

-- The server's role owns nothing, and cannot go around a policy. Give it a password where others can connect.
CREATE ROLE notes_app LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
GRANT SELECT, DELETE ON notes TO notes_app;
GRANT INSERT (content) ON notes TO notes_app;
