//! Step 2, for tokens that only their issuer can read.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::refused_tokens::RefusedTokens;
use super::{Rules, TrustedIssuer};
use crate::auth_info::AuthInfo;
use crate::claims::Claims;
use crate::config::Introspection;
use crate::error::{AuthError, TokenError, Unavailable};
use crate::flights::Flights;
use crate::issuer::Introspector;
use crate::jose::{Digest, sha256};
use crate::json::{CheckedObject, JsonError, JsonLimits, read_as};
use crate::spawner::Spawner;

/// Questions that are open at one time; more wait for their turn.
const MAX_OPEN: usize = 64;
/// The same for tokens of senders that were refused often, so that theirs do not take the turns of others.
const MAX_OPEN_OF_REFUSED: usize = 4;
/// How long a refusal is believed, in seconds: a good token may be refused so long when its issuer did
/// not know it everywhere at once.
const REFUSED_FOR: u64 = 5;
/// When a client should try again while too many questions are open, in seconds.
const RETRY_AFTER: u64 = 1;

/// The opaque tokens of one issuer, as one resource accepts them.
pub(crate) struct OpaqueTokens {
    introspector: Arc<Introspector>,
    config: Introspection,
    /// For how long at most an answer is believed.
    pub(super) max_age: Duration,
    /// Whether JWTs are asked about too.
    pub(super) also_jwts: bool,
    /// Whether the answer says for whom the token was issued.
    binds_audience: bool,
    /// For tokens that anybody may have made up.
    opaque: Lane,
    /// For those of senders that were refused often: they wait for each other and for nobody else.
    of_refused: Lane,
    /// For JWTs that were verified: strangers cannot fill it.
    verified: Lane,
    refused: RefusedTokens,
}

/// Questions that wait for each other and for no others.
struct Lane {
    answers: Flights<Result<Option<Map<String, Value>>, Unavailable>>,
    turns: Arc<Semaphore>,
}

impl Lane {
    fn new(max_open: usize) -> Self {
        Self { answers: Flights::new(), turns: Arc::new(Semaphore::new(max_open)) }
    }
}

/// What an issuer said of an active token.
pub(super) struct Introspected {
    pub(super) auth_info: AuthInfo,
    /// Not believed from this second on.
    pub(super) until: u64,
}

impl OpaqueTokens {
    pub(crate) fn new(
        introspector: Introspector,
        config: &Introspection,
        binds_audience: bool,
    ) -> Self {
        Self {
            introspector: Arc::new(introspector),
            config: config.clone(),
            max_age: config.cache_max_age,
            also_jwts: config.also_jwts,
            binds_audience,
            opaque: Lane::new(MAX_OPEN),
            of_refused: Lane::new(MAX_OPEN_OF_REFUSED),
            verified: Lane::new(MAX_OPEN),
            refused: RefusedTokens::new(REFUSED_FOR.min(config.cache_max_age.as_secs())),
        }
    }

    /// Whether the same is asked in the same way, with the same credentials, and believed for as long.
    pub(super) fn asks_like(&self, other: &Self) -> bool {
        self.config == other.config && self.introspector.asks_like(&other.introspector)
    }

    /// How they begin; empty: any.
    pub(super) fn prefixes(&self) -> &[String] {
        &self.config.token_prefixes
    }

    /// Whether it is known where to ask; metadata is fetched if it has to say.
    pub(crate) async fn can_ask(&self) -> bool {
        self.introspector.place_to_ask().await.is_ok()
    }

    /// Whether a token that is no JWT is for this issuer.
    pub(super) fn is_for(&self, token: &str) -> bool {
        let prefixes = self.prefixes();
        prefixes.is_empty() || prefixes.iter().any(|one| token.starts_with(&**one))
    }

    /// The caller behind an opaque token. One that `may_wait` is asked about when there is time for it.
    pub(super) async fn authenticate(
        &self,
        token: &str,
        may_wait: bool,
        issuer: &TrustedIssuer,
        rules: &Rules,
        now: u64,
    ) -> Result<Introspected, AuthError> {
        let digest = sha256(token.as_bytes());
        let lane = if may_wait { &self.of_refused } else { &self.opaque };
        let claims = self.active(token, digest, lane, now).await?;
        // The question may have taken long.
        let answered_at = self.introspector.issuer.now();
        let auth_info = self.validate(claims, token, issuer, rules, answered_at).map_err(
            |error| match error {
                AuthError::InvalidToken(reason) => self.refuse(digest, reason, answered_at),
                other => other,
            },
        )?;
        auth_info.issuer_answer().is_good(now);
        // RFC 7662 §2.2: `exp` is optional, and an answer is asked for again soon.
        let expires_at = auth_info.expires_at().unwrap_or(u64::MAX);
        let until = now.saturating_add(self.max_age.as_secs()).min(expires_at);
        Ok(Introspected { auth_info, until })
    }

    /// Asks about a JWT that was verified. Only whether it is active counts.
    pub(super) async fn confirm(&self, token: &str, now: u64) -> Result<(), AuthError> {
        self.active(token, sha256(token.as_bytes()), &self.verified, now).await.map(drop)
    }

    /// Asks again about the opaque token of a caller; they are who the issuer says that they are now.
    pub(super) async fn describe_again(
        &self,
        token: &str,
        issuer: &TrustedIssuer,
        rules: &Rules,
        now: u64,
    ) -> Result<AuthInfo, AuthError> {
        // It was accepted before: it waits for no token that a stranger has made up.
        let claims = self.active(token, sha256(token.as_bytes()), &self.verified, now).await?;
        self.validate(claims, token, issuer, rules, self.introspector.issuer.now())
    }

    /// Where its questions are asked.
    pub(super) fn spawner(&self) -> &Spawner {
        self.introspector.issuer.spawner()
    }

    /// What the issuer says of the token, if it is active.
    async fn active(
        &self,
        token: &str,
        digest: Digest,
        lane: &Lane,
        now: u64,
    ) -> Result<Map<String, Value>, AuthError> {
        if let Some(error) = self.refused.find(&digest, now) {
            return Err(AuthError::InvalidToken(error));
        }
        let (introspector, asked) = (self.introspector.clone(), token.to_owned());
        let (spawner, turns) = (self.introspector.issuer.spawner(), lane.turns.clone());
        let ask = async move { introspector.ask(&asked, &turns).await };
        let flight = lane.answers.join(digest, spawner, ask);
        let too_many = "too many tokens are being introspected";
        let flight = flight.ok_or_else(|| self.unavailable(too_many))?;
        let answer = flight.await.ok_or_else(|| self.unavailable("the introspection broke off"))?;
        match answer.map_err(AuthError::Unavailable)? {
            Some(claims) => Ok(claims),
            None => {
                let answered_at = self.introspector.issuer.now();
                Err(self.refuse(digest, TokenError::Inactive, answered_at))
            }
        }
    }

    fn unavailable(&self, reason: &str) -> AuthError {
        let issuer = self.introspector.issuer.identifier();
        AuthError::Unavailable(Unavailable::new(issuer, reason, RETRY_AFTER))
    }

    /// The caller that an active token stands for, as its issuer describes it.
    fn validate(
        &self,
        mut answer: Map<String, Value>,
        token: &str,
        issuer: &TrustedIssuer,
        rules: &Rules,
        now: u64,
    ) -> Result<AuthInfo, AuthError> {
        // RFC 7662 §2.2: `iss` is optional. What is there must be right.
        answer.entry("iss").or_insert_with(|| Value::from(&*issuer.name));
        let payload = Value::Object(answer).to_string();
        // What cannot be read says nothing about the token: no client signs in again for it.
        let claims = read_as::<Claims<'_>>(payload.as_bytes(), JsonLimits::LARGEST)
            .map_err(|error| self.unreadable(&error))?;
        let named = claims.issuer.as_deref().unwrap_or(&issuer.name);
        if !issuer.is_named(named) {
            let (actual, expected) = (named.to_owned(), vec![issuer.name.to_string()]);
            return Err(TokenError::UnknownIssuer { actual, expected }.into());
        }
        let name = if named == &*issuer.name { issuer.name.clone() } else { Arc::from(named) };
        claims.validate_introspected(rules, &issuer.rules, self.binds_audience, now)?;
        let whole = CheckedObject::new(payload.as_bytes());
        Ok(issuer.rules.caller(name, &claims, whole, token)?)
    }

    fn unreadable(&self, error: &JsonError) -> AuthError {
        AuthError::Unavailable(self.introspector.unreadable(error))
    }

    /// Remembers the refusal, unless it ends by itself.
    fn refuse(&self, digest: Digest, error: TokenError, now: u64) -> AuthError {
        if !matches!(error, TokenError::NotYetValid { .. }) {
            self.refused.insert(digest, error.clone(), now);
        }
        AuthError::InvalidToken(error)
    }
}
