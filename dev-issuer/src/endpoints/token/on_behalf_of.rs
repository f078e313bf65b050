//! The on-behalf-of flow, in the shape that Entra ID documents: RFC 7523 with `requested_token_use`.

use std::sync::Arc;

use serde_json::json;

use super::subject::Subject;
use super::target::check_target;
use super::token_response::{TokenAnswer, TokenResponse};
use crate::clients::Client;
use crate::endpoints::requested::requested_scopes;
use crate::issuer::Issuer;
use crate::oauth_error::OAuthError;
use crate::params::Params;

/// The value of `requested_token_use`.
pub(super) const TOKEN_USE: &str = "on_behalf_of";
/// What a scope without a resource belongs to: Microsoft Graph, as Entra ID has it.
const GRAPH: &str = "00000003-0000-0000-c000-000000000000";

/// The assertion is an access token of a user. Scopes have the form `RESOURCE/NAME`, or `RESOURCE/.default` for all that the client
/// may get, and are of one resource.
pub(super) fn exchange(
    issuer: &Arc<Issuer>,
    client: &Client,
    params: &Params,
) -> Result<TokenAnswer, OAuthError> {
    let assertion = params.required("assertion")?;
    let subject = Subject::of_access_token(issuer, client, assertion)
        .map_err(|reason| OAuthError::invalid_grant(format!("AADSTS50013: {reason}")))?;
    if subject.is_client {
        let reason = "AADSTS50013: the assertion is of an application, which has no user";
        return Err(OAuthError::invalid_grant(reason));
    }
    params.required("scope")?;
    let asked = requested_scopes(issuer, params)?;
    let default_target = issuer.settings.default_audience.as_deref().unwrap_or(GRAPH);
    let mut targets: Vec<&str> =
        asked.iter().map(|scope| resource_of(scope).unwrap_or(default_target)).collect();
    targets.sort_unstable();
    targets.dedup();
    let [target] = targets.as_slice() else {
        let reason = "AADSTS28000: the scopes are of more than one resource";
        return Err(OAuthError::new("invalid_scope", reason));
    };
    check_target(client, target)?;

    let mut response = TokenResponse::new(issuer, &client.id, &subject.id);
    response.audiences = vec![(*target).to_owned()];
    for scope in &asked {
        let granted = granted_scopes(client, &subject, scope);
        if granted.is_empty() {
            return Err(OAuthError::invalid_scope(scope));
        }
        response.scopes.extend(granted);
    }
    let mut answer = response.of_subject(&subject, None);
    answer.insert("ext_expires_in".into(), json!(answer.get("expires_in")));
    Ok(answer)
}

/// `https://api.example/read` is a scope of `https://api.example`.
fn resource_of(scope: &str) -> Option<&str> {
    scope.rsplit_once('/').map(|(resource, _)| resource)
}

/// The scope itself, if the client may have it; for `.default` all that it may get at this resource.
fn granted_scopes(client: &Client, subject: &Subject, scope: &str) -> Vec<String> {
    let allowed = client.exchange.may_get.iter().chain(&subject.scopes);
    let granted = match scope.strip_suffix("/.default") {
        Some(resource) => allowed.filter(|one| resource_of(one) == Some(resource)).collect(),
        None => allowed.filter(|one| *one == scope).take(1).collect::<Vec<_>>(),
    };
    granted.into_iter().cloned().collect()
}
