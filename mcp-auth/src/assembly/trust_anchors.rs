//! Reads the certificate authorities that are trusted besides those of the operating system.

use std::path::{Path, PathBuf};

use reqwest::Certificate;

use crate::config::Faults;
use crate::issuer::TrustAnchors;
use crate::text::without_byte_order_mark;

/// The certificates in these PEM files; what is wrong with a file is added to the faults.
pub(super) fn read_trust_anchors(files: &[PathBuf], faults: &mut Faults<'_>) -> TrustAnchors {
    let (mut all, mut bytes) = (Vec::new(), Vec::new());
    for (index, file) in files.iter().enumerate() {
        match read_certificates(file) {
            Ok((certificates, pem)) => {
                all.extend(certificates);
                bytes.extend(pem);
            }
            Err(reason) => {
                faults.below_item("ca_files", index).add_here(format!("{file:?} {reason}"));
            }
        }
    }
    TrustAnchors::new(all, &bytes)
}

/// The certificates in this PEM file, and its bytes.
fn read_certificates(file: &Path) -> Result<(Vec<Certificate>, Vec<u8>), String> {
    let pem = std::fs::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    let certificates = Certificate::from_pem_bundle(without_byte_order_mark(&pem))
        .map_err(|_| "is not PEM".to_owned())?;
    if certificates.is_empty() {
        return Err("holds no certificate".to_owned());
    }
    // Only a client looks into them; without the system's authorities one is made at once.
    let client = reqwest::Client::builder().no_proxy().tls_certs_only(certificates.clone());
    client.build().map_err(|_| "holds something that is not a certificate".to_owned())?;
    Ok((certificates, pem))
}
