//! The token endpoint: authenticates the client, then leaves the answer to the file of the grant type.

mod client_credentials;
mod code;
mod exchange;
mod id_jag;
mod on_behalf_of;
mod other_issuer;
mod refresh;
mod subject;
mod target;
mod token_response;
mod wrong_answer;

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use token_response::TokenAnswer;

use crate::clients::{self, Client, GrantType};
use crate::issuer::Issuer;
use crate::mode::Mode;
use crate::oauth_error::OAuthError;
use crate::params::Params;
use crate::token_question::TokenQuestion;

/// RFC 6749 §3.2.
pub(super) async fn token(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, OAuthError> {
    let params = Params::form(&headers, &body)?;
    if let Some(question) = question(&params) {
        issuer.counters.count_question(question);
    }
    issuer.no_longer_held().await;
    let mode = issuer.mode();
    if let Mode::Token(token_mode) = mode
        && let Some(response) = wrong_answer::in_place_of_answer(&issuer, token_mode)
    {
        return Ok(response);
    }
    let answer = answer(&issuer, &headers, &params).await?;
    let text = match mode {
        Mode::Token(token_mode) => wrong_answer::changed(token_mode, answer, &params),
        _ => Json(answer).into_response(),
    };
    let no_store = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
    Ok((no_store, text).into_response())
}

/// What is asked, if it can be told. It is counted also when it is refused.
fn question(params: &Params) -> Option<TokenQuestion> {
    Some(match GrantType::from_name(readable(params, "grant_type")?)? {
        GrantType::AuthorizationCode => TokenQuestion::AuthorizationCode,
        GrantType::RefreshToken => TokenQuestion::RefreshToken,
        GrantType::ClientCredentials => TokenQuestion::ClientCredentials,
        GrantType::TokenExchange => match readable(params, "requested_token_type") {
            Some(exchange::ID_JAG) => TokenQuestion::IdJag,
            _ => TokenQuestion::TokenExchange,
        },
        GrantType::JwtBearer => match readable(params, "requested_token_use") {
            Some(on_behalf_of::TOKEN_USE) => TokenQuestion::OnBehalfOf,
            _ => TokenQuestion::JwtBearer,
        },
    })
}

/// A parameter that is there once.
fn readable<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    params.optional(name).ok()?
}

async fn answer(
    issuer: &Arc<Issuer>,
    headers: &HeaderMap,
    params: &Params,
) -> Result<TokenAnswer, OAuthError> {
    let client = clients::authenticate(&issuer.clients, headers, params)?;
    let grant_type = GrantType::from_name(params.required("grant_type")?).ok_or_else(|| {
        OAuthError::new("unsupported_grant_type", "this grant_type is not supported")
    })?;
    client.may_use(grant_type)?;
    if !GrantType::OF_PUBLIC_CLIENTS.contains(&grant_type) {
        refuse_without_own_credentials(&client, headers)?;
    }
    match grant_type {
        GrantType::AuthorizationCode => code::exchange(issuer, &client, params),
        GrantType::RefreshToken => refresh::exchange(issuer, &client, params),
        GrantType::ClientCredentials => client_credentials::exchange(issuer, &client, params),
        GrantType::TokenExchange => exchange::exchange(issuer, &client, params),
        GrantType::JwtBearer => match params.optional("requested_token_use")? {
            None => id_jag::redeem(issuer, &client, params).await,
            Some(on_behalf_of::TOKEN_USE) => on_behalf_of::exchange(issuer, &client, params),
            Some(_) => Err(OAuthError::invalid_request("requested_token_use is unknown")),
        },
    }
}

/// Grants that no user has consented to are for confidential clients that are no web page.
fn refuse_without_own_credentials(client: &Client, headers: &HeaderMap) -> Result<(), OAuthError> {
    if headers.contains_key(header::ORIGIN) {
        // A page in the developer's browser must not get a token without anyone's consent.
        return Err(OAuthError::new(
            "unauthorized_client",
            "web pages have no credentials of their own",
        ));
    }
    if client.secret.is_none() {
        return Err(OAuthError::invalid_client("a public client has no credentials"));
    }
    Ok(())
}
