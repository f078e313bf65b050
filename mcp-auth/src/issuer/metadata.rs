//! Authorization server metadata (RFC 8414): the document, and the few members we act on.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::{Destination, UrlRules};
use crate::identifier::IssuerIdentifier;
use crate::json::{type_in_words, wrong_type};

/// Changes a fetched document before it is read. It gets the issuer and the document.
pub(crate) type MetadataPatch = Arc<dyn Fn(&str, &mut Value) + Send + Sync>;

/// A metadata document that belongs to the issuer it was asked for.
#[derive(Debug)]
pub(crate) struct Metadata {
    jwks_uri: Option<Destination>,
    /// Where it was found; `None` when it was given by hand.
    pub(super) found_at: Option<String>,
    /// The whole document.
    pub(crate) content: Value,
    /// The whole document as JSON text, which 2025-03-26 clients get from us.
    pub(crate) document: Bytes,
}

impl Metadata {
    /// Reads a document; one that belongs to another issuer is a fault.
    pub(crate) fn read(
        issuer: &IssuerIdentifier,
        document: &Value,
        rules: &UrlRules,
    ) -> Result<Self, MetadataFault> {
        if !document.is_object() {
            let found = type_in_words(document);
            return Err(format!("the document is {found}, an object is needed").into());
        }
        let named_issuer =
            text_member(document, "issuer")?.ok_or_else(|| "`issuer` is missing".to_owned())?;
        // RFC 8414 §3.3: identical, code point by code point, or the document is not used.
        if named_issuer != issuer.as_str() {
            let reason = describe_mismatch(issuer.as_str(), named_issuer);
            return Err(MetadataFault::OtherIssuer(reason));
        }
        // Some servers write an empty text for what they do not have, and it is no URL.
        let named = text_member(document, "jwks_uri")?.filter(|text| !text.is_empty());
        let jwks_uri = named.map(|url| rules.destination_for(url.to_owned())).transpose();
        Ok(Self {
            jwks_uri: jwks_uri.map_err(|fault| format!("`jwks_uri` {fault}"))?,
            found_at: None,
            content: document.clone(),
            document: Bytes::from(document.to_string()),
        })
    }

    /// The same, found at this URL.
    pub(super) fn found_at(self, url: &str) -> Self {
        Self { found_at: Some(url.to_owned()), ..self }
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
        let (own, aliases) = (&self.content[member], &self.content["mtls_endpoint_aliases"]);
        // An alias that cannot be read is no reason to send the certificate elsewhere.
        if with_certificate && !(aliases.is_null() || aliases.is_object()) {
            let found = type_in_words(aliases);
            return Err(wrong_type("mtls_endpoint_aliases", found, "an object"));
        }
        let alias = &aliases[member];
        let url = if with_certificate && !alias.is_null() { alias } else { own };
        if url.is_null() {
            return Err(format!("the metadata has no `{member}`"));
        }
        let url = url.as_str().ok_or_else(|| wrong_type(member, type_in_words(url), "a string"))?;
        rules.destination_for(url.to_owned()).map_err(|fault| format!("`{member}` {fault}"))
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

/// A member that must be a text if it is there; `None` when it is not, or is null.
fn text_member<'d>(document: &'d Value, name: &str) -> Result<Option<&'d str>, String> {
    match document.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong_type(name, type_in_words(other), "a string")),
    }
}

fn describe_mismatch(expected: &str, found: &str) -> String {
    let differs_by_slash = expected.trim_end_matches('/') == found.trim_end_matches('/');
    let hint = match differs_by_slash {
        true => "; they differ only by a slash at the end: configure the latter",
        false => "",
    };
    format!("`issuer` must be exactly {expected:?} but is {found:?}{hint}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::identifier::PlainHttp;

    #[test]
    fn a_member_of_a_wrong_type_is_named_with_its_type() {
        let issuer = IssuerIdentifier::parse("https://as.example").unwrap();
        let rules = UrlRules::configured(PlainHttp::Loopback);
        let own = "https://as.example";
        let rows = [
            (json!({ "issuer": 7 }), "`issuer` is a number, a string is needed"),
            (json!({ "issuer": [own] }), "`issuer` is an array, a string is needed"),
            (json!({ "issuer": null }), "`issuer` is missing"),
            (json!({}), "`issuer` is missing"),
            (json!([]), "the document is an array, an object is needed"),
            (json!("x"), "the document is a string, an object is needed"),
            (
                json!({ "issuer": own, "jwks_uri": {} }),
                "`jwks_uri` is an object, a string is needed",
            ),
            (
                json!({ "issuer": own, "jwks_uri": true }),
                "`jwks_uri` is a boolean, a string is needed",
            ),
        ];
        for (document, expected) in rows {
            let fault = Metadata::read(&issuer, &document, &rules).unwrap_err();
            assert_eq!(fault.to_string(), expected);
        }
        for unset in [json!(null), json!("")] {
            let document = json!({ "issuer": own, "jwks_uri": unset });
            let metadata = Metadata::read(&issuer, &document, &rules).unwrap();
            assert_eq!(metadata.jwks_uri().unwrap_err(), "`jwks_uri` is missing");
        }
        let document =
            json!({ "issuer": own, "userinfo_endpoint": 7, "mtls_endpoint_aliases": [] });
        let metadata = Metadata::read(&issuer, &document, &rules).unwrap();
        let endpoint =
            |aliases| metadata.endpoint("userinfo_endpoint", aliases, &rules).unwrap_err();
        assert_eq!(endpoint(false), "`userinfo_endpoint` is a number, a string is needed");
        assert_eq!(endpoint(true), "`mtls_endpoint_aliases` is an array, an object is needed");
    }

    #[test]
    fn an_endpoint_that_cannot_be_read_is_none() {
        let issuer = IssuerIdentifier::parse("https://as.example").unwrap();
        let rules = UrlRules::configured(PlainHttp::Loopback);
        let endpoint = |own: Value, aliases: Value, with_certificate| {
            let document = json!({ "issuer": "https://as.example", "introspection_endpoint": own,
                "mtls_endpoint_aliases": aliases });
            let metadata = Metadata::read(&issuer, &document, &rules).unwrap();
            let found = metadata.endpoint("introspection_endpoint", with_certificate, &rules);
            found.map(|place| place.url).ok()
        };
        let own = || json!("https://as.example/own");
        let alias = |url: Value| json!({ "introspection_endpoint": url });
        let rows = [
            (endpoint(own(), json!(null), true), Some("https://as.example/own")),
            (endpoint(own(), json!({}), true), Some("https://as.example/own")),
            (endpoint(own(), alias(json!("https://m.example/")), true), Some("https://m.example/")),
            (
                endpoint(own(), alias(json!("https://m.example/")), false),
                Some("https://as.example/own"),
            ),
            (endpoint(own(), alias(json!(7)), true), None),
            (endpoint(own(), alias(json!(["https://m.example/"])), true), None),
            (endpoint(own(), json!("https://m.example/"), true), None),
            (endpoint(json!(7), json!({}), false), None),
            (endpoint(json!(null), json!({}), false), None),
        ];
        for (index, (found, expected)) in rows.into_iter().enumerate() {
            assert_eq!(found.as_deref(), expected, "{index}");
        }
    }
}
