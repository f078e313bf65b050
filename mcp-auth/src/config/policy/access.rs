//! Who needs a token.

use serde::{Deserialize, Serialize};

/// Whether an operation needs a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Access {
    /// No token is needed. One that is sent is not looked at, and handlers see no caller.
    Public,
    /// No token is needed. One that is sent must be good, and handlers see its caller.
    Optional,
    /// A good token is needed.
    #[default]
    Required,
}
