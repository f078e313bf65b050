//! What the authorization server answered about a token.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde_json::{Map, Value};

use super::Introspector;
use super::question::SIGNED;
use crate::algorithm::Algorithm;
use crate::claims::Claims;
use crate::config::IntrospectionMethod;
use crate::error::TokenError;
use crate::issuer::VerifyError;
use crate::jose::{Jws, JwsError, MediaType, TokenLimits};
use crate::json::{JsonError, JsonLimits, StringOrList, read_object_within};

/// How large a signed answer may be, and what is in one.
const LIMITS: TokenLimits = TokenLimits {
    token_bytes: 256 * 1024,
    header_bytes: 4 * 1024,
    json: JsonLimits { depth: 32, members: 1024 },
};

impl Introspector {
    /// The claims of an active token, or `None`; what cannot be understood says nothing.
    pub(super) async fn read(
        &self,
        response: &Response<Bytes>,
    ) -> Result<Option<Map<String, Value>>, String> {
        if !response.status().is_success() {
            return self.refused(response);
        }
        match self.method {
            IntrospectionMethod::Rfc7662 => match &self.signed_answers {
                Some(rules) => active(self.verified(response, rules).await?),
                None => active(object(response.body())?),
            },
            IntrospectionMethod::GoogleTokeninfo => google(object(response.body())?).map(Some),
            IntrospectionMethod::GithubCheckToken => {
                github(&object(response.body())?, &self.client_id).map(Some)
            }
            IntrospectionMethod::DangerousUserinfo => userinfo(object(response.body())?).map(Some),
        }
    }

    /// Whether another status means that the token is not active, or that it was not looked at.
    fn refused(&self, response: &Response<Bytes>) -> Result<Option<Map<String, Value>>, String> {
        let status = response.status();
        let is_about_the_token = match self.method {
            // RFC 7662 §2.2 has another answer for that, but some issuers have this one too.
            IntrospectionMethod::Rfc7662 => {
                // Whatever else it says, the token was not looked at.
                let answer = object(response.body()).ok();
                let error = answer.as_ref().and_then(|object| object.get("error")?.as_str());
                let names_it = error == Some("invalid_token");
                status == StatusCode::BAD_REQUEST && names_it
            }
            IntrospectionMethod::GoogleTokeninfo => status == StatusCode::BAD_REQUEST,
            // Its 422 may mean that it was asked too often: that says nothing about the token.
            IntrospectionMethod::GithubCheckToken => status == StatusCode::NOT_FOUND,
            // RFC 6750 §3: a 403 without a challenge is somebody else's, such as a firewall's.
            IntrospectionMethod::DangerousUserinfo => {
                status == StatusCode::UNAUTHORIZED
                    || (status == StatusCode::FORBIDDEN
                        && response.headers().contains_key(header::WWW_AUTHENTICATE))
            }
        };
        if is_about_the_token {
            return Ok(None);
        }
        let ours = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
        let hint = if ours { "; is this client allowed to introspect?" } else { "" };
        Err(format!("status {}{hint}", status.as_u16()))
    }

    /// RFC 9701 §5: what a signed answer says, after all of it was checked as that of any JWT is.
    async fn verified(
        &self,
        response: &Response<Bytes>,
        rules: &SignedAnswerRules,
    ) -> Result<Map<String, Value>, String> {
        let content_type = response.headers().get(header::CONTENT_TYPE);
        let media_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !media_type.split(';').next().is_some_and(|one| one.trim().eq_ignore_ascii_case(SIGNED))
        {
            return Err(format!("the answer is {media_type:?} and not signed ({SIGNED})"));
        }
        let token = std::str::from_utf8(response.body()).map_err(|error| error.to_string())?;
        let mut buffer = Vec::new();
        let jws = Jws::parse(token.trim(), &LIMITS, &mut buffer).map_err(unreadable_signed)?;
        if jws.media_type() != MediaType::TokenIntrospection {
            return Err("the signed answer's `typ` is not token-introspection+jwt".to_owned());
        }
        rules.check_algorithm(jws.algorithm())?;
        let jws = jws.read_claims::<Claims<'_>>().map_err(|error| unusable(&error))?;
        let verified =
            self.issuer.verify(&jws, self.issuer.now()).await.map_err(|error| match error {
                VerifyError::BadSignature { .. } => {
                    "the answer's signature does not verify".to_owned()
                }
                VerifyError::UnknownKey => "the answer is signed with an unknown key".to_owned(),
                VerifyError::Unavailable(reason) => reason.reason,
            })?;
        let claims = verified.jws.claims();
        if claims.issuer.as_deref() != Some(self.issuer.identifier().as_str()) {
            return Err("the signed answer is of another issuer".to_owned());
        }
        if !claims.audience.iter().flat_map(StringOrList::iter).any(|one| one == self.client_id) {
            return Err("the signed answer is for another client".to_owned());
        }
        rules.check_time(claims, verified.now)?;
        let mut members = verified.jws.all_claims().map_err(|error| unusable(&error))?;
        match members.remove("token_introspection") {
            Some(Value::Object(answer)) => Ok(without_nulls(answer)),
            _ => Err("the signed answer has no `token_introspection`".to_owned()),
        }
    }
}

/// What a signed answer needs besides its signature, issuer and audience.
pub(crate) struct SignedAnswerRules {
    /// Accepted algorithms; empty for all supported ones.
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) clock_tolerance: Duration,
}

impl SignedAnswerRules {
    fn check_algorithm(&self, algorithm: Algorithm) -> Result<(), String> {
        if self.algorithms.is_empty() || self.algorithms.contains(&algorithm) {
            return Ok(());
        }
        Err(format!("the answer is signed with {algorithm}, which `algorithms` do not allow"))
    }

    fn check_time(&self, claims: &Claims<'_>, now: u64) -> Result<(), String> {
        match claims.check_time(self.clock_tolerance.as_secs(), now) {
            Ok(()) => Ok(()),
            Err(TokenError::Expired { exp, .. }) => {
                Err(format!("the signed answer expired at {exp}, and it is {now}"))
            }
            Err(_) => Err(format!("the signed answer is not valid yet; it is {now}")),
        }
    }
}

/// Why a text that should be a signed answer is none.
fn unreadable_signed(error: JwsError) -> String {
    match error {
        JwsError::Encrypted => "the answer is encrypted (JWE), which is not supported".to_owned(),
        JwsError::NotJws => "the answer is no signed JWT, though its media type says so".to_owned(),
        JwsError::TooLarge(_) => "the signed answer is too large".to_owned(),
        other => format!("the signed answer cannot be used: {other}"),
    }
}

fn object(body: &[u8]) -> Result<Map<String, Value>, String> {
    match read_object_within(body, LIMITS.json) {
        Ok(answer) => Ok(without_nulls(answer)),
        Err(error) => Err(unusable(&error)),
    }
}

pub(super) fn unusable(error: &JsonError) -> String {
    format!("the answer cannot be used: {error}")
}

/// What is `null` is not there: some servers write every member that they know, such as those of Spring.
fn without_nulls(mut answer: Map<String, Value>) -> Map<String, Value> {
    answer.retain(|_, value| !value.is_null());
    answer
}

/// Reads an answer in every way that is known, for tests of what that costs.
#[cfg(test)]
pub(crate) fn read_answer(body: &[u8]) {
    let Ok(answer) = object(body) else { return };
    let _ = github(&answer, "client");
    let _ = (google(answer.clone()), active(answer.clone()), userinfo(answer));
}

/// RFC 7662 §2.2. Only `true` is true.
fn active(mut answer: Map<String, Value>) -> Result<Option<Map<String, Value>>, String> {
    match answer.remove("active") {
        Some(Value::Bool(true)) => Ok(Some(answer)),
        Some(Value::Bool(false)) => Ok(None),
        _ => Err("the answer does not say whether the token is active".to_owned()),
    }
}

/// Numbers are texts there.
fn google(mut answer: Map<String, Value>) -> Result<Map<String, Value>, String> {
    for name in ["exp", "expires_in"] {
        let Some(Value::String(text)) = answer.get(name) else { continue };
        let number: u64 = text.parse().map_err(|_| format!("`{name}` is not a number"))?;
        answer.insert(name.to_owned(), number.into());
    }
    if !answer.contains_key("exp") {
        return Err("the answer has no `exp`".to_owned());
    }
    Ok(answer)
}

/// The members that correspond to claims. The answer repeats the token, which is left out.
fn github(answer: &Map<String, Value>, client_id: &str) -> Result<Map<String, Value>, String> {
    let user = member_at(answer, &["user", "id"])
        .and_then(Value::as_u64)
        .ok_or("the answer names no user")?;
    let scopes = member_at(answer, &["scopes"])
        .and_then(Value::as_array)
        .ok_or("the answer has no scopes")?;
    if member_at(answer, &["app", "client_id"]).and_then(Value::as_str) != Some(client_id) {
        return Err("the answer is about another application".to_owned());
    }
    let scope: Option<Vec<_>> = scopes.iter().map(Value::as_str).collect();
    let scope = scope.ok_or("a scope of the answer is not a text")?;
    let mut claims = Map::new();
    claims.insert("sub".to_owned(), user.to_string().into());
    claims.insert("client_id".to_owned(), client_id.into());
    claims.insert("scope".to_owned(), scope.join(" ").into());
    claims.extend(
        member_at(answer, &["user", "login"]).map(|login| ("login".to_owned(), login.clone())),
    );
    Ok(claims)
}

/// The value that these names lead to, each a member of the one before.
fn member_at<'a>(answer: &'a Map<String, Value>, path: &[&str]) -> Option<&'a Value> {
    path[1..].iter().try_fold(answer.get(path[0])?, |value, name| value.get(name))
}

/// OpenID Connect Core §5.3.2: `sub` is always there.
fn userinfo(mut answer: Map<String, Value>) -> Result<Map<String, Value>, String> {
    // It is about a person: what is granted it does not say, whatever it says.
    answer.retain(|name, _| !["scope", "scp", "scopes"].contains(&name.as_str()));
    match answer.get("sub") {
        Some(Value::String(_)) => Ok(answer),
        _ => Err("the answer has no `sub`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn only_true_is_active() {
        assert_eq!(
            active(map(json!({ "active": true, "sub": "a" }))),
            Ok(Some(map(json!({ "sub": "a" }))))
        );
        assert_eq!(active(map(json!({ "active": false }))), Ok(None));
        for odd in [json!("true"), json!(1), json!(null), json!(["true"]), json!({})] {
            assert!(active(map(json!({ "active": odd }))).is_err(), "{odd}");
        }
        assert!(active(Map::new()).is_err());
    }

    #[test]
    fn answers_with_two_members_of_one_name_are_not_used() {
        assert!(object(br#"{"active":false,"active":true}"#).is_err());
        assert!(object(br#"{"active":true,"a":{"b":1,"b":2}}"#).is_err());
        assert!(object(b"[]").is_err() && object(b"").is_err() && object(b"<html>").is_err());
    }

    #[test]
    fn texts_become_numbers_for_google() {
        let claims = google(map(json!({ "exp": "1800000000", "aud": "a" }))).unwrap();
        assert_eq!(claims["exp"], 1_800_000_000);
        assert!(google(map(json!({ "exp": "soon" }))).is_err());
        assert!(google(map(json!({ "aud": "a" }))).is_err());
    }

    #[test]
    fn of_github_only_claims_are_kept() {
        let answer = map(json!({
            "token": "gho_secret", "hashed_token": "h", "scopes": ["repo", "user"],
            "app": { "client_id": "Iv1" }, "user": { "id": 7, "login": "octocat" },
        }));
        let expected =
            json!({ "sub": "7", "client_id": "Iv1", "scope": "repo user", "login": "octocat" });
        assert_eq!(github(&answer, "Iv1"), Ok(map(expected)));
        assert!(github(&answer, "Iv2").is_err());
        let mut odd = answer.clone();
        odd["scopes"] = json!(["repo", 7]);
        assert!(github(&odd, "Iv1").is_err());
        assert!(github(&Map::new(), "Iv1").is_err());
    }
}
