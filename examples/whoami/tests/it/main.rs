//! The example as a program, with an issuer that it knows only from its environment.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};

use dev_issuer::DevIssuer;
use serde_json::json;

/// The running example, and its output, which must stay open.
struct Server {
    child: Child,
    _output: BufReader<ChildStdout>,
}

impl Server {
    fn start(bind: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whoami"));
        command.env("MCP_AUTH_BIND", bind).envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        output.read_line(&mut line).unwrap();
        assert!(line.contains(&format!("listening on {bind}")), "{line}");
        Self { child, _output: output }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn the_caller_sees_their_claims() {
    let issuer = DevIssuer::start().await.unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (bind, resource) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}/mcp"));
    let issuers = format!("https://unused.example.com, {}", issuer.issuer());
    let _server = Server::start(
        &bind,
        &[
            ("MCP_AUTH_RESOURCE", &resource),
            ("MCP_AUTH_ISSUER", &issuers),
            ("MCP_AUTH_SCOPES", "mcp"),
        ],
    );

    let client = reqwest::Client::new();
    assert_eq!(client.post(&resource).send().await.unwrap().status(), 401);
    let token = issuer.mint().subject("bob").audience(&resource).scope("mcp").sign();
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "whoami",
        "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                   "io.modelcontextprotocol/clientCapabilities": {} },
    } });
    let answer = client
        .post(&resource)
        .bearer_auth(token)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "whoami")
        .json(&request)
        .send()
        .await
        .unwrap();
    let body = answer.text().await.unwrap();
    assert!(body.contains(r#""structuredContent""#) && body.contains(r#""sub":"bob""#), "{body}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_hangup_reads_the_configuration_again() {
    let issuer = DevIssuer::start().await.unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (bind, resource) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}/mcp"));
    let file = std::env::temp_dir().join(format!("whoami-{port}.json"));
    let configure = |settings: serde_json::Value| {
        std::fs::write(&file, settings.to_string()).unwrap();
    };
    let config = json!({ "resource": resource, "authorization_servers": [issuer.issuer()] });
    configure(config.clone());
    let variables = [("MCP_AUTH_CONFIG", file.to_str().unwrap())];
    let server = Server::start(&bind, &variables);
    let token = issuer.mint().subject("bob").audience(&resource).scope("mcp").sign();
    let call = async || {
        let request = reqwest::Client::new().post(&resource).bearer_auth(&token);
        request.send().await.unwrap().status().as_u16()
    };
    // rmcp says that it is no message.
    assert_ne!(call().await, 403);
    let mut stricter = config.clone();
    stricter["required_scopes"] = json!(["admin"]);
    configure(stricter);
    let pid = server.child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    while call().await != 403 {}
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_missing_variable_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_whoami")).env_clear().output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(error.contains("MCP_AUTH_RESOURCE") && error.contains("MCP_AUTH_ISSUER"), "{error}");
}
