//! The authorization endpoint: reads the request, asks the user, and sends the client a code or an error.

mod page;
mod recipient;
mod request;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use recipient::Recipient;

use crate::clock::now;
use crate::grants::AuthorizationRequest;
use crate::issuer::Issuer;
use crate::oauth_error::OAuthError;
use crate::params::Params;
use crate::user::User;

/// A longer query is not kept until the user decides.
const MAX_QUERY_BYTES: usize = 16 * 1024;

/// RFC 6749 §4.1.1: checks the request and asks the user.
pub(super) async fn ask(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    RawQuery(raw_query): RawQuery,
) -> Response {
    let query = raw_query.unwrap_or_default();
    if is_of_a_foreign_page(&headers) {
        return page::error(&OAuthError::invalid_request("a page may only lead its user here"));
    }
    if query.len() > MAX_QUERY_BYTES {
        return page::error(&OAuthError::invalid_request("the request is over 16 KiB"));
    }
    let params = Params::parse(query.as_bytes());
    let recipient = match Recipient::find(&issuer, &params).await {
        Ok(recipient) => recipient,
        Err(error) => return page::error(&error),
    };
    let request = match request::parse(&issuer, &params, &recipient) {
        Ok(request) => request,
        Err(error) => return redirect(&recipient.error_uri(&issuer, &error)),
    };
    let user = suggested_user(&issuer, &request);
    if !recipient.needs_page(&issuer) {
        return approve(&issuer, &request, user, request.scopes.clone());
    }
    let id = issuer.grants().add_request(request.clone(), now());
    page::consent(&issuer, &request, &id, user)
}

/// Takes the user's decision from the consent form.
pub(super) async fn decide(State(issuer): State<Arc<Issuer>>, body: Bytes) -> Response {
    let form = Params::parse(&body);
    match decision(&issuer, &form) {
        Ok(response) => response,
        Err(error) => page::error(&error),
    }
}

fn decision(issuer: &Issuer, form: &Params) -> Result<Response, OAuthError> {
    let id = form.required("request")?;
    let request = issuer.grants().request(id, now()).cloned().ok_or_else(|| {
        OAuthError::invalid_request("this request was decided before, or has expired")
    })?;
    let granted: Vec<String> = request
        .scopes
        .iter()
        .filter(|scope| form.repeated("scope").any(|ticked| ticked == *scope))
        .cloned()
        .collect();
    let is_empty = granted.is_empty() && !request.scopes.is_empty();
    let response = match form.required("decision")? {
        "approve" if !is_empty => {
            let user = issuer
                .settings
                .user(form.required("user")?)
                .ok_or_else(|| OAuthError::invalid_request("there is no such user"))?;
            approve(issuer, &request, user, granted)
        }
        "approve" | "deny" => {
            let denied = OAuthError::new("access_denied", "the user denied the request");
            redirect(&Recipient::of(&request).error_uri(issuer, &denied))
        }
        _ => return Err(OAuthError::invalid_request("decision is approve or deny")),
    };
    issuer.grants().remove_request(id);
    Ok(response)
}

fn approve(
    issuer: &Issuer,
    request: &AuthorizationRequest,
    user: &User,
    scopes: Vec<String>,
) -> Response {
    issuer.clients.keep_approved(&request.client);
    let code = issuer.grants().approve(request, &user.subject, scopes, now());
    redirect(&Recipient::of(request).response_uri(issuer, &[("code", &code)]))
}

/// By `login_hint`, a subject or an email address; else the first.
fn suggested_user<'a>(issuer: &'a Issuer, request: &AuthorizationRequest) -> &'a User {
    let users = &issuer.settings.users;
    let Some(hint) = &request.login_hint else { return &users[0] };
    let hinted = users.iter().find(|user| {
        let is_email = user.email.as_ref() == Some(hint);
        user.subject == *hint || is_email
    });
    hinted.unwrap_or(&users[0])
}

/// Whether a page of another site asks by itself (`fetch`, a frame, an image) instead of sending its
/// user: it would learn from the time it takes what answers at the URL that it gives as `client_id`.
fn is_of_a_foreign_page(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let destination = headers.get("sec-fetch-dest").map(HeaderValue::as_bytes);
    let is_foreign = matches!(site, Some(b"cross-site" | b"same-site"));
    is_foreign && destination != Some(b"document")
}

fn redirect(uri: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(uri) else {
        return page::error(&OAuthError::invalid_request("redirect_uri is not ASCII"));
    };
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}
