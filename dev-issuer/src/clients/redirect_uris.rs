//! Where a client may be sent back to with a code.
//!
//! Whoever gets the code gets the token. A redirect URI that a browser reads as another one than this issuer does would carry
//! the code to a stranger; such URIs are refused as a whole.

use url::Url;

use crate::loopback::is_loopback_host;

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
                listed.iter().any(|registered| matches(registered, uri)).then(|| uri.to_owned())
            }
            (Self::Listed(listed), None) if listed.len() == 1 => listed.first().cloned(),
            (_, None) => None,
        }
    }
}

/// Whether a client may register this URI: https, http on this machine (RFC 8252 §7.3), or a scheme
/// of an application (§7.1).
pub(crate) fn may_be_registered(uri: &str) -> bool {
    match parse_redirect_uri(uri) {
        None => false,
        Some(RedirectUri::Web { is_secure, is_loopback, .. }) => is_secure || is_loopback,
        Some(RedirectUri::Application) => true,
    }
}

/// Whether it leads to this machine alone. Such a client runs where the developer does, and gets codes without a page under
/// `auto_approve`. A client with an application's own scheme does not: any web page can register one, and the code goes to
/// the program that claims the scheme.
pub(crate) fn is_loopback(uri: &str) -> bool {
    matches!(parse_redirect_uri(uri), Some(RedirectUri::Web { is_loopback: true, .. }))
}

/// A redirect URI that a browser reads as RFC 3986 does.
enum RedirectUri<'a> {
    /// http or https.
    Web {
        is_secure: bool,
        is_loopback: bool,
        /// As written.
        host: &'a str,
        /// Path and query as written.
        rest: &'a str,
    },
    /// The scheme of an application.
    Application,
}

/// Reads a URI as browsers do (WHATWG URL), which is where it will be used; `None` when they would
/// read something else than RFC 3986 does, or when it leads to no client at all.
fn parse_redirect_uri(uri: &str) -> Option<RedirectUri<'_>> {
    // Browsers cut tabs and newlines out, take `\` for `/`, and repair the rest.
    if !uri.bytes().all(is_of_rfc_3986) {
        return None;
    }
    let url = Url::parse(uri).ok()?;
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let (scheme, after_scheme) = uri.split_once(':')?;
    if !matches!(url.scheme(), "http" | "https") {
        return is_of_an_application(url.scheme(), after_scheme)
            .then_some(RedirectUri::Application);
    }
    if scheme != url.scheme() {
        return None;
    }
    // `http:host` and `http:///host` have the host elsewhere than a browser finds it.
    let hierarchical = after_scheme.strip_prefix("//")?;
    let end_of_authority = hierarchical.find(['/', '?']).unwrap_or(hierarchical.len());
    let (authority, rest) = hierarchical.split_at(end_of_authority);
    let host = without_port(authority);
    // Not `0x7f.1`, `%6c`, nor `@` with nothing before it.
    if !host.eq_ignore_ascii_case(url.host_str()?) {
        return None;
    }
    Some(RedirectUri::Web {
        is_secure: url.scheme() == "https",
        is_loopback: is_loopback_host(host),
        host,
        rest,
    })
}

/// The host of an authority without user information. The colons of an IPv6 address begin no port.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    }
}

/// Whether a scheme may be that of an installed client. The ones that browsers and operating systems
/// handle themselves are not, nor those that web pages can claim.
fn is_of_an_application(scheme: &str, rest: &str) -> bool {
    const OF_OTHERS: [&str; 38] = [
        "about",
        "android-app",
        "blob",
        "cid",
        "content",
        "data",
        "facetime",
        "feed",
        "file",
        "filesystem",
        "ftp",
        "geo",
        "gopher",
        "help",
        "im",
        "imap",
        "intent",
        "irc",
        "jar",
        "javascript",
        "ldap",
        "livescript",
        "mailto",
        "market",
        "mocha",
        "news",
        "nntp",
        "resource",
        "sftp",
        "shell",
        "sms",
        "ssh",
        "tel",
        "telnet",
        "urn",
        "vbscript",
        "ws",
        "wss",
    ];
    const BEGINNINGS: [&str; 12] = [
        "web+",
        "ext+",
        "chrome",
        "moz-",
        "edge",
        "ms-",
        "microsoft-edge",
        "search",
        "view-source",
        "wyciwyg",
        "itms",
        "safari-",
    ];
    // RFC 8252 §7.1: a path or an authority; `mailto:x` and `javascript:x` have neither.
    rest.starts_with('/')
        && !OF_OTHERS.contains(&scheme)
        && !BEGINNINGS.iter().any(|beginning| scheme.starts_with(beginning))
}

/// Exact, but for the port of a loopback URI (RFC 8252 §7.3).
fn matches(listed: &str, requested: &str) -> bool {
    if listed == requested {
        return true;
    }
    match (loopback(listed), loopback(requested)) {
        (Some(registered), Some(wanted)) => registered == wanted,
        _ => false,
    }
}

/// A loopback http URI without its port.
#[derive(PartialEq)]
struct LoopbackUri<'a> {
    host: &'a str,
    /// Path and query.
    rest: &'a str,
}

fn loopback(uri: &str) -> Option<LoopbackUri<'_>> {
    match parse_redirect_uri(uri)? {
        RedirectUri::Web { is_secure: false, is_loopback: true, host, rest } => {
            Some(LoopbackUri { host, rest })
        }
        _ => None,
    }
}

/// What RFC 3986 §2 allows in a URI. No backslash, no quote, no control character.
fn is_of_rfc_3986(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
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
            "http://127.0.0.1:1/cb\\",
            "http://127.0.0.1:1/\tcb",
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

    #[test]
    fn what_a_browser_reads_differently_is_no_redirect_uri() {
        let uris = RedirectUris::AnyLoopback;
        for uri in [
            "http://evil.example\\.localhost/cb",
            "http://evil.example\\@localhost/cb",
            "http://evil.example%5c.localhost/cb",
            "http://evil.example#.localhost/cb",
            "http://evil.example?.localhost/cb",
            "http://evil.example/.localhost",
            "http://evil.exa\tmple/.localhost",
            "http:/\t/evil.example/.localhost",
            "ht\ntp://localhost/cb",
            "http:\\\\localhost/cb",
            "http:localhost/cb",
            "http:/localhost/cb",
            "http:///localhost/cb",
            "http://@localhost/cb",
            "http://:@localhost/cb",
            "http://a:b@localhost/cb",
            "http://localhost@evil.example/cb",
            "http://127.1/cb",
            "http://0x7f000001/cb",
            "http://2130706433/cb",
            "http://0177.0.0.1/cb",
            "http://%6cocalhost/cb",
            "http://localhost%00.evil.example/cb",
            "http://\u{ff4c}ocalhost/cb",
            "http://localhost:80:81/cb",
            "http://localhost:port/cb",
            "http://[::1]evil.example/cb",
            "http://[::ffff:127.0.0.1]/cb",
            " http://localhost/cb",
            "http://localhost/cb ",
        ] {
            assert_eq!(uris.choose(Some(uri)), None, "{uri:?}");
            assert!(!may_be_registered(uri) && !is_loopback(uri), "{uri:?}");
        }
        for uri in [
            "http://localhost",
            "http://localhost?x",
            "http://LocalHost:80/cb",
            "http://127.9.9.9:1/",
            "http://[::1]:9/cb?x=%5C",
            "http://a.localhost:1/cb",
        ] {
            assert!(uris.choose(Some(uri)).is_some() && is_loopback(uri), "{uri}");
        }
    }

    #[test]
    fn what_leads_to_no_application_is_not_registered() {
        for uri in [
            "mailto:a@evil.example",
            "mailto://evil.example/x",
            "web+x://evil.example/cb",
            "web+mcp:/cb",
            "intent://evil.example/#Intent;end",
            "intent://evil.example/x",
            "INTENT://evil.example/x",
            "javascript:alert(1)",
            "javascript://x/%0aalert(1)",
            "JavaScript:/x",
            "data:text/html,x",
            "data:/x",
            "blob:https://a.example/1",
            "file:///etc/passwd",
            "view-source:https://a.example/",
            "chrome-extension://x/cb",
            "ms-settings:/x",
            "tel:/1",
            "sms:/1",
            "cursor:cb",
            "cursor://user@host/cb",
            "cursor:\\\\host\\cb",
            "cur\tsor://cb",
            "https://u@a.example/cb",
            "https://a.example\\@b.example/cb",
        ] {
            assert!(!may_be_registered(uri), "{uri:?}");
        }
        for uri in ["vscode://host/cb", "com.example.app:/oauth2redirect", "claude://x/y?z"] {
            assert!(may_be_registered(uri) && !is_loopback(uri), "{uri}");
        }
    }
}
