//! Step 1: the bearer token of a request (RFC 6750 §2.1), from the `Authorization` header, or one
//! that the operator names.

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::error::{AuthError, RequestFault};

/// Where a request carries its token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TokenSource {
    /// `Authorization: Bearer`.
    #[default]
    Authorization,
    /// The header at this place of the resource's list.
    Header(usize),
}

/// A token as it came, not yet believed.
#[derive(Clone, Copy)]
pub(crate) struct BearerToken<'r> {
    bytes: &'r [u8],
    source: TokenSource,
    /// Whether its sender was refused so often that others are asked about first.
    pub(crate) may_wait: bool,
}

impl<'r> BearerToken<'r> {
    /// The one bearer token of a request: in the first of these headers that is there, else in
    /// `Authorization`. A header with nothing in it carries no token, and is no way to another one.
    pub(crate) fn from_request(
        request: &'r Parts,
        headers: &[HeaderName],
    ) -> Result<Self, AuthError> {
        if request.uri.query().is_some_and(has_access_token) {
            return Err(AuthError::InvalidRequest(RequestFault::TokenInQuery));
        }
        for (at, name) in headers.iter().enumerate() {
            if let Some(value) = only(request, name)? {
                let bytes = value.as_bytes().trim_ascii();
                return match bytes.is_empty() {
                    true => Err(AuthError::MissingToken),
                    false => Ok(Self::from_bytes(bytes, TokenSource::Header(at))),
                };
            }
        }
        let value = only(request, &AUTHORIZATION)?.ok_or(AuthError::MissingToken)?;
        let (scheme, rest) = value.as_bytes().split_at(value.len().min("bearer".len()));
        // Another scheme is no bearer token at all: the client is told which one to use. A scheme alone is what some
        // clients send that have no token yet.
        let is_bearer = scheme.eq_ignore_ascii_case(b"bearer");
        if !is_bearer || rest.trim_ascii().is_empty() {
            return Err(AuthError::MissingToken);
        }
        match rest[0] {
            b' ' => {
                let bytes = without_leading_spaces(rest);
                Ok(Self::from_bytes(bytes, TokenSource::Authorization))
            }
            // RFC 6750 §2.1: `"Bearer" 1*SP b64token`. Some readers take a tab for a space.
            b'\t' => Err(Self::malformed()),
            _ => Err(AuthError::MissingToken),
        }
    }

    /// A token that came another way than in a request.
    pub(crate) fn new(token: &'r str, source: TokenSource) -> Self {
        Self::from_bytes(token.as_bytes(), source)
    }

    fn from_bytes(bytes: &'r [u8], source: TokenSource) -> Self {
        Self { bytes, source, may_wait: false }
    }

    /// Where it was.
    pub(crate) fn source(self) -> TokenSource {
        self.source
    }

    /// The bytes after the scheme; what they are is for the verifier to say.
    pub(crate) fn as_bytes(self) -> &'r [u8] {
        self.bytes
    }

    /// The token as text, its syntax not checked: reading it as a JWS is stricter.
    pub(crate) fn as_text(self) -> Result<&'r str, AuthError> {
        std::str::from_utf8(self.bytes).map_err(|_| Self::malformed())
    }

    /// The token, if it has the syntax of one: else the header is to blame.
    pub(crate) fn parse(self) -> Result<&'r str, AuthError> {
        if is_b64token(self.bytes) { self.as_text() } else { Err(Self::malformed()) }
    }

    fn malformed() -> AuthError {
        AuthError::InvalidRequest(RequestFault::MalformedAuthorization)
    }
}

/// What comes after the spaces; a tab is no space.
fn without_leading_spaces(bytes: &[u8]) -> &[u8] {
    let spaces = bytes.iter().take_while(|byte| **byte == b' ').count();
    crate::steps::take(spaces);
    &bytes[spaces..]
}

/// The value of a header that may be there once.
fn only<'r>(request: &'r Parts, name: &HeaderName) -> Result<Option<&'r HeaderValue>, AuthError> {
    let mut values = request.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(AuthError::InvalidRequest(RequestFault::SeveralTokens)),
    }
}

/// RFC 6750 §2.3 allows it, OAuth 2.1 §5.1.2 and MCP do not.
fn has_access_token(query: &str) -> bool {
    crate::steps::take(query.len());
    query
        .split('&')
        .filter_map(|pair| pair.split('=').next())
        .any(|name| percent_decode_str(name).eq("access_token".bytes()))
}

/// RFC 6750 §2.1: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_b64token(token: &[u8]) -> bool {
    crate::steps::take(token.len());
    let padding = token.iter().rev().take_while(|byte| **byte == b'=').count();
    let body = &token[..token.len() - padding];
    !body.is_empty()
        && body.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn read(uri: &str, headers: &[&str]) -> Result<String, AuthError> {
        let mut request = Request::get(uri);
        for value in headers {
            request = request.header(AUTHORIZATION, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        BearerToken::from_request(&parts, &[])?.parse().map(str::to_owned)
    }

    #[test]
    fn a_token_is_found_whatever_the_case_of_the_scheme() {
        for header in ["Bearer a.b-c", "bearer a.b-c", "BEARER   a.b-c"] {
            assert_eq!(read("/mcp", &[header]).unwrap(), "a.b-c");
        }
    }

    #[test]
    fn what_is_not_one_bearer_token_is_told_apart() {
        use RequestFault::{MalformedAuthorization, SeveralTokens, TokenInQuery};
        let rows = [
            ("/mcp", vec![], AuthError::MissingToken),
            ("/mcp", vec!["Basic dXNlcjpwYXNz"], AuthError::MissingToken),
            ("/mcp", vec!["Bearerly a"], AuthError::MissingToken),
            ("/mcp", vec![""], AuthError::MissingToken),
            ("/mcp", vec!["Bearer"], AuthError::MissingToken),
            ("/mcp", vec!["bearer "], AuthError::MissingToken),
            ("/mcp", vec!["BEARER    "], AuthError::MissingToken),
            ("/mcp", vec!["Bearer \t "], AuthError::MissingToken),
            ("/mcp", vec!["Bearer\ta"], AuthError::InvalidRequest(MalformedAuthorization)),
            ("/mcp", vec!["Bearer \ta"], AuthError::InvalidRequest(MalformedAuthorization)),
            ("/mcp", vec!["Bearer\t a"], AuthError::InvalidRequest(MalformedAuthorization)),
            ("/mcp", vec!["Bearer a\tb"], AuthError::InvalidRequest(MalformedAuthorization)),
            ("/mcp", vec!["Bearer:a"], AuthError::MissingToken),
            ("/mcp", vec!["Bearer", "Bearer a"], AuthError::InvalidRequest(SeveralTokens)),
            ("/mcp", vec!["Bearer a b"], AuthError::InvalidRequest(MalformedAuthorization)),
            ("/mcp", vec!["Bearer a,b"], AuthError::InvalidRequest(MalformedAuthorization)),
            ("/mcp", vec!["Bearer a", "Bearer a"], AuthError::InvalidRequest(SeveralTokens)),
            ("/mcp?access_token=a", vec![], AuthError::InvalidRequest(TokenInQuery)),
            ("/mcp?x=1&access_token=a", vec!["Bearer a"], AuthError::InvalidRequest(TokenInQuery)),
            ("/mcp?access%5Ftoken=a", vec![], AuthError::InvalidRequest(TokenInQuery)),
        ];
        for (uri, headers, expected) in rows {
            assert_eq!(read(uri, &headers).unwrap_err(), expected, "{uri} {headers:?}");
        }
    }
}
