//! What a handler may know about the caller.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::authorize::Scopes;
use crate::error::InsufficientScope;
use crate::jose::{NamesIssuer as _, VerifiedToken};
use crate::json::JsonLimits;
use crate::verify::Claims;

/// The authenticated caller of a request: who they are and what their token grants.
///
/// Cheap to clone. Made only by verifying a token, or by [`AuthInfo::from_verified_claims`].
/// Take identity from here, never from a tool's arguments.
#[derive(Clone)]
pub struct AuthInfo(Arc<Inner>, Option<Arc<dyn StepUp>>);

struct Inner {
    issuer: Arc<str>,
    scopes: Scopes,
    expires_at: Option<u64>,
    source: Source,
    // Read when a handler first asks: most requests never do.
    facts: OnceLock<Facts>,
    claims: OnceLock<Map<String, Value>>,
    json: OnceLock<Box<str>>,
}

/// What [`AuthInfo::json`] says.
#[derive(Serialize)]
struct Described<'c> {
    issuer: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'c str>,
    scopes: Vec<&'c str>,
    audience: &'c [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    principal: Principal,
    claims: Option<&'c RawValue>,
}

/// Where the claims are.
enum Source {
    Token(VerifiedToken),
    /// As JSON, from the issuer of an opaque token.
    Introspected(Zeroizing<Box<[u8]>>, Vec<u8>),
    /// As JSON, from a verifier of the user's.
    Claims(Vec<u8>),
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
        let mut claims = Claims::read(&payload, JsonLimits::LARGEST)?;
        let issuer = claims.issuer().unwrap_or_default().into();
        let (scopes, expires_at) = (claims.take_scopes(), claims.expires_at());
        drop(claims);
        Ok(Self::with_source(issuer, scopes, expires_at, Source::Claims(payload)))
    }

    /// The caller behind a token whose claims [`Claims::read`] accepts.
    pub(crate) fn new(
        issuer: Arc<str>,
        scopes: Scopes,
        expires_at: Option<u64>,
        token: VerifiedToken,
    ) -> Self {
        Self::with_source(issuer, scopes, expires_at, Source::Token(token))
    }

    /// The caller behind an opaque token, of which its issuer says what [`Claims::read`] accepts.
    pub(crate) fn introspected(
        issuer: Arc<str>,
        scopes: Scopes,
        expires_at: Option<u64>,
        token: &str,
        claims: Vec<u8>,
    ) -> Self {
        let token = Zeroizing::new(token.as_bytes().into());
        Self::with_source(issuer, scopes, expires_at, Source::Introspected(token, claims))
    }

    fn with_source(
        issuer: Arc<str>,
        scopes: Scopes,
        expires_at: Option<u64>,
        source: Source,
    ) -> Self {
        let (facts, claims, json) = Default::default();
        Self(Arc::new(Inner { issuer, scopes, expires_at, source, facts, claims, json }), None)
    }

    /// All claims of the token.
    pub fn claims(&self) -> &Map<String, Value> {
        // `Claims::read` has accepted it, and refuses what a map would refuse.
        let parse = || serde_json::from_slice(&self.payload()).unwrap_or_default();
        self.0.claims.get_or_init(parse)
    }

    /// All that it says, as a JSON object: for SDKs in other languages. The token is not in it.
    ///
    /// Its members are named as the methods here: `issuer`, `subject`, `client_id`, `scopes`, `audience`,
    /// `expires_at`, `principal` and `claims`; what the token does not say is not there. Made once.
    pub fn json(&self) -> &str {
        self.0.json.get_or_init(|| self.describe().into())
    }

    fn describe(&self) -> String {
        let payload = self.payload();
        let described = Described {
            issuer: self.issuer(),
            subject: self.subject(),
            client_id: self.client_id(),
            scopes: self.scopes().iter().collect(),
            audience: self.audience(),
            expires_at: self.expires_at(),
            principal: self.principal(),
            claims: serde_json::from_slice(&payload).ok(),
        };
        // Nothing of it can fail: there are no maps with other keys than text.
        serde_json::to_string(&described).unwrap_or_default()
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

    /// `exp`, in seconds since 1970; always there for a JWT, while issuers of opaque tokens need not
    /// say.
    pub fn expires_at(&self) -> Option<u64> {
        self.0.expires_at
    }

    /// The key under which to store what belongs to this caller: (`iss`, `sub`).
    ///
    /// A subject alone is not unique, and an e-mail address is not an identity.
    pub fn key(&self) -> (&str, Option<&str>) {
        (self.issuer(), self.subject())
    }

    /// Whether a person or a machine is calling.
    ///
    /// A machine client, one that got its token with its own credentials, is told by `idtyp` or
    /// `gty`, or by its subject: there is none, or it is the client itself. What tells nothing is
    /// a user.
    pub fn principal(&self) -> Principal {
        Principal::of(self)
    }

    /// Whether the token grants these scopes; scopes that include others count as the resource's
    /// policy says. For handlers that do more for some callers, and refuse nobody.
    pub fn has<S: AsRef<str>>(&self, scopes: impl IntoIterator<Item = S>) -> bool {
        let wanted: Scopes = scopes.into_iter().collect();
        match &self.1 {
            Some(request) => request.grants(self.scopes(), &wanted),
            None => self.scopes().contains_all(&wanted),
        }
    }

    /// Asks for more scopes than the operation was checked for, from inside a handler.
    ///
    /// Over HTTP the refusal becomes the 403 that makes clients ask the user for these scopes, as
    /// long as the handler has sent nothing yet, whatever the handler returns: so return the error at
    /// once, and use [`AuthInfo::has`] to look without asking. Scopes that include others count as
    /// the resource's policy says.
    ///
    /// # Errors
    /// [`InsufficientScope`] when the token lacks one of them.
    pub fn require<S: AsRef<str>>(
        &self,
        scopes: impl IntoIterator<Item = S>,
    ) -> Result<(), InsufficientScope> {
        let required: Scopes = scopes.into_iter().collect();
        match &self.1 {
            Some(request) => request.require(self.scopes(), &required),
            None if self.scopes().contains_all(&required) => Ok(()),
            None => Err(InsufficientScope::new(required, self.scopes().clone(), None)),
        }
    }

    /// The same caller with other scopes; only before anybody else has it.
    pub(crate) fn with_scopes(mut self, scopes: Scopes) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.scopes = scopes;
        }
        self
    }

    /// The same caller, in a request that can still be answered with a challenge.
    pub(crate) fn in_request(mut self, request: Arc<dyn StepUp>) -> Self {
        self.1 = Some(request);
        self
    }

    /// The token itself, for exchanging it at its issuer.
    ///
    /// Never send it to another service: the MCP specification forbids passing a client's token on.
    /// Empty for callers made with [`AuthInfo::from_verified_claims`].
    pub fn dangerous_raw_token(&self) -> &str {
        std::str::from_utf8(self.token()).unwrap_or_default()
    }

    /// The bytes of the token, which is ASCII.
    pub(crate) fn token(&self) -> &[u8] {
        match &self.0.source {
            Source::Token(token) => token.as_bytes(),
            Source::Introspected(token, _) => token,
            Source::Claims(_) => b"",
        }
    }

    /// About how much memory it takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        // Claims that a handler has read take about three times the payload, which is at most
        // three quarters of the token; the JSON for other languages is about as long as that.
        let claims = match &self.0.source {
            Source::Introspected(_, claims) => claims.len() * 5,
            _ => 0,
        };
        size_of::<Inner>() + self.token().len() * 4 + claims
    }

    fn payload(&self) -> Cow<'_, [u8]> {
        match &self.0.source {
            Source::Token(token) => token.payload().into(),
            Source::Introspected(_, claims) | Source::Claims(claims) => claims.into(),
        }
    }

    fn facts(&self) -> &Facts {
        self.0.facts.get_or_init(|| {
            let payload = self.payload();
            let claims = Claims::read(&payload, JsonLimits::LARGEST);
            claims.map(Claims::into_facts).unwrap_or_default()
        })
    }
}

/// A request in which a handler may find that it needs more scopes.
pub(crate) trait StepUp: Send + Sync {
    fn grants(&self, granted: &Scopes, wanted: &Scopes) -> bool;

    fn require(&self, granted: &Scopes, required: &Scopes) -> Result<(), InsufficientScope>;
}

/// Who is behind a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Principal {
    /// A person, through a client.
    User,
    /// A client on its own behalf (RFC 6749 §4.4).
    Client,
}

impl Principal {
    fn of(caller: &AuthInfo) -> Self {
        let text = |name: &str| caller.claims().get(name).and_then(Value::as_str);
        match text("idtyp") {
            // Entra ID.
            Some("app") => return Self::Client,
            Some("user") => return Self::User,
            _ => {}
        }
        // Auth0 and FusionAuth.
        let by_grant = matches!(text("gty"), Some("client-credentials" | "client_credentials"));
        let Some(subject) = caller.subject() else {
            return Self::Client;
        };
        // RFC 9068 §2.2; Keycloak gives the client a user of this name.
        let is_itself = caller.client_id().is_some_and(|client| {
            subject == client
                || subject.strip_suffix("@clients") == Some(client)
                // People choose their names; only service accounts have this claim there.
                || (caller.claims().contains_key("clientAddress")
                    && text("preferred_username")
                        .and_then(|name| name.strip_prefix("service-account-"))
                        == Some(client))
        });
        if by_grant || is_itself { Self::Client } else { Self::User }
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
