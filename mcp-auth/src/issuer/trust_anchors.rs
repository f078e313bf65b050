//! Certificate authorities that are trusted besides those of the operating system.

use reqwest::Certificate;

use crate::jose::{Digest, sha256};

/// Certificate authorities that the configuration names.
#[derive(Clone)]
pub(crate) struct TrustAnchors {
    certificates: Vec<Certificate>,
    /// Of the files that they were read from.
    digest: Digest,
}

impl TrustAnchors {
    /// These certificates, which were read from files with these bytes.
    pub(crate) fn new(certificates: Vec<Certificate>, files: &[u8]) -> Self {
        Self { certificates, digest: sha256(files) }
    }

    /// Whether both were read from the same bytes.
    pub(crate) fn are_same_as(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    pub(super) fn certificates(&self) -> impl Iterator<Item = Certificate> {
        self.certificates.iter().cloned()
    }
}
