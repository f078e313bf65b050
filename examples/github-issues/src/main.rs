//! Everybody works with their own issues at GitHub, where they have let this server do so.
//!
//! | scope | lets its bearer |
//! |---|---|
//! | `issues:read` | list the issues of a repository, and disconnect their account |
//! | `issues:write` | open an issue |
//!
//! Besides the variables that `whoami` takes (with one issuer), it takes those in `settings.rs`.

mod github;
mod settings;

use std::env;
use std::error::Error;
use std::io::{self, IsTerminal as _};

use axum::serve::ListenerExt as _;
use mcp_auth::{AuthInfo, McpAuth};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::schemars::{self, JsonSchema};
use rmcp::{ErrorData, ServerHandler, tool, tool_handler, tool_router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::github::{GitHub, Issue, Repository};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let filter = env::var("RUST_LOG").unwrap_or("warn,mcp_auth=info".into());
    let is_terminal = io::stdout().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_terminal).init();

    let config = settings::configure()?;
    println!("protecting {}", config.resources[0].resource);
    let auth = McpAuth::new(config)?;
    let server = IssuesServer { github: GitHub::new(settings::api(), auth.downstream("github"))? };
    let mcp = auth.streamable_http_service(move || server.clone());

    let bind = env::var("MCP_AUTH_BIND").unwrap_or("127.0.0.1:3000".into());
    let listener =
        TcpListener::bind(&bind).await.map_err(|error| format!("MCP_AUTH_BIND={bind}: {error}"))?;
    println!("listening on {bind}");
    // Nagle's algorithm would hold the end of an answer back, often for 40 ms.
    let without_delay = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    // `protect` answers the pages below `CONNECT_URL`, too.
    axum::serve(without_delay, auth.protect(mcp)).await?;
    Ok(())
}

/// The server; every session shares the same client of GitHub.
#[derive(Clone)]
struct IssuesServer {
    github: GitHub,
}

#[tool_router]
impl IssuesServer {
    #[tool(description = "List the open issues of a repository at GitHub (owner/name), as me")]
    async fn list_issues(
        &self,
        Parameters(Listed { repository }): Parameters<Listed>,
        auth: AuthInfo,
    ) -> Result<Json<IssueList>, ErrorData> {
        let repository = Repository::parse(&repository)?;
        Ok(Json(IssueList { issues: self.github.list(&auth, &repository).await? }))
    }

    #[tool(description = "Open an issue in a repository at GitHub (owner/name), as me")]
    async fn create_issue(
        &self,
        Parameters(NewIssue { repository, title }): Parameters<NewIssue>,
        auth: AuthInfo,
    ) -> Result<Json<Issue>, ErrorData> {
        let repository = Repository::parse(&repository)?;
        Ok(Json(self.github.create(&auth, &repository, &title).await?))
    }

    #[tool(description = "Disconnect my account at GitHub")]
    async fn disconnect(&self, auth: AuthInfo) -> Result<Json<Disconnection>, ErrorData> {
        self.github.disconnect(&auth).await?;
        Ok(Json(Disconnection { connected: false }))
    }
}

#[tool_handler]
impl ServerHandler for IssuesServer {}

#[derive(Deserialize, JsonSchema)]
struct Listed {
    repository: String,
}

#[derive(Deserialize, JsonSchema)]
struct NewIssue {
    repository: String,
    title: String,
}

#[derive(Serialize, JsonSchema)]
struct IssueList {
    issues: Vec<Issue>,
}

#[derive(Serialize, JsonSchema)]
struct Disconnection {
    connected: bool,
}
