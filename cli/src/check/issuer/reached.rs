//! Why an issuer cannot be judged: what its places answer tells nothing about its documents.

use mcp_auth::inspection::{FaultKind, IssuerReport};

use crate::network_fault::CA_AS_SERVER;
use crate::output::quoted;

/// Why nothing can be said of an issuer, in a sentence that begins with it.
pub(super) struct NotJudged {
    pub(super) verdict: String,
    /// What to do about it, unless the other scheme answers.
    pub(super) hint: &'static str,
    /// Whether what came looks as if the scheme were another one.
    pub(super) may_be_the_scheme: bool,
}

/// The reason, where no place gave a document, and one of them told nothing about it: a server in trouble, a firewall,
/// a redirect elsewhere, or no answer.
pub(super) fn why_not_judged(issuer: &IssuerReport) -> Option<NotJudged> {
    let url = quoted(&issuer.issuer);
    let faults: Option<Vec<_>> = issuer.places.iter().map(|place| place.fault.as_ref()).collect();
    let faults = faults?;
    let reason_of =
        |kind| faults.iter().find(|fault| fault.kind == kind).map(|fault| quoted(&fault.reason));
    let documents = [FaultKind::NotJson, FaultKind::OtherIssuer, FaultKind::Unusable];
    if faults.iter().any(|fault| documents.contains(&fault.kind)) {
        return None;
    }
    let told = |verdict, hint| Some(NotJudged { verdict, hint, may_be_the_scheme: false });
    if let Some(reason) = reason_of(FaultKind::ServerTrouble) {
        let verdict = format!("{url} is not healthy: its metadata is answered with {reason}.");
        return told(verdict, " Nothing can be judged now; try again.");
    }
    if let Some(reason) = reason_of(FaultKind::RequestRefused) {
        let verdict = format!(
            "{url} cannot be asked: a firewall, proxy or the server itself refuses ({reason})."
        );
        return told(verdict, " Let this machine through, or check from where servers are.");
    }
    if let Some(reason) = reason_of(FaultKind::Redirected) {
        let verdict = format!("{url} has moved, or its metadata is elsewhere: {reason}.");
        return told(
            verdict,
            " Check the issuer that is there; --metadata-url says where else to look.",
        );
    }
    let reason = reason_of(FaultKind::Unreachable)?;
    Some(NotJudged {
        verdict: format!("{url} cannot be reached: {reason}."),
        hint: hint_for(&reason),
        may_be_the_scheme: is_about_scheme(&reason),
    })
}

fn hint_for(reason: &str) -> &'static str {
    if reason.contains(CA_AS_SERVER) {
        return " Its certificate is that of an authority (CA:TRUE), and a server needs one of its own with CA:FALSE, which \
                the authority has signed.";
    }
    if is_about_certificate(reason) {
        return " Servers refuse it too; for an authority of your own there is --ca-file.";
    }
    if is_about_scheme(reason) {
        return " Are the scheme and the port right?";
    }
    " Is it written right, and running? If its metadata is elsewhere, --metadata-url says where, and --type asks at fewer \
     places."
}

/// Told by the words of the TLS library.
pub(super) fn is_about_certificate(reason: &str) -> bool {
    reason.contains("certificate")
}

/// Neither TLS nor HTTP, as far as the words of the libraries tell.
fn is_about_scheme(reason: &str) -> bool {
    const WORDS: [&str; 6] = [
        "corrupt message",
        "InvalidContentType",
        "invalid HTTP",
        "handshake",
        "connection closed before message",
        "message is incomplete",
    ];
    WORDS.iter().any(|words| reason.contains(words))
}
