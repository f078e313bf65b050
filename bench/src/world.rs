//! What every contender finds: an issuer on loopback, its documents in memory, and tokens.

use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;

use bytes::Bytes;
use dev_issuer::{Algorithm, DevIssuer, Mint};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, header};
use mcp_auth::http_client::{HttpClient, HttpError};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::Failure;

/// The protected resource of every contender.
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";
/// Whom every token is about.
pub(crate) const SUBJECT: &str = "auth0|65f3a1c29b7e4d0012ab34cd";
/// A scope that every token has.
pub(crate) const SCOPE: &str = "mcp:read";
/// What is measured; all keys are in one set.
pub(crate) const ALGORITHMS: [Algorithm; 3] =
    [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
/// Bytes of a token.
const TOKEN_LENGTH: usize = 800;
/// Scopes that fill a token up: shorter signatures leave room for more of them.
const MORE_SCOPES: [&str; 12] = [
    "mcp:write",
    "files:read",
    "files:write",
    "notes:read",
    "notes:write",
    "calendar:read",
    "calendar:write",
    "contacts:read",
    "contacts:write",
    "mail:read",
    "mail:send",
    "profile:read",
];

/// An issuer with one key per algorithm. It runs on a thread of its own.
pub(crate) struct World {
    pub(crate) issuer: DevIssuer,
    /// The key set, as the issuer serves it.
    pub(crate) jwks: Value,
    documents: Documents,
    /// The issuer stops with it.
    _runtime: Runtime,
}

impl World {
    pub(crate) fn start() -> Result<Self, Failure> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let issuer = runtime.block_on(DevIssuer::start())?;
        for algorithm in ALGORITHMS {
            // A key is published when it is first used.
            issuer.mint().algorithm(algorithm).sign();
        }
        let metadata_url = format!("{}/.well-known/oauth-authorization-server", issuer.issuer());
        let metadata = runtime.block_on(fetch(&metadata_url))?;
        let jwks = runtime.block_on(fetch(&issuer.jwks_uri()))?;
        let documents = [(metadata_url, metadata), (issuer.jwks_uri(), jwks.clone())];
        let documents = Documents(Arc::new(documents.into_iter().collect()));
        Ok(Self { issuer, jwks: serde_json::from_slice(&jwks)?, documents, _runtime: runtime })
    }

    /// The issuer's documents without a network.
    pub(crate) fn documents(&self) -> Documents {
        self.documents.clone()
    }

    /// The public key of an algorithm, as a JWK.
    pub(crate) fn jwk(&self, algorithm: Algorithm) -> Result<&Value, Failure> {
        let keys = self.jwks["keys"].as_array().into_iter().flatten();
        let mut keys = keys.filter(|jwk| jwk["alg"] == algorithm.as_str());
        keys.next().ok_or_else(|| format!("the issuer has no key for {algorithm}").into())
    }

    /// Distinct tokens.
    pub(crate) fn tokens(&self, algorithm: Algorithm, count: usize) -> Vec<Token> {
        let fill = self.fill(algorithm);
        (0..count).map(|_| Token::new(self.mint(algorithm, fill))).collect()
    }

    /// One token, with the number of scopes that [`World::fill`] says.
    pub(crate) fn mint(&self, algorithm: Algorithm, scopes: usize) -> String {
        self.mint_for(algorithm, scopes, RESOURCE).sign()
    }

    /// The same for another resource, to be changed further.
    pub(crate) fn mint_for(&self, algorithm: Algorithm, scopes: usize, resource: &str) -> Mint {
        let mut scope = SCOPE.to_owned();
        for more in &MORE_SCOPES[..scopes] {
            scope.push(' ');
            scope.push_str(more);
        }
        self.issuer
            .mint()
            .algorithm(algorithm)
            .subject(SUBJECT)
            .claim("aud", json!([resource, "https://api.example.com"]))
            .claim("azp", "mVcX3pQ8sT1uW5yZ")
            .without("client_id")
            .not_before_in(0)
            .scope(scope)
    }

    /// How many more scopes bring a token to its length.
    pub(crate) fn fill(&self, algorithm: Algorithm) -> usize {
        let is_long_enough = |scopes: &usize| self.mint(algorithm, *scopes).len() >= TOKEN_LENGTH;
        (0..MORE_SCOPES.len()).find(is_long_enough).unwrap_or(MORE_SCOPES.len())
    }
}

async fn fetch(url: &str) -> Result<Bytes, Failure> {
    Ok(reqwest::get(url).await?.error_for_status()?.bytes().await?)
}

/// A token, and the request that carries it.
pub(crate) struct Token {
    pub(crate) compact: String,
    pub(crate) parts: Parts,
}

impl Token {
    pub(crate) fn new(compact: String) -> Self {
        let mut request = Request::new(());
        *request.uri_mut() = http::Uri::from_static("/mcp");
        let bearer = HeaderValue::from_str(&format!("Bearer {compact}"));
        let bearer = bearer.unwrap_or(HeaderValue::from_static(""));
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        Self { compact, parts: request.into_parts().0 }
    }

    /// A request with a body, for contenders that take it whole.
    pub(crate) fn request<B>(&self, body: B) -> Request<B> {
        Request::from_parts(self.parts.clone(), body)
    }
}

/// An HTTP client that has every document already.
#[derive(Clone)]
pub(crate) struct Documents(Arc<HashMap<String, Bytes>>);

impl Documents {
    pub(crate) fn new(documents: impl IntoIterator<Item = (String, Bytes)>) -> Self {
        Self(Arc::new(documents.into_iter().collect()))
    }
}

impl HttpClient for Documents {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let found = self.0.get(&request.uri().to_string()).cloned();
        let mut response = Response::new(found.clone().unwrap_or_default());
        if found.is_none() {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        ready(Ok(response)).boxed()
    }
}
