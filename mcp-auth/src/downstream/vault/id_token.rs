//! Who sits before a browser: an ID token (OpenID Connect Core §2) that came from the token endpoint.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::issuer::{Issuer, VerifyError};
use crate::jose::{Jws, NamesIssuer, TokenLimits};
use crate::json::{JsonError, JsonReader, Object};

/// The only claim that is read of a token that nobody has verified.
#[derive(Default)]
struct UnverifiedIdToken<'t> {
    issuer: Option<Cow<'t, str>>,
}

impl<'t> Object<'t> for UnverifiedIdToken<'t> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'t>) -> Result<(), JsonError> {
        match name {
            "iss" => self.issuer = Some(value.string()?),
            _ => value.skip()?,
        }
        Ok(())
    }
}

impl NamesIssuer for UnverifiedIdToken<'_> {
    fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }
}

/// Who has to have signed in, and for whom.
pub(super) struct ExpectedIdToken<'e> {
    pub(super) issuer: &'e str,
    pub(super) subject: &'e str,
    pub(super) client_id: &'e str,
    pub(super) nonce: &'e str,
    /// Its algorithm has to be in each of these lists, where a list has any.
    pub(super) algorithms: &'e [Vec<Algorithm>],
    /// How far clocks may be apart, in seconds.
    pub(super) tolerance: u64,
}

/// Why an ID token does not say what it has to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum IdTokenFault {
    /// It is good, and says that somebody else signed in.
    OtherUser,
    /// It is no good ID token for us, for this reason.
    Unusable(String),
    /// Nobody can tell now.
    Unavailable(String),
}

/// Whether the user who is expected has signed in.
pub(super) async fn check_id_token(
    issuer: &Arc<Issuer>,
    limits: &TokenLimits,
    id_token: &str,
    expected: &ExpectedIdToken<'_>,
) -> Result<(), IdTokenFault> {
    let mut buffer = Vec::new();
    let parsed = Jws::parse(id_token, limits, &mut buffer).map_err(unusable)?;
    let jws = parsed.read_claims::<UnverifiedIdToken<'_>>().map_err(unusable)?;
    // RFC 8725 §3.11: an access token or a logout token of the same issuer is no ID token.
    if jws.typ().is_some_and(|typ| !typ.eq_ignore_ascii_case("jwt")) {
        return Err(unusable("its `typ` is not `JWT`"));
    }
    if !expected.algorithms.iter().all(|allowed| jws.is_signed_as(allowed)) {
        return Err(unusable("its algorithm is none of the configured `algorithms`"));
    }
    let verified = issuer.verify(&jws, issuer.now()).await.map_err(|error| match error {
        VerifyError::Unavailable(fault) => IdTokenFault::Unavailable(fault.reason),
        VerifyError::BadSignature { .. } | VerifyError::UnknownKey => {
            unusable("its signature is not verified by a key of its issuer")
        }
    })?;
    let claims = verified.jws.all_claims().map_err(unusable)?;
    check_claims(&claims, expected, verified.now)
}

/// The checks of OpenID Connect Core §3.1.3.7.
fn check_claims(
    claims: &Map<String, Value>,
    expected: &ExpectedIdToken<'_>,
    now: u64,
) -> Result<(), IdTokenFault> {
    if !has_text(claims, "iss", expected.issuer) {
        return Err(unusable("its `iss` is another issuer"));
    }
    let is_for_us = match claims.get("aud") {
        Some(Value::Array(all)) => all.len() == 1 && all[0] == expected.client_id,
        Some(audience) => audience == expected.client_id,
        None => false,
    };
    if !is_for_us {
        return Err(unusable("its `aud` is not our client alone"));
    }
    if claims.contains_key("azp") && !has_text(claims, "azp", expected.client_id) {
        return Err(unusable("its `azp` is another client"));
    }
    if !has_text(claims, "nonce", expected.nonce) {
        return Err(unusable("its `nonce` is not the one that was sent"));
    }
    let times = [claims.get("exp"), claims.get("iat")];
    let [Some(exp), Some(iat)] = times.map(|claim| claim.and_then(Value::as_f64)) else {
        return Err(unusable("its `exp` or `iat` is no time"));
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
    let (seconds, tolerance) = (now as f64, expected.tolerance as f64);
    if exp + tolerance <= seconds || iat - tolerance > seconds {
        return Err(unusable("it has ended, or is of the future"));
    }
    match claims.get("sub") {
        Some(Value::String(subject)) if subject == expected.subject => Ok(()),
        Some(Value::String(subject)) if !subject.is_empty() => Err(IdTokenFault::OtherUser),
        _ => Err(unusable("its `sub` is no text")),
    }
}

fn has_text(claims: &Map<String, Value>, name: &str, text: &str) -> bool {
    claims.get(name).is_some_and(|claim| claim == text)
}

fn unusable(reason: impl std::fmt::Display) -> IdTokenFault {
    IdTokenFault::Unusable(format!("the ID token: {reason}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_token_is_for_this_user_this_client_and_this_sign_in_alone() {
        let expected = ExpectedIdToken {
            issuer: "https://i.example",
            subject: "alice",
            client_id: "us",
            nonce: "n",
            algorithms: &[],
            tolerance: 60,
        };
        let good = json!({ "iss": "https://i.example", "sub": "alice", "aud": "us", "nonce": "n",
            "exp": 1100, "iat": 1000 });
        let check = |claims: &Value| check_claims(claims.as_object().unwrap(), &expected, 1000);
        assert_eq!(check(&good), Ok(()));
        let rows = [
            ("iss", json!("https://j.example")),
            ("iss", json!(null)),
            ("aud", json!("them")),
            ("aud", json!(["us", "them"])),
            ("aud", json!([])),
            ("aud", json!(null)),
            ("azp", json!("them")),
            ("azp", json!(null)),
            ("nonce", json!("m")),
            ("nonce", json!(null)),
            ("exp", json!(940)),
            ("exp", json!("1100")),
            ("iat", json!(1061)),
            ("iat", json!(null)),
            ("sub", json!("")),
            ("sub", json!(7)),
        ];
        for (claim, value) in rows {
            let mut claims = good.clone();
            claims[claim] = value;
            let fault = check(&claims);
            assert!(matches!(fault, Err(IdTokenFault::Unusable(_))), "{claims}");
        }
        for subject in ["bob", "Alice", "alice "] {
            let mut claims = good.clone();
            claims["sub"] = json!(subject);
            assert_eq!(check(&claims), Err(IdTokenFault::OtherUser), "{subject}");
        }
        let mut listed = good.clone();
        listed["aud"] = json!(["us"]);
        assert_eq!(check(&listed), Ok(()));
    }
}
