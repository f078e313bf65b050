//! Where an authorization server's keys come from, as its settings say.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::config::{AuthorizationServer, Faults, ServerType};
use crate::identifier::{IdentifierError, IssuerIdentifier, PlainHttp, check_fetchable, is_host};
use crate::issuer::{KeySet, KeySource, Metadata, UrlRules};
use crate::json::read_value;
use crate::text::without_byte_order_mark;

/// The source of the keys; `None` when a fault was found.
pub(super) fn parse(
    server: &AuthorizationServer,
    issuer: Option<&IssuerIdentifier>,
    faults: &mut Faults<'_>,
) -> Option<KeySource> {
    let faults_before = faults.count();
    check_contradictions(server, faults);
    for host in server.allowed_key_hosts.iter().filter(|host| !is_host(host)) {
        faults.add("allowed_key_hosts", format!("{host:?} is not a host name"));
    }
    let keys = given_keys(server, faults).map(Arc::new);
    // Judged together with the issuer, whose own fault is listed already.
    let metadata = match issuer {
        Some(identifier) => {
            given_metadata(server, identifier, keys.is_some(), faults).map(Arc::new)
        }
        None => None,
    };
    let url = metadata_url(server, faults);
    if faults.count() > faults_before {
        return None;
    }
    Some(match (keys, metadata, url) {
        (Some(keys), metadata, _) => KeySource::Keys(keys, metadata),
        (None, Some(metadata), _) => KeySource::Metadata(metadata),
        (None, None, Some(url)) => KeySource::MetadataUrl(url.to_owned()),
        (None, None, None) => KeySource::Discover(server.server_type),
    })
}

/// Adds a fault for each pair of settings of which one would be ignored beside the other.
fn check_contradictions(server: &AuthorizationServer, faults: &mut Faults<'_>) {
    let keys_setting = if server.jwks.is_some() { "jwks" } else { "jwks_file" };
    let has_keys = server.has_keys();
    let rows = [
        (server.jwks.is_some() && server.jwks_file.is_some(), "jwks", "jwks_file"),
        (server.metadata.is_some() && server.metadata_url.is_some(), "metadata", "metadata_url"),
        (has_keys && server.metadata_url.is_some(), keys_setting, "metadata_url"),
        (has_keys && server.server_type != ServerType::Any, keys_setting, "server_type"),
        (has_keys && !server.allowed_key_hosts.is_empty(), keys_setting, "allowed_key_hosts"),
    ];
    for (are_both_set, one, other) in rows {
        if are_both_set {
            faults.add_here(format!("`{one}` and `{other}` contradict each other"));
        }
    }
}

/// The keys given by hand, if they are; `None` also when a fault was found.
fn given_keys(server: &AuthorizationServer, faults: &mut Faults<'_>) -> Option<KeySet> {
    if let Some(jwks) = &server.jwks {
        let is_empty = jwks.get("keys").and_then(Value::as_array).is_some_and(Vec::is_empty);
        if is_empty && server.introspection.is_some() {
            return Some(KeySet::none());
        }
        return match KeySet::read(&Value::Object(jwks.clone()), &server.issuer) {
            Ok(keys) => Some(keys),
            Err(reason) => {
                faults.add("jwks", reason);
                None
            }
        };
    }
    let file = server.jwks_file.as_deref()?;
    match keys_in_file(file, &server.issuer) {
        Ok(keys) => Some(keys),
        Err(reason) => {
            faults.add("jwks_file", format!("{file:?} {reason}"));
            None
        }
    }
}

fn keys_in_file(file: &Path, issuer: &str) -> Result<KeySet, String> {
    let json = std::fs::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    let jwks = read_value(without_byte_order_mark(&json))
        .map_err(|error| format!("is not JSON: {error}"))?;
    KeySet::read(&jwks, issuer).map_err(|reason| format!("cannot be used: {reason}"))
}

/// The metadata given by hand, if it is; `None` also when a fault was found. Beside keys given by hand it
/// need not say where they are.
fn given_metadata(
    server: &AuthorizationServer,
    issuer: &IssuerIdentifier,
    has_keys: bool,
    faults: &mut Faults<'_>,
) -> Option<Metadata> {
    let document = Value::Object(server.metadata.clone()?);
    let rules = UrlRules::configured(PlainHttp::configured(server.dangerous_allow_http));
    let needs_jwks_uri = !has_keys && server.introspection.is_none();
    let read = Metadata::read(issuer, &document, &rules).and_then(|metadata| {
        if needs_jwks_uri {
            metadata.jwks_uri()?;
        }
        Ok(metadata)
    });
    match read {
        Ok(metadata) => Some(metadata),
        Err(reason) => {
            faults.add("metadata", reason.to_string());
            None
        }
    }
}

/// Where the metadata is, if that is set; `None` also when a fault was found.
fn metadata_url<'a>(server: &'a AuthorizationServer, faults: &mut Faults<'_>) -> Option<&'a str> {
    let url = server.metadata_url.as_deref()?;
    match check_fetchable(url, PlainHttp::configured(server.dangerous_allow_http)) {
        Ok(()) => Some(url),
        Err(error) => {
            faults.add("metadata_url", format!("{url:?} {}", http_hint(error)));
            None
        }
    }
}

/// What is wrong with a URL; and the setting that allows it, if that is `http://`.
pub(super) fn http_hint(fault: IdentifierError) -> String {
    match fault {
        IdentifierError::Insecure => format!("{fault} (or set `dangerous_allow_http`)"),
        _ => fault.to_string(),
    }
}
