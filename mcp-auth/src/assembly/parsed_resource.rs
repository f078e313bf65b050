//! One protected resource, checked.

use std::collections::HashSet;

use http::HeaderName;

use super::metadata_members::check_metadata_members;
use super::parsed_server::ParsedServer;
use crate::authorize::Authorizer as _;
use crate::claim_path::is_path;
use crate::config::{AuthorizationServer, Faults, ProtectedResource};
use crate::identifier::ResourceIdentifier;

/// What a recipient can be expected to read (RFC 9110 §4.1), in bytes.
const LONGEST_PATH: usize = 8000;

/// A resource that was checked.
pub(super) struct ParsedResource<'a> {
    pub(super) config: &'a ProtectedResource,
    pub(super) identifier: ResourceIdentifier,
    pub(super) servers: Vec<ParsedServer<'a>>,
}

impl<'a> ParsedResource<'a> {
    /// The resource with its identifier and its servers parsed; `None` when a fault was found.
    pub(super) fn parse(config: &'a ProtectedResource, faults: &mut Faults<'_>) -> Option<Self> {
        let faults_before = faults.count();
        let identifier = parse_identifier(config, faults);
        let servers = parse_servers(config, faults);
        check_prefixes(config, faults);
        check_any_issuer(config, faults);
        check_lists(config, faults);
        check_metadata_members(config, faults);
        check_mirrored_arguments(config, faults);
        if let Some(policy) = &config.policy {
            faults.below("policy").add_all(policy.config_faults());
        }
        let parsed = Self { config, identifier: identifier?, servers };
        (faults.count() == faults_before).then_some(parsed)
    }
}

fn parse_identifier(
    config: &ProtectedResource,
    faults: &mut Faults<'_>,
) -> Option<ResourceIdentifier> {
    match ResourceIdentifier::parse(&*config.resource) {
        Ok(identifier) => {
            if identifier.path().len() > LONGEST_PATH {
                let reason =
                    format!("a path of more than {LONGEST_PATH} bytes fits into no request");
                faults.add("resource", reason);
            }
            if identifier.path().starts_with("/.well-known/") {
                faults.add("resource", "/.well-known/ is for metadata");
            }
            Some(identifier)
        }
        Err(error) => {
            faults.add("resource", format!("{:?} {error}", config.resource));
            None
        }
    }
}

fn parse_servers<'a>(
    config: &'a ProtectedResource,
    faults: &mut Faults<'_>,
) -> Vec<ParsedServer<'a>> {
    let all = &config.authorization_servers;
    if all.is_empty() {
        faults.add("authorization_servers", "at least one is needed");
    }
    let mut parsed = Vec::new();
    for (index, server) in all.iter().enumerate() {
        let mut server_faults = faults.below_item("authorization_servers", index);
        parsed.extend(ParsedServer::parse(server, &mut server_faults));
        for issuer in &server.token_issuers {
            if *issuer == server.issuer || is_of_another(issuer, index, all) {
                server_faults.add("token_issuers", format!("{issuer:?} is there twice"));
            }
        }
        if all[..index].iter().any(|earlier| earlier.issuer == server.issuer) {
            server_faults.add_here(format!("{:?} is there twice", server.issuer));
        }
    }
    parsed
}

/// Whether the tokens of another server than the one at this index name this issuer.
fn is_of_another(issuer: &String, index: usize, servers: &[AuthorizationServer]) -> bool {
    servers.iter().enumerate().any(|(other_index, other)| {
        other_index != index && (other.issuer == *issuer || other.token_issuers.contains(issuer))
    })
}

/// An opaque token's prefix says which server to ask about it. A server without prefixes is asked about every token, so
/// none that is asked about tokens in the same header may come after it.
fn check_prefixes(config: &ProtectedResource, faults: &mut Faults<'_>) {
    let servers = &config.authorization_servers;
    for (index, server) in servers.iter().enumerate() {
        let Some(introspection) = &server.introspection else { continue };
        let hides_later_server = servers[index + 1..].iter().any(|later| {
            later.introspection.is_some() && later.token_header == server.token_header
        });
        if introspection.token_prefixes.is_empty() && hides_later_server {
            faults
                .below_item("authorization_servers", index)
                .below("introspection")
                .add("token_prefixes", "must not be empty, since others come after it");
        }
    }
}

/// Where any issuer may be named, `iss` picks no keys: so there may be those of one server alone, and they must not be
/// looked for by a name that means nothing.
fn check_any_issuer(config: &ProtectedResource, faults: &mut Faults<'_>) {
    const FIELD: &str = "dangerous_accept_any_issuer";
    let servers = &config.authorization_servers;
    for (index, server) in servers.iter().enumerate() {
        if !server.dangerous_accept_any_issuer {
            continue;
        }
        let mut server_faults = faults.below_item("authorization_servers", index);
        if servers.len() > 1 {
            server_faults.add(FIELD, "needs to be the only server");
        }
        if !server.has_keys() && server.metadata.is_none() {
            server_faults.add(FIELD, "needs `metadata`, `jwks` or `jwks_file`");
        }
        if server.introspection.is_some() {
            server_faults.add(FIELD, "is about keys, so that `introspection` cannot be there");
        }
    }
}

fn check_lists(config: &ProtectedResource, faults: &mut Faults<'_>) {
    if config.audiences.iter().any(String::is_empty) {
        faults.add("audiences", "an empty audience would match nothing");
    }
    let required = &config.required_scopes;
    for scope in required.malformed() {
        faults.add("required_scopes", format!("{scope:?} is not a scope (RFC 6749 §3.3)"));
    }
    if required.contains("offline_access") && !config.dangerous_advertise_offline_access {
        // It is not advertised, so no client would ever ask for it.
        faults.add("required_scopes", "`offline_access` cannot be required");
    }
    let supported = &config.scopes_supported;
    for scope in supported.malformed() {
        faults.add("scopes_supported", format!("{scope:?} is not a scope (RFC 6749 §3.3)"));
    }
    if !supported.is_empty() && !supported.contains_all(required) {
        faults.add("scopes_supported", "must contain the required scopes");
    }
    for origin in config.allowed_origins.iter().filter(|origin| !is_origin(origin)) {
        let reason = format!("{origin:?} is not an origin such as https://app.example.com");
        faults.add("allowed_origins", reason);
    }
    for host in config.allowed_hosts.iter().filter(|host| !is_host(host)) {
        faults.add("allowed_hosts", format!("{host:?} is not a host name"));
    }
}

/// What clients are asked for by `x-mcp-header` they can send: each header has a name that differs from the others', and
/// an argument.
fn check_mirrored_arguments(config: &ProtectedResource, faults: &mut Faults<'_>) {
    let mut section_faults = faults.below("mirrored_arguments");
    for (tool, headers) in &config.mirrored_arguments {
        let mut tool_faults = section_faults.below(tool);
        let mut names = HashSet::new();
        for (name, argument) in headers {
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                tool_faults.add_here(format!("{name:?} is not the name of a header"));
            }
            if !names.insert(name.to_ascii_lowercase()) {
                tool_faults.add_here(format!("{name:?} is there twice: case does not count"));
            }
            if argument.is_empty() || !is_path(argument) {
                tool_faults.add(name, format!("{argument:?} is no argument and no JSON Pointer"));
            }
        }
    }
}

/// RFC 6454: scheme, host and port; or `*`, or `null` for pages without an origin.
fn is_origin(text: &str) -> bool {
    if text == "*" || text == "null" {
        return true;
    }
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    !scheme.is_empty()
        && !authority.is_empty()
        && !authority.contains(['/', '?', '#', '@', ' ', '*', ','])
}

/// A host name, or an IP address, with or without a port.
fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
}
