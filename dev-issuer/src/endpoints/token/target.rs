//! What an exchanged token shall be for, and what the client may ask for.

use super::subject::Subject;
use crate::clients::Client;
use crate::endpoints::requested::{requested_resources, requested_scopes};
use crate::issuer::Issuer;
use crate::oauth_error::OAuthError;
use crate::params::Params;

/// The audiences and resources of an exchange (RFC 8693 §2.1), each once, or the default audience.
pub(super) fn exchange_targets(
    issuer: &Issuer,
    client: &Client,
    params: &Params,
) -> Result<Vec<String>, OAuthError> {
    let mut targets: Vec<String> = params.repeated("audience").map(str::to_owned).collect();
    if targets.is_empty() || params.repeated("resource").next().is_some() {
        targets.extend(requested_resources(issuer, params)?);
    }
    let mut distinct = Vec::new();
    for target in targets {
        check_target(client, &target)?;
        if !distinct.contains(&target) {
            distinct.push(target);
        }
    }
    Ok(distinct)
}

/// RFC 8693 §2.2.2: a target that the client may not reach is `invalid_target`.
pub(super) fn check_target(client: &Client, target: &str) -> Result<(), OAuthError> {
    match &client.exchange.targets {
        Some(targets) if !targets.iter().any(|known| known == target) => {
            Err(OAuthError::invalid_target(format!("the client may not reach {target}")))
        }
        _ => Ok(()),
    }
}

/// The scopes of an exchange: those that were asked for, or those of the subject's token. Each is one that this token has, or one
/// that the client may get.
pub(super) fn exchange_scopes(
    issuer: &Issuer,
    client: &Client,
    subject: &Subject,
    params: &Params,
) -> Result<Vec<String>, OAuthError> {
    if params.optional("scope")?.is_none() {
        return Ok(subject.scopes.clone());
    }
    let scopes = requested_scopes(issuer, params)?;
    for scope in &scopes {
        let is_allowed = subject.scopes.contains(scope) || client.exchange.may_get.contains(scope);
        if !is_allowed {
            return Err(OAuthError::invalid_scope(scope));
        }
    }
    Ok(scopes)
}
