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
use url::form_urlencoded;

use crate::issuer::Issuer;
use crate::mint::Mint;
use crate::mode::Mode;
use crate::oauth_error::OAuthError;
use crate::params::Params;
use crate::unknown_name::UnknownName;

/// The fields that `/dev/mint` takes, and what each sets. `docs/try.md` says the same.
const MINT_FIELDS: [(&str, &str); 15] = [
    ("user", "`sub`; a development user brings its own claims along"),
    ("resource", "`aud`, the server that the token is for; may be repeated"),
    ("scope", "`scope`, separated by spaces"),
    ("client_id", "`client_id`"),
    ("issuer", "`iss`, in place of this issuer"),
    ("expires_in", "`exp`, in seconds after `iat`; may be negative, for a token that has expired"),
    ("not_before_in", "`nbf`, in seconds after `iat`"),
    ("issued_at", "`iat`, in seconds since 1970"),
    ("claim.NAME", "a claim: JSON, or a text if the value is not JSON"),
    ("header.NAME", "a header parameter, likewise; `typ` is short for `header.typ`"),
    ("without", "leaves out this claim; may be repeated"),
    ("without_header", "leaves out this header parameter; may be repeated"),
    ("alg", "signs with this algorithm"),
    ("opaque", "`true`: the token is opaque, and the issuer answers about it"),
    ("broken", "makes a token that must be refused, such as `signature`"),
];

/// The fields of `/dev/mint`, for people.
pub(super) async fn describe_mint() -> String {
    let mut text = "POST a form to get a token. Fields:\n".to_owned();
    for (name, sets) in MINT_FIELDS {
        text.push_str(&format!("  {name:<16}{sets}\n"));
    }
    text
}

/// A token as the form describes it; see [`Mint`] for the words.
pub(super) async fn mint(
    State(issuer): State<Arc<Issuer>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<String, OAuthError> {
    refuse_unknown(query.as_deref().unwrap_or_default().as_bytes(), "the query", &[])?;
    let known: Vec<_> = MINT_FIELDS.iter().map(|(name, _)| *name).chain(["typ"]).collect();
    refuse_unknown(&body, "the form", &known)?;
    let form = Params::parse(&body);
    for name in known.iter().filter(|name| !MAY_BE_REPEATED.contains(name)) {
        form.optional(name)?;
    }
    let mut token = Mint::new(issuer);
    let mut audiences = Vec::new();
    let mut is_opaque = false;
    for (name, value) in form.iter() {
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
            "alg" => token.algorithm(named(value)?),
            "typ" => token.header("typ", value),
            "without" => token.without(value),
            "without_header" => token.without_header(value),
            "opaque" => {
                is_opaque = parsed(name, value)?;
                token
            }
            "broken" => token.broken(named(value)?),
            _ => match name.split_once('.') {
                Some(("claim", claim)) => token.claim(claim, json_or_string(value)),
                Some(("header", header)) => token.header(header, json_or_string(value)),
                _ => return Err(OAuthError::invalid_request(format!("{name} is unknown"))),
            },
        };
    }
    Ok(if is_opaque { token.opaque() } else { token.sign() })
}

const MAY_BE_REPEATED: [&str; 3] = ["resource", "without", "without_header"];

/// Refuses what has a name that is not known, also without a value: a typing error must not make a token that is better
/// than was meant. A known name that ends with `NAME` stands for all that have something in its place.
fn refuse_unknown(encoded: &[u8], place: &str, known: &[&str]) -> Result<(), OAuthError> {
    for (name, _) in form_urlencoded::parse(encoded) {
        let is_known = known.iter().any(|one| match one.strip_suffix("NAME") {
            Some(prefix) => name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()),
            None => *one == name,
        });
        if !is_known {
            let takes = match known {
                [] => "nothing".to_owned(),
                names => names.join(", "),
            };
            let description = format!("{name} is unknown: {place} takes {takes}");
            return Err(OAuthError::invalid_request(description));
        }
    }
    Ok(())
}

/// A new key; `?drop=true` unpublishes the old ones.
pub(super) async fn rotate(
    State(issuer): State<Arc<Issuer>>,
    RawQuery(raw_query): RawQuery,
) -> Result<StatusCode, OAuthError> {
    let encoded = raw_query.unwrap_or_default();
    refuse_unknown(encoded.as_bytes(), "the query", &["drop"])?;
    let query = Params::parse(encoded.as_bytes());
    let drops = query.optional("drop")?.map(|drop| parsed("drop", drop)).transpose()?;
    issuer.keys.rotate(drops != Some(true));
    Ok(StatusCode::NO_CONTENT)
}

/// `mode=online`, `offline`, `hang`, `garbage`, `status:NNN` or `token:NAME`.
pub(super) async fn mode(
    State(issuer): State<Arc<Issuer>>,
    body: Bytes,
) -> Result<StatusCode, OAuthError> {
    refuse_unknown(&body, "the form", &["mode"])?;
    let form = Params::parse(&body);
    issuer.set_mode(named::<Mode>(form.required("mode")?)?);
    Ok(StatusCode::NO_CONTENT)
}

/// How many requests each endpoint received, and how many of each grant.
pub(super) async fn requests(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    let requests = issuer.counters.snapshot();
    let mut counts = json!({
        "metadata": requests.metadata,
        "jwks": requests.jwks,
        "authorize": requests.authorize,
        "register": requests.register,
        "introspect": requests.introspect,
        "revoke": requests.revoke,
    });
    for (name, count) in requests.of_tokens() {
        counts[name] = json!(count);
    }
    Json(counts)
}

/// One of a few; the fault lists them.
fn named<T: FromStr<Err = UnknownName>>(name: &str) -> Result<T, OAuthError> {
    name.parse().map_err(|unknown: UnknownName| OAuthError::invalid_request(unknown.to_string()))
}

fn parsed<T: FromStr>(name: &str, value: &str) -> Result<T, OAuthError> {
    value.parse().map_err(|_| OAuthError::invalid_request(format!("{name} cannot be {value}")))
}

/// `claim.roles=["admin"]` is an array, `claim.tenant=acme` a string.
fn json_or_string(value: &str) -> Value {
    serde_json::from_str(value).unwrap_or_else(|_| value.into())
}
