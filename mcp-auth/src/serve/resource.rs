//! One protected resource, ready to answer: who may call it, and the document that describes it.

use std::fmt;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, VARY};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};

use super::challenge::refuse;
use super::cors::preflight;
use super::{AllowedOrigins, Decision, Forward, Reply};
use crate::auth_info::AuthInfo;
use crate::authorize::Scopes;
use crate::config::ProtectedResource;
use crate::error::AuthError;
use crate::identifier::ResourceIdentifier;
use crate::verify::{BearerToken, Verifier};

/// A protected resource with everything that its answers need.
pub(crate) struct Resource {
    pub(crate) identifier: ResourceIdentifier,
    pub(super) metadata_url: String,
    pub(super) required_scopes: Scopes,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) verifier: Verifier,
    advertise_offline_access: bool,
    allowed_origins: AllowedOrigins,
    document: Bytes,
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Resource").field(&self.identifier).finish()
    }
}

impl Resource {
    pub(crate) fn new(
        config: &ProtectedResource,
        identifier: ResourceIdentifier,
        verifier: Verifier,
    ) -> Self {
        let mut resource = Self {
            metadata_url: identifier.metadata_url(),
            required_scopes: config.required_scopes.clone(),
            allowed_hosts: allowed_hosts(&identifier, &config.allowed_hosts),
            allowed_origins: AllowedOrigins::new(identifier.origin(), &config.allowed_origins),
            advertise_offline_access: config.dangerous_advertise_offline_access,
            document: Bytes::new(),
            identifier,
            verifier,
        };
        resource.document = resource.describe(config);
        resource
    }

    /// The whole data path of a request.
    pub(crate) async fn check(&self, request: &Parts) -> Decision {
        let cors = match self.allowed_origins.admit(request) {
            Ok(cors) => cors,
            Err(forbidden) => return Decision::Reply(self.refuse(AuthError::Forbidden(forbidden))),
        };
        if request.method == Method::OPTIONS {
            tracing::debug!(target: "mcp_auth::decision", code = "preflight", resource = %self.identifier, "preflight answered");
            return Decision::Reply(preflight(request, cors, "GET, POST, DELETE, OPTIONS"));
        }
        match self.authenticate_and_authorize(request).await {
            Ok(auth_info) => {
                self.log_allowed(&auth_info);
                Decision::Forward(Forward { auth_info, response_headers: cors })
            }
            Err(error) => Decision::Reply(self.refuse(error).with_headers(cors)),
        }
    }

    /// The same at once, for a caller whose token was accepted before; `None`: ask [`Self::check`].
    pub(super) fn check_seen(&self, request: &Parts) -> Option<Forward> {
        let response_headers = self.allowed_origins.admit(request).ok()?;
        if request.method == Method::OPTIONS {
            return None;
        }
        let token = BearerToken::from_request(request).ok()?;
        let auth_info = self.verifier.verified_before(token)?;
        self.authorize(&auth_info).ok()?;
        self.log_allowed(&auth_info);
        Some(Forward { auth_info, response_headers })
    }

    async fn authenticate_and_authorize(&self, request: &Parts) -> Result<AuthInfo, AuthError> {
        let token = BearerToken::from_request(request)?;
        let auth_info = self.verifier.verify(token).await?;
        self.authorize(&auth_info)?;
        Ok(auth_info)
    }

    /// The baseline: scopes that every operation needs.
    fn authorize(&self, auth_info: &AuthInfo) -> Result<(), AuthError> {
        if auth_info.scopes().contains_all(&self.required_scopes) {
            return Ok(());
        }
        let (required, granted) = (self.required_scopes.clone(), auth_info.scopes().clone());
        Err(AuthError::InsufficientScope { required, granted })
    }

    /// The RFC 9728 document, for whoever asks for it.
    pub(crate) fn metadata(&self, request: &Parts) -> Reply {
        self.public_document(request, Ok(self.document.clone()))
    }

    /// A document that needs no token; origins are checked all the same.
    pub(crate) fn public_document(
        &self,
        request: &Parts,
        document: Result<Bytes, AuthError>,
    ) -> Reply {
        let cors = match self.allowed_origins.admit(request) {
            Ok(cors) => cors,
            Err(forbidden) => return self.refuse(AuthError::Forbidden(forbidden)),
        };
        match (&request.method, document) {
            (&Method::OPTIONS, _) => preflight(request, cors, "GET, HEAD, OPTIONS"),
            (&Method::GET | &Method::HEAD, Ok(document)) => {
                let mut reply = Reply::json(StatusCode::OK, document).with_headers(cors);
                // A cache must not give a page the copy that was made for another caller.
                reply.headers.insert(VARY, HeaderValue::from_static("origin"));
                reply
                    .headers
                    .insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
                reply
            }
            (&Method::GET | &Method::HEAD, Err(error)) => self.refuse(error).with_headers(cors),
            _ => {
                let status = StatusCode::METHOD_NOT_ALLOWED;
                let mut reply =
                    Reply::error(status, "method_not_allowed", "use GET").with_headers(cors);
                reply
                    .headers
                    .insert(http::header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
                reply
            }
        }
    }

    /// The scopes that clients are told of.
    pub(super) fn advertised(&self, scopes: &Scopes) -> Scopes {
        // MCP authorization, "Scope selection": `offline_access` is the client's business.
        if self.advertise_offline_access {
            scopes.clone()
        } else {
            scopes.without("offline_access")
        }
    }

    fn refuse(&self, error: AuthError) -> Reply {
        self.log_refused(&error);
        refuse(self, error)
    }

    fn log_allowed(&self, auth_info: &AuthInfo) {
        tracing::debug!(
            target: "mcp_auth::decision",
            code = "allowed",
            resource = %self.identifier,
            issuer = auth_info.issuer(),
            "request allowed"
        );
    }

    fn log_refused(&self, error: &AuthError) {
        let (expected, actual) = error.compared();
        tracing::info!(
            target: "mcp_auth::decision",
            code = error.code(),
            status = error.status().as_u16(),
            resource = %self.identifier,
            expected,
            actual,
            "request refused"
        );
    }

    /// RFC 9728 §2.
    fn describe(&self, config: &ProtectedResource) -> Bytes {
        let issuers = self.verifier.issuers.list.iter().map(|trusted| &*trusted.name);
        let supported = [&config.scopes_supported, &self.required_scopes];
        let supported = supported.into_iter().find(|scopes| !scopes.is_empty());
        let mut document = Map::new();
        document.insert("resource".to_owned(), json!(self.identifier.as_str()));
        document.insert("authorization_servers".to_owned(), issuers.collect());
        document.insert("bearer_methods_supported".to_owned(), json!(["header"]));
        let members = [
            ("scopes_supported", supported.map(|scopes| self.advertised(scopes).iter().collect())),
            ("resource_name", config.resource_name.as_deref().map(Value::from)),
            ("resource_documentation", config.resource_documentation.as_deref().map(Value::from)),
        ];
        for (name, value) in members {
            document.extend(value.map(|value: Value| (name.to_owned(), value)));
        }
        Bytes::from(Value::Object(document).to_string())
    }
}

/// The resource's own host, loopback for proxies and probes on this machine, and the listed ones.
fn allowed_hosts(resource: &ResourceIdentifier, listed: &[String]) -> Vec<String> {
    let loopback = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    [resource.host()].into_iter().chain(loopback).chain(listed.iter().cloned()).collect()
}
