//! The Identity Assertion JWT Authorization Grant: an ID-JAG for another authorization server, and access tokens for one of another
//! issuer (draft-ietf-oauth-identity-assertion-authz-grant).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::other_issuer;
use super::subject::{Subject, strings};
use super::target::{check_target, exchange_scopes};
use super::token_response::{TokenAnswer, TokenResponse};
use crate::clients::Client;
use crate::clock::now;
use crate::endpoints::requested::{narrowed_resources, requested_resources, requested_scopes};
use crate::issuer::Issuer;
use crate::jose::ID_JAG_TYP;
use crate::mint::Mint;
use crate::oauth_error::OAuthError;
use crate::params::Params;

/// An ID-JAG is redeemed at once.
const LIFETIME: u64 = 300;

/// An ID-JAG for the authorization server that `audience` names.
pub(super) fn issue(
    issuer: &Arc<Issuer>,
    client: &Client,
    subject: &Subject,
    params: &Params,
) -> Result<TokenAnswer, OAuthError> {
    let Some(audience) = params.optional("audience")? else {
        return Err(OAuthError::invalid_target("audience is missing"));
    };
    check_target(client, audience)?;
    if subject.is_client {
        return Err(OAuthError::invalid_request("subject_token: it is not of a user"));
    }
    let scope = exchange_scopes(issuer, client, subject, params)?.join(" ");
    let lifetime = subject.lifetime(LIFETIME);
    let mut token = Mint::new(issuer.clone())
        .subject(&subject.id)
        .audience(audience)
        .client_id(client.id_at(audience))
        .header("typ", ID_JAG_TYP)
        .expires_in(lifetime.try_into().unwrap_or(i64::MAX));
    if params.repeated("resource").next().is_some() {
        let resources = requested_resources(issuer, params)?;
        token = match resources.as_slice() {
            [one] => token.claim("resource", one.as_str()),
            several => token.claim("resource", json!(several)),
        };
    }
    let mut answer = Map::new();
    if !scope.is_empty() {
        token = token.scope(&scope);
        answer.insert("scope".into(), json!(scope));
    }
    answer.insert("access_token".into(), json!(token.sign()));
    // It is no access token, and not used as one.
    answer.insert("token_type".into(), json!("N_A"));
    answer.insert("expires_in".into(), json!(lifetime));
    Ok(answer)
}

/// RFC 7523 §2.1: an access token for the ID-JAG of an issuer that was named at the start.
pub(super) async fn redeem(
    issuer: &Arc<Issuer>,
    client: &Client,
    params: &Params,
) -> Result<TokenAnswer, OAuthError> {
    let assertion = params.required("assertion")?;
    let claims = other_issuer::verified_id_jag(issuer, assertion)
        .await
        .map_err(OAuthError::invalid_grant)?;
    validate(issuer, client, &claims).map_err(OAuthError::invalid_grant)?;
    let Some(subject) = claims.get("sub").and_then(Value::as_str) else {
        return Err(OAuthError::invalid_grant("the assertion has no subject"));
    };
    let mut response = TokenResponse::new(issuer, &client.id, subject);
    let resources = strings(&claims, "resource");
    response.audiences = if resources.is_empty() {
        requested_resources(issuer, params)?
    } else {
        narrowed_resources(&resources, params)?
    };
    let scope = claims.get("scope").and_then(Value::as_str).unwrap_or_default();
    response.scopes = scope.split_whitespace().map(str::to_owned).collect();
    if params.optional("scope")?.is_some() {
        let asked = requested_scopes(issuer, params)?;
        if let Some(wider) = asked.iter().find(|scope| !response.scopes.contains(scope)) {
            return Err(OAuthError::invalid_scope(wider));
        }
        response.scopes = asked;
    }
    Ok(response.without_user())
}

/// The claims of an ID-JAG, whose signature and issuer are known to be good.
fn validate(
    issuer: &Issuer,
    client: &Client,
    claims: &Map<String, Value>,
) -> Result<(), &'static str> {
    if strings(claims, "aud") != [issuer.identifier.clone()] {
        return Err("the assertion is for another authorization server");
    }
    if claims.get("client_id").and_then(Value::as_str) != Some(&client.id) {
        return Err("the assertion is for another client");
    }
    if seconds(claims, "exp").is_none_or(|exp| exp <= now()) {
        return Err("the assertion has expired");
    }
    if seconds(claims, "iat").is_none_or(|iat| iat > now() + 60) {
        return Err("the assertion was issued in the future");
    }
    Ok(())
}

/// A claim that is a time, in seconds since the Unix epoch.
fn seconds(claims: &Map<String, Value>, name: &str) -> Option<u64> {
    claims.get(name)?.as_u64()
}
