//! The running example, two issuers that it trusts, and a client of its tools.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};

use dev_issuer::DevIssuer;
use reqwest::{Client, Response};
use serde_json::{Value, json};

pub(crate) struct Server {
    pub(crate) issuers: [DevIssuer; 2],
    resource: String,
    client: Client,
    _process: Process,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let issuers = [DevIssuer::start().await.unwrap(), DevIssuer::start().await.unwrap()];
        let trusted = issuers.each_ref().map(DevIssuer::issuer).join(",");
        // Another program may take the free port first.
        let (resource, process) =
            (0..5).find_map(|_| Process::start(&trusted)).expect("a port that stays free");
        Self { issuers, resource, client: Client::new(), _process: process }
    }

    /// A token of the first issuer.
    pub(crate) fn token(&self, user: &str, scope: &str) -> String {
        self.token_of(0, user, scope)
    }

    pub(crate) fn token_of(&self, issuer: usize, user: &str, scope: &str) -> String {
        let mint = self.issuers[issuer].mint().audience(&self.resource);
        mint.subject(user).scope(scope).sign()
    }

    /// The contents of the todos that this caller sees.
    pub(crate) async fn contents(&self, token: &str) -> Vec<String> {
        let (status, list) = self.call(token, "get-todos", json!({})).await;
        assert_eq!(status, 200, "{list}");
        let todos = list["todos"].as_array().unwrap().iter();
        todos.map(|todo| todo["content"].as_str().unwrap().to_owned()).collect()
    }

    /// The status, and the result's structured content or the error.
    pub(crate) async fn call(&self, token: &str, tool: &str, arguments: Value) -> (u16, Value) {
        let answer = self.send(Some(token), called(tool, &arguments)).await;
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap();
        // One message, as JSON or as an event.
        let json = body.lines().rev().find_map(|line| line.strip_prefix("data: "));
        let message: Value = serde_json::from_str(json.unwrap_or(&body)).unwrap();
        let outcome = match &message["error"] {
            Value::Null => &message["result"]["structuredContent"],
            error => error,
        };
        (status, outcome.clone())
    }

    pub(crate) async fn send(&self, token: Option<&str>, message: Value) -> Response {
        let mut request = self
            .client
            .post(&self.resource)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", message["params"]["name"].as_str().unwrap());
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.json(&message).send().await.unwrap()
    }
}

/// The example, and its output, which must stay open.
struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// The resource at a free port and its server; `None` when it does not listen.
    fn start(issuers: &str) -> Option<(String, Self)> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let bind = format!("127.0.0.1:{port}");
        let resource = format!("http://{bind}/mcp");
        let mut child = Command::new(env!("CARGO_BIN_EXE_todo-manager"))
            .env("MCP_AUTH_RESOURCE", &resource)
            .env("MCP_AUTH_ISSUER", issuers)
            .env("MCP_AUTH_SCOPES", "mcp")
            .env("MCP_AUTH_BIND", &bind)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut process = Self { child, output };
        process.listens().then_some((resource, process))
    }

    fn listens(&mut self) -> bool {
        let mut lines = self.output.by_ref().lines().map_while(Result::ok);
        lines.any(|line| line.starts_with("listening on"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The message that calls a tool.
pub(crate) fn called(tool: &str, arguments: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": tool,
        "arguments": arguments,
        "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                   "io.modelcontextprotocol/clientCapabilities": {} },
    } })
}
