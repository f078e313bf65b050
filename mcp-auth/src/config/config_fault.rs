//! One thing that is wrong with a configuration.

use std::fmt;

/// One thing that is wrong with a configuration: where, and what. Shown as `path: reason`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigFault {
    /// The field that it is about, such as `resources[0].policy.tools.delete_note`. Empty where an
    /// [`Authorizer`](crate::Authorizer) names none.
    pub path: String,
    /// What is wrong with it, in words.
    pub reason: String,
}

impl ConfigFault {
    /// A fault of the field at this path.
    pub fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { path: path.into(), reason: reason.into() }
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.reason),
            path => write!(f, "{path}: {}", self.reason),
        }
    }
}
