//! Certificate authorities that are trusted besides those of the operating system.

use reqwest::Certificate;

/// Certificate authorities that the configuration names.
#[derive(Clone)]
pub(crate) struct TrustAnchors {
    certificates: Vec<Certificate>,
}

impl TrustAnchors {
    pub(crate) fn new(certificates: Vec<Certificate>) -> Self {
        Self { certificates }
    }

    pub(super) fn certificates(&self) -> impl Iterator<Item = Certificate> {
        self.certificates.iter().cloned()
    }
}
