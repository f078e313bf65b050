//! The error of every `FromStr` of this crate.

use std::{error, fmt};

/// A name that none of the known values has, such as `alg=HS256`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    parameter: &'static str,
    name: String,
    known: Vec<&'static str>,
}

impl UnknownName {
    pub(crate) fn new(
        parameter: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        Self { parameter, name: name.to_owned(), known: known.into_iter().collect() }
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a known {}: ", self.name, self.parameter)?;
        f.write_str(&self.known.join(", "))
    }
}

impl error::Error for UnknownName {}
