//! What a handler may know about the caller.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::authorize::Scopes;
use crate::jose::NamesIssuer as _;
use crate::verify::Claims;

/// The authenticated caller of a request: who they are and what their token grants.
///
/// Cheap to clone. Made only by verifying a token, or by [`AuthInfo::from_verified_claims`].
/// Take identity from here, never from a tool's arguments.
#[derive(Clone)]
pub struct AuthInfo(Arc<Inner>);

struct Inner {
    issuer: Arc<str>,
    scopes: Scopes,
    expires_at: u64,
    payload: Vec<u8>,
    token: Zeroizing<Box<[u8]>>,
    // Read when a handler first asks: most requests never do.
    facts: OnceLock<Facts>,
    claims: OnceLock<Map<String, Value>>,
}

/// Claims that only handlers ask for.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) subject: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) audience: Vec<String>,
}

impl AuthInfo {
    /// For verifiers of your own: wraps claims that **you have verified**.
    ///
    /// Nothing is checked here. `iss` and `exp` should be present; scopes come from `scope`, `scp`
    /// or `scopes`, the client from `client_id`, `azp`, `cid` or `appid`.
    ///
    /// # Errors
    /// [`TokenError::Malformed`](crate::TokenError::Malformed) when a registered claim has a type
    /// that it must not have.
    pub fn from_verified_claims(claims: Map<String, Value>) -> Result<Self, crate::TokenError> {
        let payload = Value::Object(claims).to_string().into_bytes();
        let mut claims = Claims::read(&payload)?;
        let issuer = claims.issuer().unwrap_or_default().into();
        let (scopes, expires_at) = (claims.take_scopes(), claims.expires_at());
        Ok(Self::new(issuer, scopes, expires_at, payload, b""))
    }

    /// `payload` is one that [`Claims::read`] accepts.
    pub(crate) fn new(
        issuer: Arc<str>,
        scopes: Scopes,
        expires_at: u64,
        payload: Vec<u8>,
        token: &[u8],
    ) -> Self {
        let token = Zeroizing::new(token.into());
        let (facts, claims) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Inner { issuer, scopes, expires_at, payload, token, facts, claims }))
    }

    /// All claims of the token.
    pub fn claims(&self) -> &Map<String, Value> {
        // `Claims::read` has accepted it, and refuses what a map would refuse.
        let parse = || serde_json::from_slice(&self.0.payload).unwrap_or_default();
        self.0.claims.get_or_init(parse)
    }

    /// One claim as a type of yours; `None` when it is absent or of another type.
    pub fn claim<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        T::deserialize(self.claims().get(name)?).ok()
    }

    /// `iss`: the authorization server that issued the token.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// `sub`: the caller, unique within the issuer; machine clients may have none.
    pub fn subject(&self) -> Option<&str> {
        self.facts().subject.as_deref()
    }

    /// The OAuth client: the first of `client_id`, `azp`, `cid` and `appid`.
    pub fn client_id(&self) -> Option<&str> {
        self.facts().client_id.as_deref()
    }

    /// `aud`: for whom the token was issued.
    pub fn audience(&self) -> &[String] {
        &self.facts().audience
    }

    /// The granted scopes: the first of `scope`, `scp` and `scopes`.
    pub fn scopes(&self) -> &Scopes {
        &self.0.scopes
    }

    /// `exp`, in seconds since 1970.
    pub fn expires_at(&self) -> u64 {
        self.0.expires_at
    }

    /// The key under which to store what belongs to this caller: (`iss`, `sub`).
    ///
    /// A subject alone is not unique, and an e-mail address is not an identity.
    pub fn key(&self) -> (&str, Option<&str>) {
        (self.issuer(), self.subject())
    }

    /// The token itself, for exchanging it at its issuer.
    ///
    /// Never send it to another service: the MCP specification forbids passing a client's token on.
    /// Empty for callers made with [`AuthInfo::from_verified_claims`].
    pub fn dangerous_raw_token(&self) -> &str {
        // A token is ASCII.
        std::str::from_utf8(self.token()).unwrap_or_default()
    }

    pub(crate) fn token(&self) -> &[u8] {
        &self.0.token
    }

    /// About how much memory it takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        // Claims that a handler has read take about three times the payload more.
        size_of::<Inner>() + self.0.token.len() + 4 * self.0.payload.len()
    }

    fn facts(&self) -> &Facts {
        let read = || Claims::read(&self.0.payload).map(Claims::into_facts).unwrap_or_default();
        self.0.facts.get_or_init(read)
    }
}

/// Names the caller's issuer and scopes; claims and token stay out of logs.
impl fmt::Debug for AuthInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthInfo")
            .field("issuer", &self.issuer())
            .field("scopes", &self.scopes().to_string())
            .finish_non_exhaustive()
    }
}
