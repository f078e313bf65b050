//! The server that is checked, and the URLs that follow from its own.

use std::net::IpAddr;

use mcp_auth::http_client::AllowedAddresses;
use reqwest::Url;

use crate::secrets;

/// The URL that clients connect to.
#[derive(Clone)]
pub(crate) struct Target {
    /// As it was given: identifiers are compared as text.
    pub(crate) text: String,
    pub(crate) url: Url,
}

impl Target {
    /// # Errors
    /// A sentence for the user.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let shown = secrets::showable_argument(text);
        let url = Url::parse(text)
            .map_err(|error| format!("{shown:?} is not a URL such as https://host/mcp: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(format!("{shown:?} is not a URL such as https://host/mcp"));
        }
        if url.fragment().is_some() || url.password().is_some() || !url.username().is_empty() {
            return Err("the URL must have no fragment, user or password".to_owned());
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// Scheme, host and port.
    pub(super) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// The same URL with another path, as it is written.
    pub(super) fn with_path(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// The same URL with a query of one more member.
    pub(super) fn with_query(&self, name: &str, value: &str) -> String {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair(name, value);
        url.into()
    }

    /// The path with a slash at the end where it has none, and the other way round; none at the root.
    pub(super) fn slash_twin(&self) -> Option<String> {
        let path = self.url.path();
        let twin = match path.strip_suffix('/') {
            Some("") => return None,
            Some(shorter) => shorter.to_owned(),
            None => format!("{path}/"),
        };
        Some(self.with_path(&twin))
    }
}

/// The well-known URL of an identifier, its path at the end (RFC 8414 §3.1, RFC 9728 §3.1).
pub(super) fn path_inserted(identifier: &Url, suffix: &str) -> String {
    let origin = identifier.origin().ascii_serialization();
    let path = identifier.path().trim_end_matches('/');
    let query = identifier.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{origin}/.well-known/{suffix}{path}{query}")
}

/// Whether a URL may be followed from this server's documents: to the server itself, or over TLS; and
/// from outside never to an address within this machine or the network around it.
pub(super) fn is_safe_to_follow(url: &Url, target: &Target) -> bool {
    url.origin() == target.url.origin()
        || url.scheme() == "https" && (is_outside(url) || !is_outside(&target.url))
        || url.scheme() == "http" && is_loopback(url) && target.is_loopback()
}

/// As far as the URL alone tells: for names, see [`Reach`](super::Reach).
pub(super) fn is_outside(url: &Url) -> bool {
    let without_brackets = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let host = without_brackets.trim_end_matches('.');
    match host.parse::<IpAddr>() {
        Ok(address) => AllowedAddresses::Public.permits(address),
        Err(_) => host != "localhost" && !host.ends_with(".localhost"),
    }
}

/// RFC 9728, RFC 8414: https; plain http is for this machine alone.
pub(super) fn is_https_or_loopback(url: &Url) -> bool {
    url.scheme() == "https" || url.scheme() == "http" && is_loopback(url)
}

pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_goes_behind_the_well_known_name() {
        let rows = [
            ("https://h.example/mcp", "https://h.example/.well-known/x/mcp"),
            ("https://h.example/a/mcp/", "https://h.example/.well-known/x/a/mcp"),
            ("https://h.example", "https://h.example/.well-known/x"),
            ("https://h.example:8443/?t=1", "https://h.example:8443/.well-known/x?t=1"),
        ];
        for (identifier, expected) in rows {
            assert_eq!(path_inserted(&Url::parse(identifier).unwrap(), "x"), expected);
        }
    }

    #[test]
    fn a_path_has_a_twin_but_not_the_root() {
        let twin = |text| Target::parse(text).unwrap().slash_twin();
        assert_eq!(twin("https://h.example/mcp").as_deref(), Some("https://h.example/mcp/"));
        assert_eq!(twin("https://h.example/mcp/").as_deref(), Some("https://h.example/mcp"));
        assert_eq!(twin("https://h.example"), None);
    }

    #[test]
    fn documents_of_strangers_lead_to_no_other_service_of_this_machine() {
        let (far, near) = ("https://h.example/mcp", "http://127.0.0.1:1/mcp");
        let rows = [
            (far, "https://as.example", true),
            (far, "http://127.0.0.1:9200/", false),
            (far, "http://as.example", false),
            (far, "https://127.0.0.1:9200/", false),
            (far, "https://localhost/", false),
            (far, "https://10.1.2.3/", false),
            (far, "https://169.254.169.254/", false),
            (far, "https://[::ffff:127.0.0.1]/", false),
            (far, "https://[fd00::1]/", false),
            (far, "https://100.64.0.1/", false),
            (far, "https://0x7f.1/", false),
            (far, "https://[64:ff9b::7f00:1]/", false),
            (far, "https://a.localhost./", false),
            ("https://10.1.2.4/mcp", "https://10.1.2.3/", true),
            (near, "http://localhost:2/", true),
        ];
        for (target, url, expected) in rows {
            let (target, url) = (Target::parse(target).unwrap(), Url::parse(url).unwrap());
            assert_eq!(is_safe_to_follow(&url, &target), expected, "{url}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused() {
        for text in ["mcp.example.com", "ftp://h.example", "https://u:p@h.example", "https://h/#x"]
        {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }
}
