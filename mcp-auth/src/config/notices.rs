//! What an authorization server may tell this server, as plain data.

use serde::{Deserialize, Serialize};

use super::Secret;

/// Accepts its logout tokens (OpenID Connect Back-Channel Logout 1.0) at
/// [`logout_path`](crate::Config::logout_path): sessions that end there end here.
///
/// # Defaults
/// None: the audience must be named.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BackChannelLogout {
    /// `aud` values of its logout tokens, compared exactly: the identifiers of the clients that this server's address is
    /// registered for. A token must have one of them. At least one is needed.
    pub audience: Vec<String>,
}

impl BackChannelLogout {
    /// For the logout tokens of these clients.
    pub fn new<S: Into<String>>(audience: impl IntoIterator<Item = S>) -> Self {
        Self { audience: audience.into_iter().map(Into::into).collect() }
    }
}

/// Accepts its security event tokens (RFC 8417), pushed to
/// [`shared_signals_path`](crate::Config::shared_signals_path) as RFC 8935 says: what the Continuous Access Evaluation
/// Profile of OpenID Shared Signals tells of sessions, credentials and claims.
///
/// # Defaults
/// - `authorization`: none, so that the signature alone says who sends
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SharedSignals {
    /// `aud` values of its security event tokens, compared exactly: those of the stream, as they were agreed when it was
    /// set up. A token must have one of them. At least one is needed.
    pub audience: Vec<String>,
    /// What the transmitter must send in `Authorization`, as a whole, such as `Bearer 4f…`: the `authorization_header` of
    /// the stream. It is read, and never written.
    #[serde(skip_serializing)]
    pub authorization: Option<Secret>,
}

impl SharedSignals {
    /// For a stream with this audience.
    pub fn new<S: Into<String>>(audience: impl IntoIterator<Item = S>) -> Self {
        Self { audience: audience.into_iter().map(Into::into).collect(), authorization: None }
    }
}
