//! The token that a client wants another one for: whose it is, and what it may become.

use serde_json::{Map, Value, json};

use crate::clients::Client;
use crate::clock::now;
use crate::endpoints::introspect::active_access_token;
use crate::issuer::Issuer;

/// A token of this issuer that holds, as far as an exchange needs it.
pub(super) struct Subject {
    /// `sub`.
    pub(super) id: String,
    /// Whether a client got it for itself.
    pub(super) is_client: bool,
    pub(super) scopes: Vec<String>,
    /// In seconds since the Unix epoch. The new token does not outlive this one.
    expires_at: Option<u64>,
    pub(super) jti: Option<String>,
    /// Who acts for the subject already (RFC 8693 §4.1).
    pub(super) act: Option<Value>,
    may_act: Option<Value>,
}

impl Subject {
    /// An access token of this issuer that has neither expired nor been revoked, and that the client may exchange.
    ///
    /// # Errors
    /// Why not, as a text for the answer.
    pub(super) fn of_access_token(
        issuer: &Issuer,
        client: &Client,
        token: &str,
    ) -> Result<Self, &'static str> {
        let claims = active_access_token(issuer, token)
            .ok_or("the token is no access token of this issuer, has expired, or is revoked")?;
        let is_of_client = claims.get("client_id") == Some(&json!(client.id));
        let is_for_client = strings(&claims, "aud")
            .iter()
            .any(|audience| *audience == client.id || client.exchange.acts_for.contains(audience));
        let is_own = is_of_client || is_for_client;
        if issuer.settings.exchanges_own_tokens_only && !is_own {
            return Err("the token is not for this client");
        }
        Self::of_claims(&claims)
    }

    /// An ID token that this issuer gave to this client.
    ///
    /// # Errors
    /// Why not, as a text for the answer.
    pub(super) fn of_id_token(
        issuer: &Issuer,
        client: &Client,
        token: &str,
    ) -> Result<Self, &'static str> {
        let refusal = "the token is no ID token of this issuer for this client, or has expired";
        let verified = issuer.keys.verify(token).ok_or(refusal)?;
        let claims = &verified.claims;
        let is_own = claims.get("iss") == Some(&json!(issuer.identifier));
        let is_for_client = strings(claims, "aud").contains(&client.id);
        let is_alive = claims.get("exp").and_then(Value::as_u64).is_some_and(|exp| exp > now());
        // Access tokens and ID-JAGs name their client, ID tokens do not.
        let is_id_token = verified.has_typ("JWT") && !claims.contains_key("client_id");
        if !(is_own && is_for_client && is_alive && is_id_token) {
            return Err(refusal);
        }
        Self::of_claims(claims)
    }

    fn of_claims(claims: &Map<String, Value>) -> Result<Self, &'static str> {
        let id = text(claims, "sub").ok_or("the token has no subject")?;
        let scope = text(claims, "scope").unwrap_or_default();
        Ok(Self {
            is_client: text(claims, "client_id").is_some_and(|client_id| client_id == id),
            id,
            scopes: scope.split_whitespace().map(str::to_owned).collect(),
            expires_at: claims.get("exp").and_then(Value::as_u64),
            jti: text(claims, "jti"),
            act: claims.get("act").cloned(),
            may_act: claims.get("may_act").cloned(),
        })
    }

    /// For how many seconds a token that is made of this one may hold.
    pub(super) fn lifetime(&self, at_most: u64) -> u64 {
        match self.expires_at {
            Some(expires_at) => at_most.min(expires_at.saturating_sub(now())),
            None => at_most,
        }
    }

    /// Whether the actor may act for this subject: RFC 8693 §4.4, when the token says something about it.
    pub(super) fn lets_act(&self, actor: &Self) -> bool {
        match &self.may_act {
            Some(may_act) => may_act["sub"] == json!(actor.id),
            None => true,
        }
    }
}

/// A claim that is a text.
fn text(claims: &Map<String, Value>, name: &str) -> Option<String> {
    claims.get(name)?.as_str().map(str::to_owned)
}

/// A claim that is a text, or an array of them.
pub(super) fn strings(claims: &Map<String, Value>, name: &str) -> Vec<String> {
    match claims.get(name) {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(several)) => {
            several.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
