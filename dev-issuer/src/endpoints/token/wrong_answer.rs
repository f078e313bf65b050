//! Answers that are wrong in one way, as a [`TokenMode`] says.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

use super::token_response::TokenAnswer;
use crate::issuer::Issuer;
use crate::oauth_error::OAuthError;
use crate::params::Params;
use crate::token_mode::TokenMode;

/// The response of a mode that answers without looking at the request.
pub(super) fn in_place_of_answer(issuer: &Issuer, mode: TokenMode) -> Option<Response> {
    Some(match mode {
        TokenMode::Html => Html("<!doctype html><title>Sign in</title>").into_response(),
        TokenMode::Status(number) => {
            StatusCode::from_u16(number).unwrap_or(StatusCode::BAD_GATEWAY).into_response()
        }
        TokenMode::Redirect => {
            // The same server by another name, which is another origin.
            let path = format!("{}/token", issuer.base_path());
            let location = format!("http://localhost:{}{path}", issuer.address.port());
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response()
        }
        TokenMode::InteractionRequired => {
            let text = "AADSTS50076: Due to a configuration change made by your administrator, or because you moved to a new \
                        location, you must use multi-factor authentication to access the resource.";
            let claims = r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#;
            entra_error("interaction_required", 50076, text, ("claims", claims))
        }
        TokenMode::ConsentRequired => {
            let text =
                "AADSTS65001: The user or administrator has not consented to use the application.";
            entra_error("invalid_grant", 65001, text, ("suberror", "consent_required"))
        }
        TokenMode::Error(code) => {
            OAuthError::new(code, "the mode of this issuer says so").into_response()
        }
        _ => return None,
    })
}

/// An error in the shape that Entra ID documents, with the member that tells what to do.
fn entra_error(error: &str, number: u32, text: &str, (member, value): (&str, &str)) -> Response {
    let time = "2026-01-01 00:00:00Z";
    let trace = "00000000-0000-0000-0000-000000000001";
    let correlation = "00000000-0000-0000-0000-000000000002";
    let lines = format!("Trace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {time}");
    let body = json!({
        "error": error,
        "error_description": format!("{text}\r\n{lines}"),
        "error_codes": [number],
        "timestamp": time,
        "trace_id": trace,
        "correlation_id": correlation,
        member: value,
    });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

/// An answer that gives a token, changed in one place.
pub(super) fn changed(mode: TokenMode, mut answer: TokenAnswer, params: &Params) -> Response {
    match mode {
        TokenMode::OtherTokenType => drop(answer.insert("token_type".into(), json!("DPoP"))),
        TokenMode::OtherIssuedTokenType => {
            let saml = "urn:ietf:params:oauth:token-type:saml2";
            answer.insert("issued_token_type".into(), json!(saml));
        }
        TokenMode::WithoutIssuedTokenType => drop(answer.remove("issued_token_type")),
        TokenMode::WithoutExpiresIn => drop(answer.remove("expires_in")),
        TokenMode::MoreScopes => {
            let scope = match answer.get("scope").and_then(Value::as_str) {
                Some(scope) => format!("{scope} admin:everything"),
                None => "admin:everything".to_owned(),
            };
            answer.insert("scope".into(), json!(scope));
        }
        TokenMode::SameToken => {
            let sent = ["subject_token", "assertion", "refresh_token", "code"];
            let token = params.iter().find(|(name, _)| sent.contains(name));
            if let Some((_, token)) = token {
                answer.insert("access_token".into(), json!(token));
            }
        }
        TokenMode::RepeatedMember => {
            let text = Value::Object(answer).to_string();
            let repeated = text.replacen('{', r#"{"access_token":"another","#, 1);
            let json = [(header::CONTENT_TYPE, "application/json")];
            return (json, repeated).into_response();
        }
        _ => {}
    }
    Json(answer).into_response()
}
