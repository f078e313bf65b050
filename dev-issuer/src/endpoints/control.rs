//! The endpoints under `/dev/`: what [`DevIssuer`](crate::DevIssuer) offers, for tests in other languages.
//!
//! They mint any token for anyone, so that the gate refuses them to web pages.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::issuer::Issuer;
use crate::mint::Mint;
use crate::mode::Mode;
use crate::oauth_error::OAuthError;
use crate::params::Params;

/// A token as the form describes it; see [`Mint`] for the words.
pub(super) async fn mint(
    State(issuer): State<Arc<Issuer>>,
    body: Bytes,
) -> Result<String, OAuthError> {
    let mut token = Mint::new(issuer);
    let mut audiences = Vec::new();
    let mut is_opaque = false;
    for (name, value) in Params::parse(&body).iter() {
        token = match name {
            "user" => token.subject(value),
            "resource" => {
                audiences.push(value.to_owned());
                token.audiences(&audiences)
            }
            "scope" => token.scope(value),
            "client_id" => token.client_id(value),
            "issuer" => token.issuer(value),
            "expires_in" => token.expires_in(parsed(name, value)?),
            "not_before_in" => token.not_before_in(parsed(name, value)?),
            "issued_at" => token.issued_at(parsed(name, value)?),
            "alg" => token.algorithm(parsed(name, value)?),
            "typ" => token.header("typ", value),
            "without" => token.without(value),
            "without_header" => token.without_header(value),
            "opaque" => {
                is_opaque = value == "true";
                token
            }
            "broken" => token.broken(parsed(name, value)?),
            _ => match name.split_once('.') {
                Some(("claim", claim)) => token.claim(claim, json_or_string(value)),
                Some(("header", header)) => token.header(header, json_or_string(value)),
                _ => return Err(OAuthError::invalid_request(format!("{name} is unknown"))),
            },
        };
    }
    Ok(if is_opaque { token.opaque() } else { token.sign() })
}

/// A new key; `?drop=true` unpublishes the old ones.
pub(super) async fn rotate(
    State(issuer): State<Arc<Issuer>>,
    RawQuery(raw_query): RawQuery,
) -> StatusCode {
    let query = Params::parse(raw_query.unwrap_or_default().as_bytes());
    issuer.keys.rotate(!query.repeated("drop").any(|drop| drop == "true"));
    StatusCode::NO_CONTENT
}

/// `mode=online`, `offline`, `hang`, `garbage` or `status:NNN`.
pub(super) async fn mode(
    State(issuer): State<Arc<Issuer>>,
    body: Bytes,
) -> Result<StatusCode, OAuthError> {
    let form = Params::parse(&body);
    issuer.set_mode(parsed::<Mode>("mode", form.required("mode")?)?);
    Ok(StatusCode::NO_CONTENT)
}

/// How many requests each endpoint received.
pub(super) async fn requests(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    let requests = issuer.counters.snapshot();
    Json(json!({
        "metadata": requests.metadata,
        "jwks": requests.jwks,
        "token": requests.token,
        "authorize": requests.authorize,
        "register": requests.register,
        "introspect": requests.introspect,
        "revoke": requests.revoke,
    }))
}

fn parsed<T: FromStr>(name: &str, value: &str) -> Result<T, OAuthError> {
    value.parse().map_err(|_| OAuthError::invalid_request(format!("{name} cannot be {value}")))
}

/// `claim.roles=["admin"]` is an array, `claim.tenant=acme` a string.
fn json_or_string(value: &str) -> Value {
    serde_json::from_str(value).unwrap_or_else(|_| value.into())
}
