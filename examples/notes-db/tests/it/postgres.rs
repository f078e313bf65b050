//! With PostgreSQL, in a database of its own for each test, and with one connection for all callers.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Mutex;
use tokio_postgres::{Client, NoTls};

use crate::cases;
use crate::server::Server;

/// A database that `postgres.sql` has prepared.
pub(crate) struct Database {
    name: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // PostgreSQL copies a database for one at a time.
        static COPYING: Mutex<()> = Mutex::const_new(());
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("notes_{}_{number}", std::process::id());
        let _copying = COPYING.lock().await;
        let admin = connect("postgres", "postgres").await;
        admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE notes")).await.unwrap();
        Self { name }
    }

    pub(crate) async fn connect_as(&self, role: &str) -> Client {
        connect(role, &self.name).await
    }

    pub(crate) fn variables(&self, role: &str) -> Vec<(&'static str, String)> {
        let connections = ("NOTES_CONNECTIONS", "1".to_owned());
        vec![("DATABASE_URL", url(role, &self.name)), connections]
    }

    pub(crate) async fn server(&self) -> Server {
        Server::start(self.variables("notes_app")).await
    }
}

fn url(role: &str, database: &str) -> String {
    let folder = env::var("NOTES_DB_POSTGRES")
        .expect("NOTES_DB_POSTGRES is not set: cargo xtask test --only notes-db");
    format!("postgres://{role}@/{database}?host={folder}")
}

async fn connect(role: &str, database: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(&url(role, database), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Asks until it is so; a test that waits for a minute fails.
async fn wait_until(mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_secs(60), "it is not so");
    }
}

/// A test for each case, in a database of its own.
macro_rules! tests {
    ($($case:ident),* $(,)?) => { $(
        #[tokio::test]
        #[ignore = "needs PostgreSQL: cargo xtask test --only notes-db"]
        async fn $case() {
            let database = Database::create().await;
            cases::$case(&database.server().await).await;
        }
    )* };
}

tests!(
    two_users_of_one_issuer_have_their_own_notes,
    the_same_subject_of_another_issuer_is_somebody_else,
    subjects_that_look_alike_are_different_people,
    a_subject_does_not_end_at_a_nul,
    a_note_of_another_is_deleted_like_one_that_is_not_there,
    an_owner_is_never_an_argument,
    sql_in_an_argument_is_a_text,
    a_token_that_names_nobody_has_no_notes,
    a_machine_is_its_client_and_no_subject_is_taken_for_it,
    a_scope_for_reading_does_not_write,
    an_error_leaves_nothing_to_the_next_caller,
    a_client_that_goes_away_leaves_nothing_to_the_next,
);

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only notes-db"]
async fn a_thousand_calls_of_many_users_over_one_connection_meet_only_their_own_notes() {
    let database = Database::create().await;
    let server = Arc::new(database.server().await);
    cases::a_thousand_calls_of_many_users_meet_only_their_own_notes(&server).await;
    let admin = database.connect_as("postgres").await;
    assert_eq!(connections_of_the_server(&admin).await, 1);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only notes-db"]
async fn a_server_that_was_killed_comes_back_to_the_same_notes() {
    let database = Database::create().await;
    let server = database.server().await;
    cases::a_server_that_was_killed_comes_back_to_the_same_notes(server).await;
}

/// The call waits in its transaction, as the caller, when its client goes away.
#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only notes-db"]
async fn a_client_that_is_killed_in_a_transaction_leaves_nothing_to_the_next() {
    let database = Database::create().await;
    let server = database.server().await;
    let (alice, bob) = (server.token("alice"), server.token("bob"));
    server.add(&alice, "buy milk").await;
    let mut admin = database.connect_as("postgres").await;
    let watch = database.connect_as("postgres").await;
    for (tool, arguments) in [
        ("add_note", json!({ "content": "buy bread" })),
        ("list_notes", json!({})),
        ("delete_note", json!({ "id": "not there" })),
    ] {
        let lock = admin.transaction().await.unwrap();
        lock.batch_execute("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let call = server.begin_call(&alice, tool, arguments).await;
        wait_until(async || waits_for_a_lock(&watch).await).await;
        drop(call);
        lock.rollback().await.unwrap();
        assert_eq!(server.list(&bob).await, [""; 0], "{tool}");
    }
    let notes = server.list(&alice).await;
    assert!(notes.iter().all(|note| note == "buy milk" || note == "buy bread"), "{notes:?}");
}

/// What was not committed is not there, and the lock that its connection held is gone.
#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only notes-db"]
async fn a_server_that_is_killed_in_a_transaction_leaves_nothing_of_it() {
    let database = Database::create().await;
    let mut server = database.server().await;
    let (alice, bob) = (server.token("alice"), server.token("bob"));
    server.add(&alice, "buy milk").await;
    let mut admin = database.connect_as("postgres").await;
    let watch = database.connect_as("postgres").await;
    let lock = admin.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE notes IN SHARE MODE").await.unwrap();
    let _call = server.begin_call(&alice, "add_note", json!({ "content": "buy bread" })).await;
    wait_until(async || waits_for_a_lock(&watch).await).await;
    server.kill_and_start_again();
    // PostgreSQL would notice only when it writes to the program that is gone.
    end_who_waits(&watch).await;
    lock.rollback().await.unwrap();
    assert_eq!(server.list(&alice).await, ["buy milk"]);
    assert_eq!(server.list(&bob).await, [""; 0]);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only notes-db"]
async fn a_connection_that_the_database_ends_costs_one_call_at_most() {
    let database = Database::create().await;
    let server = database.server().await;
    let (alice, bob) = (server.token("alice"), server.token("bob"));
    server.add(&alice, "buy milk").await;
    let mut admin = database.connect_as("postgres").await;
    let watch = database.connect_as("postgres").await;
    // While a call uses it, and while none does.
    let lock = admin.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let (refused, ()) = tokio::join!(server.call(&alice, "list_notes", json!({})), async {
        wait_until(async || waits_for_a_lock(&watch).await).await;
        end_who_waits(&watch).await;
    });
    refused.unwrap_err();
    lock.rollback().await.unwrap();
    assert_eq!(server.list(&bob).await, [""; 0]);
    let end_all = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'notes_app'";
    watch.execute(end_all, &[]).await.unwrap();
    wait_until(async || connections_of_the_server(&watch).await == 0).await;
    // The server may learn of it by using the connection.
    if let Ok(list) = server.call(&bob, "list_notes", json!({})).await {
        assert_eq!(list, json!({ "notes": [] }));
    }
    assert_eq!(server.list(&bob).await, [""; 0]);
    assert_eq!(server.list(&alice).await, ["buy milk"]);
}

/// The database has a `set_config` of its own, which looks at how the server calls it and what is there before.
#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only notes-db"]
async fn an_identity_is_set_for_one_transaction_where_there_is_none_yet() {
    let database = Database::create().await;
    let admin = database.connect_as("postgres").await;
    let name = &database.name;
    let strict = format!(
        "CREATE FUNCTION set_config(name text, value text, is_local boolean) RETURNS text AS $$
         BEGIN
           IF NOT is_local OR current_setting(name, true) <> '' THEN
             RAISE EXCEPTION 'an identity stays';
           END IF;
           INSERT INTO seen VALUES (pg_backend_pid());
           RETURN pg_catalog.set_config(name, value, is_local);
         END $$ LANGUAGE plpgsql;
         CREATE TABLE seen (connection integer);
         GRANT INSERT ON seen TO notes_app;
         ALTER ROLE notes_app IN DATABASE {name} SET search_path = public, pg_catalog"
    );
    admin.batch_execute(&strict).await.unwrap();
    let server = database.server().await;
    cases::an_error_leaves_nothing_to_the_next_caller(&server).await;
    let (carol, dave) = (server.token("carol"), server.token("dave"));
    for person in [&carol, &dave, &carol] {
        let id = server.add(person, "buy milk").await;
        assert_eq!(server.list(person).await, ["buy milk"]);
        assert!(server.delete(person, &id).await);
    }
    let seen = "SELECT count(*) FROM seen";
    let seen: i64 = admin.query_one(seen, &[]).await.unwrap().get(0);
    // Two settings for each of nine calls, and those of the case before.
    assert!(seen >= 18, "the server asks another function: {seen}");
}

/// The server asks before it listens whether the policy holds for it.
#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only notes-db"]
async fn a_role_that_no_policy_holds_is_refused_at_the_start() {
    let database = Database::create().await;
    let admin = database.connect_as("postgres").await;
    let name = &database.name;
    let roles = format!(
        "CREATE ROLE {name}_bypasses LOGIN BYPASSRLS; GRANT SELECT ON notes TO {name}_bypasses;
         CREATE ROLE {name}_owner LOGIN;
         CREATE ROLE {name}_member LOGIN IN ROLE {name}_owner;
         CREATE ROLE {name}_may_become LOGIN NOINHERIT IN ROLE {name}_owner;
         ALTER TABLE notes OWNER TO {name}_owner"
    );
    admin.batch_execute(&roles).await.unwrap();
    let mut refused = vec!["postgres".to_owned()];
    refused
        .extend(["bypasses", "owner", "member", "may_become"].map(|kind| format!("{name}_{kind}")));
    for role in refused {
        let output = Server::refusal(&database.variables(&role));
        assert!(output.contains("not held by the policy of notes"), "{role}: {output}");
    }
    admin.batch_execute("ALTER TABLE notes DISABLE ROW LEVEL SECURITY").await.unwrap();
    let output = Server::refusal(&database.variables("notes_app"));
    assert!(output.contains("not held by the policy of notes"), "{output}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only notes-db"]
async fn a_database_without_the_table_is_refused_at_the_start() {
    let database = Database::create().await;
    database.connect_as("postgres").await.batch_execute("DROP TABLE notes").await.unwrap();
    let output = Server::refusal(&database.variables("notes_app"));
    assert!(output.contains("notes"), "{output}");
}

async fn connections_of_the_server(admin: &Client) -> i64 {
    let count = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'notes_app'";
    admin.query_one(count, &[]).await.unwrap().get(0)
}

const WHO_WAITS: &str = "FROM pg_stat_activity
    WHERE datname = current_database() AND usename = 'notes_app' AND wait_event_type = 'Lock'";

async fn waits_for_a_lock(admin: &Client) -> bool {
    !admin.query(&format!("SELECT pid {WHO_WAITS}"), &[]).await.unwrap().is_empty()
}

async fn end_who_waits(admin: &Client) {
    admin.query(&format!("SELECT pg_terminate_backend(pid) {WHO_WAITS}"), &[]).await.unwrap();
    wait_until(async || !waits_for_a_lock(admin).await).await;
}
