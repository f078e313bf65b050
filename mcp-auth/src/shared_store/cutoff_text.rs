//! A cutoff as a line of text, without the time: what Redis keeps.
//!
//! `KIND LENGTH ISSUER NAME`, with a space between: the length is that of the issuer in bytes, so that neither of the two
//! can end the other one.

use super::{CutoffKind, SharedCutoff, StoreFault};

/// Letters alone, which a script of Redis relies on.
const KINDS: [(CutoffKind, &str); 6] = [
    (CutoffKind::Everything, "all"),
    (CutoffKind::Subject, "sub"),
    (CutoffKind::SubjectWithoutSession, "subwithoutsid"),
    (CutoffKind::Client, "client"),
    (CutoffKind::Session, "sid"),
    (CutoffKind::Token, "jti"),
];

/// The line for a cutoff.
pub(super) fn text_of(cutoff: &SharedCutoff) -> Option<String> {
    let (_, kind) = KINDS.iter().find(|(kind, _)| *kind == cutoff.kind)?;
    let SharedCutoff { issuer, name, .. } = cutoff;
    Some(format!("{kind} {} {issuer} {name}", issuer.len()))
}

/// The cutoff of a line.
///
/// # Errors
/// A line that none of us has written: nobody can tell what it is about.
pub(super) fn read(line: &str, issued_until: u64) -> Result<SharedCutoff, StoreFault> {
    let cutoff = read_parts(line, issued_until);
    cutoff.ok_or_else(|| StoreFault::new("it holds an entry that cannot be read"))
}

fn read_parts(line: &str, issued_until: u64) -> Option<SharedCutoff> {
    let (kind_name, behind) = line.split_once(' ')?;
    let (kind, _) = KINDS.iter().find(|(_, name)| *name == kind_name)?;
    let (length, names) = behind.split_once(' ')?;
    let (issuer, rest) = names.split_at_checked(length.parse().ok()?)?;
    let name = rest.strip_prefix(' ')?;
    Some(SharedCutoff::new(issuer, *kind, name, issued_until))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_whatever_is_in_it() {
        for (kind, _) in KINDS {
            for issuer in ["https://as.example", "", " ", "a b", "é", "sub 3 x"] {
                for name in ["alice", "", " ", "a b\n", "é", "\0"] {
                    let cutoff = SharedCutoff::new(issuer, kind, name, 7);
                    let line = text_of(&cutoff).unwrap();
                    assert_eq!(read(&line, 7), Ok(cutoff), "{line:?}");
                }
            }
        }
    }

    #[test]
    fn what_nobody_wrote_is_a_fault() {
        let lines = [
            "",
            "sub",
            "sub ",
            "sub x",
            "sub 1",
            "sub 2 a b",
            "sub 1 ab c",
            "sub 1 é b",
            "x 1 a b",
        ];
        for line in lines {
            assert!(read(line, 7).is_err(), "{line:?}");
        }
    }
}
