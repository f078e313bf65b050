//! Asking an authorization server about a token (RFC 7662, and what others have in its place).

mod answer;
mod client_credentials;
mod question;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

#[cfg(test)]
pub(crate) use self::answer::read_answer;
pub(crate) use self::client_credentials::ClientCredentials;
use super::{Destination, HttpClient, Issuer};
use crate::config::IntrospectionMethod;
use crate::error::Unavailable;
use crate::text::in_one_line;

/// Whom to ask about the opaque tokens of one issuer, and as whom.
pub(crate) struct Introspector {
    pub(crate) issuer: Arc<Issuer>,
    method: IntrospectionMethod,
    /// The configured URL to ask; `None` when the method or the metadata names it.
    endpoint: Option<String>,
    client_id: String,
    credentials: ClientCredentials,
    signed_response: bool,
    http: Arc<dyn HttpClient>,
}

impl Introspector {
    pub(crate) fn new(
        issuer: Arc<Issuer>,
        http: Arc<dyn HttpClient>,
        credentials: ClientCredentials,
        config: &crate::config::Introspection,
    ) -> Self {
        Self {
            issuer,
            method: config.method,
            endpoint: config.endpoint.clone(),
            client_id: config.client_id.clone(),
            credentials,
            signed_response: config.signed_response,
            http,
        }
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
        let reason = match tokio::time::timeout(limit, self.ask_in_turn(token, turns)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(fault)) => fault,
            Err(_) => format!("introspection: no answer within {} s", limit.as_secs_f32()),
        };
        let unavailable = self.issuer.unavailable(&reason);
        tracing::warn!(
            issuer = unavailable.issuer,
            reason = in_one_line(&reason),
            "a token could not be introspected"
        );
        Err(unavailable)
    }

    async fn ask_in_turn(
        &self,
        token: &str,
        turns: &Semaphore,
    ) -> Result<Option<Map<String, Value>>, String> {
        let _turn = turns.acquire().await.map_err(|error| error.to_string())?;
        let place = self.place_to_ask().await?;
        let request = self.question(&place, token)?;
        let response = self.send(request).await.map_err(|fault| fault_at(&place, &fault))?;
        self.read(&response).await.map_err(|fault| fault_at(&place, &fault))
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        self.http.send(request).await.map_err(|error| error.to_string())
    }

    /// Where to ask: the configured URL, that of Google or GitHub, or the one that the metadata names.
    async fn place_to_ask(&self) -> Result<Destination, String> {
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
