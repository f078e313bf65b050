//! What people paste in place of what is asked for, where it is clear what they mean.

use reqwest::Url;

const WELL_KNOWN: &str = "/.well-known/";
const DOCUMENTS: [&str; 3] =
    ["oauth-protected-resource", "oauth-authorization-server", "openid-configuration"];

/// The URL of a server: with a scheme, and that of its metadata taken for its own.
pub(crate) fn server(text: &str) -> String {
    let url = with_scheme(text);
    described_by(&url).unwrap_or(url)
}

/// An issuer identifier: with a scheme, and the URL of its metadata taken for its own.
pub(crate) fn issuer(text: &str) -> String {
    server(text)
}

/// Whether an argument is the URL of metadata, in which a slash at the end of the issuer is lost.
pub(crate) fn is_metadata_url(text: &str) -> bool {
    described_by(&with_scheme(text)).is_some()
}

/// The URL of metadata at the root, when an argument is one: the path of the server that it describes is in it alone.
pub(crate) fn metadata_of_root(text: &str) -> Option<String> {
    let url = with_scheme(text);
    let path = Url::parse(&url).ok()?.path().to_owned();
    (path == format!("{WELL_KNOWN}oauth-protected-resource")).then_some(url)
}

/// A token without what people copy along: the name of the header, the scheme, quotes, a word of `curl`.
pub(crate) fn token(text: &str) -> String {
    let mut rest = text.trim();
    rest = rest.strip_prefix("-H").unwrap_or(rest).trim();
    rest = rest.trim_matches(['"', '\'']).trim();
    for name in ["authorization:", "bearer "] {
        let head = rest.get(..name.len()).unwrap_or_default();
        if head.eq_ignore_ascii_case(name) {
            rest = rest[name.len()..].trim();
        }
    }
    rest.to_owned()
}

/// With `https://` in front of a bare host, or `http://` where that is this machine. What may be a token stays as it is: it must not
/// be looked up as a name.
pub(crate) fn with_scheme(text: &str) -> String {
    let trimmed = text.trim();
    let authority = trimmed.split(['/', '?', '#']).next().unwrap_or_default();
    if trimmed.contains("://") || !is_plain_authority(authority) {
        return trimmed.to_owned();
    }
    let host = host_of(authority);
    let is_here = host == "localhost" || host == "[::1]" || host.starts_with("127.");
    format!("{}://{trimmed}", if is_here { "http" } else { "https" })
}

fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|one| one.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Whether it is a host as people write it: in lower case, with a dot, and a name or number behind the last one that is no part of a
/// token.
fn is_plain_authority(authority: &str) -> bool {
    let host = host_of(authority);
    if host == "localhost" || host == "[::1]" {
        return true;
    }
    let labels: Vec<_> = host.split('.').collect();
    let is_address = host.parse::<std::net::Ipv4Addr>().is_ok();
    let last = labels.last().copied().unwrap_or_default();
    let is_name = last.len() >= 2 && last.bytes().all(|one| one.is_ascii_lowercase());
    host.len() <= 100
        && labels.len() >= 2
        && labels.iter().all(|one| is_label(one))
        && (is_address || is_name)
}

fn is_label(label: &str) -> bool {
    let is_plain =
        label.bytes().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == b'-');
    !label.is_empty() && label.len() <= 30 && is_plain
}

/// Whose metadata is at a well-known URL, with the path behind the name or before it.
fn described_by(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(Url::has_host)?;
    let (before, after) = url.path().split_once(WELL_KNOWN)?;
    let (document, path) = match after.split_once('/') {
        Some((document, path)) => (document, format!("/{path}")),
        None => (after, String::new()),
    };
    if !DOCUMENTS.contains(&document) {
        return None;
    }
    let identifier = format!("{}{before}{path}", url.origin().ascii_serialization());
    Some(identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_host_and_a_pasted_metadata_url_are_understood() {
        let rows = [
            ("mcp.example.com/mcp", "https://mcp.example.com/mcp"),
            ("mcp.example.com", "https://mcp.example.com"),
            ("mcp.example.com:8443/mcp", "https://mcp.example.com:8443/mcp"),
            ("localhost:3000/mcp", "http://localhost:3000/mcp"),
            ("127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("[::1]:3000/mcp", "http://[::1]:3000/mcp"),
            ("10.1.2.3/mcp", "https://10.1.2.3/mcp"),
            ("https://h.example/mcp/", "https://h.example/mcp/"),
            ("https://h.example/.well-known/oauth-protected-resource/mcp", "https://h.example/mcp"),
            ("https://h.example/.well-known/openid-configuration", "https://h.example"),
            ("https://h.example/t/.well-known/openid-configuration", "https://h.example/t"),
            ("h.example/.well-known/oauth-authorization-server/t", "https://h.example/t"),
            ("https://h.example/.well-known/jwks.json", "https://h.example/.well-known/jwks.json"),
        ];
        for (text, expected) in rows {
            assert_eq!(server(text), expected, "{text}");
        }
    }

    #[test]
    fn what_may_be_a_token_is_never_taken_for_a_host() {
        for text in [
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJpIn0.c2ln",
            "opaque-secret-token",
            "ya29.a0AfB_byC",
            "gho_abcdefghijklmnop",
            "5f4dcc3b5aa765d61d8327deb882cf99.0123456789abcdef",
            "s.abcdefghijklmnopqrstuvwxyzabcdefgh",
        ] {
            assert_eq!(server(text), text);
        }
    }

    #[test]
    fn what_is_copied_along_with_a_token_is_cut() {
        for text in [
            "a.b.c",
            " a.b.c\n",
            "Bearer a.b.c",
            "bearer  a.b.c",
            "Authorization: Bearer a.b.c",
            "authorization: bearer a.b.c",
            "-H 'Authorization: Bearer a.b.c'",
            "\"a.b.c\"",
        ] {
            assert_eq!(token(text), "a.b.c", "{text}");
        }
        assert_eq!(token(" "), "");
    }
}
