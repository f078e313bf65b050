//! Its pages and its APIs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::account::{Accounts, Code, Grant, Issue, Tokens};
use super::{CLIENT_ID, CLIENT_SECRET};
use crate::params::Params;

type Shared = Arc<Mutex<Accounts>>;

pub(super) fn router(accounts: Shared) -> Router {
    Router::new()
        .route("/login/oauth/authorize", get(authorize))
        .route("/login/oauth/access_token", post(token))
        .route("/login/oauth/revoke", post(revoke))
        .route("/user", get(user))
        .route("/repos/{owner}/{name}/issues", get(list_issues).post(open_issue))
        .with_state(accounts)
}

/// A parameter that is there once.
fn text_of<'p>(params: &'p Params, name: &str) -> Option<&'p str> {
    params.optional(name).ok().flatten()
}

fn lock(accounts: &Shared) -> MutexGuard<'_, Accounts> {
    accounts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The page: its user agrees at once, or refuses.
async fn authorize(State(accounts): State<Shared>, RawQuery(query): RawQuery) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    let redirect_uri = text_of(&params, "redirect_uri").map(str::to_owned);
    let (Some(redirect_uri), Some(CLIENT_ID)) = (redirect_uri, text_of(&params, "client_id"))
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut known = lock(&accounts);
    let mut answer = form_urlencoded::Serializer::new(String::new());
    if known.refuses {
        answer.append_pair("error", "access_denied");
        answer.append_pair(
            "error_description",
            "The user has <b>denied</b> your application access.",
        );
    } else {
        let scope = text_of(&params, "scope").unwrap_or_default().replace(' ', ",");
        let grant = Grant { user: known.user.clone(), scope };
        let challenge = text_of(&params, "code_challenge").map(str::to_owned);
        let code = Code { grant, redirect_uri: redirect_uri.clone(), challenge };
        answer.append_pair("code", &known.give_code(code));
    }
    answer.append_pair("state", text_of(&params, "state").unwrap_or_default());
    Redirect::to(&format!("{redirect_uri}?{}", answer.finish())).into_response()
}

async fn token(State(accounts): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let mut known = lock(&accounts);
    known.token_requests += 1;
    if let Some((status, text)) = known.next_answer.take() {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return (status, [(header::CONTENT_TYPE, "application/json")], text).into_response();
    }
    let params = Params::parse(body.as_bytes());
    let answer = match tokens(&mut known, &headers, &params) {
        Ok(tokens) => answer_with(&tokens),
        Err(error) => json!({ "error": error, "error_description": "See the documentation." }),
    };
    let wants_json = headers.get(header::ACCEPT).is_some_and(|value| value == "application/json");
    if wants_json {
        return Json(answer).into_response();
    }
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in answer.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        form.append_pair(name, &text);
    }
    let form_type = [(header::CONTENT_TYPE, "application/x-www-form-urlencoded")];
    (form_type, form.finish()).into_response()
}

fn tokens(
    known: &mut Accounts,
    headers: &HeaderMap,
    params: &Params,
) -> Result<Tokens, &'static str> {
    if !is_our_client(headers, params) {
        return Err("incorrect_client_credentials");
    }
    if text_of(params, "grant_type") == Some("refresh_token") {
        let given = text_of(params, "refresh_token").unwrap_or_default();
        let grant = known.take_refresh(given).ok_or("bad_refresh_token")?;
        return Ok(known.give_tokens(&grant));
    }
    let given = text_of(params, "code").unwrap_or_default();
    let code = known.take_code(given).ok_or("bad_verification_code")?;
    if text_of(params, "redirect_uri") != Some(code.redirect_uri.as_str()) {
        return Err("redirect_uri_mismatch");
    }
    let verifier = text_of(params, "code_verifier").unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    let shown = URL_SAFE_NO_PAD.encode(digest);
    if code.challenge.as_ref().is_some_and(|challenge| *challenge != shown) {
        return Err("bad_verification_code");
    }
    Ok(known.give_tokens(&code.grant))
}

fn answer_with(tokens: &Tokens) -> Value {
    let mut answer = json!({
        "access_token": tokens.access, "token_type": "bearer", "scope": tokens.scope,
    });
    if let Some(refresh) = &tokens.refresh {
        answer["refresh_token"] = refresh.as_str().into();
        answer["expires_in"] = 28_800.into();
        answer["refresh_token_expires_in"] = 15_897_600.into();
    }
    answer
}

async fn revoke(State(accounts): State<Shared>, headers: HeaderMap, body: String) -> StatusCode {
    let params = Params::parse(body.as_bytes());
    if !is_our_client(&headers, &params) {
        return StatusCode::UNAUTHORIZED;
    }
    if let Ok(Some(token)) = params.optional("token") {
        lock(&accounts).revoke(token);
    }
    StatusCode::OK
}

/// In the header, or in the form.
fn is_our_client(headers: &HeaderMap, params: &Params) -> bool {
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    let in_header = headers.get(header::AUTHORIZATION).is_some_and(|value| *value == *basic);
    in_header
        || (text_of(params, "client_id"), text_of(params, "client_secret"))
            == (Some(CLIENT_ID), Some(CLIENT_SECRET))
}

async fn user(State(accounts): State<Shared>, headers: HeaderMap) -> Response {
    match signed_in(&lock(&accounts), &headers) {
        Some(grant) => Json(json!({ "login": grant.user })).into_response(),
        None => bad_credentials(),
    }
}

/// A repository is private to the user whose name it begins with.
async fn list_issues(
    State(accounts): State<Shared>,
    Path((owner, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let known = lock(&accounts);
    if let Some(origin) = &known.moved_to {
        let place = format!("{origin}/repos/{owner}/{name}/issues");
        return (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, place)]).into_response();
    }
    let Some(grant) = signed_in(&known, &headers) else { return bad_credentials() };
    if owner != grant.user {
        let message = json!({ "message": "Not Found" });
        return (StatusCode::NOT_FOUND, Json(message)).into_response();
    }
    let repository = format!("{owner}/{name}");
    let mut listed = Vec::new();
    for (index, issue) in known.issues.iter().enumerate() {
        if issue.repository == repository {
            listed.push(json!({
                "number": index + 1, "title": issue.title, "user": { "login": issue.author },
            }));
        }
    }
    Json(listed).into_response()
}

async fn open_issue(
    State(accounts): State<Shared>,
    Path((owner, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let mut known = lock(&accounts);
    let Some(grant) = signed_in(&known, &headers) else { return bad_credentials() };
    if !grant.scope.split(',').any(|scope| scope == "repo" || scope == "public_repo") {
        let message = json!({ "message": "Resource not accessible by integration" });
        return (StatusCode::FORBIDDEN, Json(message)).into_response();
    }
    let Ok(asked) = serde_json::from_str::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let title = asked["title"].as_str().unwrap_or_default().to_owned();
    let issue = Issue { repository: format!("{owner}/{name}"), title, author: grant.user };
    let number = known.issues.len() + 1;
    let answer =
        json!({ "number": number, "title": issue.title, "user": { "login": issue.author } });
    known.issues.push(issue);
    (StatusCode::CREATED, Json(answer)).into_response()
}

fn signed_in(known: &Accounts, headers: &HeaderMap) -> Option<Grant> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    known.user_of(value.strip_prefix("Bearer ")?).cloned()
}

fn bad_credentials() -> Response {
    (StatusCode::UNAUTHORIZED, Json(json!({ "message": "Bad credentials" }))).into_response()
}
