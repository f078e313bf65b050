//! Notes in PostgreSQL. Whose rows a query meets is decided there, by the policy in `postgres.sql`: no query says it.

use std::error::Error;
use std::time::Duration;

use deadpool_postgres::{
    Client, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, Transaction,
};
use tokio_postgres::NoTls;

use crate::owner::Owner;
use crate::store::Note;

/// How long a call waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether the policies of the table hold for the role of this connection, and it can neither take them away nor become who can.
const IS_GUARDED: &str = "SELECT row_security_active(oid) AND NOT pg_has_role(relowner, 'MEMBER')
    FROM pg_class WHERE oid = 'notes'::regclass";

/// Notes in a database that several servers may share.
#[derive(Clone)]
pub(crate) struct PostgresNotes {
    pool: Pool,
}

impl PostgresNotes {
    /// # Errors
    ///
    /// The database is not there, or the role could see everybody's notes.
    pub(crate) async fn connect(url: &str, connections: usize) -> Result<Self, Box<dyn Error>> {
        // `Clean`: a connection that comes back to the pool forgets what was set in it.
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Clean };
        let manager = Manager::from_config(url.parse()?, NoTls, recycling);
        let pool = Pool::builder(manager)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .build()?;
        let is_guarded: bool = pool.get().await?.query_one(IS_GUARDED, &[]).await?.get(0);
        if !is_guarded {
            return Err("the role in DATABASE_URL is not held by the policy of notes".into());
        }
        Ok(Self { pool })
    }

    pub(crate) async fn add(&self, owner: &Owner, content: &str) -> Result<Note, PoolError> {
        let mut client = self.pool.get().await?;
        let transaction = begin_as(owner, &mut client).await?;
        let insert = "INSERT INTO notes (content) VALUES ($1) RETURNING id, content";
        let row = transaction.query_one(insert, &[&content]).await?;
        transaction.commit().await?;
        Ok(Note { id: row.get(0), content: row.get(1) })
    }

    pub(crate) async fn list(&self, owner: &Owner) -> Result<Vec<Note>, PoolError> {
        let mut client = self.pool.get().await?;
        let transaction = begin_as(owner, &mut client).await?;
        let select = "SELECT id, content FROM notes ORDER BY created, id";
        let rows = transaction.query(select, &[]).await?;
        transaction.commit().await?;
        Ok(rows.iter().map(|row| Note { id: row.get(0), content: row.get(1) }).collect())
    }

    pub(crate) async fn delete(&self, owner: &Owner, id: &str) -> Result<bool, PoolError> {
        let mut client = self.pool.get().await?;
        let transaction = begin_as(owner, &mut client).await?;
        let deleted = transaction.execute("DELETE FROM notes WHERE id = $1", &[&id]).await?;
        transaction.commit().await?;
        Ok(deleted > 0)
    }
}

/// A transaction in which the database knows who is calling. `true` is for: only until it ends, however it ends.
async fn begin_as<'a>(
    owner: &Owner,
    client: &'a mut Client,
) -> Result<Transaction<'a>, tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    let identity = "SELECT set_config('app.issuer', $1, true), set_config('app.subject', $2, true)";
    transaction.execute(identity, &[&owner.issuer(), &owner.subject()]).await?;
    Ok(transaction)
}
