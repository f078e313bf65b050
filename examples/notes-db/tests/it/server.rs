//! The running example, two issuers that it trusts, and a client of its tools.

use std::env;
use std::io::{BufRead as _, BufReader, PipeReader};
use std::net::TcpListener;
use std::process::{Child, Command};
use std::thread;

use dev_issuer::{DevIssuer, Mint};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

pub(crate) const SCOPES: &str = "notes:read notes:write";

pub(crate) struct Server {
    pub(crate) issuers: [DevIssuer; 2],
    resource: String,
    client: Client,
    database: Vec<(&'static str, String)>,
    process: Process,
}

impl Server {
    /// Starts it with the variables that say which database it uses.
    pub(crate) async fn start(database: Vec<(&'static str, String)>) -> Self {
        let issuers = [DevIssuer::start().await.unwrap(), DevIssuer::start().await.unwrap()];
        let trusted = trusted(&issuers);
        // Another program may take the free port first.
        let (resource, process) = (0..5)
            .find_map(|_| {
                let resource = format!("http://{}/mcp", free_address());
                let process = Process::start(&resource, &trusted, &database).ok()?;
                Some((resource, process))
            })
            .expect("a port that stays free");
        Self { issuers, resource, client: Client::new(), database, process }
    }

    /// What it wrote when it ended without listening.
    pub(crate) fn refusal(database: &[(&'static str, String)]) -> String {
        let resource = format!("http://{}/mcp", free_address());
        match Process::start(&resource, "https://issuer.example", database) {
            Ok(_) => panic!("it listens"),
            Err(output) => output,
        }
    }

    /// Kills it in the middle of whatever it does, and starts it again at the same place.
    pub(crate) fn kill_and_start_again(&mut self) {
        self.process.kill();
        // Connections of before ended with it.
        self.client = Client::new();
        self.process =
            Process::start(&self.resource, &trusted(&self.issuers), &self.database).unwrap();
    }

    /// A token of the first issuer.
    pub(crate) fn token(&self, user: &str) -> String {
        self.token_of(0, user)
    }

    pub(crate) fn token_of(&self, issuer: usize, user: &str) -> String {
        self.mint(issuer).subject(user).scope(SCOPES).sign()
    }

    pub(crate) fn mint(&self, issuer: usize) -> Mint {
        self.issuers[issuer].mint().audience(&self.resource)
    }

    /// The id of the new note.
    pub(crate) async fn add(&self, token: &str, content: &str) -> String {
        let note = self.call(token, "add_note", json!({ "content": content })).await.unwrap();
        assert_eq!(note["content"], content);
        note["id"].as_str().unwrap().to_owned()
    }

    /// The contents of the notes that this caller sees.
    pub(crate) async fn list(&self, token: &str) -> Vec<String> {
        let list = self.call(token, "list_notes", json!({})).await.unwrap();
        let notes = list["notes"].as_array().unwrap().iter();
        notes.map(|note| note["content"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn delete(&self, token: &str, id: &str) -> bool {
        let deletion = self.call(token, "delete_note", json!({ "id": id })).await.unwrap();
        deletion["deleted"].as_bool().unwrap()
    }

    /// What the tool returned, or its refusal.
    pub(crate) async fn call(
        &self,
        token: &str,
        tool: &str,
        arguments: Value,
    ) -> Result<Value, String> {
        let answer = self.send(token, tool, &arguments).await;
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        let body = answer.text().await.unwrap();
        // One message, as JSON or as an event.
        let json = body.lines().rev().find_map(|line| line.strip_prefix("data: "));
        let message: Value = serde_json::from_str(json.unwrap_or(&body)).unwrap();
        let result = &message["result"];
        if message.get("error").is_some() || result["isError"] == true {
            return Err(message.to_string());
        }
        Ok(result["structuredContent"].clone())
    }

    pub(crate) async fn send(&self, token: &str, tool: &str, arguments: &Value) -> Response {
        let mut request = self.client.post(&self.resource).bearer_auth(token);
        for (name, value) in headers(tool) {
            request = request.header(name, value);
        }
        request.json(&called(tool, arguments)).send().await.unwrap()
    }

    /// A call whose client can be killed before it is answered: it is when this connection is dropped.
    pub(crate) async fn begin_call(&self, token: &str, tool: &str, arguments: Value) -> TcpStream {
        let body = called(tool, &arguments).to_string();
        let address = address_of(&self.resource);
        let mut head = format!("POST /mcp HTTP/1.1\r\nhost: {address}\r\n");
        for (name, value) in headers(tool) {
            head += &format!("{name}: {value}\r\n");
        }
        let length = body.len();
        head += &format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
        head += &format!("content-length: {length}\r\n\r\n");
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all((head + &body).as_bytes()).await.unwrap();
        connection
    }
}

fn trusted(issuers: &[DevIssuer; 2]) -> String {
    issuers.each_ref().map(DevIssuer::issuer).join(",")
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn address_of(resource: &str) -> &str {
    resource.trim_start_matches("http://").trim_end_matches("/mcp")
}

/// The newest revision that the server speaks without a session.
fn revision() -> String {
    env::var("NOTES_DB_REVISION").unwrap_or("2026-07-28".into())
}

fn headers(tool: &str) -> [(&'static str, String); 4] {
    [
        ("accept", "application/json, text/event-stream".into()),
        ("mcp-protocol-version", revision()),
        ("mcp-method", "tools/call".into()),
        ("mcp-name", tool.into()),
    ]
}

/// The message that calls a tool.
fn called(tool: &str, arguments: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": tool,
        "arguments": arguments,
        "_meta": { "io.modelcontextprotocol/protocolVersion": revision(),
                   "io.modelcontextprotocol/clientCapabilities": {} },
    } })
}

/// The example, until this is dropped.
struct Process(Child);

impl Process {
    /// What it wrote, if it ended before it listened.
    fn start(
        resource: &str,
        issuers: &str,
        database: &[(&'static str, String)],
    ) -> Result<Self, String> {
        let (reader, writer) = std::io::pipe().unwrap();
        let ours = env!("CARGO_BIN_EXE_notes-db");
        let mut command = Command::new(env::var("NOTES_DB_PROGRAM").unwrap_or(ours.into()));
        command.args(env::var_os("NOTES_DB_SCRIPT"));
        command.env_remove("DATABASE_URL").envs(database.iter().cloned());
        let child = command
            .env("MCP_AUTH_RESOURCE", resource)
            .env("MCP_AUTH_ISSUER", issuers)
            .env("MCP_AUTH_BIND", address_of(resource))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .spawn()
            .unwrap();
        // The command holds the other end of the pipe, which has to close when the program ends.
        drop(command);
        let process = Self(child);
        wait_until_it_listens(reader).map(|()| process)
    }

    fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads on afterwards, so that it is never held up by a full pipe.
fn wait_until_it_listens(output: PipeReader) -> Result<(), String> {
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let mut written = String::new();
    for line in lines.by_ref() {
        if line.starts_with("listening on") || line.contains("running on http") {
            thread::spawn(move || lines.for_each(drop));
            return Ok(());
        }
        written += &line;
        written += "\n";
    }
    Err(written)
}
