//! Which hosts are this machine.
//!
//! The issuer answers to these names alone, and gives codes without a page to them alone. A host that counts as loopback
//! and is not would let a web page sign in as anyone.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether a host, without port, always means this machine: a loopback address or `localhost`
/// (RFC 6761 §6.3).
pub(crate) fn is_loopback_host(host: &str) -> bool {
    if let Some(v6) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return v6.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback());
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return address.is_loopback();
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in ["127.0.0.1", "127.8.9.1", "[::1]", "localhost", "LOCALHOST.", "a.localhost"] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in ["", "10.0.0.1", "[::2]", "localhost.example", "127.0.0.1.example", "::1"] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }
}
