//! Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document-00).
//!
//! A stranger chooses which URL this issuer fetches. So it fetches public addresses and this machine only, follows no redirect,
//! reads little, and does not tell what it found: otherwise a web page could look around in the developer's network.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use serde_json::{Map, Value};
use url::{Host, Url};

use super::{ClientMetadata, MAX_METADATA_BYTES};
use crate::loopback::is_loopback_host;
use crate::oauth_error::OAuthError;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a `client_id` is the URL of a document: https with a path, or http on this machine.
pub(super) fn is_document_url(client_id: &str) -> bool {
    let Ok(url) = Url::parse(client_id) else { return false };
    let is_loopback = url.host_str().is_some_and(is_loopback_host);
    let scheme_fits = url.scheme() == "https" || url.scheme() == "http" && is_loopback;
    scheme_fits
        && url.path() != "/"
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        // Section 3: no dot segments, and no other spelling of the same URL.
        && url.as_str() == client_id
}

/// Fetches documents. The HTTP client is made for the first one.
#[derive(Default)]
pub(super) struct Documents {
    http: OnceLock<reqwest::Client>,
}

impl Documents {
    /// The metadata of the client whose identifier is this URL.
    ///
    /// # Errors
    /// All have one text, so that nobody learns from it what answers at a URL; the reason is in the log.
    pub(super) async fn fetch(&self, client_id: &str) -> Result<ClientMetadata, OAuthError> {
        self.fetch_and_check(client_id).await.map_err(|error| {
            // Whoever wrote the URL does not fill the log with it.
            let beginning: String = client_id.chars().take(64).collect();
            tracing::warn!(
                client_id = beginning,
                reason = error.description,
                "client metadata document"
            );
            refused("the client metadata document cannot be used; the log of this issuer says why")
        })
    }

    async fn fetch_and_check(&self, client_id: &str) -> Result<ClientMetadata, OAuthError> {
        let url = Url::parse(client_id).map_err(|_| refused("client_id is not a URL"))?;
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        if literal.is_some_and(|address| !may_be_fetched(address)) {
            return Err(refused("client_id is at a private address"));
        }
        let document = self.download(url).await?;
        if document.get("client_id").and_then(Value::as_str) != Some(client_id) {
            return Err(refused("client_id in the metadata document is not its URL"));
        }
        let metadata = ClientMetadata::parse(with_auth_method(document))?;
        if metadata.is_confidential {
            return Err(refused("a client with a metadata document has no secret"));
        }
        Ok(metadata)
    }

    async fn download(&self, url: Url) -> Result<Map<String, Value>, OAuthError> {
        let http = self.http.get_or_init(http_client);
        let request = http.get(url).header(ACCEPT, "application/json");
        let mut response = request.send().await.map_err(unreachable)?;
        if response.status() != 200 {
            return Err(refused("the client metadata document is not answered with 200"));
        }
        if !is_json(response.headers()) {
            return Err(refused("the client metadata document is not application/json"));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_METADATA_BYTES {
                return Err(refused("the client metadata document is over 10 KiB"));
            }
        }
        serde_json::from_slice(&body)
            .map_err(|_| refused("the client metadata document is not a JSON object"))
    }
}

/// Refuses private addresses after name resolution, so that a name cannot stand for one.
struct PublicOrLoopback;

impl Resolve for PublicOrLoopback {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0))
                .await?
                .filter(|address| may_be_fetched(address.ip()))
                .collect();
            if addresses.is_empty() {
                return Err(io::Error::other("no address that may be fetched from").into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

fn http_client() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(Policy::none())
        .timeout(TIMEOUT)
        .no_proxy()
        .dns_resolver(std::sync::Arc::new(PublicOrLoopback))
        .build()
        .expect("the TLS backend starts")
}

/// A document is of a public client unless it says otherwise: the RFC 7591 default needs a secret.
fn with_auth_method(mut document: Map<String, Value>) -> Map<String, Value> {
    document.entry("token_endpoint_auth_method").or_insert_with(|| "none".into());
    document
}

/// Loopback, or not of the special-purpose registries (RFC 6890).
fn may_be_fetched(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || is_public(v4),
        IpAddr::V6(v6) => {
            let [first, second, third, fourth, .., high, low] = v6.segments();
            if [first, second, third, fourth] == [0x64, 0xff9b, 0, 0] {
                // RFC 6052: an IPv4 address behind NAT64.
                let [a, b] = high.to_be_bytes();
                let [c, d] = low.to_be_bytes();
                return is_public(Ipv4Addr::new(a, b, c, d));
            }
            // 2000::/3 is the global unicast space; 2002::/16 (6to4) embeds any IPv4 address.
            v6.is_loopback() || (first & 0xe000 == 0x2000 && first != 0x2002)
        }
    }
}

fn is_public(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    !(v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_multicast()
        || v4.is_documentation()
        || matches!((a, b, c), (0, ..) | (100, 64..=127, _) | (192, 0, 0) | (198, 18 | 19, _))
        || a >= 240)
}

/// Whether the label says `application/json`, or another type made of JSON (RFC 6839 §3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(label)) = headers.get(CONTENT_TYPE).map(HeaderValue::to_str) else { return false };
    let without_parameters = label.split(';').next().unwrap_or(label);
    let media_type = without_parameters.trim().to_ascii_lowercase();
    media_type == "application/json" || media_type.ends_with("+json")
}

/// For a failure of the HTTP client, which goes to the log.
fn unreachable(error: reqwest::Error) -> OAuthError {
    tracing::debug!(%error, "client metadata document");
    refused("the client metadata document cannot be fetched")
}

fn refused(description: &str) -> OAuthError {
    OAuthError::invalid_client(description)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_not_fetched() {
        for address in ["127.0.0.1", "::1", "8.8.8.8", "2606:4700::1", "64:ff9b::808:808"] {
            assert!(may_be_fetched(address.parse().unwrap()), "{address}");
        }
        for address in [
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "::",
        ] {
            assert!(!may_be_fetched(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn document_urls() {
        for url in ["https://a.example/client.json", "http://127.0.0.1:9/c", "http://localhost/c"] {
            assert!(is_document_url(url), "{url}");
        }
        for url in [
            "https://a.example",
            "https://a.example/",
            "http://a.example/c",
            "https://a.example/c#f",
            "https://u@a.example/c",
            "https://a.example/b/../c",
            "dev",
            "HTTPS://a.example/c",
        ] {
            assert!(!is_document_url(url), "{url}");
        }
    }
}
