//! A token for an API that tools call.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use zeroize::Zeroizing;

use crate::scope::Scopes;

/// A token for a downstream API, for one caller or for the tool itself. Cheap to clone; shown nowhere, and wiped when the
/// last of its copies goes.
///
/// It is made of an answer of an authorization server alone: a token that came with a request cannot become one.
#[derive(Clone)]
pub struct DownstreamToken(Arc<Inner>);

struct Inner {
    token: Zeroizing<String>,
    scopes: Scopes,
    expires_at: Option<u64>,
}

impl DownstreamToken {
    pub(super) fn new(token: Zeroizing<String>, scopes: Scopes, expires_at: Option<u64>) -> Self {
        Self(Arc::new(Inner { token, scopes, expires_at }))
    }

    /// The token, for a client that takes no header. It must not be logged.
    pub fn expose(&self) -> &str {
        &self.0.token
    }

    /// The value of the `Authorization` header, which logs do not show.
    pub fn header_value(&self) -> HeaderValue {
        let text = Zeroizing::new(format!("Bearer {}", &**self.0.token));
        // It was checked to be of characters that a header may have.
        let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Bearer"));
        value.set_sensitive(true);
        value
    }

    /// What it grants, as its server says; where it says nothing, what was asked for.
    pub fn scopes(&self) -> &Scopes {
        &self.0.scopes
    }

    /// When it ends, in seconds since 1970, if its server says so.
    pub fn expires_at(&self) -> Option<u64> {
        self.0.expires_at
    }
}

/// Shows no token.
impl fmt::Debug for DownstreamToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DownstreamToken")
            .field("scopes", &self.0.scopes.to_string())
            .field("expires_at", &self.0.expires_at)
            .finish_non_exhaustive()
    }
}
