//! What PostgreSQL itself lets the role of the server do, whatever the server asks for.

use tokio_postgres::{Client, Transaction};

use crate::postgres::Database;

const HERE: &str = "https://here.example";
const THERE: &str = "https://there.example";

/// Three people with a note each, and a connection of the server's role.
async fn three_people() -> (Database, Client) {
    let database = Database::create().await;
    let mut client = database.connect_as("notes_app").await;
    for (issuer, subject) in [(HERE, "alice"), (HERE, "bob"), (THERE, "alice")] {
        let transaction = begun_as(&mut client, issuer, subject).await;
        let insert = "INSERT INTO notes (content) VALUES ($1)";
        let content = format!("{subject} at {issuer}");
        transaction.execute(insert, &[&content]).await.unwrap();
        transaction.commit().await.unwrap();
    }
    (database, client)
}

async fn begun_as<'a>(client: &'a mut Client, issuer: &str, subject: &str) -> Transaction<'a> {
    let transaction = client.transaction().await.unwrap();
    set(&transaction, "app.issuer", issuer).await;
    set(&transaction, "app.subject", subject).await;
    transaction
}

async fn set(transaction: &Transaction<'_>, name: &str, value: &str) {
    transaction.execute("SELECT set_config($1, $2, true)", &[&name, &value]).await.unwrap();
}

/// All notes that can be seen, by a query that has forgotten its `WHERE`.
async fn all(transaction: &Transaction<'_>) -> Vec<String> {
    let rows = transaction.query("SELECT content FROM notes", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Whether nothing can be seen, and nothing can be stored, without a transaction of somebody's.
async fn assert_is_nobody(client: &mut Client) {
    assert!(client.query("SELECT * FROM notes", &[]).await.unwrap().is_empty());
    assert_eq!(client.execute("DELETE FROM notes", &[]).await.unwrap(), 0);
    client.execute("INSERT INTO notes (content) VALUES ('whose?')", &[]).await.unwrap_err();
    let transaction = client.transaction().await.unwrap();
    assert_eq!(all(&transaction).await, [""; 0]);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only notes-db"]
async fn a_query_that_forgets_its_where_meets_only_own_rows() {
    let (_database, mut client) = three_people().await;
    let transaction = begun_as(&mut client, HERE, "alice").await;
    assert_eq!(all(&transaction).await, ["alice at https://here.example"]);
    for query in [
        "SELECT count(*) FROM notes",
        "SELECT count(*) FROM notes WHERE true OR issuer <> ''",
        "SELECT count(*) FROM (SELECT * FROM notes UNION SELECT * FROM notes) AS twice",
        "SELECT count(*) FROM notes AS one FULL JOIN notes AS other USING (id)",
    ] {
        let count: i64 = transaction.query_one(query, &[]).await.unwrap().get(0);
        assert_eq!(count, 1, "{query}");
    }
    assert_eq!(transaction.execute("DELETE FROM notes", &[]).await.unwrap(), 1);
    transaction.commit().await.unwrap();
    for (issuer, subject) in [(HERE, "bob"), (THERE, "alice")] {
        let transaction = begun_as(&mut client, issuer, subject).await;
        assert_eq!(all(&transaction).await, [format!("{subject} at {issuer}")]);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only notes-db"]
async fn what_the_server_never_does_its_role_may_not() {
    let (_database, mut client) = three_people().await;
    for statement in [
        "UPDATE notes SET content = 'mine'",
        "UPDATE notes SET subject = 'bob'",
        "INSERT INTO notes (issuer, subject, content) VALUES ('https://here.example', 'bob', 'not his')",
        "INSERT INTO notes (id, content) VALUES ('1', 'chosen')",
        "TRUNCATE notes",
        "DROP TABLE notes",
        "ALTER TABLE notes DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE notes NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY own_notes ON notes",
        "CREATE POLICY all_notes ON notes USING (true)",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "SET LOCAL row_security = off; SELECT * FROM notes",
    ] {
        let transaction = begun_as(&mut client, HERE, "alice").await;
        transaction.batch_execute(statement).await.expect_err(statement);
    }
}

/// FORCE: whoever owns the table is held by the policy too.
#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only notes-db"]
async fn the_owner_of_the_table_sees_and_stores_own_rows_only() {
    let (database, _client) = three_people().await;
    let admin = database.connect_as("postgres").await;
    let owner = format!("{}_is_owner", admin_database(&admin).await);
    let change = format!("CREATE ROLE {owner} LOGIN; ALTER TABLE notes OWNER TO {owner}");
    admin.batch_execute(&change).await.unwrap();
    let mut client = database.connect_as(&owner).await;
    assert_is_nobody(&mut client).await;
    let transaction = begun_as(&mut client, HERE, "alice").await;
    assert_eq!(all(&transaction).await, ["alice at https://here.example"]);
    let not_hers = "INSERT INTO notes (issuer, subject, content) VALUES ($1, 'bob', 'not his')";
    transaction.execute(not_hers, &[&HERE]).await.unwrap_err();
}

async fn admin_database(admin: &Client) -> String {
    admin.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0)
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only notes-db"]
async fn a_connection_outside_of_a_transaction_sees_and_stores_nothing() {
    let (database, mut client) = three_people().await;
    // After others have used it, and when it is new.
    assert_is_nobody(&mut client).await;
    assert_is_nobody(&mut database.connect_as("notes_app").await).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only notes-db"]
async fn half_an_identity_is_none() {
    let (_database, mut client) = three_people().await;
    for (name, value) in [("app.issuer", HERE), ("app.subject", "alice")] {
        for other in [None, Some("")] {
            let transaction = client.transaction().await.unwrap();
            set(&transaction, name, value).await;
            if let Some(other) = other {
                let the_other = if name == "app.issuer" { "app.subject" } else { "app.issuer" };
                set(&transaction, the_other, other).await;
            }
            assert_eq!(all(&transaction).await, [""; 0], "{name}");
            let insert = "INSERT INTO notes (content) VALUES ('whose?')";
            transaction.execute(insert, &[]).await.unwrap_err();
        }
    }
    // What nobody has made, nobody may own.
    let transaction = begun_as(&mut client, "", "").await;
    transaction.execute("INSERT INTO notes (content) VALUES ('?')", &[]).await.unwrap_err();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only notes-db"]
async fn an_identity_ends_with_its_transaction_however_that_ends() {
    let (_database, mut client) = three_people().await;
    begun_as(&mut client, HERE, "alice").await.commit().await.unwrap();
    assert_is_nobody(&mut client).await;

    begun_as(&mut client, HERE, "alice").await.rollback().await.unwrap();
    assert_is_nobody(&mut client).await;

    let failed = begun_as(&mut client, HERE, "alice").await;
    failed.execute("SELECT 1 / 0", &[]).await.unwrap_err();
    drop(failed);
    assert_is_nobody(&mut client).await;

    // A COMMIT of what has failed is a ROLLBACK.
    let failed = begun_as(&mut client, HERE, "alice").await;
    let too_long = "INSERT INTO notes (content) VALUES (repeat('x', 10001))";
    failed.execute(too_long, &[]).await.unwrap_err();
    failed.commit().await.unwrap();
    assert_is_nobody(&mut client).await;

    // Back to a savepoint, which is inside of it.
    let mut outer = begun_as(&mut client, HERE, "alice").await;
    let inner = outer.transaction().await.unwrap();
    set(&inner, "app.subject", "bob").await;
    assert_eq!(all(&inner).await, ["bob at https://here.example"]);
    inner.rollback().await.unwrap();
    assert_eq!(all(&outer).await, ["alice at https://here.example"]);
    outer.commit().await.unwrap();
    assert_is_nobody(&mut client).await;
}
