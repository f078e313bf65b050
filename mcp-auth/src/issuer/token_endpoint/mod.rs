//! Asking an authorization server for a token (RFC 6749 §3.2): for APIs that tools call for their callers.

mod answer;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

#[cfg(any(test, fuzzing))]
pub(crate) use self::answer::read_token_answer;
pub(crate) use self::answer::{EndpointFault, OAuthRefusal, TokenAnswer};
use super::client_credentials::{ClientCredentials, write_form};
use super::http_date::retry_after;
use super::pauses::Pauses;
use super::refresh::RETRY_AFTER;
use super::{Destination, HttpClient, Issuer};
use crate::clock::Clock;

/// Members of a request, by their registered names.
pub(crate) type TokenForm = Vec<(&'static str, String)>;

/// Where tokens are asked for, and as whom.
pub(crate) struct TokenEndpoint {
    place: EndpointPlace,
    client_id: String,
    credentials: ClientCredentials,
    http: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
    /// How long one request may take.
    timeout: Duration,
    pauses: Pauses,
}

/// How the endpoint is found.
pub(crate) enum EndpointPlace {
    /// In the metadata of this issuer.
    OfIssuer(Arc<Issuer>),
    /// It is configured.
    At(String),
}

/// Us as a client of an authorization server.
pub(crate) struct EndpointClient {
    pub(crate) client_id: String,
    pub(crate) credentials: ClientCredentials,
    pub(crate) http: Arc<dyn HttpClient>,
}

impl EndpointPlace {
    /// Its name in logs and errors: the issuer, or the URL.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::OfIssuer(issuer) => issuer.identifier().as_str(),
            Self::At(url) => url,
        }
    }

    /// The URL of a page, to which a browser is sent; `member` is what the metadata calls it.
    pub(crate) async fn page(&self, member: &str) -> Result<String, String> {
        match self {
            Self::At(url) => Ok(url.clone()),
            Self::OfIssuer(issuer) => issuer.page(member).await.map_err(|fault| fault.reason),
        }
    }
}

impl TokenEndpoint {
    pub(crate) fn new(
        place: EndpointPlace,
        client: EndpointClient,
        clock: Arc<dyn Clock>,
        timeout: Duration,
    ) -> Self {
        let EndpointClient { client_id, credentials, http } = client;
        let pauses = Pauses::default();
        Self { place, client_id, credentials, http, clock, timeout, pauses }
    }

    /// Whether both ask in the same place, as the same client, on the same connections.
    pub(crate) fn asks_like(&self, other: &Self) -> bool {
        let is_same_place = match (&self.place, &other.place) {
            (EndpointPlace::OfIssuer(one), EndpointPlace::OfIssuer(another)) => {
                Arc::ptr_eq(one, another)
            }
            (EndpointPlace::At(one), EndpointPlace::At(another)) => one == another,
            _ => false,
        };
        is_same_place
            && self.client_id == other.client_id
            && self.credentials.is_same_as(&other.credentials)
            && Arc::ptr_eq(&self.http, &other.http)
            && self.timeout == other.timeout
    }

    /// Its name in logs and errors: the issuer, or the URL.
    pub(crate) fn name(&self) -> &str {
        self.place.name()
    }

    /// How long a question takes at most: metadata may have to be fetched first.
    pub(crate) fn longest_question(&self) -> Duration {
        self.timeout.saturating_mul(2)
    }

    /// Asks for a token; `form` is what the grant asks for, to which what proves who we are is added.
    ///
    /// # Errors
    /// There is no token, or none that can be used, or no answer within a bounded time.
    pub(crate) async fn ask(&self, form: TokenForm) -> Result<TokenAnswer, EndpointFault> {
        let limit = self.longest_question();
        match tokio::time::timeout(limit, self.ask_without_limit(form)).await {
            Ok(answer) => answer,
            Err(_) => {
                let reason = format!("no answer within {} s", limit.as_secs_f32());
                Err(EndpointFault::Unavailable { reason, retry_after: RETRY_AFTER })
            }
        }
    }

    /// Tells another endpoint of the same server something, as the same client, and wants no more than that it was heard:
    /// for revocation (RFC 7009). `member` is what the metadata calls it.
    ///
    /// # Errors
    /// It was not heard, or refused, or there is no answer within a bounded time.
    pub(crate) async fn tell(
        &self,
        place: &EndpointPlace,
        member: &str,
        form: TokenForm,
    ) -> Result<(), EndpointFault> {
        let limit = self.longest_question();
        let telling = async {
            let destination = self.destination(place, member).await?;
            let response = self.send(&destination, form).await?;
            match response.status() {
                StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
                status => Err(EndpointFault::unavailable(format!("status {}", status.as_u16()))),
            }
        };
        match tokio::time::timeout(limit, telling).await {
            Ok(told) => told,
            Err(_) => Err(EndpointFault::unavailable("no answer in time".to_owned())),
        }
    }

    async fn ask_without_limit(&self, form: TokenForm) -> Result<TokenAnswer, EndpointFault> {
        let place = self.destination(&self.place, "token_endpoint").await?;
        let response = self.send(&place, form).await?;
        answer::read_token_answer(response.status(), response.body())
    }

    async fn send(
        &self,
        place: &Destination,
        form: TokenForm,
    ) -> Result<Response<Bytes>, EndpointFault> {
        let now = self.clock.unix_seconds();
        let pause = self.pauses.left(&place.url, now);
        if pause > 0 {
            let reason = format!("it asked to be left alone for {pause} s more");
            return Err(EndpointFault::Unavailable { reason, retry_after: pause.max(RETRY_AFTER) });
        }
        let request = self.request(place, form, now).map_err(EndpointFault::unavailable)?;
        let response = self.http.send(request).await;
        let response = response.map_err(|error| EndpointFault::unavailable(error.to_string()))?;
        if let Some(seconds) = retry_after(response.status(), response.headers(), now) {
            self.pauses.pause(&place.url, now, seconds);
        }
        Ok(response)
    }

    async fn destination(
        &self,
        place: &EndpointPlace,
        member: &str,
    ) -> Result<Destination, EndpointFault> {
        match place {
            EndpointPlace::At(url) => Ok(Destination::configured(url.clone())),
            EndpointPlace::OfIssuer(issuer) => {
                let with_certificate = matches!(self.credentials, ClientCredentials::Certificate);
                let found = issuer.endpoint(member, with_certificate).await;
                found.map_err(|fault| EndpointFault::Unavailable {
                    reason: fault.reason,
                    retry_after: fault.retry_after,
                })
            }
        }
    }

    fn request(
        &self,
        place: &Destination,
        mut form: TokenForm,
        now: u64,
    ) -> Result<Request<Bytes>, String> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form_type);
        self.credentials.prove(&self.client_id, self.name(), now, &mut headers, &mut form)?;
        let mut request = Request::new(Bytes::from(write_form(&form)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = place.url.parse().map_err(|_| "not a valid URL".to_owned())?;
        *request.headers_mut() = headers;
        request.extensions_mut().insert(place.addresses);
        Ok(request)
    }
}
