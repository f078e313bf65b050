use url::Url;

use crate::http::is_loopback_host;

/// Where a client may be sent back to.
#[derive(Clone, Debug)]
pub(crate) enum RedirectUris {
    /// Any http URI of this machine: development clients.
    AnyLoopback,
    /// Exactly these, but for the port of a loopback URI.
    Listed(Vec<String>),
}

impl RedirectUris {
    /// The redirect URI of a request. It may be omitted when there is only one.
    pub(crate) fn choose(&self, requested: Option<&str>) -> Option<String> {
        match (self, requested) {
            (Self::AnyLoopback, Some(uri)) => loopback(uri).map(|_| uri.to_owned()),
            (Self::Listed(listed), Some(uri)) => {
                listed.iter().any(|listed| matches(listed, uri)).then(|| uri.to_owned())
            }
            (Self::Listed(listed), None) if listed.len() == 1 => listed.first().cloned(),
            (_, None) => None,
        }
    }
}

/// Whether a client may register this URI: https, http on this machine (RFC 8252 §7.3), or a scheme
/// of an application (§7.1).
pub(crate) fn may_be_registered(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    if !is_graphic(uri) {
        return false;
    }
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return false;
    }
    match url.scheme() {
        "https" => true,
        "http" => loopback(uri).is_some(),
        scheme => {
            const OF_BROWSERS: [&str; 10] = [
                "about",
                "blob",
                "chrome",
                "data",
                "file",
                "filesystem",
                "ftp",
                "javascript",
                "vbscript",
                "view-source",
            ];
            !OF_BROWSERS.contains(&scheme) && !matches!(scheme, "ws" | "wss")
        }
    }
}

/// Exact, but for the port of a loopback URI (RFC 8252 §7.3).
fn matches(listed: &str, requested: &str) -> bool {
    if listed == requested {
        return true;
    }
    match (loopback(listed), loopback(requested)) {
        (Some(listed), Some(requested)) => listed == requested,
        _ => false,
    }
}

/// A loopback http URI in its two parts around the port, or `None`.
fn loopback(uri: &str) -> Option<(String, &str)> {
    let url = Url::parse(uri).ok()?;
    let is_plain = is_graphic(uri) && url.username().is_empty() && url.password().is_none();
    if url.scheme() != "http" || url.fragment().is_some() || !is_plain {
        return None;
    }
    let authority = uri.get(..7).filter(|scheme| *scheme == "http://").map(|_| &uri[7..])?;
    let end = authority.find(['/', '?']).unwrap_or(authority.len());
    let (authority, rest) = authority.split_at(end);
    let host = match url.port() {
        Some(port) => authority.strip_suffix(&format!(":{port}"))?,
        None => authority.strip_suffix(":80").unwrap_or(authority),
    };
    is_loopback_host(host).then(|| (host.to_owned(), rest))
}

/// RFC 3986 has no other characters, and a Location header takes no others.
fn is_graphic(uri: &str) -> bool {
    uri.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(uri: &str) -> RedirectUris {
        RedirectUris::Listed(vec![uri.to_owned()])
    }

    #[test]
    fn only_the_loopback_port_may_differ() {
        let uris = listed("http://127.0.0.1:1/cb");
        assert!(uris.choose(Some("http://127.0.0.1:2/cb")).is_some());
        assert!(uris.choose(Some("http://127.0.0.1/cb")).is_some());
        for other in [
            "http://127.0.0.1:2/cb/",
            "http://127.0.0.1:2/cb?x=1",
            "http://127.0.0.1:2/CB",
            "http://localhost:1/cb",
            "https://127.0.0.1:1/cb",
            "http://127.0.0.1:1@evil.example/cb",
            "http://user@127.0.0.1:1/cb",
            "http://127.0.0.1:1/cb#x",
            "http://127.0.0.1:1\\@evil.example/cb",
        ] {
            assert_eq!(uris.choose(Some(other)), None, "{other}");
        }
    }

    #[test]
    fn other_uris_match_exactly() {
        let uris = listed("https://app.example/cb");
        assert!(uris.choose(Some("https://app.example/cb")).is_some());
        assert!(uris.choose(None).is_some());
        assert_eq!(uris.choose(Some("https://app.example:8443/cb")), None);
        assert_eq!(uris.choose(Some("https://app.example/cb/../cb")), None);
    }

    #[test]
    fn development_clients_go_anywhere_on_this_machine_only() {
        let uris = RedirectUris::AnyLoopback;
        assert!(uris.choose(Some("http://localhost:9/any?x=1")).is_some());
        assert_eq!(uris.choose(Some("http://evil.example/")), None);
        assert_eq!(uris.choose(None), None);
    }

    #[test]
    fn what_may_be_registered() {
        for uri in ["https://a.example/cb", "http://localhost/cb", "cursor://mcp/cb", "com.a:/cb"] {
            assert!(may_be_registered(uri), "{uri}");
        }
        for uri in ["http://a.example/", "javascript:alert(1)", "data:,x", "/cb", "https://a/#f"] {
            assert!(!may_be_registered(uri), "{uri}");
        }
    }
}
