//! One place where metadata may be.

use serde::Serialize;

use crate::issuer::{FaultKind, Standard};

/// A place where metadata was looked for.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct MetadataPlace {
    /// Its URL.
    pub url: String,
    /// The specification that says that metadata may be there.
    pub standard: Standard,
    /// Whether verification uses the document there: it uses the first that it can, of the places where it looks.
    pub is_used: bool,
    /// Why the document there cannot be used; `None` when it can.
    pub fault: Option<MetadataPlaceFault>,
}

/// Why the document at a place cannot be used.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct MetadataPlaceFault {
    /// What is the matter, for programs.
    pub kind: FaultKind,
    /// What is the matter, in words for people, with the values that were compared.
    pub reason: String,
}
