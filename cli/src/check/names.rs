//! The names of all findings, by which people say what they know of.

/// What `check server` may find.
pub(super) static OF_SERVER: [&str; 86] = [
    "R1.accepts-token",
    "R1.challenge",
    "R1.challenge-parameters",
    "R1.no-error-code",
    "R1.unauthenticated",
    "R2.authorization-servers",
    "R2.document",
    "R2.forwarded-headers",
    "R2.host-header",
    "R2.media-type",
    "R2.resource",
    "R3.agree",
    "R3.challenge-document",
    "R3.challenge-url",
    "R3.path-inserted",
    "R3.root",
    "R4.scope",
    "R5.alg-none",
    "R5.bad-signature",
    "R5.refused-token",
    "R5.symmetric",
    "R6.other-audience",
    "R6.pass-through",
    "R6.token-echo",
    "R7.basic-scheme",
    "R7.challenge",
    "R7.error-code",
    "R7.expired-token",
    "R7.garbage-token",
    "R7.malformed-header",
    "R7.malformed-jwt",
    "R7.missing-scope",
    "R7.several-headers",
    "R7.stack-trace",
    "R8.insufficient-scope",
    "R9.all-scopes-at-once",
    "R10.hierarchy",
    "R11.challenge",
    "R11.metadata",
    "R12.bearer-methods",
    "R12.form-token",
    "R12.query-refused",
    "R12.query-token",
    "R13.after-good-token",
    "R13.delete",
    "R13.every-message",
    "R13.every-request",
    "R13.get",
    "R13.identity-headers",
    "R13.path-variants",
    "R13.session",
    "R14.canonical",
    "R14.slash-redirect",
    "R15.https",
    "R15.redirect",
    "R16.allowed-origin",
    "R16.foreign-host",
    "R16.foreign-origin",
    "R16.lookalike-origin",
    "R16.null-origin",
    "R17.cache-scope",
    "R18.request-state",
    "R19.argument-header",
    "R19.duplicate-members",
    "R19.method-header",
    "R19.mismatch-code",
    "R19.method-missing",
    "R19.name-header",
    "R19.name-missing",
    "R19.version-header",
    "R19.version-missing",
    "R19.without-version",
    "R20.unknown-issuer",
    "R21.issuer",
    "R22.metadata",
    "R22.rfc8414",
    "R23.extensions",
    "2025-03-26.endpoints",
    "2025-06-18.batch",
    "CORS.authorization",
    "CORS.credentials",
    "CORS.exposed-challenge",
    "CORS.metadata",
    "CORS.metadata-any-origin",
    "CORS.metadata-preflight",
    "CORS.preflight",
];

/// What `check issuer` may find.
pub(super) static OF_ISSUER: [&str; 12] = [
    "issuer",
    "keys",
    "metadata",
    "endpoints",
    "https",
    "authorization_code",
    "pkce_s256",
    "client_id_metadata_documents",
    "dynamic_registration",
    "resource_indicators",
    "iss_parameter",
    "public_clients",
];

/// Changes of one letter after which a name is still taken for another one.
const MOST_CHANGES: usize = 3;

/// Which names of findings a wrong one may stand for, or all that there are.
pub(super) fn meant_by(wrong: &str, names: &[&str]) -> String {
    let lower = wrong.to_ascii_lowercase();
    let mut nearest: Vec<(usize, &str)> = Vec::new();
    for name in names {
        let distance = changes_between(&lower, &name.to_ascii_lowercase());
        if distance <= MOST_CHANGES {
            nearest.push((distance, name));
        }
    }
    nearest.sort_unstable();
    match nearest.first() {
        Some((_, name)) => format!("did you mean {name}?"),
        None => format!("there are {}", names.join(", ")),
    }
}

/// Whether a text has the form of a name, so that it is no token in the wrong place and may be shown.
pub(super) fn is_like_a_name(text: &str) -> bool {
    let Some((group, rest)) = text.split_once('.') else { return false };
    let number = group.strip_prefix(['R', 'r']).unwrap_or_default();
    let is_row = matches!(number.len(), 1 | 2) && number.bytes().all(|one| one.is_ascii_digit());
    let is_group = is_row || group.eq_ignore_ascii_case("CORS");
    let is_plain = rest.bytes().all(|one| one.is_ascii_lowercase() || one == b'-');
    is_group && is_plain && rest.len() <= 24
}

/// How many letters are to be put in, left out or replaced (Levenshtein). Only short texts are compared.
fn changes_between(one: &str, other: &str) -> usize {
    const LONGEST: usize = 64;
    if one.len() > LONGEST {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, another) in other.bytes().enumerate() {
            let replaced = diagonal + usize::from(letter != another);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_is_told_with_the_one_that_was_meant_or_with_all() {
        let rows = [
            ("R2.resourse", "did you mean R2.resource?"),
            ("cors.preflights", "did you mean CORS.preflight?"),
            ("R7.chalenge", "did you mean R7.challenge?"),
        ];
        for (wrong, expected) in rows {
            assert_eq!(meant_by(wrong, &OF_SERVER), expected);
        }
        let all = meant_by("R99.nonsense-of-mine", &OF_SERVER);
        assert!(all.starts_with("there are R1.") && all.contains("CORS.preflight"), "{all}");
        assert_eq!(meant_by("pkce", &["keys", "pkce_s"]), "did you mean pkce_s?");
    }

    #[test]
    fn what_may_be_a_token_is_no_name() {
        for text in ["R99.nope", "r7.challenge", "CORS.x"] {
            assert!(is_like_a_name(text), "{text}");
        }
        for text in
            ["s3cr3t", "ya29.a0AfB_byC", "eyJh.eyJp.c2ln", "R7.S3cret", "gho_1", "R.x", "R123.x"]
        {
            assert!(!is_like_a_name(text), "{text}");
        }
    }
}
