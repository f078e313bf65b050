//! Which findings follow from which, so that a report names the few things that are to be mended.

/// The findings without which this one most likely held, the likeliest first. What is listed here follows
/// from them only where they do not hold either.
pub(super) fn causes_of(id: &str) -> &'static [&'static str] {
    match id {
        "R3.challenge-document" | "R3.path-inserted" | "R3.root" => &["R2.document"],
        "R2.document" => &["R2.resource"],
        "R3.agree" | "R14.canonical" => &["R2.resource"],
        "R21.issuer" | "R22.rfc8414" => &["R22.metadata"],
        "R13.every-message"
        | "R13.get"
        | "R13.delete"
        | "R13.session"
        | "R13.after-good-token"
        | "R13.path-variants"
        | "R13.identity-headers"
        | "R5.refused-token"
        | "R7.basic-scheme"
        | "R7.malformed-header" => &["R1.unauthenticated"],
        "R5.bad-signature" | "R7.malformed-jwt" => &["R7.garbage-token"],
        "R5.alg-none" | "R5.symmetric" | "R20.unknown-issuer" => {
            &["R7.garbage-token", "R5.bad-signature"]
        }
        "R3.challenge-url" | "R4.scope" | "R7.bad-token-challenge" | "R7.error-code" => {
            &["R1.challenge"]
        }
        "R16.lookalike-origin" | "R16.null-origin" => &["R16.foreign-origin"],
        "CORS.authorization" => &["CORS.preflight"],
        "R12.query-refused" => &["R12.query-token"],
        _ => &[],
    }
}
