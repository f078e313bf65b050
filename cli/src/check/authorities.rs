//! Certificate authorities of the user's own.

use std::fs;
use std::path::PathBuf;

use reqwest::Certificate;

use crate::output::quoted;
use crate::secrets;

/// The certificates in PEM files.
///
/// # Errors
/// A sentence for the user, when a file cannot be read or has no certificate.
pub(crate) fn read(files: &[PathBuf]) -> Result<Vec<Certificate>, String> {
    let mut all = Vec::new();
    for file in files {
        let shown = quoted(secrets::showable_argument(&file.to_string_lossy()));
        let content = fs::read(file).map_err(|error| format!("--ca-file {shown}: {error}"))?;
        let found = Certificate::from_pem_bundle(&content)
            .map_err(|_| format!("--ca-file {shown}: not PEM"))?;
        if found.is_empty() {
            return Err(format!("--ca-file {shown}: there is no certificate in it"));
        }
        all.extend(found);
    }
    Ok(all)
}
