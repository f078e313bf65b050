//! What is asked of a token endpoint for each grant, and whether the answer is what was asked for.

use base64_simd::STANDARD;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::config::{ActorToken, DownstreamConfig, DownstreamGrant};
use crate::downstream_refusal::DownstreamRefusal;
use crate::issuer::{OAuthRefusal, TokenAnswer, TokenForm};
use crate::json::read_object;
use crate::scope::Scopes;

use super::DownstreamError;
use super::id_jag::{object_in, payload_of_jwt};

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
/// Longer claims would not fit the header of a challenge.
const MAX_CLAIMS: usize = 4 * 1024;
/// Of Entra ID: the user or an administrator has not consented.
const NO_CONSENT: u64 = 65001;

/// Who acts for the caller, once it is known.
pub(super) struct Actor {
    pub(super) token: Zeroizing<String>,
    token_type: &'static str,
}

impl Actor {
    pub(super) fn new(token: Zeroizing<String>, how: &ActorToken) -> Self {
        let token_type = match how {
            ActorToken::ClientCredentials => ACCESS_TOKEN,
            ActorToken::File(_) => JWT,
        };
        Self { token, token_type }
    }
}

/// The first question for a caller, or the only one.
pub(super) fn form_for_caller(
    config: &DownstreamConfig,
    caller_token: &str,
    actor: Option<&Actor>,
    scopes: &Scopes,
) -> TokenForm {
    if config.grant == DownstreamGrant::OnBehalfOf {
        let mut form = vec![
            ("grant_type", JWT_BEARER.to_owned()),
            ("assertion", caller_token.to_owned()),
            ("requested_token_use", "on_behalf_of".to_owned()),
        ];
        add_target(&mut form, config, scopes);
        return form;
    }
    let mut form = vec![
        ("grant_type", TOKEN_EXCHANGE.to_owned()),
        ("subject_token", caller_token.to_owned()),
        ("subject_token_type", ACCESS_TOKEN.to_owned()),
        ("requested_token_type", requested_type(config).to_owned()),
    ];
    if let Some(known) = actor {
        form.push(("actor_token", known.token.to_string()));
        form.push(("actor_token_type", known.token_type.to_owned()));
    }
    add_target(&mut form, config, scopes);
    form
}

/// The question of the tool itself. An actor asks without a target.
pub(super) fn form_for_us(config: &DownstreamConfig, scopes: &Scopes) -> TokenForm {
    let mut form = vec![("grant_type", "client_credentials".to_owned())];
    if config.grant == DownstreamGrant::ClientCredentials {
        add_target(&mut form, config, scopes);
    }
    form
}

/// The second question with an identity assertion.
pub(super) fn form_with_assertion(assertion: &str, scopes: &Scopes) -> TokenForm {
    let mut form = vec![("grant_type", JWT_BEARER.to_owned()), ("assertion", assertion.to_owned())];
    if !scopes.is_empty() {
        form.push(("scope", scopes.to_string()));
    }
    form
}

fn add_target(form: &mut TokenForm, config: &DownstreamConfig, scopes: &Scopes) {
    form.extend(config.audience.iter().map(|audience| ("audience", audience.clone())));
    form.extend(config.resource.iter().map(|resource| ("resource", resource.clone())));
    if !scopes.is_empty() {
        form.push(("scope", scopes.to_string()));
    }
}

fn requested_type(config: &DownstreamConfig) -> &str {
    match config.grant {
        DownstreamGrant::IdJag => ID_JAG,
        _ => config.requested_token_type.as_deref().unwrap_or(ACCESS_TOKEN),
    }
}

/// Whether the answer is what was asked for.
///
/// # Errors
/// What is wrong with it, for operators.
pub(super) fn check_answer(
    config: &DownstreamConfig,
    answer: &TokenAnswer,
    sent_tokens: &[&str],
    scopes: &Scopes,
) -> Result<(), String> {
    let is_assertion = config.grant == DownstreamGrant::IdJag;
    let token_type = if is_assertion { "N_A" } else { "Bearer" };
    if !answer.token_type.eq_ignore_ascii_case(token_type) {
        return Err(format!("its `token_type` is not {token_type}"));
    }
    let is_exchange = matches!(config.grant, DownstreamGrant::TokenExchange) || is_assertion;
    let requested = requested_type(config);
    if is_exchange && answer.issued_token_type.as_deref() != Some(requested) {
        return Err(format!("its `issued_token_type` is not {requested}"));
    }
    // Some servers leave out who acts, and say nothing of it. What an opaque token says, only its server knows.
    if config.actor_token.is_some() && names_nobody_who_acts(&answer.access_token) {
        return Err("it does not say who acts for the caller (`act`)".to_owned());
    }
    check_token(answer, sent_tokens, scopes)
}

/// Whether it is a JWT without `act`, or looks like one that cannot be read.
fn names_nobody_who_acts(token: &str) -> bool {
    let Some(payload) = payload_of_jwt(token) else { return false };
    let claims = object_in(payload);
    !claims.is_ok_and(|known| known.get("act").is_some_and(Value::is_object))
}

/// Whether an answer to the second question, or to one of the tool's own, is what was asked for.
///
/// # Errors
/// What is wrong with it, for operators.
pub(super) fn check_bearer_answer(
    answer: &TokenAnswer,
    sent_tokens: &[&str],
    scopes: &Scopes,
) -> Result<(), String> {
    if !answer.token_type.eq_ignore_ascii_case("Bearer") {
        return Err("its `token_type` is not Bearer".to_owned());
    }
    check_token(answer, sent_tokens, scopes)
}

fn check_token(answer: &TokenAnswer, sent_tokens: &[&str], scopes: &Scopes) -> Result<(), String> {
    if sent_tokens.contains(&&**answer.access_token) {
        return Err("it gave back the token that it was sent".to_owned());
    }
    let Some(granted) = answer.scope.as_ref().filter(|_| !scopes.is_empty()) else { return Ok(()) };
    if scopes.have_default() || scopes.contains_all(granted) {
        return Ok(());
    }
    Err(format!("it grants [{}], and [{scopes}] was asked for", granted.well_formed()))
}

/// What a refusal means to the caller, or to the operator.
pub(super) fn error_of(config: &DownstreamConfig, refusal: &OAuthRefusal) -> DownstreamError {
    if config.grant == DownstreamGrant::ClientCredentials {
        return DownstreamError::Refused;
    }
    if let Some(claims) = refusal.claims.as_deref().filter(|claims| are_claims(claims)) {
        let encoded = STANDARD.encode_to_string(claims);
        return DownstreamError::Caller(DownstreamRefusal::StepUp { claims: encoded });
    }
    let needs_consent = refusal.error == "consent_required" || refusal.codes.contains(&NO_CONSENT);
    if needs_consent {
        let scopes = config.consent_scopes.clone();
        return DownstreamError::Caller(DownstreamRefusal::ConsentRequired { scopes });
    }
    match refusal.error.as_str() {
        "invalid_grant"
        | "interaction_required"
        | "login_required"
        | "insufficient_user_authentication" => {
            DownstreamError::Caller(DownstreamRefusal::SignInAgain)
        }
        _ => DownstreamError::Refused,
    }
}

/// Whether it is what a client can send on: a JSON object that fits a header.
fn are_claims(text: &str) -> bool {
    text.len() <= MAX_CLAIMS && read_object(text).is_ok()
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::*;
    use crate::issuer::read_token_answer;

    fn refusal(value: &serde_json::Value) -> OAuthRefusal {
        let codes = value["codes"]
            .as_array()
            .map(|list| list.iter().filter_map(|one| one.as_u64()).collect());
        OAuthRefusal {
            error: value["error"].as_str().unwrap().to_owned(),
            description: String::new(),
            claims: value["claims"].as_str().map(str::to_owned),
            codes: codes.unwrap_or_default(),
        }
    }

    #[test]
    fn a_token_must_say_who_acts_where_somebody_was_named() {
        let part = |claims: serde_json::Value| {
            base64_simd::URL_SAFE_NO_PAD.encode_to_string(claims.to_string())
        };
        let rows = [
            (format!("h.{}.s", part(json!({ "act": { "sub": "x" } }))), false),
            (format!("h.{}.s", part(json!({ "act": "x" }))), true),
            (format!("h.{}.s", part(json!({}))), true),
            ("a.b.c".to_owned(), true),
            ("opaque".to_owned(), false),
            ("a.b.c.d.e".to_owned(), false),
        ];
        for (token, expected) in rows {
            assert_eq!(names_nobody_who_acts(&token), expected, "{token}");
        }
    }

    #[test]
    fn a_scope_that_looks_like_one_that_was_asked_for_is_another() {
        for (granted, is_usable) in [
            ("reports:read", true),
            ("reports:read reports:read", true),
            ("", true),
            ("reports:Read", false),
            ("reports:read,admin", false),
            ("reports:read\tadmin", false),
            ("reports:read\u{a0}admin", false),
            ("reports:read admin", false),
            ("reports:read/.default", false),
            ("*", false),
        ] {
            let body = json!({ "access_token": "a", "token_type": "Bearer", "scope": granted });
            let answer = read_token_answer(StatusCode::OK, body.to_string().as_bytes());
            let asked = Scopes::parse("reports:read");
            let is_right =
                answer.is_ok_and(|answer| check_bearer_answer(&answer, &[], &asked).is_ok());
            assert_eq!(is_right, is_usable, "{granted:?}");
        }
    }

    #[test]
    fn a_refusal_says_who_can_do_something_about_it() {
        let config = DownstreamConfig {
            grant: DownstreamGrant::OnBehalfOf,
            consent_scopes: Scopes::parse("mcp.all"),
            ..DownstreamConfig::default()
        };
        let sign_in = DownstreamError::Caller(DownstreamRefusal::SignInAgain);
        let scopes = Scopes::parse("mcp.all");
        let consent = DownstreamError::Caller(DownstreamRefusal::ConsentRequired { scopes });
        let claims = STANDARD.encode_to_string("{\"a\":1}");
        let step_up = DownstreamError::Caller(DownstreamRefusal::StepUp { claims });
        let rows = [
            (json!({ "error": "invalid_grant" }), &sign_in),
            (json!({ "error": "interaction_required" }), &sign_in),
            (json!({ "error": "interaction_required", "claims": "{\"a\":1}" }), &step_up),
            (json!({ "error": "interaction_required", "claims": "no json" }), &sign_in),
            (json!({ "error": "interaction_required", "claims": "[]" }), &sign_in),
            (
                json!({ "error": "invalid_grant", "claims": format!("{{\"a\":\"{}\"}}", "x".repeat(5000)) }),
                &sign_in,
            ),
            (json!({ "error": "invalid_grant", "codes": [65001] }), &consent),
            (json!({ "error": "consent_required" }), &consent),
            (json!({ "error": "invalid_client" }), &DownstreamError::Refused),
            (json!({ "error": "invalid_target" }), &DownstreamError::Refused),
            (json!({ "error": "unheard_of" }), &DownstreamError::Refused),
        ];
        for (said, expected) in rows {
            assert_eq!(&error_of(&config, &refusal(&said)), expected, "{said}");
        }
        let own = DownstreamConfig { grant: DownstreamGrant::ClientCredentials, ..config };
        let refused = refusal(&json!({ "error": "invalid_grant" }));
        assert_eq!(error_of(&own, &refused), DownstreamError::Refused);
    }
}
