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
#[derive(Clone, Debug)]
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
#[derive(PartialEq, Eq)]
pub(crate) struct UrlRules {
    plain_http: PlainHttp,
    /// Hosts that may be at any address, in lower case; `None`: every host.
    trusted_hosts: Option<Vec<String>>,
    /// Whether the document may name this machine.
    allows_loopback: bool,
}

impl UrlRules {
    /// The rules for the metadata of a server: those for a document that the operator wrote, if this one did, and else
    /// those for one that is fetched.
    pub(crate) fn of_metadata(server: &AuthorizationServer, issuer: &IssuerIdentifier) -> Self {
        match server.metadata {
            Some(_) => Self::configured(PlainHttp::configured(server.dangerous_allow_http)),
            None => Self::fetched(server, issuer),
        }
    }

    /// The rules for a document that the operator wrote: it may name every host.
    pub(crate) fn configured(plain_http: PlainHttp) -> Self {
        Self { plain_http, trusted_hosts: None, allows_loopback: true }
    }

    /// The rules for a document that is fetched: hosts that the operator did not name must be at public addresses.
    fn fetched(server: &AuthorizationServer, issuer: &IssuerIdentifier) -> Self {
        let mut trusted_hosts = vec![host_in(issuer.as_str()).to_ascii_lowercase()];
        if let Some(metadata_url) = &server.metadata_url {
            trusted_hosts.push(host_in(metadata_url).to_ascii_lowercase());
        }
        for host in &server.allowed_key_hosts {
            trusted_hosts.push(host.to_ascii_lowercase());
        }
        Self {
            plain_http: PlainHttp::learned_from(issuer, server.dangerous_allow_http),
            trusted_hosts: Some(trusted_hosts),
            allows_loopback: is_loopback(host_in(issuer.as_str())),
        }
    }

    /// Checks a URL that the document names, and says at which addresses it may be.
    pub(super) fn destination_for(&self, url: String) -> Result<Destination, String> {
        check_fetchable(&url, self.plain_http).map_err(|fault| format!("{url:?} {fault}"))?;
        let host = host_in(&url).to_ascii_lowercase();
        let is_trusted = self.trusted_hosts.as_ref().is_none_or(|hosts| hosts.contains(&host));
        let addresses = if is_trusted || (self.allows_loopback && is_loopback(&host)) {
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
        UrlRules::fetched(server, &issuer).destination_for(url.to_owned()).unwrap().addresses
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
