//! Whose rules decide about the token: a server's, as far as its metadata tells them, or a
//! configuration's.

use std::path::Path;
use std::time::Duration;

use mcp_auth::{Config, ProtectedResource, ResourceIdentifier, Scopes};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::Source;
use crate::output::Progress;

/// How long to wait for each answer of the server.
const PATIENCE: Duration = Duration::from_secs(10);

/// A longer document is not read, in bytes.
const MAX_DOCUMENT: usize = 1024 * 1024;

/// What the server itself says of the token.
#[derive(Serialize)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Its challenge, when it refuses.
    pub(super) challenge: Option<String>,
}

/// The configuration, and what the server said when there is one.
pub(super) async fn read(
    source: &Source,
    token: &str,
    progress: &Progress,
) -> Result<(Config, Option<Answer>), String> {
    if let Some(file) = &source.config {
        return Ok((from_file(file)?, None));
    }
    if let Some(resource) = &source.resource {
        let resource = ProtectedResource::new(resource, source.issuers.iter().cloned());
        return Ok((Config::default().protect_resource(resource), None));
    }
    let server = source.server.as_deref();
    let server = server.ok_or("--server, --config, or --resource and --issuer must be given")?;
    progress.step(&format!("asking {server}"));
    let client = Client::builder().timeout(PATIENCE).redirect(Policy::none()).build();
    let client = client.map_err(|error| error.to_string())?;
    let config = from_server(&client, server).await?;
    let answer = call(&client, server, Some(token)).await?;
    let status = answer.status().as_u16();
    Ok((config, Some(Answer { status, challenge: challenge(&answer) })))
}

fn from_file(file: &Path) -> Result<Config, String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
    let is_json = file.extension().is_some_and(|extension| extension == "json");
    let config = if is_json {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    } else {
        toml::from_str(&text).map_err(|error| error.to_string())
    };
    config.map_err(|error| format!("{shown}: {error}"))
}

/// What the server's challenge and metadata tell.
async fn from_server(client: &Client, url: &str) -> Result<Config, String> {
    let resource = ResourceIdentifier::parse(url).map_err(|fault| format!("{url} {fault}"))?;
    let refused = challenge(&call(client, url, None).await?).unwrap_or_default();
    let named = parameter(&refused, "resource_metadata");
    let root = format!("{}/.well-known/oauth-protected-resource", resource.origin());
    let places = named.into_iter().chain([resource.metadata_url(), root]);
    let mut faults = Vec::new();
    for place in places {
        match document(client, &place).await {
            Ok(document) => return described(&document, &refused),
            Err(fault) => faults.push(format!("\n  {place}: {fault}")),
        }
    }
    Err(format!("{url} has no protected resource metadata (RFC 9728):{}", faults.concat()))
}

fn described(document: &Value, challenge: &str) -> Result<Config, String> {
    let resource = document["resource"].as_str().ok_or("the metadata has no `resource`")?;
    let issuers = document["authorization_servers"].as_array().into_iter().flatten();
    let issuers = issuers.filter_map(Value::as_str);
    let mut resource = ProtectedResource::new(resource, issuers);
    resource.required_scopes = Scopes::parse(&parameter(challenge, "scope").unwrap_or_default());
    Ok(Config::default().protect_resource(resource))
}

async fn document(client: &Client, url: &str) -> Result<Value, String> {
    let mut response = client.get(url).send().await.map_err(|error| error.to_string())?;
    if !response.status().is_success() {
        return Err(format!("status {}", response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| error.to_string())? {
        if body.len() + chunk.len() > MAX_DOCUMENT {
            return Err(format!("larger than {MAX_DOCUMENT} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    let document: Value = serde_json::from_slice(&body).map_err(|_| "not JSON".to_owned())?;
    if document.is_object() { Ok(document) } else { Err("not a JSON object".to_owned()) }
}

/// A call that changes nothing.
async fn call(client: &Client, url: &str, token: Option<&str>) -> Result<Response, String> {
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let mut request = client.post(url).body(ping.to_string());
    request = request.header(CONTENT_TYPE, "application/json");
    request = request.header(ACCEPT, "application/json, text/event-stream");
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    request.send().await.map_err(|error| format!("{url} cannot be asked: {error}"))
}

fn challenge(response: &Response) -> Option<String> {
    let values = response.headers().get_all(WWW_AUTHENTICATE).iter();
    let mut bearer = values.filter_map(|value| value.to_str().ok());
    bearer.find(|value| value.to_ascii_lowercase().starts_with("bearer")).map(str::to_owned)
}

/// The value of a parameter of a challenge.
fn parameter(challenge: &str, name: &str) -> Option<String> {
    let begin = format!("{name}=\"");
    let rest = challenge.split_once(&begin)?.1;
    Some(rest.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found() {
        let challenge = r#"Bearer error="x", scope="a b", resource_metadata="https://h/m""#;
        assert_eq!(parameter(challenge, "scope").as_deref(), Some("a b"));
        assert_eq!(parameter(challenge, "resource_metadata").as_deref(), Some("https://h/m"));
        assert_eq!(parameter(challenge, "realm"), None);
    }
}
