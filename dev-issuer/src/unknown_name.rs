//! The error of every `FromStr` of this crate.

use std::{error, fmt};

/// A name that none of the known values has, such as `alg=HS256`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    parameter: &'static str,
    name: String,
}

impl UnknownName {
    pub(crate) fn new(parameter: &'static str, name: &str) -> Self {
        Self { parameter, name: name.to_owned() }
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a known {}", self.name, self.parameter)
    }
}

impl error::Error for UnknownName {}
