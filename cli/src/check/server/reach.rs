//! Which addresses may be asked, when it is the checked server that names them.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use mcp_auth::http_client::AllowedAddresses;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, Response, Url};

use super::target::{Target, is_outside, is_safe_to_follow};

/// Connects to the server that the operator named wherever it is, and to what its documents name at
/// public addresses only: they must not send this machine into the network that it stands in. A server
/// that is itself within that network may name others there.
#[derive(Clone)]
pub(crate) struct Reach {
    named: Client,
    strangers: Client,
    /// Whether the URL of the server itself leads within a network.
    is_inside: bool,
    /// Whether the address that answered first is within a network.
    peer_is_inside: OnceLock<bool>,
}

impl Reach {
    /// # Errors
    /// When the system has no trust store, or the like.
    pub(crate) fn new(
        target: &Target,
        builder: impl Fn() -> ClientBuilder,
    ) -> Result<Self, reqwest::Error> {
        let (mut named, mut strangers) = (builder(), builder());
        if target.is_loopback() {
            (named, strangers) = (named.no_proxy(), strangers.no_proxy());
        }
        Ok(Self {
            named: named.build()?,
            strangers: strangers.dns_resolver(Arc::new(PublicNames(SystemNames))).build()?,
            is_inside: !is_outside(&target.url),
            peer_is_inside: OnceLock::new(),
        })
    }

    /// What to connect to a URL with.
    pub(crate) fn client(&self, url: &Url, target: &Target) -> &Client {
        match self.is_open_to(url, target) {
            true => &self.named,
            false => &self.strangers,
        }
    }

    /// Remembers where the server is, as soon as it answers.
    pub(crate) fn note(&self, url: &Url, target: &Target, answer: &Response) {
        if let (true, Some(peer)) = (url.host() == target.url.host(), answer.remote_addr()) {
            self.peer_is_inside.get_or_init(|| !AllowedAddresses::Public.permits(peer.ip()));
        }
    }

    /// Whether a URL of a document may be asked. A name without an address may: the attempt then fails and says why.
    /// A name may have another address later, when a connection is made, but [`PublicNames`] resolves it then.
    pub(crate) async fn may_follow(&self, url: &Url, target: &Target) -> bool {
        if !is_safe_to_follow(url, target) {
            return false;
        }
        let Some(host) = url.domain().filter(|_| !self.is_open_to(url, target)) else {
            return true;
        };
        let Ok(sockets) = tokio::net::lookup_host((host, 443)).await else { return true };
        let addresses: Vec<IpAddr> = sockets.map(|socket| socket.ip()).collect();
        addresses.is_empty()
            || addresses.into_iter().any(|address| AllowedAddresses::Public.permits(address))
    }

    /// Whether any address will do.
    fn is_open_to(&self, url: &Url, target: &Target) -> bool {
        let peer_is_inside = self.peer_is_inside.get().copied().unwrap_or_default();
        url.host() == target.url.host() || self.is_inside || peer_is_inside
    }
}

/// Resolves names to public addresses only, each time that a connection is made.
struct PublicNames<R>(R);

impl<R: Resolve> Resolve for PublicNames<R> {
    fn resolve(&self, name: Name) -> Resolving {
        let refusal = format!("{} has no public address", name.as_str());
        let resolving = self.0.resolve(name);
        Box::pin(async move {
            let found = resolving.await?;
            let public: Vec<_> =
                found.filter(|one| AllowedAddresses::Public.permits(one.ip())).collect();
            if public.is_empty() {
                return Err(refusal.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// The operating system's names.
struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives these addresses whatever is asked.
    struct Fixed(&'static [&'static str]);

    impl Resolve for Fixed {
        fn resolve(&self, _: Name) -> Resolving {
            let found: Vec<_> =
                self.0.iter().map(|one| SocketAddr::new(one.parse().unwrap(), 0)).collect();
            Box::pin(std::future::ready(Ok(Box::new(found.into_iter()) as Addrs)))
        }
    }

    #[tokio::test]
    async fn names_of_private_addresses_lead_nowhere() {
        let rows: [(&[&str], usize); 6] = [
            (&["127.0.0.1"], 0),
            (&["::1", "10.0.0.1", "fd00::1", "::ffff:192.168.0.1"], 0),
            (&["169.254.169.254"], 0),
            (&["100.64.0.1"], 0),
            (&[], 0),
            (&["10.0.0.1", "8.8.8.8"], 1),
        ];
        for (addresses, expected) in rows {
            let resolver = PublicNames(Fixed(addresses));
            let found = resolver.resolve("as.example".parse().unwrap()).await;
            assert_eq!(found.map_or(0, Iterator::count), expected, "{addresses:?}");
        }
    }

    #[tokio::test]
    async fn only_the_named_server_may_be_within_a_network() {
        let url = |text: &str| Url::parse(text).unwrap();
        let target = Target::parse("https://mcp.example.com/mcp").unwrap();
        let reach = Reach::new(&target, || Client::builder().no_proxy()).unwrap();
        assert!(reach.may_follow(&url("https://mcp.example.com/x"), &target).await);
        for refused in ["https://localhost/", "https://10.0.0.1/", "http://as.example/"] {
            assert!(!reach.may_follow(&url(refused), &target).await, "{refused}");
        }
        // The name of this machine in its own table, asked as any other name is.
        let refused = reach.client(&url("https://as.example/"), &target);
        let refused = refused.get("http://localhost:9/").send().await.unwrap_err();
        assert!(format!("{refused:?}").contains("localhost has no public address"), "{refused:?}");

        let near = Target::parse("http://127.0.0.1:1/mcp").unwrap();
        let reach = Reach::new(&near, Client::builder).unwrap();
        assert!(reach.may_follow(&url("https://localhost/"), &near).await);
    }
}
