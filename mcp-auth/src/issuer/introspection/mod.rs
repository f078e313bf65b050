//! Asking an authorization server about a token (RFC 7662, and what others have in its place).

mod answer;
mod question;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

pub(crate) use self::answer::SignedAnswerRules;
#[cfg(test)]
pub(crate) use self::answer::read_answer;
use self::answer::unusable;
use super::client_credentials::ClientCredentials;
use super::http_date::retry_after;
use super::refresh::RETRY_AFTER;
use super::{Destination, HttpClient, Issuer};
use crate::config::IntrospectionMethod;
use crate::error::Unavailable;
use crate::json::JsonError;
use crate::text::in_one_line;

/// Whom to ask about the opaque tokens of one issuer, and as whom.
pub(crate) struct Introspector {
    pub(crate) issuer: Arc<Issuer>,
    method: IntrospectionMethod,
    /// The configured URL to ask; `None` when the method or the metadata names it.
    endpoint: Option<String>,
    client_id: String,
    credentials: ClientCredentials,
    /// For signed answers; `None` where plain ones are asked for.
    signed_answers: Option<SignedAnswerRules>,
    http: Arc<dyn HttpClient>,
}

/// Why a question has no answer.
struct Fault {
    reason: String,
    /// Seconds after which it may have one.
    retry_after: u64,
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self { reason, retry_after: RETRY_AFTER }
    }
}

impl From<Unavailable> for Fault {
    fn from(fault: Unavailable) -> Self {
        Self { reason: fault.reason, retry_after: fault.retry_after }
    }
}

impl Introspector {
    pub(crate) fn new(
        issuer: Arc<Issuer>,
        http: Arc<dyn HttpClient>,
        credentials: ClientCredentials,
        config: &crate::config::Introspection,
        signed_answers: SignedAnswerRules,
    ) -> Self {
        Self {
            issuer,
            method: config.method,
            endpoint: config.endpoint.clone(),
            client_id: config.client_id.clone(),
            credentials,
            signed_answers: config.signed_response.then_some(signed_answers),
            http,
        }
    }

    /// Whether both ask as the same client, on the same connections.
    pub(crate) fn asks_like(&self, other: &Self) -> bool {
        self.client_id == other.client_id
            && self.credentials.is_same_as(&other.credentials)
            && Arc::ptr_eq(&self.http, &other.http)
    }

    /// What the issuer says of an active token; `None` when it is not active.
    ///
    /// `turns` bounds how many questions are open at one time; more wait.
    pub(crate) async fn ask(
        &self,
        token: &str,
        turns: &Semaphore,
    ) -> Result<Option<Map<String, Value>>, Unavailable> {
        let limit = self.issuer.patience();
        match tokio::time::timeout(limit, self.ask_in_turn(token, turns)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(fault)) => Err(self.unavailable(fault)),
            Err(_) => {
                let reason = format!("introspection: no answer within {} s", limit.as_secs_f32());
                Err(self.unavailable(reason.into()))
            }
        }
    }

    /// The refusal for an answer that came, and has a member that cannot be read.
    pub(crate) fn unreadable(&self, error: &JsonError) -> Unavailable {
        self.unavailable(format!("introspection: {}", unusable(error)).into())
    }

    /// Logs that nobody can tell what a token is.
    fn unavailable(&self, fault: Fault) -> Unavailable {
        let issuer = self.issuer.identifier();
        let reason = in_one_line(&fault.reason);
        tracing::warn!(%issuer, %reason, "a token could not be introspected");
        Unavailable::new(issuer, fault.reason, fault.retry_after)
    }

    async fn ask_in_turn(
        &self,
        token: &str,
        turns: &Semaphore,
    ) -> Result<Option<Map<String, Value>>, Fault> {
        let _turn = turns.acquire().await.map_err(|error| error.to_string())?;
        let place = self.place_to_ask().await?;
        let pause = self.issuer.pauses.left(&place.url, self.issuer.now());
        if pause > 0 {
            let reason = fault_at(&place, &format!("it asked to be left alone for {pause} s more"));
            return Err(Fault { reason, retry_after: pause.max(RETRY_AFTER) });
        }
        let request = self.question(&place, token)?;
        let response = self.send(request).await.map_err(|fault| fault_at(&place, &fault))?;
        let now = self.issuer.now();
        let asked_pause = retry_after(response.status(), response.headers(), now);
        if let Some(seconds) = asked_pause.filter(|_| self.is_of_endpoint(response.status())) {
            self.issuer.pauses.pause(&place.url, now, seconds);
        }
        self.read(&response).await.map_err(|reason| {
            let seconds = self.issuer.pauses.left(&place.url, now);
            Fault { reason: fault_at(&place, &reason), retry_after: seconds.max(RETRY_AFTER) }
        })
    }

    /// Whether what this answer asks for holds for all tokens. At the UserInfo endpoint it is the token that signs in, so
    /// that its own user, who asked too often, is what a 429 is about.
    fn is_of_endpoint(&self, status: StatusCode) -> bool {
        self.method != IntrospectionMethod::DangerousUserinfo
            || status != StatusCode::TOO_MANY_REQUESTS
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        self.http.send(request).await.map_err(|error| error.to_string())
    }

    /// Where to ask: the configured URL, that of Google or GitHub, or the one that the metadata names.
    pub(crate) async fn place_to_ask(&self) -> Result<Destination, Unavailable> {
        if let Some(url) = &self.endpoint {
            return Ok(Destination::configured(url.clone()));
        }
        let member = match self.method {
            IntrospectionMethod::Rfc7662 => "introspection_endpoint",
            IntrospectionMethod::DangerousUserinfo => "userinfo_endpoint",
            IntrospectionMethod::GoogleTokeninfo => {
                let url = "https://oauth2.googleapis.com/tokeninfo".to_owned();
                return Ok(Destination::configured(url));
            }
            IntrospectionMethod::GithubCheckToken => {
                let url = format!("https://api.github.com/applications/{}/token", self.client_id);
                return Ok(Destination::configured(url));
            }
        };
        let with_certificate = matches!(self.credentials, ClientCredentials::Certificate);
        self.issuer.endpoint(member, with_certificate).await
    }
}

fn fault_at(place: &Destination, reason: &str) -> String {
    format!("{}: {reason}", place.url)
}
