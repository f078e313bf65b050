//! Tokens of any content, and tokens that are wrong in one named way.
//!
//! Tests of a resource server get every token from here: what a test does not say is as in a good token, so that one thing
//! is wrong at a time.

mod broken;
mod sign;

pub use broken::Broken;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::algorithm::Algorithm;
use crate::clock::now;
use crate::issuer::Issuer;
use crate::jose::random;

/// A token in the making, from [`DevIssuer::mint`](crate::DevIssuer::mint).
///
/// Unless told otherwise: an RFC 9068 access token of the first user for the client `dev`, valid
/// from now for the issuer's access token lifetime, for the default audience, without scopes.
#[derive(Clone)]
#[must_use]
pub struct Mint {
    issuer: Arc<Issuer>,
    subject: String,
    with_user: bool,
    audiences: Vec<String>,
    scope: Option<String>,
    client_id: String,
    /// The claim `iss`.
    iss: String,
    issued_at: u64,
    expires_in: i64,
    not_before_in: Option<i64>,
    claims: Map<String, Value>,
    without: Vec<String>,
    header: Map<String, Value>,
    without_header: Vec<String>,
    algorithm: Algorithm,
    broken: Option<Broken>,
}

impl Mint {
    pub(crate) fn new(issuer: Arc<Issuer>) -> Self {
        let settings = &issuer.settings;
        Self {
            subject: settings.users[0].subject.clone(),
            with_user: true,
            audiences: settings.default_audience.iter().cloned().collect(),
            scope: None,
            client_id: "dev".to_owned(),
            iss: issuer.identifier.clone(),
            issued_at: now(),
            expires_in: settings.access_token_lifetime.as_secs().try_into().unwrap_or(i64::MAX),
            not_before_in: None,
            claims: Map::new(),
            without: Vec::new(),
            header: Map::new(),
            without_header: Vec::new(),
            algorithm: settings.algorithm,
            broken: None,
            issuer,
        }
    }

    /// `sub`. For a development user, its claims are added; any other subject has none.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// `aud`, a single one. Default the issuer's default audience, or none.
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.audiences([audience])
    }

    /// `aud`: none, a string for one, an array for more.
    pub fn audiences<S: Into<String>>(mut self, audiences: impl IntoIterator<Item = S>) -> Self {
        self.audiences = audiences.into_iter().map(Into::into).collect();
        self
    }

    /// `scope`, separated by spaces. Default none.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// `client_id`. Default `dev`.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// `iss`. Default this issuer.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.iss = issuer.into();
        self
    }

    /// `exp`, in seconds after `iat`; negative for a token that has expired.
    pub fn expires_in(mut self, seconds: i64) -> Self {
        self.expires_in = seconds;
        self
    }

    /// `nbf`, in seconds after `iat`. Default no `nbf`.
    pub fn not_before_in(mut self, seconds: i64) -> Self {
        self.not_before_in = Some(seconds);
        self
    }

    /// `iat`, in seconds since the Unix epoch, which `exp` and `nbf` count from. Default now.
    pub fn issued_at(mut self, seconds: u64) -> Self {
        self.issued_at = seconds;
        self
    }

    /// Adds a claim, or replaces it.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Leaves out a claim.
    pub fn without(mut self, claim: impl Into<String>) -> Self {
        self.without.push(claim.into());
        self
    }

    /// Adds a header parameter, or replaces it. `alg` replaced this way does not change the signature.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.header.insert(name.into(), value.into());
        self
    }

    /// Leaves out a header parameter.
    pub fn without_header(mut self, name: impl Into<String>) -> Self {
        self.without_header.push(name.into());
        self
    }

    /// Signs with this algorithm; its key is made, and published, when first used.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Breaks the token in one named way.
    pub fn broken(mut self, broken: Broken) -> Self {
        self.broken = Some(broken);
        self
    }

    /// The token, in JWS compact serialization (RFC 7515 §7.1).
    pub fn sign(self) -> String {
        let key = self.issuer.keys.current(self.algorithm);
        sign::sign(&key, self.headers(&key.kid), self.payload(), self.broken)
    }

    /// The token as an opaque one: the issuer keeps its claims, for introspection and UserInfo.
    pub fn opaque(self) -> String {
        let token = format!("opaque_{}", random::<24>());
        self.issuer.grants().keep_opaque_token(&token, self.payload());
        token
    }

    /// Leaves out the claims that are added for a development user.
    pub(crate) fn without_user(mut self) -> Self {
        self.with_user = false;
        self
    }

    fn headers(&self, kid: &str) -> Map<String, Value> {
        let mut header = Map::new();
        header.insert("alg".into(), json!(self.algorithm.as_str()));
        header.insert("typ".into(), json!("at+jwt"));
        header.insert("kid".into(), json!(kid));
        if let Some(broken) = self.broken {
            header.extend(broken.headers());
        }
        header.extend(self.header.clone());
        header.retain(|name, _| !self.without_header.contains(name));
        header
    }

    fn payload(&self) -> Map<String, Value> {
        let mut claims = match self.issuer.settings.user(&self.subject) {
            Some(user) if self.with_user => user.token_claims(),
            _ => Map::new(),
        };
        claims.insert("iss".into(), json!(self.iss));
        claims.insert("sub".into(), json!(self.subject));
        claims.insert("iat".into(), json!(self.issued_at));
        claims.insert("exp".into(), self.seconds_after_issue(self.expires_in));
        claims.insert("jti".into(), json!(random::<16>()));
        claims.insert("client_id".into(), json!(self.client_id));
        if let Some(seconds) = self.not_before_in {
            claims.insert("nbf".into(), self.seconds_after_issue(seconds));
        }
        if let Some(scope) = &self.scope {
            claims.insert("scope".into(), json!(scope));
        }
        match self.audiences.as_slice() {
            [] => {}
            [one] => drop(claims.insert("aud".into(), json!(one))),
            several => drop(claims.insert("aud".into(), json!(several))),
        }
        if let Some(broken) = self.broken {
            broken.change(&mut claims);
        }
        claims.extend(self.claims.clone());
        claims.retain(|name, _| !self.without.contains(name));
        claims
    }

    /// A time, as claims have it, counted from `iat`.
    fn seconds_after_issue(&self, seconds: i64) -> Value {
        json!(self.issued_at.saturating_add_signed(seconds))
    }
}
