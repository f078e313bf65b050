//! A todo manager in which everybody has their own todos, for any identity provider.
//!
//! | scope | lets its bearer |
//! |---|---|
//! | `create:todos` | create todos |
//! | `read:todos` | see everybody's todos, not only their own |
//! | `delete:todos` | delete anybody's todos, not only their own |
//!
//! It takes the variables that `whoami` takes; `MCP_AUTH_SCOPES` are needed besides those above.

use std::env;
use std::error::Error;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use axum::serve::ListenerExt as _;
use mcp_auth::{AuthInfo, Config, ConfigError, McpAuth, ScopePolicy};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::schemars::{self, JsonSchema};
use rmcp::{ErrorData, ServerHandler, tool, tool_handler, tool_router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let filter = env::var("RUST_LOG").unwrap_or("warn,mcp_auth=info".into());
    let is_terminal = io::stdout().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_terminal).init();

    let config = configure()?;
    println!("protecting {}", config.resources[0].resource);
    let auth = McpAuth::new(config)?;
    let todos = TodoManager::default();
    let mcp = auth.streamable_http_service(move || todos.clone());

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
    let todo_scopes = ["create:todos", "read:todos", "delete:todos"];
    resource.scopes_supported = resource.required_scopes.iter().chain(todo_scopes).collect();
    resource.policy = Some(ScopePolicy::new().require_for_tool("create-todo", ["create:todos"]));
    Ok(config)
}

/// The server; every session shares the same todos.
#[derive(Clone, Default)]
struct TodoManager {
    todos: Arc<Mutex<Todos>>,
}

#[tool_router]
impl TodoManager {
    #[tool(name = "create-todo", description = "Create a todo of your own")]
    async fn create_todo(
        &self,
        Parameters(NewTodo { content }): Parameters<NewTodo>,
        auth: AuthInfo,
    ) -> Json<Todo> {
        Json(self.todos.lock().await.create(content, Owner::of(&auth)))
    }

    #[tool(name = "get-todos", description = "Your todos; everybody's with read:todos")]
    async fn get_todos(&self, auth: AuthInfo) -> Json<TodoList> {
        let (caller, sees_all) = (Owner::of(&auth), auth.scopes().contains("read:todos"));
        let todos = self.todos.lock().await;
        let visible = todos.list.iter().filter(|todo| sees_all || todo.owner == caller);
        Json(TodoList { todos: visible.cloned().collect() })
    }

    #[tool(name = "delete-todo", description = "Delete a todo; anybody's with delete:todos")]
    async fn delete_todo(
        &self,
        Parameters(TodoId { id }): Parameters<TodoId>,
        auth: AuthInfo,
    ) -> Result<Json<Todo>, ErrorData> {
        let mut todos = self.todos.lock().await;
        let Some(index) = todos.list.iter().position(|todo| todo.id == id) else {
            return Err(ErrorData::invalid_params(format!("there is no todo {id}"), None));
        };
        if todos.list[index].owner != Owner::of(&auth) {
            auth.require(["delete:todos"])?;
        }
        Ok(Json(todos.list.remove(index)))
    }
}

#[tool_handler]
impl ServerHandler for TodoManager {}

#[derive(Deserialize, JsonSchema)]
struct NewTodo {
    content: String,
}

#[derive(Deserialize, JsonSchema)]
struct TodoId {
    id: u64,
}

#[derive(Serialize, JsonSchema)]
struct TodoList {
    todos: Vec<Todo>,
}

#[derive(Clone, Serialize, JsonSchema)]
struct Todo {
    id: u64,
    content: String,
    owner: Owner,
}

/// A subject is unique within its issuer only.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
struct Owner {
    issuer: String,
    subject: Option<String>,
}

impl Owner {
    fn of(auth: &AuthInfo) -> Self {
        let (issuer, subject) = auth.key();
        Self { issuer: issuer.to_owned(), subject }
    }
}

/// What was created and not deleted.
#[derive(Default)]
struct Todos {
    list: Vec<Todo>,
    created: u64,
}

impl Todos {
    fn create(&mut self, content: String, owner: Owner) -> Todo {
        self.created += 1;
        let todo = Todo { id: self.created, content, owner };
        self.list.push(todo.clone());
        todo
    }
}
