//! One place where metadata may be.

use serde::Serialize;

use crate::issuer::{FaultKind, Standard};

/// A place where metadata was looked for.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct MetadataPlace {
    /// Its URL.
    pub url: String,
    /// The specification that says so.
    pub standard: Standard,
    /// Whether verification uses what is there: it is the first usable one.
    pub is_used: bool,
    /// Why it is of no use; `None` when it is.
    pub fault: Option<MetadataPlaceFault>,
}

/// Why a place is of no use.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct MetadataPlaceFault {
    /// What kind of fault.
    pub kind: FaultKind,
    /// The same in words, with the compared values.
    pub reason: String,
}
