//! Notes in a file of SQLite, which knows no users: each query names the owner.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::task::spawn_blocking;

use crate::owner::Owner;
use crate::store::Note;

type Failure = Box<dyn Error + Send + Sync>;

/// Notes in one file, of one server.
#[derive(Clone)]
pub(crate) struct SqliteNotes {
    connection: Arc<Mutex<Connection>>,
}

impl SqliteNotes {
    pub(crate) fn open(file: &str) -> rusqlite::Result<Self> {
        let connection = Connection::open(file)?;
        connection.execute_batch(include_str!("../sqlite.sql"))?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    pub(crate) async fn add(&self, owner: Owner, content: String) -> Result<Note, Failure> {
        self.run(move |connection| {
            let insert =
                "INSERT INTO notes (issuer, subject, content) VALUES (?, ?, ?) RETURNING id";
            let id = connection.query_row(
                insert,
                (owner.issuer(), owner.subject(), &content),
                |row| row.get(0),
            )?;
            Ok(Note { id, content })
        })
        .await
    }

    pub(crate) async fn list(&self, owner: Owner) -> Result<Vec<Note>, Failure> {
        self.run(move |connection| {
            let select =
                "SELECT id, content FROM notes WHERE issuer = ? AND subject = ? ORDER BY rowid";
            let mut statement = connection.prepare(select)?;
            let rows = statement.query_map((owner.issuer(), owner.subject()), |row| {
                Ok(Note { id: row.get(0)?, content: row.get(1)? })
            })?;
            rows.collect()
        })
        .await
    }

    pub(crate) async fn delete(&self, owner: Owner, id: String) -> Result<bool, Failure> {
        self.run(move |connection| {
            let delete = "DELETE FROM notes WHERE id = ? AND issuer = ? AND subject = ?";
            let deleted = connection.execute(delete, (&id, owner.issuer(), owner.subject()))?;
            Ok(deleted > 0)
        })
        .await
    }

    /// Runs a query where it may wait for the disk.
    async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let connection = self.connection.clone();
        let task = spawn_blocking(move || {
            // Each query is one statement: a panic leaves nothing half done.
            query(&connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        Ok(task.await??)
    }
}
