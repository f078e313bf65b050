//! Authorization server metadata (RFC 8414): the document, and the few members we act on.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::{Destination, UrlRules};
use crate::identifier::IssuerIdentifier;

/// Changes a fetched document before it is read: (issuer, document).
pub(crate) type MetadataPatch = Arc<dyn Fn(&str, &mut Value) + Send + Sync>;

/// A metadata document that belongs to the issuer it was asked for.
#[derive(Debug)]
pub(crate) struct Metadata {
    jwks_uri: Option<Destination>,
    /// The whole document.
    pub(super) content: Value,
    /// The same as JSON, for 2025-03-26 clients.
    pub(crate) document: Bytes,
}

impl Metadata {
    /// Reads a document that must be this issuer's.
    pub(crate) fn read(
        issuer: &IssuerIdentifier,
        document: &Value,
        rules: &UrlRules,
    ) -> Result<Self, MetadataFault> {
        let members = Members::deserialize(document).map_err(|error| error.to_string())?;
        // RFC 8414 §3.3: identical, code point by code point, or the document is not used.
        if members.issuer != issuer.as_str() {
            return Err(MetadataFault::OtherIssuer(mismatch(issuer.as_str(), &members.issuer)));
        }
        let jwks_uri = members.jwks_uri.map(|url| rules.admit(url)).transpose();
        let jwks_uri = jwks_uri.map_err(|fault| format!("`jwks_uri` {fault}"))?;
        Ok(Self {
            jwks_uri,
            content: document.clone(),
            document: Bytes::from(document.to_string()),
        })
    }

    /// Where its keys are.
    pub(crate) fn jwks_uri(&self) -> Result<&Destination, String> {
        self.jwks_uri.as_ref().ok_or_else(|| "`jwks_uri` is missing".to_owned())
    }

    /// Whether it says where its keys are.
    pub(super) fn has_keys(&self) -> bool {
        self.jwks_uri.is_some()
    }

    /// The URL that a member names; with a certificate, the alias for it where there is one.
    pub(super) fn endpoint(
        &self,
        member: &str,
        with_certificate: bool,
        rules: &UrlRules,
    ) -> Result<Destination, String> {
        let document = &self.content;
        let alias = with_certificate.then(|| &document["mtls_endpoint_aliases"][member]);
        let url = alias.and_then(Value::as_str).or_else(|| document[member].as_str());
        let url = url.ok_or_else(|| format!("the metadata has no `{member}`"))?;
        rules.admit(url.to_owned()).map_err(|fault| format!("`{member}` {fault}"))
    }
}

/// Why a document is not used.
#[derive(Debug)]
pub(crate) enum MetadataFault {
    OtherIssuer(String),
    Unusable(String),
}

impl From<String> for MetadataFault {
    fn from(reason: String) -> Self {
        Self::Unusable(reason)
    }
}

impl fmt::Display for MetadataFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::OtherIssuer(reason) | Self::Unusable(reason)) = self;
        f.write_str(reason)
    }
}

#[derive(Deserialize)]
struct Members {
    issuer: String,
    jwks_uri: Option<String>,
}

fn mismatch(expected: &str, found: &str) -> String {
    let slash = expected.trim_end_matches('/') == found.trim_end_matches('/');
    let hint =
        if slash { "; they differ only by a slash at the end: configure the latter" } else { "" };
    format!("`issuer` must be exactly {expected:?} but is {found:?}{hint}")
}
