//! Step 2b: the claims of a token whose signature has been verified, against our rules.

use std::borrow::Cow;
use std::time::Duration;

use super::IssuerRules;
use super::token_checks::Checks;
use crate::claims::Claims;
use crate::error::TokenError;
use crate::identifier::ResourceIdentifier;
use crate::json::StringOrList;

/// What a token must fulfil besides its signature and issuer.
#[derive(Debug, PartialEq)]
pub(crate) struct Rules {
    pub(crate) resource: ResourceIdentifier,
    /// Audiences accepted besides the resource itself; exact.
    pub(crate) audiences: Vec<String>,
    /// Whether access tokens for others are accepted too.
    pub(crate) accept_any_audience: bool,
    pub(crate) clock_tolerance: Duration,
}

impl Claims<'_> {
    /// RFC 9068 §4 and RFC 8725, but for signature and issuer, which are checked by now. Says `exp`.
    pub(crate) fn validate(
        &self,
        rules: &Rules,
        issuer: &IssuerRules,
        now: u64,
    ) -> Result<u64, TokenError> {
        self.check_kind()?;
        let expires_at = self.exp.ok_or(TokenError::MissingClaim { claim: "exp" })?;
        self.check_time(rules.clock_tolerance.as_secs(), now)?;
        self.check_recipient(rules, issuer)?;
        self.check_confirmation()?;
        Ok(expires_at)
    }

    /// The same for what an issuer says of an opaque token, where `exp` is optional (RFC 7662 §2.2).
    pub(crate) fn validate_introspected(
        &self,
        rules: &Rules,
        issuer: &IssuerRules,
        binds_audience: bool,
        now: u64,
    ) -> Result<(), TokenError> {
        self.check_kind()?;
        self.check_token_type()?;
        self.check_time(rules.clock_tolerance.as_secs(), now)?;
        if binds_audience {
            self.check_recipient(rules, issuer)?;
        }
        self.check_confirmation()
    }

    /// The same checks one by one, for people.
    pub(super) fn explain(
        &self,
        rules: &Rules,
        issuer: &IssuerRules,
        now: u64,
        checks: &mut Checks,
    ) {
        checks.add("kind", self.check_kind(), "an access token", "no mark of another kind");
        let has_exp = self.exp.ok_or(TokenError::MissingClaim { claim: "exp" });
        let time = has_exp.and_then(|_| self.check_time(rules.clock_tolerance.as_secs(), now));
        let exp = match self.exp {
            Some(exp) => format!("{exp}, in {} s", exp.saturating_sub(now)),
            None => "none".to_owned(),
        };
        checks.add("exp", time, &format!("after {now}"), &exp);
        let audiences: Vec<_> = self.audience.iter().flat_map(StringOrList::iter).collect();
        let own = rules.resource.as_str();
        let others = other_audiences(rules, issuer).map(String::as_str);
        let accepted = [own].into_iter().chain(others).collect::<Vec<_>>().join(" or ");
        checks.add("aud", self.check_recipient(rules, issuer), &accepted, &audiences.join(", "));
        checks.add("cnf", self.check_confirmation(), "none", "none");
    }

    /// Refuses ID tokens and other JWTs by markers that no access token has.
    fn check_kind(&self) -> Result<(), TokenError> {
        if is_one_of(self.typ.as_deref(), &["ID", "Refresh", "Offline", "Logout"]) {
            return wrong_type("claim `typ`");
        }
        if self.token_use.is_some()
            && !is_one_of(self.token_use.as_deref(), &["access", "access_token"])
        {
            return wrong_type("claim `token_use`");
        }
        // RFC 8693 §2.2.1: `N_A` is no access token.
        let others = ["refresh", "refresh_token", "id", "id_token", "N_A", "saml1", "saml2"];
        if is_one_of(self.kind_by_token_type(), &others) {
            return wrong_type("claim `token_type`");
        }
        if self.has_events {
            return wrong_type("claim `events`");
        }
        if self.has_nonce && !self.has_access_token_marker {
            return wrong_type("`nonce` without any claim of an access token");
        }
        if self.has_token_hash && !self.has_grant {
            return wrong_type("`at_hash` or `c_hash` without scopes or permissions");
        }
        Ok(())
    }

    /// What an issuer says of a token's type: there it is RFC 6749's, or one of RFC 8693's names, and nothing else is
    /// an access token that its bearer may use.
    fn check_token_type(&self) -> Result<(), TokenError> {
        let kind = self.kind_by_token_type();
        if kind.is_none() || is_one_of(kind, &["Bearer", "access_token"]) {
            return Ok(());
        }
        self.check_confirmation()?;
        wrong_type("`token_type` of the answer")
    }

    /// The claim `token_type`, without what RFC 8693 §3 puts before such names.
    fn kind_by_token_type(&self) -> Option<&str> {
        const BEFORE: &str = "urn:ietf:params:oauth:token-type:";
        let name = self.token_type.as_deref()?.trim();
        match name.split_at_checked(BEFORE.len()) {
            Some((before, kind)) if before.eq_ignore_ascii_case(BEFORE) => Some(kind),
            _ => Some(name),
        }
    }

    /// Whether the token is for us, or of a client that may do without.
    fn check_recipient(&self, rules: &Rules, issuer: &IssuerRules) -> Result<(), TokenError> {
        match self.check_audience(rules, issuer) {
            Err(_) if self.is_of_accepted_client(issuer) => Ok(()),
            Err(_) if rules.accept_any_audience && self.has_access_token_marker => Ok(()),
            outcome => outcome,
        }
    }

    fn check_confirmation(&self) -> Result<(), TokenError> {
        // RFC 9449 §6.2: introspection tells such a token by its `token_type` too.
        let needs_proof = is_one_of(self.kind_by_token_type(), &["DPoP", "PoP", "MAC"]);
        // RFC 7800 §3.1: a token with `cnf` is worth nothing without proof of the key.
        if self.has_confirmation || needs_proof {
            return Err(TokenError::SenderConstrained);
        }
        Ok(())
    }

    /// The named, weaker rule for issuers that cannot bind a token to its resource. What has no claim
    /// of an access token might be an ID token, whose audience is the client too.
    fn is_of_accepted_client(&self, issuer: &IssuerRules) -> bool {
        self.has_access_token_marker
            && self
                .client()
                .is_some_and(|client| issuer.accepted_clients.iter().any(|one| one == client))
    }

    fn check_audience(&self, rules: &Rules, issuer: &IssuerRules) -> Result<(), TokenError> {
        let audience = self.audience.as_ref().ok_or(TokenError::MissingClaim { claim: "aud" })?;
        let is_for_us = audience.iter().any(|one| {
            rules.resource.matches(&one)
                || other_audiences(rules, issuer).any(|other| *other == one)
        });
        if is_for_us {
            return Ok(());
        }
        let own = rules.resource.to_string();
        let expected = [own].into_iter().chain(other_audiences(rules, issuer).cloned()).collect();
        let actual = audience.iter().map(Cow::into_owned).collect();
        Err(TokenError::WrongAudience { actual, expected })
    }
}

/// Whether a claim is there and says one of these, in whatever letters and with whatever space around it.
fn is_one_of(claim: Option<&str>, kinds: &[&str]) -> bool {
    claim.is_some_and(|text| kinds.iter().any(|kind| text.trim().eq_ignore_ascii_case(kind)))
}

fn wrong_type(reason: &str) -> Result<(), TokenError> {
    Err(TokenError::WrongType { reason: reason.to_owned() })
}

/// The audiences that are accepted besides the resource's own identifier.
fn other_audiences<'r>(
    rules: &'r Rules,
    issuer: &'r IssuerRules,
) -> impl Iterator<Item = &'r String> {
    rules.audiences.iter().chain(&issuer.audiences)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::json::JsonLimits;

    const NOW: u64 = 1_800_000_000;

    fn rules() -> Rules {
        Rules {
            resource: ResourceIdentifier::parse("https://h.example/mcp").unwrap(),
            audiences: vec!["api://default".to_owned()],
            accept_any_audience: false,
            clock_tolerance: Duration::from_secs(60),
        }
    }

    fn check(change: Value) -> &'static str {
        let mut claims = json!({ "aud": "https://h.example/mcp", "exp": NOW + 100, "sub": "s" });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        // Numbers are written as given; a member set to the text "absent" is left out.
        claims.as_object_mut().unwrap().retain(|_, value| value != "absent");
        let payload = claims.to_string();
        Claims::read(payload.as_bytes(), JsonLimits::LARGEST)
            .and_then(|claims| claims.validate(&rules(), &IssuerRules::default(), NOW))
            .map_or_else(|error| error.code(), |_| "ok")
    }

    #[test]
    fn time_is_checked_with_tolerance() {
        let rows = [
            (json!({ "exp": NOW - 59 }), "ok"),
            (json!({ "exp": NOW - 60 }), "expired"),
            (json!({ "exp": NOW as f64 + 0.5 }), "ok"),
            (json!({ "exp": "absent" }), "missing_claim"),
            (json!({ "exp": NOW.to_string() }), "malformed"),
            (json!({ "exp": -1 }), "malformed"),
            (json!({ "exp": 1e300 }), "malformed"),
            (json!({ "exp": null }), "missing_claim"),
            (json!({ "nbf": null, "iat": null }), "ok"),
            (json!({ "nbf": NOW + 60, "iat": NOW + 60 }), "ok"),
            (json!({ "nbf": NOW + 61 }), "not_yet_valid"),
            (json!({ "iat": NOW + 61 }), "not_yet_valid"),
        ];
        for (change, expected) in rows {
            assert_eq!(check(change.clone()), expected, "{change}");
        }
    }

    #[test]
    fn the_audience_must_be_there_and_be_ours() {
        let rows = [
            (json!({ "aud": ["other", "https://h.example/mcp"] }), "ok"),
            (json!({ "aud": "api://default" }), "ok"),
            (json!({ "aud": "absent" }), "missing_claim"),
            (json!({ "aud": null }), "missing_claim"),
            (json!({ "aud": [null] }), "malformed"),
            (json!({ "aud": [] }), "wrong_audience"),
            (json!({ "aud": "https://h.example" }), "wrong_audience"),
            (json!({ "aud": 7 }), "malformed"),
            (json!({ "aud": [["https://h.example/mcp"]] }), "malformed"),
        ];
        for (change, expected) in rows {
            assert_eq!(check(change.clone()), expected, "{change}");
        }
    }

    #[test]
    fn other_kinds_of_tokens_are_refused() {
        let rows = [
            (json!({ "typ": "Bearer" }), "ok"),
            (json!({ "typ": "ID" }), "wrong_type"),
            (json!({ "typ": "Refresh" }), "wrong_type"),
            (json!({ "token_use": "access" }), "ok"),
            (json!({ "token_use": "id" }), "wrong_type"),
            (json!({ "token_type": "Bearer" }), "ok"),
            (json!({ "token_type": "access_token" }), "ok"),
            (json!({ "token_type": "refresh_token" }), "wrong_type"),
            (json!({ "token_type": "N_A" }), "wrong_type"),
            (json!({ "token_type": "DPoP" }), "sender_constrained"),
            (json!({ "token_type": "DPoP " }), "sender_constrained"),
            (json!({ "token_type": "urn:ietf:params:oauth:token-type:access_token" }), "ok"),
            (json!({ "token_type": "urn:ietf:params:oauth:token-type:jwt" }), "ok"),
            (json!({ "token_type": "urn:ietf:params:oauth:token-type:id_token" }), "wrong_type"),
            (
                json!({ "token_type": " URN:IETF:params:oauth:token-type:Refresh_Token" }),
                "wrong_type",
            ),
            (json!({ "token_type": "id_token\t" }), "wrong_type"),
            (json!({ "typ": "ID " }), "wrong_type"),
            (json!({ "events": {} }), "wrong_type"),
            (json!({ "events": null, "cnf": null, "nonce": null, "at_hash": null }), "ok"),
            (json!({ "at_hash": "n", "c_hash": null }), "wrong_type"),
            (json!({ "nonce": "n", "scope": null, "client_id": null }), "wrong_type"),
            (json!({ "at_hash": "n", "permissions": null, "roles": null }), "wrong_type"),
            (json!({ "nonce": "n", "scope": "" }), "ok"),
            (json!({ "cnf": {} }), "sender_constrained"),
            (json!({ "cnf": "" }), "sender_constrained"),
            (json!({ "nonce": "n" }), "wrong_type"),
            (json!({ "nonce": "n", "scope": "a" }), "ok"),
            (json!({ "nonce": "n", "client_id": "c" }), "ok"),
            (json!({ "at_hash": "n", "azp": "c" }), "wrong_type"),
            (json!({ "at_hash": "n", "client_id": "c" }), "wrong_type"),
            (json!({ "c_hash": "n", "scp": ["a"] }), "ok"),
            (json!({ "cnf": { "jkt": "x" }, "scope": "a" }), "sender_constrained"),
        ];
        for (change, expected) in rows {
            assert_eq!(check(change.clone()), expected, "{change}");
        }
    }
}
