use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether a host, without port, always means this machine: a loopback address or `localhost`
/// (RFC 6761 §6.3).
pub(crate) fn is_loopback_host(host: &str) -> bool {
    if let Some(v6) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return v6.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback());
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return address.is_loopback();
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
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
