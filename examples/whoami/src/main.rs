//! A protected MCP server with one tool, for any identity provider.
//!
//! | variable | meaning |
//! |---|---|
//! | `MCP_AUTH_RESOURCE` | the URL clients connect to, such as `http://127.0.0.1:3000/mcp` |
//! | `MCP_AUTH_ISSUER` | the provider's issuer; several: comma-separated |
//! | `MCP_AUTH_SCOPES` | required scopes, space-separated; may be empty or unset |
//! | `MCP_AUTH_CONFIG` | in place of these three: a JSON file with the whole configuration, read again at a hangup (`kill -HUP`) |
//! | `MCP_AUTH_BIND` | where to listen, `127.0.0.1:3000` unless set |

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, IsTerminal as _};

use axum::serve::ListenerExt as _;
use mcp_auth::{AuthInfo, Config, McpAuth};
use rmcp::handler::server::wrapper::Json;
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use serde_json::{Map, Value};
use tokio::net::TcpListener;

struct Whoami;

#[tool_router]
impl Whoami {
    #[tool(description = "Who is calling?")]
    async fn whoami(&self, auth: AuthInfo) -> Json<Map<String, Value>> {
        Json(auth.claims().clone())
    }
}

#[tool_handler]
impl ServerHandler for Whoami {}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let filter = env::var("RUST_LOG").unwrap_or("warn,mcp_auth=info".into());
    let is_terminal = io::stdout().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_terminal).init();

    let auth = McpAuth::new(configure()?)?;
    println!("protecting {}", auth.resource_identifiers()[0]);
    let mcp = auth.streamable_http_service(|| Whoami);
    #[cfg(unix)]
    tokio::spawn(reload_at_hangups(auth.clone()));

    let bind = env::var("MCP_AUTH_BIND").unwrap_or("127.0.0.1:3000".into());
    let listener =
        TcpListener::bind(&bind).await.map_err(|error| format!("MCP_AUTH_BIND={bind}: {error}"))?;
    println!("listening on {bind}");
    // Nagle's algorithm would hold the end of an answer back, often for 40 ms.
    let without_delay = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(without_delay, auth.protect(mcp)).await?;
    Ok(())
}

/// The configuration that the file or the variables have now.
fn configure() -> Result<Config, Box<dyn Error>> {
    match env::var_os("MCP_AUTH_CONFIG") {
        Some(file) => Ok(Config::from_json(&fs::read_to_string(file)?)?),
        None => Ok(Config::from_env()?),
    }
}

/// Puts what is configured then in the place of the configuration; one that cannot be used changes nothing.
#[cfg(unix)]
async fn reload_at_hangups(auth: McpAuth) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut hangups = signal(SignalKind::hangup())?;
    while hangups.recv().await.is_some() {
        if let Err(error) = configure().and_then(|config| Ok(auth.reload(config)?)) {
            eprintln!("{error}");
        }
    }
    Ok(())
}
