mod page;
mod request;

pub(crate) use request::{AuthorizationRequest, resources};

use std::sync::Arc;

use crate::User;
use crate::core::{Core, now};
use crate::http::{OAuthError, Params};
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use request::Recipient;

/// A longer query is not kept until the user decides.
const MAX_QUERY_BYTES: usize = 16 * 1024;

/// RFC 6749 §4.1.1: checks the request and asks the user.
pub(super) async fn ask(
    State(core): State<Arc<Core>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    if is_of_a_foreign_page(&headers) {
        return page::error(&OAuthError::invalid_request("a page may only lead its user here"));
    }
    if query.len() > MAX_QUERY_BYTES {
        return page::error(&OAuthError::invalid_request("the request is over 16 KiB"));
    }
    let params = Params::parse(query.as_bytes());
    let recipient = match Recipient::find(&core, &params).await {
        Ok(recipient) => recipient,
        Err(error) => return page::error(&error),
    };
    let request = match AuthorizationRequest::parse(&core, &params, &recipient) {
        Ok(request) => request,
        Err(error) => return redirect(&recipient.error_uri(&core, &error)),
    };
    let user = suggested_user(&core, &request);
    if !recipient.needs_page(&core) {
        return approve(&core, &request, user, request.scopes.clone());
    }
    let id = core.grants().ask(request.clone(), now());
    page::consent(&core, &request, &id, user)
}

/// Takes the user's decision from the consent form.
pub(super) async fn decide(State(core): State<Arc<Core>>, body: Bytes) -> Response {
    let form = Params::parse(&body);
    match decision(&core, &form) {
        Ok(response) => response,
        Err(error) => page::error(&error),
    }
}

fn decision(core: &Core, form: &Params) -> Result<Response, OAuthError> {
    let id = form.required("request")?;
    let request = core.grants().asked(id, now()).cloned().ok_or_else(|| {
        OAuthError::invalid_request("this request was decided before, or has expired")
    })?;
    let granted: Vec<String> = request
        .scopes
        .iter()
        .filter(|scope| form.all("scope").any(|ticked| ticked == *scope))
        .cloned()
        .collect();
    let is_empty = granted.is_empty() && !request.scopes.is_empty();
    let response = match form.required("decision")? {
        "approve" if !is_empty => {
            let user = core
                .settings
                .user(form.required("user")?)
                .ok_or_else(|| OAuthError::invalid_request("there is no such user"))?;
            approve(core, &request, user, granted)
        }
        "approve" | "deny" => {
            let denied = OAuthError::new("access_denied", "the user denied the request");
            redirect(&request.recipient().error_uri(core, &denied))
        }
        _ => return Err(OAuthError::invalid_request("decision is approve or deny")),
    };
    core.grants().decided(id);
    Ok(response)
}

fn approve(
    core: &Core,
    request: &AuthorizationRequest,
    user: &User,
    scopes: Vec<String>,
) -> Response {
    core.clients.keep(&request.client);
    let code = core.grants().approve(request, &user.subject, scopes, now());
    redirect(&request.recipient().response_uri(core, &[("code", &code)]))
}

/// By `login_hint`, a subject or an email address; else the first.
fn suggested_user<'a>(core: &'a Core, request: &AuthorizationRequest) -> &'a User {
    let users = &core.settings.users;
    let is_hinted = |user: &&User| {
        request.login_hint.is_some()
            && (request.login_hint.as_ref() == Some(&user.subject)
                || request.login_hint == user.email)
    };
    users.iter().find(is_hinted).unwrap_or(&users[0])
}

/// Whether a page of another site asks by itself (`fetch`, a frame, an image) instead of sending its
/// user: it would learn from the time it takes what answers at the URL that it gives as `client_id`.
fn is_of_a_foreign_page(headers: &HeaderMap) -> bool {
    let is = |name, value: &str| headers.get(name).is_some_and(|found| found == value);
    let is_foreign = is("sec-fetch-site", "cross-site") || is("sec-fetch-site", "same-site");
    is_foreign && !is("sec-fetch-dest", "document")
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
