//! What a caller has to do before a tool can call another API for them.

use std::fmt;

use crate::error::AuthError;
use crate::scope::Scopes;

/// The authorization server of a downstream API wants something of the caller first. As the answer to a request it is the
/// challenge that makes clients ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownstreamRefusal {
    /// The caller's token is not accepted there any more.
    SignInAgain,
    /// The user must do more than they did to sign in: what, these claims say.
    StepUp {
        /// In JSON, in base64.
        claims: String,
    },
    /// The user must consent first.
    ConsentRequired {
        /// The scopes of this server to ask for.
        scopes: Scopes,
    },
}

impl DownstreamRefusal {
    /// A stable code for logs, tests and the SDKs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SignInAgain => "downstream_sign_in_again",
            Self::StepUp { .. } => "downstream_step_up",
            Self::ConsentRequired { .. } => "downstream_consent_required",
        }
    }

    /// What the client may know.
    pub(crate) fn description(&self) -> &'static str {
        match self {
            Self::SignInAgain => "another API needs a new sign-in",
            Self::StepUp { .. } => "another API needs a stronger sign-in",
            Self::ConsentRequired { .. } => "another API needs the consent of the user",
        }
    }
}

impl fmt::Display for DownstreamRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

impl From<DownstreamRefusal> for AuthError {
    fn from(refusal: DownstreamRefusal) -> Self {
        Self::Downstream(refusal)
    }
}
