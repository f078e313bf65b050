//! One API that tools call for their callers.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Uri;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::actor_file::read_actor_token;
use super::grants::{
    Actor, check_answer, check_bearer_answer, error_of, form_for_caller, form_for_us,
    form_with_assertion,
};
use super::id_jag::{ExpectedAssertion, check_assertion};
use super::kept_refusals::KeptRefusals;
use super::token_cache::{TokenCache, is_revoked};
use super::token_key::{key_of_one_token, token_key};
use super::{ApiPlaces, Connection, DownstreamError, DownstreamToken};
use crate::auth_info::{AuthInfo, Principal};
use crate::clock::Clock;
use crate::config::{ActorToken, AuthorizationServer, DownstreamConfig, DownstreamGrant};
use crate::downstream_refusal::DownstreamRefusal;
use crate::error::Unavailable;
use crate::flights::Flights;
use crate::issuer::{EndpointFault, TokenAnswer, TokenEndpoint, TokenForm};
use crate::jose::Digest;
use crate::revocation::Cutoffs;
use crate::scope::Scopes;
use crate::spawner::Spawner;
use crate::text::in_one_line;

/// A token is not used in its last seconds, which it would spend on the way: so many at most, and a tenth of its life.
const LAST_SECONDS: u64 = 5;

/// The APIs by their names.
pub(crate) type Downstreams = BTreeMap<String, Arc<DownstreamApi>>;

/// What an API is made of.
pub(crate) struct DownstreamParts {
    pub(crate) name: String,
    pub(crate) config: DownstreamConfig,
    pub(crate) endpoint: Arc<TokenEndpoint>,
    /// With `authorization_code`: what users have granted.
    pub(crate) connection: Option<Arc<Connection>>,
    /// With `id_jag`: the API's own.
    pub(crate) target: Option<TokenEndpoint>,
    /// What tokens of callers that it is for have in `iss`.
    pub(crate) subject_issuers: Vec<String>,
    /// The settings of the servers that gave them.
    pub(crate) subject_servers: Vec<AuthorizationServer>,
    pub(crate) cutoffs: Arc<Cutoffs>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) spawner: Spawner,
    pub(crate) cache_entries: usize,
    /// `clock_tolerance` in seconds: callers are let in for so long after their token has ended.
    pub(crate) tolerance: u64,
}

/// One API, for which tokens are had and kept.
pub(crate) struct DownstreamApi {
    parts: DownstreamParts,
    places: ApiPlaces,
    cache: TokenCache,
    refusals: KeptRefusals,
    flights: Flights<SharedAnswer>,
}

/// What is asked for.
struct Question {
    /// Of the token, which may be had with any token of the caller.
    key: Digest,
    /// With this token of the caller alone.
    own_key: Digest,
    /// `None`: it is for the tool itself.
    subject: Option<Subject>,
    scopes: Scopes,
}

/// What all get who wait for the same.
#[derive(Clone)]
struct SharedAnswer {
    answer: Result<DownstreamToken, DownstreamError>,
    /// The question of whoever asked.
    own_key: Digest,
}

/// A caller whose token may be sent to the authorization server.
struct Subject {
    token: Zeroizing<String>,
    /// What revocations know the token by.
    known_by: AuthInfo,
    let_in_until: Option<u64>,
}

impl DownstreamApi {
    pub(crate) fn new(parts: DownstreamParts) -> Self {
        let places = ApiPlaces::new(&parts.config.api);
        let cache = TokenCache::with_room_for(parts.cache_entries);
        let refusals = KeptRefusals::default();
        Self { places, cache, refusals, flights: Flights::new(), parts }
    }

    /// Whether another configuration has it in the same way, so that its tokens hold on.
    pub(crate) fn is_like(&self, other: &DownstreamParts) -> bool {
        let parts = &self.parts;
        let targets = (&parts.target, &other.target);
        let is_same_target = match targets {
            (Some(one), Some(another)) => one.asks_like(another),
            (None, None) => true,
            _ => false,
        };
        parts.config == other.config
            && parts.cache_entries == other.cache_entries
            && parts.tolerance == other.tolerance
            && parts.endpoint.asks_like(&other.endpoint)
            && is_same_target
            && parts.subject_issuers == other.subject_issuers
            && parts.subject_servers == other.subject_servers
    }

    /// Whether a request for this URL goes to the API.
    pub(crate) fn is_at(&self, uri: &Uri) -> bool {
        self.places.contain(uri)
    }

    /// The token that is kept for this caller, without waiting; `None`: it has to be asked for.
    pub(crate) fn token_at_once(
        &self,
        caller: &AuthInfo,
        narrowed: Option<&Scopes>,
    ) -> Result<Option<DownstreamToken>, DownstreamError> {
        let scopes = self.scopes(narrowed)?;
        let asks_for_us = self.parts.config.grant == DownstreamGrant::ClientCredentials;
        self.check_standing(caller)?;
        if let Some(connection) = &self.parts.connection {
            connection.check_caller(caller)?;
            return Ok(None);
        }
        if !asks_for_us {
            self.check_caller(caller)?;
        }
        // What others have revoked has to be waited for.
        if !self.parts.cutoffs.is_current(self.parts.clock.unix_seconds()) {
            return Ok(None);
        }
        let owner = (!asks_for_us).then_some(caller);
        let caller_token = owner.map_or("", AuthInfo::dangerous_raw_token);
        self.kept(&token_key(owner, scopes), caller_token).transpose()
    }

    /// A token for this caller.
    pub(crate) async fn token_for(
        self: &Arc<Self>,
        caller: &AuthInfo,
        narrowed: Option<&Scopes>,
    ) -> Result<DownstreamToken, DownstreamError> {
        if let Some(kept) = self.token_at_once(caller, narrowed)? {
            return Ok(kept);
        }
        self.wait_until_current().await?;
        if let Some(connection) = &self.parts.connection {
            let granted = connection.token_for(caller).await?;
            self.check_standing(caller)?;
            return Ok(granted);
        }
        // What was heard meanwhile may be about them: then their token is sent nowhere.
        self.check_standing(caller)?;
        let scopes = self.scopes(narrowed)?;
        if self.parts.config.grant == DownstreamGrant::ClientCredentials {
            return self.have(Question::new(token_key(None, scopes), None, scopes)).await;
        }
        let subject = Subject {
            token: Zeroizing::new(caller.dangerous_raw_token().to_owned()),
            known_by: known_by(caller),
            let_in_until: self.let_in_until(caller),
        };
        let key = token_key(Some(caller), scopes);
        let token = self.have(Question::new(key, Some(subject), scopes)).await?;
        // They may have been taken back while it was asked for.
        self.check_standing(caller)?;
        Ok(token)
    }

    /// A token for the tool itself.
    pub(crate) async fn token(
        self: &Arc<Self>,
        narrowed: Option<&Scopes>,
    ) -> Result<DownstreamToken, DownstreamError> {
        if self.parts.config.grant != DownstreamGrant::ClientCredentials {
            return Err(DownstreamError::NeedsCaller);
        }
        let scopes = self.scopes(narrowed)?;
        let key = token_key(None, scopes);
        match self.kept(&key, "") {
            Some(answer) => answer,
            None => self.have(Question::new(key, None, scopes)).await,
        }
    }

    /// Forgets a token that the API did not accept, by its text.
    pub(crate) fn forget(&self, caller: Option<&AuthInfo>, narrowed: Option<&Scopes>, text: &str) {
        if let Some(connection) = &self.parts.connection {
            return connection.forget(text);
        }
        let Ok(scopes) = self.scopes(narrowed) else { return };
        let asks_for_us = self.parts.config.grant == DownstreamGrant::ClientCredentials;
        let owner = caller.filter(|_| !asks_for_us);
        let now = self.parts.clock.unix_seconds();
        self.cache.forget(&token_key(owner, scopes), text, now);
    }

    /// Ends what the caller has granted.
    pub(crate) async fn disconnect(&self, caller: &AuthInfo) -> Result<(), DownstreamError> {
        self.check_standing(caller)?;
        match &self.parts.connection {
            Some(connection) => connection.disconnect(caller).await,
            None => Err(DownstreamError::NotConnected),
        }
    }

    /// What is asked for: all that is configured, or less.
    fn scopes<'a>(&'a self, narrowed: Option<&'a Scopes>) -> Result<&'a Scopes, DownstreamError> {
        let configured = &self.parts.config.scopes;
        let Some(scopes) = narrowed else { return Ok(configured) };
        let is_wider = !configured.contains_all(scopes);
        if !is_wider && self.parts.connection.is_some() && !scopes.contains_all(configured) {
            return Err(DownstreamError::FixedScopes(scopes.clone()));
        }
        // An empty request is one for whatever the server gives by default.
        if is_wider || scopes.is_empty() {
            return Err(DownstreamError::WiderScopes(scopes.clone()));
        }
        Ok(scopes)
    }

    /// Waits until it is known what other instances have revoked.
    async fn wait_until_current(&self) -> Result<(), DownstreamError> {
        let current = self.parts.cutoffs.wait_until_current().await;
        current.map_err(|fault| {
            let error = DownstreamError::Unavailable(fault.clone());
            self.log(&error, &fault.reason);
            error
        })
    }

    /// Whether the caller would still be let in: a handler may run for long.
    fn check_standing(&self, caller: &AuthInfo) -> Result<(), DownstreamError> {
        let now = self.parts.clock.unix_seconds();
        let has_ended = self.let_in_until(caller).is_some_and(|ends| ends <= now);
        if has_ended || self.parts.cutoffs.check(caller).is_err() {
            return Err(DownstreamError::Caller(DownstreamRefusal::SignInAgain));
        }
        Ok(())
    }

    /// Until when a resource lets this caller in; `None`: their token does not say when it ends.
    fn let_in_until(&self, caller: &AuthInfo) -> Option<u64> {
        Some(caller.expires_at()?.saturating_add(self.parts.tolerance))
    }

    /// Whether this caller's token may be sent, and is one that the grant is for.
    fn check_caller(&self, caller: &AuthInfo) -> Result<(), DownstreamError> {
        let parts = &self.parts;
        if !parts.subject_issuers.iter().any(|issuer| issuer == caller.issuer()) {
            return Err(DownstreamError::IssuerNotServed);
        }
        let is_machine = caller.principal() == Principal::Client;
        // Of several persons without a name, each would have the token of another.
        let is_nobody = caller.subject().is_none() && !is_machine;
        if is_nobody || (is_machine && !parts.config.allow_machines) {
            return Err(DownstreamError::NoUser);
        }
        if caller.dangerous_raw_token().is_empty() {
            return Err(DownstreamError::NoToken);
        }
        Ok(())
    }

    fn kept(
        &self,
        key: &Digest,
        caller_token: &str,
    ) -> Option<Result<DownstreamToken, DownstreamError>> {
        let now = self.parts.clock.unix_seconds();
        if let Some(token) = self.cache.get(key, now, &self.parts.cutoffs) {
            return Some(Ok(token));
        }
        let refusal = self.refusals.get(&key_of_one_token(key, caller_token), now)?;
        Some(Err(refusal))
    }

    /// Asks, once for all who want the same at the same time. What was said of the token of one of them says nothing of
    /// another token: who has another one asks with it.
    async fn have(
        self: &Arc<Self>,
        question: Question,
    ) -> Result<DownstreamToken, DownstreamError> {
        let asked = Arc::new(question);
        let shared = self.ask_together(asked.key, &asked).await?;
        let is_of_another = shared.own_key != asked.own_key;
        let is_refused = shared.answer.as_ref().is_err_and(is_said_of_a_token);
        if !(is_of_another && is_refused) {
            return shared.answer;
        }
        let own = self.ask_together(asked.own_key, &asked).await?;
        own.answer
    }

    /// Asks, once for all who ask by this key at the same time.
    async fn ask_together(
        self: &Arc<Self>,
        key: Digest,
        question: &Arc<Question>,
    ) -> Result<SharedAnswer, DownstreamError> {
        let (api, asked) = (self.clone(), question.clone());
        let ask = async move {
            let answer = api.answer_to(&asked).await;
            SharedAnswer { answer, own_key: asked.own_key }
        };
        let Some(flight) = self.flights.join(key, &self.parts.spawner, ask) else {
            return Err(self.unavailable("too many tokens are asked for at once", 1));
        };
        let answer = flight.await;
        answer.ok_or_else(|| self.unavailable("whoever asked for it broke off", 1))
    }

    async fn answer_to(&self, question: &Question) -> Result<DownstreamToken, DownstreamError> {
        // Whoever asked before may have been answered since it was looked for.
        if let Some(answer) = self.kept(&question.key, question.caller_token()) {
            return answer;
        }
        let asked_at = self.parts.clock.unix_seconds();
        let outcome = self.ask(question.subject.as_ref(), &question.scopes).await;
        // All who wait for it get it, and what it was had with may have been taken back meanwhile.
        let asked_with = question.subject.as_ref().map(|known| &known.known_by);
        if asked_with.is_some_and(|caller| is_revoked(&self.parts.cutoffs, caller)) {
            return Err(DownstreamError::Caller(DownstreamRefusal::SignInAgain));
        }
        match outcome {
            Ok(answer) => Ok(self.keep(question, answer, asked_at)),
            Err(error) => {
                if is_said_of_a_token(&error) {
                    let now = self.parts.clock.unix_seconds();
                    self.refusals.keep(question.own_key, error.clone(), now);
                }
                Err(error)
            }
        }
    }

    /// Keeps what was answered, and makes of it what is handed out.
    fn keep(&self, question: &Question, answer: TokenAnswer, asked_at: u64) -> DownstreamToken {
        let parts = &self.parts;
        let lifetime = answer.expires_in;
        // Its life may have begun when it was asked for.
        let expires_at = lifetime.map(|seconds| asked_at.saturating_add(seconds));
        let granted = answer.scope.unwrap_or_else(|| question.scopes.clone());
        let token = DownstreamToken::new(answer.access_token, granted, expires_at);
        if let (Some(ends), Some(seconds)) = (expires_at, lifetime) {
            let subject = question.subject.as_ref();
            let caller_ends = subject.and_then(|known| known.let_in_until);
            let until =
                (ends - LAST_SECONDS.min(seconds / 10)).min(caller_ends.unwrap_or(u64::MAX));
            let had_with = subject.map(|known| known.known_by.clone());
            let (kept, now) = (token.clone(), parts.clock.unix_seconds());
            self.cache.keep(question.key, kept, had_with, until, now, &parts.cutoffs);
        }
        tracing::debug!(downstream = %parts.name, "a token for another API was had");
        token
    }

    async fn ask(
        &self,
        subject: Option<&Subject>,
        scopes: &Scopes,
    ) -> Result<TokenAnswer, DownstreamError> {
        let config = &self.parts.config;
        let Some(caller) = subject else {
            let answer = self.ask_at(&self.parts.endpoint, form_for_us(config, scopes)).await?;
            self.usable(check_bearer_answer(&answer, &[], scopes))?;
            return Ok(answer);
        };
        let actor = self.actor().await?;
        let form = form_for_caller(config, &caller.token, actor.as_ref(), scopes);
        let answer = self.ask_at(&self.parts.endpoint, form).await?;
        let mut sent: Vec<&str> = vec![&caller.token];
        sent.extend(actor.as_ref().map(|known| known.token.as_str()));
        self.usable(check_answer(config, &answer, &sent, scopes))?;
        let Some(target) = &self.parts.target else { return Ok(answer) };
        self.usable(self.check_assertion(&answer.access_token))?;
        let assertion = form_with_assertion(&answer.access_token, scopes);
        // There the caller has nothing that they could change, and it is not for that server to say what they do here.
        let second = self.ask_at(target, assertion).await.map_err(not_of_the_caller)?;
        sent.push(&answer.access_token);
        self.usable(check_bearer_answer(&second, &sent, scopes))?;
        Ok(second)
    }

    async fn actor(&self) -> Result<Option<Actor>, DownstreamError> {
        let Some(how) = &self.parts.config.actor_token else { return Ok(None) };
        let token = match how {
            ActorToken::ClientCredentials => {
                let none = Scopes::default();
                let form = form_for_us(&self.parts.config, &none);
                let asked = self.ask_at(&self.parts.endpoint, form).await;
                let answer = asked.map_err(not_of_the_caller)?;
                self.usable(check_bearer_answer(&answer, &[], &none))?;
                answer.access_token
            }
            ActorToken::File(file) => {
                let read = read_actor_token(file.clone()).await;
                read.map_err(|reason| {
                    self.log(&DownstreamError::Refused, &reason);
                    DownstreamError::Refused
                })?
            }
        };
        Ok(Some(Actor::new(token, how)))
    }

    fn check_assertion(&self, assertion: &str) -> Result<(), String> {
        let parts = &self.parts;
        let target = parts.config.target.as_ref().map(|one| one.client_id.as_str());
        let name = parts.endpoint.name();
        let expected = ExpectedAssertion {
            issuer: parts.config.issuer.is_some().then_some(name),
            audience: parts.config.audience.first().map_or("", String::as_str),
            client_id: target.unwrap_or_default(),
            resources: &parts.config.resource,
            now: parts.clock.unix_seconds(),
        };
        check_assertion(assertion, &expected)
    }

    async fn ask_at(
        &self,
        endpoint: &TokenEndpoint,
        form: TokenForm,
    ) -> Result<TokenAnswer, DownstreamError> {
        let (error, reason) = match endpoint.ask(form).await {
            Ok(answer) => return Ok(answer),
            Err(EndpointFault::Refused(refusal)) => {
                let error = error_of(&self.parts.config, &refusal);
                (error, format!("{}: {}", refusal.error, refusal.description))
            }
            Err(EndpointFault::Unusable(reason)) => (DownstreamError::UnusableAnswer, reason),
            Err(EndpointFault::Unavailable { reason, retry_after }) => {
                let fault = Unavailable::new(endpoint.name(), reason.clone(), retry_after);
                (DownstreamError::Unavailable(fault), reason)
            }
        };
        self.log(&error, &format!("{}: {reason}", endpoint.name()));
        Err(error)
    }

    /// What is wrong with an answer is logged, and withheld from whoever asked.
    fn usable(&self, checked: Result<(), String>) -> Result<(), DownstreamError> {
        checked.map_err(|reason| {
            self.log(&DownstreamError::UnusableAnswer, &reason);
            DownstreamError::UnusableAnswer
        })
    }

    fn unavailable(&self, reason: &str, retry_after: u64) -> DownstreamError {
        let fault = Unavailable::new(self.parts.endpoint.name(), reason, retry_after);
        let error = DownstreamError::Unavailable(fault);
        self.log(&error, reason);
        error
    }

    fn log(&self, error: &DownstreamError, reason: &str) {
        let (downstream, code, line) = (&self.parts.name, error.code(), in_one_line(reason));
        tracing::warn!(%downstream, code, reason = %line, "no token for another API");
    }
}

impl Question {
    fn new(key: Digest, subject: Option<Subject>, scopes: &Scopes) -> Self {
        let own_key = key_of_one_token(&key, text_of(subject.as_ref()));
        Self { key, own_key, subject, scopes: scopes.clone() }
    }

    fn caller_token(&self) -> &str {
        text_of(self.subject.as_ref())
    }
}

/// The token of a caller; empty for the tool itself.
fn text_of(subject: Option<&Subject>) -> &str {
    subject.map_or("", |known| &known.token)
}

/// Whether it could be another with another token of the caller. RFC 8693 §2.2.2 has `invalid_request` for a bad one.
fn is_said_of_a_token(error: &DownstreamError) -> bool {
    matches!(error, DownstreamError::Caller(_) | DownstreamError::Refused)
}

/// A refusal that the caller can do nothing about.
fn not_of_the_caller(error: DownstreamError) -> DownstreamError {
    match error {
        DownstreamError::Caller(_) => DownstreamError::Refused,
        other => other,
    }
}

/// The caller without their token and without what else it says, for what is kept.
fn known_by(caller: &AuthInfo) -> AuthInfo {
    let mut claims = Map::new();
    let said = [
        ("sub", caller.subject()),
        ("client_id", caller.client_id()),
        ("sid", caller.text_claim("sid")),
        ("jti", caller.text_claim("jti")),
    ];
    for (name, text) in said {
        claims.extend(text.map(|value| (name.to_owned(), json!(value))));
    }
    claims.extend(caller.issued_at().map(|seconds| ("iat".to_owned(), json!(seconds))));
    claims.insert("iss".to_owned(), Value::from(caller.issuer()));
    let same = AuthInfo::from_verified_claims(claims);
    // They are texts and a number, which are always claims.
    debug_assert!(same.is_ok());
    same.unwrap_or_else(|_| caller.clone())
}

#[cfg(test)]
mod tests;
