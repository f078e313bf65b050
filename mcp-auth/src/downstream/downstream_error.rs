//! Why there is no token for a downstream API.

use std::fmt;

use http::StatusCode;
use serde_json::{Value, json};

use super::UrlElicitation;
use crate::downstream_refusal::DownstreamRefusal;
use crate::error::{AuthError, Unavailable};
use crate::scope::Scopes;

/// Why there is no token for a downstream API. Nothing was sent to the API.
///
/// Its text is fixed, and may be shown to anybody. What the authorization server said is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownstreamError {
    /// The caller has to do something first. The response to their request becomes the challenge, as with
    /// [`AuthInfo::require`](crate::AuthInfo::require), unless
    /// [`AuthInfo::withdraw_refusal`](crate::AuthInfo::withdraw_refusal) is called.
    Caller(DownstreamRefusal),
    /// The user has to grant something at another provider first, in a browser (`authorization_code`). The server answers the
    /// request with [`UrlElicitation::json_rpc_error`].
    AuthorizationRequired(UrlElicitation),
    /// No person is calling, and the grant is for persons.
    NoUser,
    /// The caller's token is not known: a verifier of your own has made the caller.
    NoToken,
    /// The caller is of an issuer that is not in `subject_issuers`: their token is sent nowhere.
    IssuerNotServed,
    /// There is no API of this name in `downstreams`.
    UnknownDownstream,
    /// More was asked for than the API has in `scopes`.
    WiderScopes(Scopes),
    /// Other scopes were asked for than users are asked to grant (`authorization_code`): a token of theirs has all of them.
    FixedScopes(Scopes),
    /// [`disconnect`](crate::downstream::Downstream::disconnect) is for `authorization_code` alone.
    NotConnected,
    /// [`token`](crate::downstream::Downstream::token) is for `client_credentials` alone, and every other grant needs a caller.
    NeedsCaller,
    /// The authorization server refuses us: the configuration here or there is wrong.
    Refused,
    /// The authorization server gave something that cannot be used, or more than was asked for.
    UnusableAnswer,
    /// There is none now.
    Unavailable(Unavailable),
}

impl DownstreamError {
    /// A stable code for logs, tests and the SDKs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Caller(refusal) => refusal.code(),
            Self::AuthorizationRequired(_) => "downstream_authorization_required",
            Self::NoUser => "downstream_no_user",
            Self::NoToken => "downstream_no_token",
            Self::IssuerNotServed => "downstream_issuer_not_served",
            Self::UnknownDownstream => "unknown_downstream",
            Self::WiderScopes(_) => "downstream_wider_scopes",
            Self::FixedScopes(_) => "downstream_fixed_scopes",
            Self::NotConnected => "downstream_not_connected",
            Self::NeedsCaller => "downstream_needs_caller",
            Self::Refused => "downstream_refused",
            Self::UnusableAnswer => "downstream_unusable_answer",
            Self::Unavailable(_) => "downstream_unavailable",
        }
    }

    /// The HTTP status that says it to a client.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Caller(refusal) => AuthError::from(refusal.clone()).status(),
            Self::AuthorizationRequired(_) | Self::NoUser | Self::IssuerNotServed => {
                StatusCode::FORBIDDEN
            }
            Self::NoToken
            | Self::UnknownDownstream
            | Self::WiderScopes(_)
            | Self::FixedScopes(_)
            | Self::NotConnected
            | Self::NeedsCaller
            | Self::Refused => StatusCode::INTERNAL_SERVER_ERROR,
            Self::UnusableAnswer => StatusCode::BAD_GATEWAY,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Seconds after which to try again, where that may help.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Unavailable(fault) => Some(fault.retry_after),
            _ => None,
        }
    }

    /// The error as one JSON object, of which Python and Node make theirs; as [`AuthError::json`](crate::AuthError::json) has
    /// it. Nothing of what an authorization server said is in it.
    pub fn json(&self) -> Value {
        let compared = match self {
            Self::Caller(DownstreamRefusal::StepUp { claims }) => json!({ "claims": claims }),
            Self::Caller(DownstreamRefusal::ConsentRequired { scopes }) => {
                json!({ "scopes": scopes })
            }
            Self::WiderScopes(scopes) | Self::FixedScopes(scopes) => json!({ "scopes": scopes }),
            Self::AuthorizationRequired(elicitation) => {
                json!({ "json_rpc_error": elicitation.json_rpc_error() })
            }
            Self::Unavailable(fault) => json!({ "retry_after": fault.retry_after }),
            _ => json!({}),
        };
        json!({
            "kind": "downstream",
            "code": self.code(),
            "status": self.status().as_u16(),
            "description": self.to_string(),
            "message": self.to_string(),
            "compared": compared,
        })
    }
}

impl fmt::Display for DownstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caller(refusal) => refusal.description(),
            Self::AuthorizationRequired(_) => "another API needs to be connected by the user first",
            Self::NoUser => "another API can be called for persons alone",
            Self::NoToken => "another API cannot be called: the token of the caller is not known",
            Self::IssuerNotServed => "another API cannot be called for callers of this issuer",
            Self::UnknownDownstream => "there is no API of this name in `downstreams`",
            Self::WiderScopes(_) => "more scopes were asked for than are configured",
            Self::FixedScopes(_) => "users grant all scopes of this API or none",
            Self::NotConnected => "users grant nothing for this API: there is nothing to end",
            Self::NeedsCaller => "this grant needs a caller: use `token_for`",
            Self::Refused => "the authorization server gives no token for another API",
            Self::UnusableAnswer => "the authorization server gave nothing usable for another API",
            Self::Unavailable(_) => "a token for another API cannot be had right now",
        })
    }
}

impl std::error::Error for DownstreamError {}
