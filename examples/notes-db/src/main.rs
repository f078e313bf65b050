//! Everybody has notes of their own, in PostgreSQL or in a file of SQLite, for any identity provider.
//!
//! | scope | lets its bearer |
//! |---|---|
//! | `notes:read` | list their own notes |
//! | `notes:write` | add a note of their own, and delete it |
//!
//! | variable | meaning |
//! |---|---|
//! | `DATABASE_URL` | `postgres://…`: a database that `postgres.sql` has prepared; SQLite unless set |
//! | `NOTES_FILE` | the file of SQLite, `notes.db` unless set |
//! | `NOTES_CONNECTIONS` | how many connections to PostgreSQL there may be, 10 unless set |
//!
//! Besides it takes the variables that `whoami` takes.

mod owner;
mod postgres;
mod sqlite;
mod store;

use std::env;
use std::error::Error;
use std::io::{self, IsTerminal as _};

use axum::serve::ListenerExt as _;
use mcp_auth::{AuthInfo, Config, ConfigError, McpAuth, ScopePolicy};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::schemars::{self, JsonSchema};
use rmcp::{ErrorData, ServerHandler, tool, tool_handler, tool_router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::owner::Owner;
use crate::store::{Note, Store};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let filter = env::var("RUST_LOG").unwrap_or("warn,mcp_auth=info".into());
    let is_terminal = io::stdout().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_terminal).init();

    let config = configure()?;
    println!("protecting {}", config.resources[0].resource);
    let auth = McpAuth::new(config)?;
    let server = NotesServer { notes: Store::from_env().await? };
    let mcp = auth.streamable_http_service(move || server.clone());

    let bind = env::var("MCP_AUTH_BIND").unwrap_or("127.0.0.1:3000".into());
    let listener =
        TcpListener::bind(&bind).await.map_err(|error| format!("MCP_AUTH_BIND={bind}: {error}"))?;
    println!("listening on {bind}");
    // Nagle's algorithm would hold the end of an answer back, often for 40 ms.
    let without_delay = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(without_delay, auth.protect(mcp)).await?;
    Ok(())
}

fn configure() -> Result<Config, ConfigError> {
    let mut config = Config::from_env()?;
    let resource = &mut config.resources[0];
    let note_scopes = ["notes:read", "notes:write"];
    resource.scopes_supported = resource.required_scopes.iter().chain(note_scopes).collect();
    resource.policy = Some(
        ScopePolicy::new()
            .require_for_tool("list_notes", ["notes:read"])
            .require_for_tool("add_note", ["notes:write"])
            .require_for_tool("delete_note", ["notes:write"])
            .deny_undeclared(),
    );
    Ok(config)
}

/// The server; every session shares the same store.
#[derive(Clone)]
struct NotesServer {
    notes: Store,
}

#[tool_router]
impl NotesServer {
    #[tool(description = "Add a note of my own")]
    async fn add_note(
        &self,
        Parameters(NewNote { content }): Parameters<NewNote>,
        auth: AuthInfo,
    ) -> Result<Json<Note>, ErrorData> {
        Ok(Json(self.notes.add(Owner::of(&auth)?, content).await?))
    }

    #[tool(description = "List my notes")]
    async fn list_notes(&self, auth: AuthInfo) -> Result<Json<NoteList>, ErrorData> {
        Ok(Json(NoteList { notes: self.notes.list(Owner::of(&auth)?).await? }))
    }

    #[tool(description = "Delete a note of mine")]
    async fn delete_note(
        &self,
        Parameters(NoteId { id }): Parameters<NoteId>,
        auth: AuthInfo,
    ) -> Result<Json<Deletion>, ErrorData> {
        Ok(Json(Deletion { deleted: self.notes.delete(Owner::of(&auth)?, id).await? }))
    }
}

#[tool_handler]
impl ServerHandler for NotesServer {}

#[derive(Deserialize, JsonSchema)]
struct NewNote {
    content: String,
}

#[derive(Deserialize, JsonSchema)]
struct NoteId {
    id: String,
}

#[derive(Serialize, JsonSchema)]
struct NoteList {
    notes: Vec<Note>,
}

#[derive(Serialize, JsonSchema)]
struct Deletion {
    /// Whether there was such a note of the caller's.
    deleted: bool,
}
