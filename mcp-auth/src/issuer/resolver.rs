//! The resolver of host names that a fetched document chose: it gives public addresses only.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::AllowedAddresses;

/// Resolves names to public addresses only.
///
/// It is asked when a connection is made, so that a name cannot mean one address when it is
/// checked and another when it is used.
pub(super) struct PublicResolver<R>(pub(super) R);

impl<R: Resolve> Resolve for PublicResolver<R> {
    fn resolve(&self, name: Name) -> Resolving {
        let refusal = format!("{} has no public address; {HINT}", name.as_str());
        let resolving = self.0.resolve(name);
        Box::pin(async move {
            let mut public = resolving
                .await?
                .filter(|one| AllowedAddresses::Public.permits(one.ip()))
                .peekable();
            if public.peek().is_none() {
                return Err(refusal.into());
            }
            Ok(Box::new(public) as Addrs)
        })
    }
}

/// What an operator can do when a host is refused that has no public address.
pub(super) const HINT: &str = "if it is meant, add the host to `allowed_key_hosts`";

/// The operating system's resolver.
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};
    use std::sync::Mutex;

    use super::*;

    /// Gives the next answer to each question.
    struct Answers(Mutex<Vec<Vec<&'static str>>>);

    impl Resolve for Answers {
        fn resolve(&self, _: Name) -> Resolving {
            let next = self.0.lock().unwrap().remove(0);
            let addresses = next.into_iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0));
            Box::pin(std::future::ready(Ok(Box::new(addresses) as Addrs)))
        }
    }

    async fn resolve(resolver: &impl Resolve) -> Result<Vec<IpAddr>, String> {
        let answer = resolver.resolve("keys.example".parse().unwrap()).await;
        answer.map(|found| found.map(|one| one.ip()).collect()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_name_that_is_rebound_to_a_private_address_leads_nowhere() {
        let answers = vec![
            vec!["8.8.8.8"],
            vec!["127.0.0.1"],
            vec!["10.0.0.1", "8.8.8.8", "::1"],
            vec!["::ffff:169.254.169.254"],
            vec![],
        ];
        let resolver = PublicResolver(Answers(Mutex::new(answers)));
        let public: Vec<IpAddr> = vec!["8.8.8.8".parse().unwrap()];
        assert_eq!(resolve(&resolver).await.unwrap(), public);
        assert!(resolve(&resolver).await.unwrap_err().contains("no public address"));
        assert_eq!(resolve(&resolver).await.unwrap(), public);
        for _ in 0..2 {
            assert!(resolve(&resolver).await.unwrap_err().contains("allowed_key_hosts"));
        }
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_resolved_is_an_error() {
        struct Nowhere;
        impl Resolve for Nowhere {
            fn resolve(&self, name: Name) -> Resolving {
                let error = format!("no such host: {}", name.as_str());
                Box::pin(std::future::ready(Err(error.into())))
            }
        }
        let error = resolve(&PublicResolver(Nowhere)).await.unwrap_err();
        assert_eq!(error, "no such host: keys.example");
    }

    #[tokio::test]
    async fn the_systems_names_for_this_machine_are_not_public() {
        let resolver = PublicResolver(SystemResolver);
        let localhost = resolver.resolve("localhost".parse().unwrap()).await;
        assert!(localhost.is_err());
    }
}
