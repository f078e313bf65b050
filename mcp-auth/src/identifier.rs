//! Resource and issuer identifiers: URLs that are compared as the exact strings they are.
//!
//! Neither is ever turned into a URL object and back: that adds a slash to
//! `https://auth.example.com` and breaks the comparisons that RFC 8414 and RFC 9728 ask for.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use percent_encoding::percent_decode_str;

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
    pub fn parse(identifier: impl Into<String>) -> Result<Self, IdentifierError> {
        let text = identifier.into();
        let origin_length = check_url(&text, PlainHttp::Loopback)?;
        let origin = text[..origin_length].to_ascii_lowercase();
        // Clients leave it out, and would then know the resource by another name.
        if origin
            .strip_prefix("https:")
            .map_or(origin.ends_with(":80"), |rest| rest.ends_with(":443"))
        {
            return Err(IdentifierError::DefaultPort);
        }
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
        let is_same_path = path == self.path() || (path.is_empty() && self.path() == "/");
        is_same_path && origin.eq_ignore_ascii_case(self.origin())
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
        Self::parse_with(text.into(), PlainHttp::Loopback)
    }

    pub(crate) fn parse_with(text: String, plain_http: PlainHttp) -> Result<Self, IdentifierError> {
        check_url(&text, plain_http)?;
        Ok(Self(text))
    }

    /// The identifier, exactly as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scheme and authority, and the path without slashes at its end: RFC 8414 §3.1 removes them before anything is
    /// inserted or appended.
    pub(crate) fn origin_and_path(&self) -> (&str, &str) {
        let issuer = self.0.trim_end_matches('/');
        let host = issuer.find("://").map_or(0, |scheme| scheme + 3);
        issuer.split_at(issuer[host..].find('/').map_or(issuer.len(), |at| host + at))
    }

    /// Where RFC 8414 §3.1 puts the issuer's metadata: before the path.
    pub(crate) fn oauth_metadata_url(&self) -> String {
        let (origin, path) = self.origin_and_path();
        format!("{origin}/.well-known/oauth-authorization-server{path}")
    }

    /// Where OpenID Connect Discovery 1.0 §4 puts it: after the path.
    pub(crate) fn oidc_metadata_url(&self) -> String {
        let (origin, path) = self.origin_and_path();
        format!("{origin}{path}/.well-known/openid-configuration")
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
    /// A resource identifier names the port that its scheme has by default.
    DefaultPort,
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
            Self::DefaultPort => "must leave out the default port, as clients do",
            Self::Empty => "is missing",
            Self::HasQueryOrFragment => "must not have a query or a fragment",
            Self::HasUserInfo => "must not carry a user name or password",
            Self::Insecure => "must use https; http is for loopback hosts only",
            Self::NotAbsolute => "must be an absolute URL that starts with https://",
            Self::Malformed => "is not a valid URL",
        })
    }
}

impl std::error::Error for IdentifierError {}

/// Where `http` may be used instead of `https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlainHttp {
    Never,
    Loopback,
    Anywhere,
}

impl PlainHttp {
    /// For URLs that an operator wrote.
    pub(crate) fn configured(dangerous_allow_http: bool) -> Self {
        if dangerous_allow_http { Self::Anywhere } else { Self::Loopback }
    }

    /// For URLs in an issuer's documents: a public issuer must not send us to our own machine.
    pub(crate) fn learned_from(issuer: &IssuerIdentifier, dangerous_allow_http: bool) -> Self {
        match Self::configured(dangerous_allow_http) {
            Self::Loopback if issuer.0.starts_with("https:") => Self::Never,
            rule => rule,
        }
    }
}

/// Checks a URL without query and fragment, and returns the length of its origin.
fn check_url(text: &str, plain_http: PlainHttp) -> Result<usize, IdentifierError> {
    if text.is_empty() {
        return Err(IdentifierError::Empty);
    }
    if text.contains(['?', '#']) {
        return Err(IdentifierError::HasQueryOrFragment);
    }
    let (scheme, rest) = text.split_once("://").ok_or(IdentifierError::NotAbsolute)?;
    let is_https = scheme.eq_ignore_ascii_case("https");
    if !is_https && !scheme.eq_ignore_ascii_case("http") {
        return Err(IdentifierError::NotAbsolute);
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(IdentifierError::HasUserInfo);
    }
    let host = host_of(authority);
    check_host(host)?;
    check_port(&authority[host.len()..])?;
    if !is_path(path) || path.split('/').any(|part| part == "." || part == "..") {
        return Err(IdentifierError::Malformed);
    }
    let is_http_allowed = match plain_http {
        PlainHttp::Never => false,
        PlainHttp::Loopback => is_loopback(host),
        PlainHttp::Anywhere => true,
    };
    if !is_https && !is_http_allowed {
        return Err(IdentifierError::Insecure);
    }
    Ok(text.len() - path.len())
}

/// RFC 3986 §3.2.2: an IPv6 address in brackets, or labels.
fn check_host(host: &str) -> Result<(), IdentifierError> {
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_valid = match bracketed {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.strip_suffix('.').unwrap_or(host).split('.').all(is_host_label),
    };
    if is_valid { Ok(()) } else { Err(IdentifierError::Malformed) }
}

/// One label of a host name, as names in DNS are written in practice: letters, digits, `-` and `_`.
fn is_host_label(label: &str) -> bool {
    !label.is_empty()
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// What comes after the host: nothing, or a colon and a port.
fn check_port(colon_and_port: &str) -> Result<(), IdentifierError> {
    if colon_and_port.is_empty() {
        return Ok(());
    }
    let port = colon_and_port.strip_prefix(':').ok_or(IdentifierError::Malformed)?;
    let number = port.parse::<u16>().map_err(|_| IdentifierError::Malformed)?;
    // Rust reads `+80` as a number too.
    let has_digits_alone = port.bytes().all(|byte| byte.is_ascii_digit());
    if number == 0 || !has_digits_alone {
        return Err(IdentifierError::Malformed);
    }
    Ok(())
}

/// Checks a URL that is to be fetched: as [`check_url`] does, but it may have a query.
pub(crate) fn check_fetchable(url: &str, plain_http: PlainHttp) -> Result<(), IdentifierError> {
    let (before_query, query) = url.split_once('?').unwrap_or((url, ""));
    // RFC 3986 §3.4: what a path may have, and question marks.
    if !is_path(&query.replace('?', "/")) {
        return Err(IdentifierError::Malformed);
    }
    check_url(before_query, plain_http).map(|_| ())
}

/// The host of a URL that was checked, without port; brackets stay around an IPv6 address.
pub(crate) fn host_in(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    host_of(rest.split(['/', '?']).next().unwrap_or(rest))
}

/// Whether a text is a host as [`host_in`] gives it.
pub(crate) fn is_host(text: &str) -> bool {
    check_host(text).is_ok()
}

/// Whether a host name can only mean this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let lower_case = host.to_ascii_lowercase();
    let name = lower_case.strip_suffix('.').unwrap_or(&lower_case);
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    let without_brackets = name.trim_start_matches('[').trim_end_matches(']');
    without_brackets.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The host of an authority, without its port.
fn host_of(authority: &str) -> &str {
    match authority.rfind(']') {
        Some(bracket) => &authority[..=bracket],
        None => authority.split(':').next().unwrap_or(authority),
    }
}

/// RFC 3986 §3.3: pchar and the slash, percent signs only before two hexadecimal digits.
fn is_path(path: &str) -> bool {
    path.bytes().all(is_path_byte) && path.split('%').skip(1).all(begins_with_two_hex_digits)
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@".contains(&byte)
}

fn begins_with_two_hex_digits(text: &str) -> bool {
    text.len() >= 2 && text.bytes().take(2).all(|byte| byte.is_ascii_hexdigit())
}

/// The path as the most lenient router reads it: decoded, in lower case, without parameters, empty segments
/// and dots (RFC 3986 §6.2.2, §3.3). `None` when its escapes are not UTF-8.
///
/// Two paths that are equal here may lead to one handler, so they must not be protected by different rules.
pub(crate) fn loosely(path: &str) -> Option<String> {
    crate::steps::take(path.len());
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    let mut loose = String::with_capacity(decoded.len());
    for segment in decoded.split(['/', '\\']) {
        let name = match segment.split_once(';') {
            Some((before_parameters, _)) => before_parameters,
            None => segment,
        };
        match name {
            "" | "." => {}
            ".." => loose.truncate(loose.rfind('/').unwrap_or(0)),
            _ => {
                loose.push('/');
                loose.extend(name.chars().flat_map(char::to_lowercase));
            }
        }
    }
    Some(loose)
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
    fn urls_that_are_fetched_may_have_a_query() {
        let check = |url| check_fetchable(url, PlainHttp::Never);
        assert_eq!(check("https://h.example/keys?p=B2C_1&x=a/b?c"), Ok(()));
        for url in ["https://h.example/?a b", "https://h.example/?a#b", "https://h.example/?%zz"] {
            assert_eq!(check(url), Err(IdentifierError::Malformed), "{url}");
        }
        assert!(
            is_loopback("localhost.")
                && is_loopback("a.LOCALHOST")
                && !is_loopback("localhost.example")
        );
    }

    #[test]
    fn identifiers_that_cannot_work_are_refused() {
        let rows = [
            ("", IdentifierError::Empty),
            ("mcp.example.com/mcp", IdentifierError::NotAbsolute),
            ("ftp://h.example", IdentifierError::NotAbsolute),
            ("https://", IdentifierError::Malformed),
            ("https://h.example:", IdentifierError::Malformed),
            ("https://h.example:abc/m", IdentifierError::Malformed),
            ("https://h.example:99999/m", IdentifierError::Malformed),
            ("https://h.example:443/m", IdentifierError::DefaultPort),
            ("http://localhost:80", IdentifierError::DefaultPort),
            ("https://[::1]x/m", IdentifierError::Malformed),
            ("https://[zz]/m", IdentifierError::Malformed),
            ("https://.example/m", IdentifierError::Malformed),
            ("https://h.example/%zz", IdentifierError::Malformed),
            ("https://h.example/%a", IdentifierError::Malformed),
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
