//! Why a request got no answer, in words for people.

use std::error::Error;
use std::io;

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NetworkFaultKind {
    /// Nothing listens there.
    Refused,
    /// Nothing came in the time that there is.
    Late,
    UnknownName,
    /// What came is neither TLS nor a certificate that could be read.
    NotTls,
    /// The certificate is of another host, too old, or of an unknown authority.
    NotTrusted,
    /// What came is no answer of HTTP.
    NotHttp,
    Other,
}

/// Why a request got no answer. It does not name the URL: whoever shows it does, once.
#[derive(Clone, Debug)]
pub(crate) struct NetworkFault {
    pub(crate) kind: NetworkFaultKind,
    /// Such as `the connection was refused: nothing listens there`.
    pub(crate) words: String,
}

impl NetworkFault {
    pub(crate) fn new(kind: NetworkFaultKind, words: impl Into<String>) -> Self {
        Self { kind, words: words.into() }
    }

    /// No answer came in so many seconds, or none to its end.
    pub(crate) fn late(seconds: u64, has_begun: bool) -> Self {
        let words = match has_begun {
            true => format!("it began an answer and did not end it within {seconds} s"),
            false => format!("no answer within {seconds} s"),
        };
        Self::new(NetworkFaultKind::Late, words)
    }

    pub(crate) fn of(error: &reqwest::Error) -> Self {
        let innermost = innermost_cause(error);
        if error.is_timeout() {
            return Self::new(NetworkFaultKind::Late, "nothing came in time");
        }
        let kind = kind_of(error, &innermost);
        let words = match kind {
            NetworkFaultKind::Refused => "the connection was refused: nothing listens there",
            NetworkFaultKind::UnknownName => "the name of the host is not known",
            NetworkFaultKind::NotTls => "what came is not TLS",
            NetworkFaultKind::NotTrusted if innermost.contains(CA_AS_SERVER) => {
                return Self::new(kind, format!("its certificate is not trusted: {CA_ADVICE}"));
            }
            NetworkFaultKind::NotTrusted => {
                return Self::new(kind, format!("its certificate is not trusted: {innermost}"));
            }
            NetworkFaultKind::NotHttp => "what came is not HTTP",
            _ => return Self::new(kind, innermost),
        };
        Self::new(kind, words)
    }
}

/// How the TLS library calls the certificate of an authority that a server shows as its own.
pub(crate) const CA_AS_SERVER: &str = "CaUsedAsEndEntity";
/// What to do about that.
pub(crate) const CA_ADVICE: &str = "it is that of an authority (CA:TRUE), and a server needs one of its own with CA:FALSE, \
                                    which the authority has signed (CaUsedAsEndEntity)";

fn kind_of(error: &reqwest::Error, innermost: &str) -> NetworkFaultKind {
    let io_kind = io_kind_of(error);
    if io_kind == Some(io::ErrorKind::ConnectionRefused) {
        return NetworkFaultKind::Refused;
    }
    // The TLS library is not named here, and its errors are told by their words.
    if innermost.contains("certificate") {
        return NetworkFaultKind::NotTrusted;
    }
    let is_corrupt = ["corrupt message", "InvalidContentType", "close_notify", "handshake"];
    if io_kind == Some(io::ErrorKind::InvalidData)
        || is_corrupt.iter().any(|part| innermost.contains(part))
    {
        return NetworkFaultKind::NotTls;
    }
    let is_about_name = ["failed to lookup address", "no record found", "Name or service"];
    if is_about_name.iter().any(|part| innermost.contains(part)) {
        return NetworkFaultKind::UnknownName;
    }
    if is_parse_error(error) {
        return NetworkFaultKind::NotHttp;
    }
    NetworkFaultKind::Other
}

/// The innermost reason, which says more than "error sending request".
pub(crate) fn innermost_cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn io_kind_of(error: &reqwest::Error) -> Option<io::ErrorKind> {
    let mut kind = None;
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<io::Error>() {
            kind = Some(found.kind());
        }
        next = cause.source();
    }
    kind
}

/// Told by the words of the HTTP library, whose type is not named here.
fn is_parse_error(error: &reqwest::Error) -> bool {
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        let parts = ["invalid HTTP", "connection closed before message", "message is incomplete"];
        if parts.iter().any(|part| text.contains(part)) {
            return true;
        }
        next = cause.source();
    }
    false
}
