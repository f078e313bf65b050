//! The documents that need no token: our own (RFC 9728), and an issuer's that is served for older clients.
//!
//! A client that was refused follows the URL in the challenge to the first of them, learns which issuers are trusted here,
//! and signs in at one. So what stands in it decides where users enter their passwords:
//!
//! 1. Everything comes from the configuration, and nothing from the request: not its `Host`, not its path.
//! 2. `resource` is the identifier that was configured, with its scheme and host in small letters. A client must refuse
//!    any other (RFC 9728 §3.3).
//! 3. `authorization_servers` names the issuers that were to be advertised, in their own spelling.
//! 4. It is made once, at start; a request costs a copy of a reference.
//!
//! They say the same to everybody, so pages of every origin may read them: clients that run in a browser look here
//! first. Which origins may call the resource itself is checked there.
//!
//! Tested in `issuer::discovery`, `serve::transition` and `serve::cors`.

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};

use super::cors::{cors_of_public_documents, preflight};
use super::{Reply, Resource};
use crate::config::ProtectedResource;
use crate::error::AuthError;

impl Resource {
    /// The RFC 9728 document, for whoever asks for it.
    pub(crate) fn metadata(&self, request: &Parts) -> Reply {
        self.public_document(request, Ok(self.metadata_document.clone()))
    }

    /// A document that needs no token, whoever asks and from wherever. Clients keep it for five minutes, so that a
    /// change of the configuration reaches them soon. What cannot be had from an issuer is refused as an outage, with
    /// the headers that let a page read why.
    pub(crate) fn public_document(
        &self,
        request: &Parts,
        document: Result<Bytes, AuthError>,
    ) -> Reply {
        let cors = cors_of_public_documents();
        match (&request.method, document) {
            (&Method::OPTIONS, _) => preflight(request, cors, "GET, HEAD, OPTIONS"),
            (&Method::GET | &Method::HEAD, Ok(document)) => {
                let mut reply = Reply::json(StatusCode::OK, document).with_headers(cors);
                reply
                    .headers
                    .insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
                reply
            }
            (&Method::GET | &Method::HEAD, Err(error)) => self.refuse(error).with_headers(cors),
            _ => Reply::method_not_allowed("GET, HEAD, OPTIONS").with_headers(cors),
        }
    }
}

/// The document, in the members of RFC 9728 §2.
///
/// Scopes that were not listed are those that every request needs: clients ask their user for what they find here, and a
/// list that is not there makes some of them ask for everything. Members without a value are left out.
pub(super) fn describe(resource: &Resource, config: &ProtectedResource) -> Bytes {
    let advertised =
        resource.authenticator.issuers.list.iter().filter(|trusted| trusted.is_advertised);
    let issuers = advertised.map(|trusted| &*trusted.name);
    let candidates = [&config.scopes_supported, &resource.required_scopes];
    let supported = candidates.into_iter().find(|scopes| !scopes.is_empty());
    let mut document = Map::new();
    document.insert("resource".to_owned(), json!(resource.identifier.as_str()));
    document.insert("authorization_servers".to_owned(), issuers.collect());
    document.insert("bearer_methods_supported".to_owned(), json!(["header"]));
    let supported = supported.map(|scopes| resource.advertised(scopes).iter().collect());
    document.extend(supported.map(|scopes: Value| ("scopes_supported".to_owned(), scopes)));
    document.extend(said_as_it_is(config));
    Bytes::from(Value::Object(document).to_string())
}

/// The members that are passed on as they were configured: nothing here is decided by them.
fn said_as_it_is(config: &ProtectedResource) -> Map<String, Value> {
    let texts = [
        ("resource_name", &config.resource_name),
        ("resource_documentation", &config.resource_documentation),
        ("resource_policy_uri", &config.resource_policy_uri),
        ("resource_tos_uri", &config.resource_tos_uri),
        ("jwks_uri", &config.jwks_uri),
        ("signed_metadata", &config.signed_metadata),
    ];
    let lists = [
        ("resource_signing_alg_values_supported", &config.resource_signing_alg_values_supported),
        ("authorization_details_types_supported", &config.authorization_details_types_supported),
        ("dpop_signing_alg_values_supported", &config.dpop_signing_alg_values_supported),
    ];
    let switches = [
        (
            "tls_client_certificate_bound_access_tokens",
            config.tls_client_certificate_bound_access_tokens,
        ),
        ("dpop_bound_access_tokens_required", config.dpop_bound_access_tokens_required),
    ];
    let mut members = Map::new();
    for (name, text) in texts {
        members.extend(text.as_ref().map(|present| (name.to_owned(), json!(present))));
    }
    // RFC 9728 §3.2: a member without values is left out.
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        members.insert(name.to_owned(), json!(list));
    }
    for (name, switch) in switches {
        members.extend(switch.map(|present| (name.to_owned(), json!(present))));
    }
    members.extend(config.localized.iter().map(|(name, text)| (name.clone(), json!(text))));
    members
}
