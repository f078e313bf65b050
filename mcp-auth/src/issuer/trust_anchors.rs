//! Certificate authorities that are trusted besides those of the operating system.

use std::path::{Path, PathBuf};

use reqwest::Certificate;

/// Certificate authorities from files.
#[derive(Clone, Default)]
pub(crate) struct TrustAnchors(Vec<Certificate>);

impl TrustAnchors {
    /// Reads PEM files; what is wrong with them is added to `faults`.
    pub(crate) fn read(files: &[PathBuf], faults: &mut Vec<String>) -> Self {
        let mut all = Vec::new();
        for (index, file) in files.iter().enumerate() {
            match read(file) {
                Ok(certificates) => all.extend(certificates),
                Err(fault) => faults.push(format!("ca_files[{index}]: {file:?} {fault}")),
            }
        }
        Self(all)
    }

    pub(super) fn certificates(&self) -> impl Iterator<Item = Certificate> {
        self.0.iter().cloned()
    }
}

fn read(file: &Path) -> Result<Vec<Certificate>, String> {
    let pem = std::fs::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|_| "is not PEM".to_owned())?;
    if certificates.is_empty() {
        return Err("holds no certificate".to_owned());
    }
    // Only a client looks into them; without the system's authorities one is made at once.
    let client = reqwest::Client::builder().no_proxy().tls_certs_only(certificates.clone());
    client.build().map_err(|_| "holds something that is not a certificate".to_owned())?;
    Ok(certificates)
}
