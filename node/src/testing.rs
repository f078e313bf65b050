//! For tests: a development issuer in this process, a clock that stands, documents from a file.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use dev_issuer::{DevClient, DevIssuer, Mint};
use futures_util::future::{BoxFuture, ready};
use http::{Request, Response, StatusCode};
use mcp_auth::clock::Clock;
use mcp_auth::http_client::{HttpClient, HttpError};
use napi::Error;
use napi::bindgen_prelude::Result;
use napi_derive::napi;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::runtime;

/// Tells one time.
pub(crate) struct FixedClock(pub(crate) u64);

impl Clock for FixedClock {
    fn unix_seconds(&self) -> u64 {
        self.0
    }
}

/// What authorization servers answer, by URL; any other is a 404.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Documents(HashMap<String, Value>);

impl HttpClient for Documents {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, std::result::Result<Response<Bytes>, HttpError>> {
        let document = self.0.get(&request.uri().to_string()).map(Value::to_string);
        let status = if document.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
        let mut response = Response::new(Bytes::from(document.unwrap_or_default()));
        *response.status_mut() = status;
        Box::pin(ready(Ok(response)))
    }
}

/// An authorization server on loopback, for tests.
#[napi]
pub struct NativeDevIssuer(DevIssuer);

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct IssuerOptions {
    path: Option<String>,
    scopes: Option<Vec<String>>,
    algorithm: Option<String>,
    auto_approve: bool,
    default_audience: Option<String>,
    /// In seconds.
    access_token_lifetime: Option<u64>,
    clients: Vec<DevClient>,
    exchanges_own_tokens_only: bool,
    id_jag_issuers: Vec<String>,
}

#[napi]
impl NativeDevIssuer {
    /// Starts on a free port of loopback.
    #[napi(factory)]
    pub fn start(options: String) -> Result<Self> {
        let options: IssuerOptions = read(&options)?;
        let mut builder = DevIssuer::builder()
            .auto_approve(options.auto_approve)
            .clients(options.clients)
            .exchanges_own_tokens_only(options.exchanges_own_tokens_only)
            .id_jag_issuers(options.id_jag_issuers);
        if let Some(path) = options.path {
            builder = builder.path(path);
        }
        if let Some(scopes) = options.scopes {
            builder = builder.scopes(scopes);
        }
        if let Some(algorithm) = options.algorithm {
            builder = builder.algorithm(algorithm.parse().map_err(wrong)?);
        }
        if let Some(audience) = options.default_audience {
            builder = builder.default_audience(audience);
        }
        if let Some(seconds) = options.access_token_lifetime {
            builder = builder.access_token_lifetime(Duration::from_secs(seconds));
        }
        let runtime = runtime::runtime().ok_or_else(|| Error::from_reason("no thread"))?;
        runtime.block_on(builder.start()).map(Self).map_err(wrong)
    }

    /// The issuer identifier.
    #[napi(getter)]
    pub fn issuer(&self) -> String {
        self.0.issuer().to_owned()
    }

    /// The URL of the JWK Set.
    #[napi(getter)]
    pub fn jwks_uri(&self) -> String {
        self.0.jwks_uri()
    }

    /// Makes a token; the options are JSON.
    #[napi]
    pub fn mint(&self, options: String) -> Result<String> {
        let options: MintOptions = read(&options)?;
        let is_opaque = options.opaque;
        let mint = options.apply(self.0.mint())?;
        Ok(if is_opaque { mint.opaque() } else { mint.sign() })
    }

    /// Signs with a new key from now on.
    #[napi]
    pub fn rotate_keys(&self, drop_old: bool) {
        if drop_old { self.0.rotate_keys_and_drop_old() } else { self.0.rotate_keys() }
    }

    /// Revokes a token.
    #[napi]
    pub fn revoke(&self, token: String) {
        self.0.revoke(&token);
    }

    /// Answers in another way: `online`, `offline`, `hang`, `garbage`, `status:500` or `token:html`.
    #[napi]
    pub fn set_mode(&self, mode: String) -> Result<()> {
        self.0.set_mode(mode.parse().map_err(wrong)?);
        Ok(())
    }

    /// The requests for metadata and for keys so far.
    #[napi]
    pub fn requests(&self) -> Vec<u32> {
        let requests = self.0.requests();
        [requests.metadata, requests.jwks]
            .map(|count| u32::try_from(count).unwrap_or(u32::MAX))
            .into()
    }

    /// The requests for tokens so far, in all and by grant.
    #[napi]
    pub fn token_requests(&self) -> HashMap<String, u32> {
        let requests = self.0.requests().of_tokens();
        let names = requests.iter().map(|(name, _)| (*name).to_owned());
        let counts = requests.iter().map(|(_, count)| *count);
        names.zip(counts.map(|count| u32::try_from(count).unwrap_or(u32::MAX))).collect()
    }

    /// Stops.
    #[napi]
    pub fn stop(&self) {
        if let Some(runtime) = runtime::runtime() {
            runtime.block_on(self.0.shutdown());
        }
    }
}

/// What a token shall be; what is not there is as it should be.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct MintOptions {
    subject: Option<String>,
    audience: Option<Vec<String>>,
    scope: Option<String>,
    client_id: Option<String>,
    issuer: Option<String>,
    expires_in: Option<i64>,
    not_before_in: Option<i64>,
    issued_at: Option<u64>,
    claims: Map<String, Value>,
    without: Vec<String>,
    header: Map<String, Value>,
    algorithm: Option<String>,
    broken: Option<String>,
    opaque: bool,
}

impl MintOptions {
    fn apply(self, mut mint: Mint) -> Result<Mint> {
        if let Some(subject) = self.subject {
            mint = mint.subject(subject);
        }
        if let Some(audiences) = self.audience {
            mint = mint.audiences(audiences);
        }
        if let Some(scope) = self.scope {
            mint = mint.scope(scope);
        }
        if let Some(client_id) = self.client_id {
            mint = mint.client_id(client_id);
        }
        if let Some(issuer) = self.issuer {
            mint = mint.issuer(issuer);
        }
        if let Some(seconds) = self.issued_at {
            mint = mint.issued_at(seconds);
        }
        if let Some(seconds) = self.expires_in {
            mint = mint.expires_in(seconds);
        }
        if let Some(seconds) = self.not_before_in {
            mint = mint.not_before_in(seconds);
        }
        if let Some(algorithm) = self.algorithm {
            mint = mint.algorithm(algorithm.parse().map_err(wrong)?);
        }
        if let Some(broken) = self.broken {
            mint = mint.broken(broken.parse().map_err(wrong)?);
        }
        for (name, value) in self.claims {
            mint = mint.claim(name, value);
        }
        for claim in self.without {
            mint = mint.without(claim);
        }
        for (name, value) in self.header {
            mint = mint.header(name, value);
        }
        Ok(mint)
    }
}

/// In two steps, so that a fault does not say where it is in a text that nobody has seen.
fn read<T: DeserializeOwned>(options: &str) -> Result<T> {
    Ok(T::deserialize(serde_json::from_str::<Value>(options)?)?)
}

fn wrong(error: impl ToString) -> Error {
    Error::from_reason(error.to_string())
}
