//! Whose something is, as JavaScript says it: callers whose requests have gone on, and tokens that are revoked.

use mcp_auth::revocation::Revocation;
use mcp_auth::{AuthInfo, Principal};
use napi::Error;
use napi::bindgen_prelude::Result;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// What makes a caller the same one as before, of what [`AuthInfo::json`] says.
#[derive(Deserialize)]
struct Described {
    issuer: String,
    subject: Option<String>,
    client_id: Option<String>,
}

/// A caller of a request before, for what is bound to them; `None` when the text does not come of [`AuthInfo::json`].
pub(crate) fn owner_of(caller: &str) -> Option<AuthInfo> {
    let described: Described = serde_json::from_str(caller).ok()?;
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), Value::from(described.issuer));
    if let Some(subject) = described.subject {
        claims.insert("sub".to_owned(), Value::from(subject));
    }
    if let Some(client_id) = described.client_id {
        claims.insert("client_id".to_owned(), Value::from(client_id));
    }
    AuthInfo::from_verified_claims(claims).ok()
}

/// A caller of a request before, with all that their token says.
///
/// # Errors
/// The text does not come of [`AuthInfo::json`].
pub(crate) fn caller_of(caller: &str) -> Result<AuthInfo> {
    let said: Said<'_> = serde_json::from_str(caller)?;
    let claims = said.claims.get();
    let whole = AuthInfo::from_verified_json_of(&said.issuer, claims, said.principal);
    whole.map_err(|error| Error::from_reason(error.to_string()))
}

#[derive(Deserialize)]
struct Said<'c> {
    issuer: String,
    principal: Principal,
    // As they were written: serde_json gives some member names a meaning when it makes a value.
    #[serde(borrow)]
    claims: &'c RawValue,
}

/// Tokens of an issuer: exactly one of the four.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Revoked {
    issuer: String,
    subject: Option<String>,
    client_id: Option<String>,
    sid: Option<String>,
    jti: Option<String>,
    issued_until: Option<u64>,
}

impl Revoked {
    /// What such a text, in JSON, says.
    pub(crate) fn read(text: &str) -> Result<Revocation> {
        let Self { issuer, subject, client_id, sid, jti, issued_until } =
            serde_json::from_str(text)?;
        let revocation = match (subject, client_id, sid, jti) {
            (Some(subject), None, None, None) => Revocation::of_subject(issuer, subject),
            (None, Some(client_id), None, None) => Revocation::of_client(issuer, client_id),
            (None, None, Some(sid), None) => Revocation::of_session(issuer, sid),
            (None, None, None, Some(jti)) => Revocation::of_token(issuer, jti),
            _ => return Err(Error::from_reason("one of subject, clientId, sid and jti is needed")),
        };
        Ok(match issued_until {
            Some(seconds) => revocation.issued_until(seconds),
            None => revocation,
        })
    }
}
