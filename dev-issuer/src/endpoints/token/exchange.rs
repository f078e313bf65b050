//! Token exchange (RFC 8693): a token of this issuer for another one, of the same user.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::id_jag;
use super::subject::Subject;
use super::target::{exchange_scopes, exchange_targets};
use super::token_response::{TokenAnswer, TokenResponse};
use crate::clients::Client;
use crate::issuer::Issuer;
use crate::oauth_error::OAuthError;
use crate::params::Params;

/// RFC 8693 §3.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// draft-ietf-oauth-identity-assertion-authz-grant §4.3.
pub(super) const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// RFC 8693 §2: impersonation, and delegation when there is an actor's token. RFC 8693 §2.2.2: a token that does not hold is
/// `invalid_request`, other than with the rest of OAuth.
pub(super) fn exchange(
    issuer: &Arc<Issuer>,
    client: &Client,
    params: &Params,
) -> Result<TokenAnswer, OAuthError> {
    let subject = token(issuer, client, params, "subject_token", "subject_token_type")?
        .ok_or_else(|| OAuthError::invalid_request("subject_token is missing"))?;
    let actor = token(issuer, client, params, "actor_token", "actor_token_type")?;
    if actor.as_ref().is_some_and(|actor| !subject.lets_act(actor)) {
        return Err(OAuthError::invalid_request("the subject_token names another actor"));
    }
    let issued_token_type = params.optional("requested_token_type")?.unwrap_or(ACCESS_TOKEN);
    let mut answer = match issued_token_type {
        ID_JAG => id_jag::issue(issuer, client, &subject, params)?,
        ACCESS_TOKEN | JWT => {
            let mut response = TokenResponse::new(issuer, &client.id, &subject.id);
            response.audiences = exchange_targets(issuer, client, params)?;
            response.scopes = exchange_scopes(issuer, client, &subject, params)?;
            response.of_subject(&subject, act(&subject, actor))
        }
        _ => return Err(OAuthError::invalid_request("this requested_token_type is not issued")),
    };
    answer.insert("issued_token_type".into(), json!(issued_token_type));
    Ok(answer)
}

/// A token of the request, with its type: both are there, or none.
fn token(
    issuer: &Issuer,
    client: &Client,
    params: &Params,
    name: &str,
    type_name: &str,
) -> Result<Option<Subject>, OAuthError> {
    let (value, token_type) = match (params.optional(name)?, params.optional(type_name)?) {
        (None, None) => return Ok(None),
        (Some(value), Some(token_type)) => (value, token_type),
        _ => {
            let description = format!("{name} and {type_name} belong together");
            return Err(OAuthError::invalid_request(description));
        }
    };
    let subject = match token_type {
        ACCESS_TOKEN | JWT => Subject::of_access_token(issuer, client, value),
        ID_TOKEN => Subject::of_id_token(issuer, client, value),
        _ => Err("this token type is not taken"),
    };
    match subject {
        Ok(subject) => Ok(Some(subject)),
        Err(reason) => Err(OAuthError::invalid_request(format!("{name}: {reason}"))),
    }
}

/// RFC 8693 §4.1: who acts now, and within it who acted before.
fn act(subject: &Subject, actor: Option<Subject>) -> Option<Value> {
    let Some(actor) = actor else { return subject.act.clone() };
    let mut act = Map::new();
    act.insert("sub".into(), json!(actor.id));
    if let Some(earlier) = &subject.act {
        act.insert("act".into(), earlier.clone());
    }
    Some(Value::Object(act))
}
