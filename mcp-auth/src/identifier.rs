//! Resource and issuer identifiers: URLs that are compared as the exact strings they are.
//!
//! Neither is ever turned into a URL object and back: that adds a slash to
//! `https://auth.example.com` and breaks the comparisons that RFC 8414 and RFC 9728 ask for.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

/// The identifier of a protected resource (RFC 9728, RFC 8707): the URL that clients connect to.
///
/// Audience, metadata URL, metadata `resource`, challenge and mount path are all derived from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResourceIdentifier {
    text: String,
    origin_length: usize,
}

impl ResourceIdentifier {
    /// Accepts an absolute `https` URL without query and fragment; `http` on loopback only.
    ///
    /// # Errors
    /// [`IdentifierError`] says what is wrong with it.
    pub fn parse(text: impl Into<String>) -> Result<Self, IdentifierError> {
        let text = text.into();
        let origin_length = check_url(&text, false)?;
        Ok(Self { text, origin_length })
    }

    /// The identifier, exactly as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme and authority, such as `https://mcp.example.com`.
    pub fn origin(&self) -> &str {
        &self.text[..self.origin_length]
    }

    /// The path, such as `/mcp`; `/` when the identifier has none.
    pub fn path(&self) -> &str {
        match &self.text[self.origin_length..] {
            "" => "/",
            path => path,
        }
    }

    /// The host without port, in lower case; brackets stay around an IPv6 address.
    pub fn host(&self) -> String {
        let authority = self.origin().split_once("://").map_or("", |(_, authority)| authority);
        host_of(authority).to_ascii_lowercase()
    }

    /// Path of the metadata document: the well-known name inserted before the path (RFC 9728 §3.1).
    pub fn metadata_path(&self) -> String {
        format!("{WELL_KNOWN}{}", if self.path() == "/" { "" } else { self.path() })
    }

    /// URL of the metadata document, as the challenge names it.
    pub fn metadata_url(&self) -> String {
        format!("{}{}", self.origin(), self.metadata_path())
    }

    /// Whether an `aud` value names this resource.
    ///
    /// Exact, but for two spellings of one URL: `https://h` and `https://h/` (RFC 3986 §6.2.3),
    /// and the case of scheme and host (RFC 3986 §6.2.2.1).
    pub fn matches(&self, audience: &str) -> bool {
        let Some((origin, path)) = audience.split_at_checked(self.origin_length) else {
            return false;
        };
        let path = if path.is_empty() { "/" } else { path };
        path == self.path() && origin.eq_ignore_ascii_case(self.origin())
    }
}

/// Where RFC 9728 metadata lives on an origin.
pub(crate) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

impl fmt::Display for ResourceIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The identifier of an authorization server (RFC 8414 §2): the exact `iss` of its tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IssuerIdentifier(String);

impl IssuerIdentifier {
    /// Accepts an absolute `https` URL without query and fragment; `http` on loopback only.
    ///
    /// # Errors
    /// [`IdentifierError`] says what is wrong with it.
    pub fn parse(text: impl Into<String>) -> Result<Self, IdentifierError> {
        Self::parse_with(text.into(), false)
    }

    pub(crate) fn parse_with(text: String, allow_http: bool) -> Result<Self, IdentifierError> {
        check_url(&text, allow_http)?;
        Ok(Self(text))
    }

    /// The identifier, exactly as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IssuerIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentifierError {
    /// It is the empty string.
    Empty,
    /// It has a query or a fragment.
    HasQueryOrFragment,
    /// It carries a user name or password.
    HasUserInfo,
    /// `http` on a host that is not loopback.
    Insecure,
    /// It is not an absolute `http` or `https` URL.
    NotAbsolute,
    /// A character that a URL may not contain, or a `.` or `..` path segment.
    Malformed,
}

impl fmt::Display for IdentifierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is missing",
            Self::HasQueryOrFragment => "must not have a query or a fragment",
            Self::HasUserInfo => "must not carry a user name or password",
            Self::Insecure => "must use https; http is for loopback hosts only",
            Self::NotAbsolute => "must be an absolute URL, such as https://mcp.example.com/mcp",
            Self::Malformed => "is not a valid URL",
        })
    }
}

impl std::error::Error for IdentifierError {}

/// Checks a URL and returns the length of its origin.
fn check_url(text: &str, allow_http: bool) -> Result<usize, IdentifierError> {
    if text.is_empty() {
        return Err(IdentifierError::Empty);
    }
    if text.contains(['?', '#']) {
        return Err(IdentifierError::HasQueryOrFragment);
    }
    let (scheme, rest) = text.split_once("://").ok_or(IdentifierError::NotAbsolute)?;
    let secure = scheme.eq_ignore_ascii_case("https");
    if !secure && !scheme.eq_ignore_ascii_case("http") {
        return Err(IdentifierError::NotAbsolute);
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(IdentifierError::HasUserInfo);
    }
    let host = host_of(authority);
    // `Uri` checks the authority's syntax, ports included.
    if host.is_empty() || authority.ends_with(':') || text.parse::<Uri>().is_err() {
        return Err(IdentifierError::Malformed);
    }
    if !path.bytes().all(is_path_byte) || path.split('/').any(|part| part == "." || part == "..") {
        return Err(IdentifierError::Malformed);
    }
    if !secure && !allow_http && !is_loopback(host) {
        return Err(IdentifierError::Insecure);
    }
    Ok(text.len() - path.len())
}

/// Whether a URL may be fetched: `https`, or `http` on loopback, or any `http` when allowed.
pub(crate) fn check_fetchable(url: &str, allow_http: bool) -> Result<(), IdentifierError> {
    check_url(url.split('?').next().unwrap_or(url), allow_http).map(|_| ())
}

/// Whether a host name can only mean this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    let address = host.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The host of an authority, without its port.
fn host_of(authority: &str) -> &str {
    match authority.rfind(']') {
        Some(bracket) => &authority[..=bracket],
        None => authority.split(':').next().unwrap_or(authority),
    }
}

/// RFC 3986 §3.3: pchar and the slash.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_derived_from_the_identifier() {
        let rows = [
            ("https://h.example", "/", "https://h.example/.well-known/oauth-protected-resource"),
            ("https://h.example/", "/", "https://h.example/.well-known/oauth-protected-resource"),
            (
                "https://h.example/mcp",
                "/mcp",
                "https://h.example/.well-known/oauth-protected-resource/mcp",
            ),
            (
                "https://h.example/a/",
                "/a/",
                "https://h.example/.well-known/oauth-protected-resource/a/",
            ),
            (
                "http://[::1]:3000/m",
                "/m",
                "http://[::1]:3000/.well-known/oauth-protected-resource/m",
            ),
        ];
        for (text, path, metadata) in rows {
            let resource = ResourceIdentifier::parse(text).unwrap();
            assert_eq!((resource.path(), resource.metadata_url().as_str()), (path, metadata));
        }
    }

    #[test]
    fn audiences_match_exactly_but_for_the_root_slash_and_host_case() {
        let root = ResourceIdentifier::parse("https://h.example").unwrap();
        assert!(root.matches("https://h.example") && root.matches("https://h.example/"));
        assert!(root.matches("HTTPS://H.Example/"));
        assert!(!root.matches("https://h.example.evil") && !root.matches("https://h.exampl"));
        let mcp = ResourceIdentifier::parse("https://h.example/mcp").unwrap();
        assert!(mcp.matches("https://h.example/mcp") && mcp.matches("https://H.EXAMPLE/mcp"));
        for other in ["https://h.example/mcp/", "https://h.example/MCP", "https://h.example", ""] {
            assert!(!mcp.matches(other), "{other}");
        }
        assert!(!mcp.matches("https://h.examplé/mcp"), "not cut inside a character");
    }

    #[test]
    fn identifiers_that_cannot_work_are_refused() {
        let rows = [
            ("", IdentifierError::Empty),
            ("mcp.example.com/mcp", IdentifierError::NotAbsolute),
            ("ftp://h.example", IdentifierError::NotAbsolute),
            ("https://", IdentifierError::Malformed),
            ("https://h.example:", IdentifierError::Malformed),
            ("https://h.example/a b", IdentifierError::Malformed),
            ("https://h.example/{x}", IdentifierError::Malformed),
            ("https://h.example/a/../b", IdentifierError::Malformed),
            ("https://u:p@h.example", IdentifierError::HasUserInfo),
            ("https://h.example/?a", IdentifierError::HasQueryOrFragment),
            ("https://h.example/#a", IdentifierError::HasQueryOrFragment),
            ("http://h.example/mcp", IdentifierError::Insecure),
            ("http://127.0.0.1.evil.example", IdentifierError::Insecure),
        ];
        for (text, expected) in rows {
            assert_eq!(ResourceIdentifier::parse(text).unwrap_err(), expected, "{text}");
        }
        for text in
            ["http://127.0.0.1:1/a", "http://localhost", "http://[::1]/", "HTTP://a.localhost"]
        {
            assert!(ResourceIdentifier::parse(text).is_ok(), "{text}");
        }
    }
}
