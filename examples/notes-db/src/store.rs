//! One of two databases.

use std::env;
use std::error::Error;
use std::fmt::Display;

use rmcp::ErrorData;
use rmcp::schemars::{self, JsonSchema};
use serde::Serialize;

use crate::owner::Owner;
use crate::postgres::PostgresNotes;
use crate::sqlite::SqliteNotes;

#[derive(Serialize, JsonSchema)]
pub(crate) struct Note {
    pub(crate) id: String,
    pub(crate) content: String,
}

/// Every method takes the owner, so that there is no query without one.
#[derive(Clone)]
pub(crate) enum Store {
    Postgres(PostgresNotes),
    Sqlite(SqliteNotes),
}

impl Store {
    pub(crate) async fn from_env() -> Result<Self, Box<dyn Error>> {
        if env::var_os("DATABASE_URL").is_none() {
            let file = env::var("NOTES_FILE").unwrap_or("notes.db".into());
            return Ok(Self::Sqlite(SqliteNotes::open(&file)?));
        }
        let connections = env::var("NOTES_CONNECTIONS").unwrap_or("10".into()).parse()?;
        let notes = PostgresNotes::connect(&env::var("DATABASE_URL")?, connections).await?;
        Ok(Self::Postgres(notes))
    }

    pub(crate) async fn add(&self, owner: Owner, content: String) -> Result<Note, ErrorData> {
        match self {
            Self::Postgres(notes) => notes.add(&owner, &content).await.map_err(unavailable),
            Self::Sqlite(notes) => notes.add(owner, content).await.map_err(unavailable),
        }
    }

    pub(crate) async fn list(&self, owner: Owner) -> Result<Vec<Note>, ErrorData> {
        match self {
            Self::Postgres(notes) => notes.list(&owner).await.map_err(unavailable),
            Self::Sqlite(notes) => notes.list(owner).await.map_err(unavailable),
        }
    }

    pub(crate) async fn delete(&self, owner: Owner, id: String) -> Result<bool, ErrorData> {
        match self {
            Self::Postgres(notes) => notes.delete(&owner, &id).await.map_err(unavailable),
            Self::Sqlite(notes) => notes.delete(owner, id).await.map_err(unavailable),
        }
    }
}

/// What a database says is for the log: it may quote what others wrote.
fn unavailable(error: impl Display) -> ErrorData {
    tracing::warn!("the database refused: {error}");
    ErrorData::internal_error("the notes could not be read or changed", None)
}
