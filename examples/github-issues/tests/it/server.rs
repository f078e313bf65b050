//! The running example, its issuer, its GitHub, and a client of its tools.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, PipeReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

use dev_issuer::{DevClient, DevGitHub, DevIssuer, Mint};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::browser::Browser;

const SCOPES: &str = "issues:read issues:write";
/// MCP specification 2025-11-25: the user has to open a URL first.
const URL_ELICITATION_REQUIRED: i64 = -32042;

/// What may be in no log.
pub(crate) const OUR_SECRET: &str = "the-secret-of-our-client";
pub(crate) const HANDLE_KEY: &str = "a-key-of-32-characters-or-more-for-tests";

pub(crate) struct Server {
    pub(crate) issuer: DevIssuer,
    pub(crate) github: DevGitHub,
    resource: String,
    client: Client,
    folder: Folder,
    process: Process,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let us = DevClient::new("us").secret(OUR_SECRET);
        let builder = DevIssuer::builder().clients([us]).auto_approve(true);
        let issuer = builder.start().await.unwrap();
        let github = DevGitHub::start().await.unwrap();
        let folder = Folder::new(&github);
        // Another program may take the free port first.
        let (resource, process) = (0..5)
            .find_map(|_| {
                let resource = format!("http://{}/mcp", free_address());
                let process = Process::start(&resource, &issuer, &github, &folder).ok()?;
                Some((resource, process))
            })
            .expect("a port that stays free");
        Self { issuer, github, resource, client: Client::new(), folder, process }
    }

    /// Kills it, and starts it again at the same place.
    pub(crate) fn kill_and_start_again(&mut self) {
        self.process.kill();
        // Connections of before ended with it.
        self.client = Client::new();
        self.process =
            Process::start(&self.resource, &self.issuer, &self.github, &self.folder).unwrap();
    }

    /// Ends it: all that it has written.
    pub(crate) fn end(mut self) -> String {
        self.process.kill();
        self.process.written.take().unwrap().join().unwrap()
    }

    pub(crate) fn origin(&self) -> String {
        self.resource.trim_end_matches("/mcp").to_owned()
    }

    pub(crate) fn mint(&self) -> Mint {
        self.issuer.mint().audience(&self.resource)
    }

    pub(crate) fn token(&self, user: &str) -> String {
        self.mint().subject(user).scope(SCOPES).sign()
    }

    /// The titles of the issues that this caller sees, each with its author.
    pub(crate) async fn list(&self, token: &str, repository: &str) -> Vec<String> {
        let arguments = json!({ "repository": repository });
        let list = self.call(token, "list_issues", &arguments).await.unwrap();
        let mut titles = Vec::new();
        for issue in list["issues"].as_array().unwrap_or_else(|| panic!("{list}")) {
            let text = |name: &str| issue[name].as_str().unwrap().to_owned();
            titles.push(format!("{} by {}", text("title"), text("author")));
        }
        titles
    }

    pub(crate) async fn create(&self, token: &str, repository: &str, title: &str) -> Value {
        let arguments = json!({ "repository": repository, "title": title });
        self.call(token, "create_issue", &arguments).await.unwrap()
    }

    /// The link that a caller gets who has not connected their account.
    pub(crate) async fn link_for(&self, token: &str) -> String {
        let arguments = json!({ "repository": "octocat/hello" });
        let message = self.call(token, "list_issues", &arguments).await.unwrap_err();
        link_in(&message).unwrap_or_else(|| panic!("no link: {message}"))
    }

    /// Has a user of the issuer connect their account at GitHub.
    pub(crate) async fn connect(&self, user: &str, account: &str) {
        self.github.sign_in_as(account);
        let link = self.link_for(&self.token(user)).await;
        let page = Browser::of(self, user).open(&link).await;
        assert_eq!(page.status, 200, "{}", page.text);
    }

    /// What the tool returned, or the whole answer that says why not.
    pub(crate) async fn call(
        &self,
        token: &str,
        tool: &str,
        arguments: &Value,
    ) -> Result<Value, Value> {
        let answer = self.send(token, tool, arguments).await;
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        let body = answer.text().await.unwrap();
        // One message, as JSON or as an event.
        let json = body.lines().rev().find_map(|line| line.strip_prefix("data: "));
        let message: Value = serde_json::from_str(json.unwrap_or(&body)).unwrap();
        let result = &message["result"];
        if message.get("error").is_some() || result["isError"] == true {
            return Err(message);
        }
        Ok(result["structuredContent"].clone())
    }

    pub(crate) async fn send(&self, token: &str, tool: &str, arguments: &Value) -> Response {
        // The newest revision that the server speaks without a session.
        let revision = env::var("GITHUB_ISSUES_REVISION").unwrap_or("2026-07-28".into());
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": tool,
            "arguments": arguments,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": revision,
                "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "url": {} } },
            },
        } });
        let request = self.client.post(&self.resource).bearer_auth(token).json(&message);
        let request = request.header("accept", "application/json, text/event-stream");
        let request = request.header("mcp-protocol-version", revision);
        let request = request.header("mcp-method", "tools/call").header("mcp-name", tool);
        request.send().await.unwrap()
    }
}

/// The URL that an answer asks the user to open.
pub(crate) fn link_in(message: &Value) -> Option<String> {
    let error = &message["error"];
    let elicitations = error["data"]["elicitations"].as_array()?;
    if error["code"] != URL_ELICITATION_REQUIRED {
        return None;
    }
    let [elicitation] = elicitations.as_slice() else { return None };
    let is_whole = elicitation["mode"] == "url"
        && elicitation["elicitationId"].is_string()
        && elicitation["message"].is_string();
    if !is_whole {
        return None;
    }
    elicitation["url"].as_str().map(str::to_owned)
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A folder with the secrets, and for the grants. It goes when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(github: &DevGitHub) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcp-auth-issues-{}-{number}", std::process::id());
        let folder = env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("our-secret"), OUR_SECRET).unwrap();
        fs::write(folder.join("github-secret"), github.client_secret()).unwrap();
        fs::write(folder.join("handle-keys"), HANDLE_KEY).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The example, until this is dropped.
struct Process {
    child: Child,
    /// Gives what it wrote, when it has ended.
    written: Option<JoinHandle<String>>,
}

impl Process {
    /// What it wrote, if it ended before it listened.
    fn start(
        resource: &str,
        issuer: &DevIssuer,
        github: &DevGitHub,
        folder: &Folder,
    ) -> Result<Self, String> {
        let (reader, writer) = std::io::pipe().unwrap();
        let ours = env!("CARGO_BIN_EXE_github-issues");
        let mut command = Command::new(env::var("GITHUB_ISSUES_PROGRAM").unwrap_or(ours.into()));
        command.args(env::var_os("GITHUB_ISSUES_SCRIPT"));
        let origin = resource.trim_end_matches("/mcp");
        let child = command
            .env("MCP_AUTH_RESOURCE", resource)
            .env("MCP_AUTH_ISSUER", issuer.issuer())
            .env("MCP_AUTH_BIND", origin.trim_start_matches("http://"))
            .env("CONNECT_URL", format!("{origin}/connect"))
            .env("CONNECT_FOLDER", folder.0.join("grants"))
            .env("CONNECT_CLIENT_ID", "us")
            .env("CONNECT_CLIENT_SECRET_FILE", folder.0.join("our-secret"))
            .env("HANDLE_KEYS_FILE", folder.0.join("handle-keys"))
            .env("GITHUB_CLIENT_ID", github.client_id())
            .env("GITHUB_CLIENT_SECRET_FILE", folder.0.join("github-secret"))
            .env("GITHUB_URL", github.origin())
            .env("GITHUB_API", github.origin())
            .env("RUST_LOG", "debug")
            .env("MCP_AUTH_LOG", "debug")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .spawn()
            .unwrap();
        // The command holds the other end of the pipe, which has to close when the program ends.
        drop(command);
        let mut process = Self { child, written: None };
        process.written = Some(read_until_it_listens(reader)?);
        Ok(process)
    }

    fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads on afterwards, so that it is never held up by a full pipe.
fn read_until_it_listens(output: PipeReader) -> Result<JoinHandle<String>, String> {
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let mut written = String::new();
    for line in lines.by_ref() {
        written += &format!("{line}\n");
        if line.starts_with("listening on") || line.contains("running on http") {
            let reading = thread::spawn(move || {
                for later in lines {
                    written += &format!("{later}\n");
                }
                written
            });
            return Ok(reading);
        }
    }
    Err(written)
}
