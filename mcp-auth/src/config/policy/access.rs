//! Who needs a token.

use serde::{Deserialize, Serialize};

/// Whether an operation needs a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Access {
    /// Everybody may. A token is not looked at, and handlers see no caller.
    Public,
    /// Everybody may. A token that is sent must be good, and handlers see its caller.
    Optional,
    /// Only with a good token.
    #[default]
    Required,
}
