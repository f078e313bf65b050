//! One authorization server, checked.

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};

use super::key_source::{self, http_hint};
use super::parsed_introspection::ParsedIntrospection;
use crate::config::{AuthorizationServer, Faults};
use crate::identifier::{IssuerIdentifier, PlainHttp};
use crate::issuer::KeySource;
use crate::principal::PrincipalClaim;

/// An authorization server that was checked.
pub(super) struct ParsedServer<'a> {
    pub(super) config: &'a AuthorizationServer,
    pub(super) identifier: IssuerIdentifier,
    pub(super) source: KeySource,
    pub(super) token_header: Option<HeaderName>,
    pub(super) introspection: Option<ParsedIntrospection<'a>>,
}

impl<'a> ParsedServer<'a> {
    /// The server with its issuer, key source, header and introspection parsed; `None` when a fault was found.
    pub(super) fn parse(config: &'a AuthorizationServer, faults: &mut Faults<'_>) -> Option<Self> {
        let identifier = parse_identifier(config, faults);
        let source = key_source::parse(config, identifier.as_ref(), faults);
        check_values(config, faults);
        check_notices(config, faults);
        let token_header = parse_token_header(config, faults);
        let introspection = match &config.introspection {
            Some(introspection) => Some(ParsedIntrospection::parse(
                introspection,
                config,
                &mut faults.below("introspection"),
            )?),
            None => None,
        };
        Some(Self { config, identifier: identifier?, source: source?, token_header, introspection })
    }
}

fn parse_identifier(
    config: &AuthorizationServer,
    faults: &mut Faults<'_>,
) -> Option<IssuerIdentifier> {
    let plain_http = PlainHttp::configured(config.dangerous_allow_http);
    match IssuerIdentifier::parse_with(config.issuer.clone(), plain_http) {
        Ok(identifier) => {
            if let Some(issuer) = issuer_of_metadata_url(&config.issuer) {
                let text = &config.issuer;
                faults.add("issuer", format!("{text:?} is the URL of metadata; the issuer is what `issuer` says there, such as {issuer:?}"));
            }
            Some(identifier)
        }
        Err(error) => {
            faults.add("issuer", format!("{:?} {}", config.issuer, http_hint(error)));
            None
        }
    }
}

/// The issuer whose metadata is at this URL, by the rule of the document's name; `None` for the URL of anything else.
fn issuer_of_metadata_url(url: &str) -> Option<String> {
    let (before, after) = url.split_once("/.well-known/")?;
    // RFC 8414 §3.1 puts the path of the issuer behind the name of the document.
    let path = after.find('/').map_or("", |slash| &after[slash..]);
    Some(format!("{before}{path}"))
}

/// Adds a fault for each value that would match no token.
fn check_values(config: &AuthorizationServer, faults: &mut Faults<'_>) {
    let lists = [
        &config.token_issuers,
        &config.audiences,
        &config.dangerous_shared_audiences,
        &config.scope_claims,
        &config.dangerous_accept_clients,
    ];
    if lists.into_iter().flatten().chain(&config.scope_prefix).any(String::is_empty) {
        faults.add_here("an empty text in a list would match nothing");
    }
    for (claim, values) in &config.required_claims {
        if values.is_empty() {
            faults.add("required_claims", format!("{claim:?} has no value that is accepted"));
        }
    }
    if let Some(reason) = config.principal_claim.as_ref().and_then(PrincipalClaim::fault) {
        faults.add("principal_claim", reason);
    }
}

/// Adds a fault for each setting of notices with which none would be received, or nobody found whom it is about.
fn check_notices(config: &AuthorizationServer, faults: &mut Faults<'_>) {
    let audiences = [
        ("back_channel_logout", config.back_channel_logout.as_ref().map(|one| &one.audience)),
        ("shared_signals", config.shared_signals.as_ref().map(|one| &one.audience)),
    ];
    for (field, configured) in audiences {
        let Some(audience) = configured else { continue };
        let mut section = faults.below(field);
        if audience.is_empty() || audience.iter().any(String::is_empty) {
            section.add("audience", "at least one is needed, and none may be empty");
        }
        if config.dangerous_accept_any_issuer {
            let reason = "cannot be there beside `dangerous_accept_any_issuer`: nobody can tell whose tokens it is about";
            section.add_here(reason);
        }
    }
    let secret = config.shared_signals.as_ref().and_then(|one| one.authorization.as_ref());
    if secret.is_some_and(|text| {
        HeaderValue::from_str(text.expose()).is_err() || text.expose().trim().is_empty()
    }) {
        faults.below("shared_signals").add("authorization", "must be the whole value of a header");
    }
}

fn parse_token_header(config: &AuthorizationServer, faults: &mut Faults<'_>) -> Option<HeaderName> {
    let name = config.token_header.as_deref()?;
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(header) if header != AUTHORIZATION => Some(header),
        Ok(_) => {
            faults.add("token_header", "leave it out for `Authorization`");
            None
        }
        Err(_) => {
            faults.add("token_header", format!("{name:?} is not the name of a header"));
            None
        }
    }
}
