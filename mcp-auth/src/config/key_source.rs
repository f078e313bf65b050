//! Where an authorization server's keys come from, as its settings say.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::{AuthorizationServer, ServerType};
use crate::identifier::{IdentifierError, IssuerIdentifier, PlainHttp, check_fetchable, is_host};
use crate::issuer::{KeySet, KeySource, Metadata, UrlRules};
use crate::json::read_value;

/// The source of the keys; `None` when a fault was found.
pub(super) fn parse(
    server: &AuthorizationServer,
    issuer: Option<&IssuerIdentifier>,
    place: &str,
    faults: &mut Vec<String>,
) -> Option<KeySource> {
    let before = faults.len();
    contradictions(server, place, faults);
    for host in server.allowed_key_hosts.iter().filter(|host| !is_host(host)) {
        faults.push(format!("{place}.allowed_key_hosts: {host:?} is not a host name"));
    }
    let by_hand = keys(server).map(|outcome| outcome.map(Arc::new));
    let keys = by_hand.and_then(|keys| kept(keys, place, faults));
    // Judged together with the issuer, whose own fault is listed already.
    let metadata = issuer.and_then(|issuer| metadata(server, issuer, keys.is_some()));
    let metadata = metadata.and_then(|outcome| kept(outcome.map(Arc::new), place, faults));
    let url = url(server).and_then(|url| kept(url, place, faults));
    if faults.len() > before {
        return None;
    }
    Some(match (keys, metadata, url) {
        (Some(keys), metadata, _) => KeySource::Keys(keys, metadata),
        (None, Some(metadata), _) => KeySource::Metadata(metadata),
        (None, None, Some(url)) => KeySource::MetadataUrl(url.to_owned()),
        (None, None, None) => KeySource::Discover(server.server_type),
    })
}

/// Settings of which one would be ignored beside the other.
fn contradictions(server: &AuthorizationServer, place: &str, faults: &mut Vec<String>) {
    let fixed = if server.jwks.is_some() { "jwks" } else { "jwks_file" };
    let has_keys = server.has_keys();
    let rows = [
        (server.jwks.is_some() && server.jwks_file.is_some(), "jwks", "jwks_file"),
        (server.metadata.is_some() && server.metadata_url.is_some(), "metadata", "metadata_url"),
        (has_keys && server.metadata_url.is_some(), fixed, "metadata_url"),
        (has_keys && server.server_type != ServerType::Any, fixed, "server_type"),
        (has_keys && !server.allowed_key_hosts.is_empty(), fixed, "allowed_key_hosts"),
    ];
    for (_, one, other) in rows.into_iter().filter(|(found, ..)| *found) {
        faults.push(format!("{place}: `{one}` and `{other}` contradict each other"));
    }
}

/// The keys given by hand, or the setting and what is wrong with it.
fn keys(server: &AuthorizationServer) -> Option<Result<KeySet, String>> {
    if let Some(jwks) = &server.jwks {
        let is_empty = jwks.get("keys").and_then(Value::as_array).is_some_and(Vec::is_empty);
        if is_empty && server.introspection.is_some() {
            return Some(Ok(KeySet::none()));
        }
        let keys = KeySet::read(&Value::Object(jwks.clone()), &server.issuer);
        return Some(keys.map_err(|fault| format!("jwks: {fault}")));
    }
    let file = server.jwks_file.as_deref()?;
    Some(keys_in(file, &server.issuer).map_err(|fault| format!("jwks_file: {file:?} {fault}")))
}

fn keys_in(file: &Path, issuer: &str) -> Result<KeySet, String> {
    let json = std::fs::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    let jwks = read_value(json).map_err(|error| format!("is not JSON: {error}"))?;
    KeySet::read(&jwks, issuer).map_err(|fault| format!("cannot be used: {fault}"))
}

/// The metadata given by hand. Beside keys given by hand it need not say where they are.
fn metadata(
    server: &AuthorizationServer,
    issuer: &IssuerIdentifier,
    has_keys: bool,
) -> Option<Result<Metadata, String>> {
    let document = Value::Object(server.metadata.clone()?);
    let rules = UrlRules::configured(PlainHttp::configured(server.dangerous_allow_http));
    let metadata = Metadata::read(issuer, &document, &rules).and_then(|metadata| {
        if !has_keys && server.introspection.is_none() {
            metadata.jwks_uri()?;
        }
        Ok(metadata)
    });
    Some(metadata.map_err(|fault| format!("metadata: {fault}")))
}

fn url(server: &AuthorizationServer) -> Option<Result<&str, String>> {
    let url = server.metadata_url.as_deref()?;
    let checked = check_fetchable(url, PlainHttp::configured(server.dangerous_allow_http));
    let hint = |fault| format!("metadata_url: {url:?} {}", http_hint(fault));
    Some(checked.map(|()| url).map_err(hint))
}

fn kept<T>(outcome: Result<T, String>, place: &str, faults: &mut Vec<String>) -> Option<T> {
    outcome.map_err(|fault| faults.push(format!("{place}.{fault}"))).ok()
}

/// What an operator can do about a URL.
pub(super) fn http_hint(fault: IdentifierError) -> String {
    match fault {
        IdentifierError::Insecure => format!("{fault} (or set `dangerous_allow_http`)"),
        _ => fault.to_string(),
    }
}
