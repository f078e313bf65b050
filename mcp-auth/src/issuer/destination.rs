//! Where a request may go: which URLs a metadata document may name, and at which addresses.

use std::net::IpAddr;

use super::address::is_public;
use crate::config::AuthorizationServer;
use crate::identifier::{IssuerIdentifier, PlainHttp, check_fetchable, host_in, is_loopback};

/// The addresses that a request may be sent to.
///
/// It is in the extensions of every request that an [`HttpClient`](crate::http_client::HttpClient) gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AllowedAddresses {
    /// Any: the operator named the host.
    Any,
    /// Public ones only: a document that was fetched named the host, and it must not lead into
    /// the network that the server stands in.
    Public,
}

impl AllowedAddresses {
    /// Whether a connection to this address may be made.
    ///
    /// To be asked about each address that a name resolves to, when connecting: an answer from
    /// before says nothing about where the name leads now.
    pub fn permits(self, address: IpAddr) -> bool {
        self == Self::Any || is_public(address)
    }
}

/// A URL that was checked, and the addresses it may be at.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) url: String,
    pub(crate) addresses: AllowedAddresses,
}

impl Destination {
    /// A URL that the configuration names or implies.
    pub(crate) fn configured(url: String) -> Self {
        Self { url, addresses: AllowedAddresses::Any }
    }
}

/// Which URLs a metadata document may name.
pub(crate) struct UrlRules {
    plain_http: PlainHttp,
    /// Hosts that may be at any address, in lower case; `None`: every host.
    trusted_hosts: Option<Vec<String>>,
    /// Whether names of this machine may be used.
    loopback: bool,
}

impl UrlRules {
    /// For the metadata of a server: written by the operator, or fetched.
    pub(crate) fn of_metadata(server: &AuthorizationServer, issuer: &IssuerIdentifier) -> Self {
        match server.metadata {
            Some(_) => Self::configured(PlainHttp::configured(server.dangerous_allow_http)),
            None => Self::fetched(server, issuer),
        }
    }

    /// For a document that the operator wrote.
    pub(crate) fn configured(plain_http: PlainHttp) -> Self {
        Self { plain_http, trusted_hosts: None, loopback: true }
    }

    /// For a document that is fetched.
    fn fetched(server: &AuthorizationServer, issuer: &IssuerIdentifier) -> Self {
        let own = [Some(issuer.as_str()), server.metadata_url.as_deref()];
        let own = own.into_iter().flatten().map(host_in);
        let listed = server.allowed_key_hosts.iter().map(String::as_str);
        Self {
            plain_http: PlainHttp::learned_from(issuer, server.dangerous_allow_http),
            trusted_hosts: Some(own.chain(listed).map(str::to_ascii_lowercase).collect()),
            loopback: is_loopback(host_in(issuer.as_str())),
        }
    }

    /// Checks a URL that the document names.
    pub(super) fn admit(&self, url: String) -> Result<Destination, String> {
        check_fetchable(&url, self.plain_http).map_err(|fault| format!("{url:?} {fault}"))?;
        let host = host_in(&url).to_ascii_lowercase();
        let listed = self.trusted_hosts.as_ref().is_none_or(|hosts| hosts.contains(&host));
        let addresses = if listed || (self.loopback && is_loopback(&host)) {
            AllowedAddresses::Any
        } else {
            AllowedAddresses::Public
        };
        Ok(Destination { url, addresses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(server: &AuthorizationServer, url: &str) -> AllowedAddresses {
        let issuer = IssuerIdentifier::parse(&*server.issuer).unwrap();
        UrlRules::fetched(server, &issuer).admit(url.to_owned()).unwrap().addresses
    }

    #[test]
    fn hosts_that_the_operator_named_may_be_anywhere() {
        let mut server = AuthorizationServer::new("https://as.example:8443/t");
        server.metadata_url = Some("https://meta.example/m".to_owned());
        server.allowed_key_hosts = vec!["Keys.internal".to_owned()];
        let named = [
            "https://AS.example/keys",
            "https://as.example:9/keys?a=b",
            "https://meta.example/keys",
            "https://keys.INTERNAL/keys",
        ];
        for url in named {
            assert_eq!(addresses(&server, url), AllowedAddresses::Any, "{url}");
        }
        for url in [
            "https://keys.example/",
            "https://as.example.evil/",
            "https://127.0.0.1/",
            "https://localhost/",
            "https://keys.internal.evil/?as.example",
        ] {
            assert_eq!(addresses(&server, url), AllowedAddresses::Public, "{url}");
        }
    }

    #[test]
    fn an_issuer_on_this_machine_may_name_this_machine() {
        let server = AuthorizationServer::new("http://127.0.0.1:3001");
        assert_eq!(addresses(&server, "http://localhost:3002/"), AllowedAddresses::Any);
        assert_eq!(addresses(&server, "https://10.0.0.1/"), AllowedAddresses::Public);
    }
}
