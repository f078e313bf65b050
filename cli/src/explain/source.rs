//! Whose rules decide about the token: a server's, as far as its metadata tells them, or a
//! configuration's.

use std::path::Path;
use std::time::Duration;

use mcp_auth::{Config, ProtectedResource, ResourceIdentifier, Scopes};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use serde::Serialize;
use serde_json::{Value, json};

use super::shown::Shown;
use super::strangers::NamedByServer;
use super::{Options, alone};
use crate::check::{Challenge, Reach, Target, authorities};
use crate::network_fault::NetworkFault;
use crate::output::{Progress, quoted};
use crate::secrets;

/// A longer document is not read, in bytes.
const MAX_DOCUMENT: usize = 1024 * 1024;

/// What the server itself says of the token.
#[derive(Serialize)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Its challenges, when it refuses, without the token.
    pub(super) challenge: Option<String>,
    /// The `resource` of its metadata, where that is not the URL that was asked.
    pub(super) other_resource: Option<String>,
}

/// Whose rules decide.
pub(super) struct Rules {
    pub(super) config: Config,
    /// When they are those of a server.
    pub(super) server: Option<AskedServer>,
    /// Whether anybody named some.
    pub(super) has_rules: bool,
}

impl Rules {
    /// Those that the operator wrote.
    fn of_operator(config: Config) -> Self {
        Self { config, server: None, has_rules: true }
    }
}

/// A server that was asked about the token.
pub(super) struct AskedServer {
    pub(super) answer: Answer,
    /// Asks the issuers that its metadata names.
    pub(super) issuers: NamedByServer,
}

/// The configuration, and what the server said when there is one.
pub(super) async fn read_rules(
    options: &Options,
    token: &str,
    shown: &Shown,
    progress: &Progress,
) -> Result<Rules, String> {
    let source = &options.source;
    if let Some(file) = &source.config {
        return from_file(file).map(Rules::of_operator);
    }
    if let Some(url) = &source.resource {
        let resource = ProtectedResource::new(&**url, &source.issuers);
        let mut config = Config::default().protect_resource(resource);
        config.ca_files.clone_from(&options.ca_files);
        return Ok(Rules::of_operator(config));
    }
    let Some(server) = source.server.as_deref() else {
        let config = alone::config_for(shown);
        return Ok(Rules { config, server: None, has_rules: false });
    };
    progress.step(&format!("asking {server}"));
    let target = Target::parse(server)?;
    let authorities = authorities::read(&options.ca_files)?;
    let limit = Duration::from_secs(options.timeout);
    let reach = Reach::new(&target, || {
        Client::builder()
            .timeout(limit)
            .redirect(Policy::none())
            .tls_certs_merge(authorities.clone())
    });
    let reach = reach.map_err(|error| error.to_string())?;
    let config = from_server(&reach, &target).await?;
    let target = match config.resources.first() {
        // The path of the server is in the metadata of the root alone.
        Some(described) if source.server_is_metadata_of_root => {
            let meant = Target::parse(&described.resource)?;
            if meant.url.origin() == target.url.origin() { meant } else { target }
        }
        _ => target,
    };
    let response = send_ping(&reach, &target, Some(token)).await?;
    let challenges: Vec<String> =
        challenge_values(&response).map(secrets::without_secrets).collect();
    let resource = config.resources.first().map(|one| one.resource.clone());
    let answer = Answer {
        status: response.status().as_u16(),
        challenge: if challenges.is_empty() { None } else { Some(challenges.join(", ")) },
        other_resource: resource.filter(|one| !is_same_resource(one, &target.text)),
    };
    let issuers = NamedByServer { reach, target };
    Ok(Rules { config, server: Some(AskedServer { answer, issuers }), has_rules: true })
}

/// Identifiers are compared as text; only the root may have its slash or not.
fn is_same_resource(resource: &str, asked: &str) -> bool {
    let is_root = Url::parse(asked).is_ok_and(|url| url.path() == "/");
    resource == asked || is_root && resource.trim_end_matches('/') == asked.trim_end_matches('/')
}

fn from_file(file: &Path) -> Result<Config, String> {
    let shown = quoted(secrets::showable_argument(&file.to_string_lossy()));
    let content = std::fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
    // Some editors put a byte order mark before the text.
    let text = content.strip_prefix('\u{feff}').unwrap_or(&content);
    let is_json = file.extension().is_some_and(|extension| extension == "json");
    let members: Option<Value> = match is_json {
        true => serde_json::from_str(text).ok(),
        false => toml::from_str(text).ok(),
    };
    // What cannot be read is refused below, without being quoted.
    members.iter().for_each(secrets::remember_those_in);
    let config = if is_json {
        serde_json::from_str(text).map_err(|error| error.to_string())
    } else {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            // The error itself shows the line, which may hold a secret.
            let before = text.bytes().take(error.span().unwrap_or_default().start);
            let line = before.filter(|byte| *byte == b'\n').count() + 1;
            format!("line {line}: {}", error.message())
        })
    };
    config.map_err(|error| format!("{shown}: {error}"))
}

/// What the server's challenge and metadata tell.
async fn from_server(reach: &Reach, target: &Target) -> Result<Config, String> {
    let url = &*target.text;
    let resource = ResourceIdentifier::parse(url).map_err(|fault| format!("{url} {fault}"))?;
    let refused = send_ping(reach, target, None).await?;
    let challenges = Challenge::parse_all(challenge_values(&refused)).unwrap_or_default();
    let mut places = Vec::new();
    let mut scope = "";
    if let Some(challenge) = challenges.iter().find(|challenge| challenge.is_bearer()) {
        places.extend(challenge.parameter("resource_metadata").map(str::to_owned));
        scope = challenge.parameter("scope").unwrap_or_default();
    }
    places.push(resource.metadata_url());
    places.push(format!("{}/.well-known/oauth-protected-resource", resource.origin()));
    let mut faults = Vec::new();
    for place in places {
        let read = match may_be_asked(&place, reach, target).await {
            Ok(place_url) => read_document(reach.client(&place_url, target), place_url).await,
            Err(fault) => Err(fault),
        };
        match read {
            Ok(document) => return config_from_metadata(&document, scope, reach, target).await,
            Err(fault) => faults.push(format!("\n  {}: {fault}", quoted(&place))),
        }
    }
    let why = what_answers(&refused);
    Err(format!("{url} {why}has no protected resource metadata (RFC 9728):{}", faults.concat()))
}

/// What answers at the URL when that is no MCP server, or none that can answer now; else nothing.
fn what_answers(answer: &Response) -> String {
    let status = answer.status().as_u16();
    let text_of = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let is_page = text_of(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html"));
    match (status, text_of(LOCATION)) {
        (429 | 500..=599, _) => format!("is not healthy (it answers {status}), and "),
        (300..=399, Some(place)) => format!("redirects ({status}) to {}, and ", quoted(place)),
        (403, _) if is_page => {
            "is behind a firewall or proxy (403 with an HTML page), and ".to_owned()
        }
        _ if is_page => format!("is a web page ({status}), and "),
        (404 | 410, _) => format!("is not there ({status}), and "),
        _ => String::new(),
    }
}

/// A stranger's document must not send this machine to its own network.
async fn may_be_asked(text: &str, reach: &Reach, target: &Target) -> Result<Url, String> {
    let refusal = "not followed: no URL, plain http, or an address within a network";
    let url = Url::parse(text).map_err(|_| refusal)?;
    if reach.may_follow(&url, target).await { Ok(url) } else { Err(refusal.to_owned()) }
}

async fn config_from_metadata(
    document: &Value,
    scope: &str,
    reach: &Reach,
    target: &Target,
) -> Result<Config, String> {
    let identifier = document["resource"].as_str().ok_or("the metadata has no `resource`")?;
    let listed = document["authorization_servers"].as_array().into_iter().flatten();
    let issuers: Vec<_> = listed.filter_map(Value::as_str).collect();
    for issuer in &issuers {
        let asked = may_be_asked(issuer, reach, target).await;
        asked.map_err(|fault| format!("{}: {fault}", quoted(issuer)))?;
    }
    let mut resource = ProtectedResource::new(identifier, issuers);
    resource.required_scopes = Scopes::parse(scope);
    Ok(Config::default().protect_resource(resource))
}

async fn read_document(client: &Client, url: Url) -> Result<Value, String> {
    let mut response = client.get(url).send().await.map_err(|error| no_answer(&error))?;
    if !response.status().is_success() {
        return Err(format!("status {}", response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| no_answer(&error))? {
        if body.len() + chunk.len() > MAX_DOCUMENT {
            return Err(format!("larger than {MAX_DOCUMENT} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    let document: Value = serde_json::from_slice(&body).map_err(|_| "not JSON".to_owned())?;
    if document.is_object() { Ok(document) } else { Err("not a JSON object".to_owned()) }
}

/// Whoever shows it names the URL.
fn no_answer(error: &reqwest::Error) -> String {
    format!("no answer: {}", NetworkFault::of(error).words)
}

/// Sends a `ping`, the one MCP request that changes nothing at the server.
async fn send_ping(
    reach: &Reach,
    target: &Target,
    token: Option<&str>,
) -> Result<Response, String> {
    let url = &target.url;
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let mut request = reach.client(url, target).post(url.clone()).body(ping.to_string());
    request = request.header(CONTENT_TYPE, "application/json");
    request = request.header(ACCEPT, "application/json, text/event-stream");
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let answer = request.send().await.map_err(|error| {
        format!("{}: no answer: {}", target.text, NetworkFault::of(&error).words)
    })?;
    reach.note(url, target, &answer);
    Ok(answer)
}

fn challenge_values(response: &Response) -> impl Iterator<Item = &str> {
    let values = response.headers().get_all(WWW_AUTHENTICATE).iter();
    values.filter_map(|value| value.to_str().ok())
}
