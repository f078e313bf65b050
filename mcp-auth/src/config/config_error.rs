//! Why a configuration cannot be used.

use std::fmt;

use super::ConfigFault;

/// Everything that is wrong with a configuration.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigError {
    /// One line per fault, each starting with the field it is about: what [`ConfigError::faults`] has, as
    /// text.
    pub faults: Vec<String>,
    by_path: Vec<ConfigFault>,
}

impl ConfigError {
    pub(crate) fn new(faults: Vec<ConfigFault>) -> Self {
        Self { faults: faults.iter().map(ToString::to_string).collect(), by_path: faults }
    }

    /// Every fault, with the field that it is about apart from what is wrong with it: for a program that
    /// shows faults beside the fields of a form.
    ///
    /// ```
    /// let error = mcp_auth::Config::new("https://mcp.example.com/mcp", "http://as.example.com").unwrap_err();
    /// assert_eq!(error.faults()[0].path, "resources[0].authorization_servers[0].issuer");
    /// ```
    pub fn faults(&self) -> &[ConfigFault] {
        &self.by_path
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n- {fault}"))
    }
}

/// The text of `Display`, because a `main` that returns the error prints it by `Debug`.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}
