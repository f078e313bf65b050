//! Whether a body could hold a list at all, told without reading it as JSON.
//!
//! Most answers hold none, and reading each of them as JSON would cost more than all the rest. A body without the name of
//! a member that holds a list, without an escape that could write such a name in another way, and without NUL has none.

use memchr::memchr3;

/// How a member that holds a list begins, and what serde takes for JSON within a string. Some readers (Go's) take
/// these names in other letters for the same.
static NAMES: SoughtNames =
    SoughtNames::of(&["tools", "prompts", "resource", "$serde_json::private"]);

/// Bytes of a quotation mark and the longest of the names, in whatever letters.
const LONGEST: usize = 23;

/// The letter `ſ`, which is an `s` where case does not count. (The other one of its kind, the sign for Kelvin, is in
/// none of the names.)
const LONG_S: &[u8] = "ſ".as_bytes();

/// Looks for traces of a list in bytes that come in pieces; each byte is looked at a few times.
#[derive(Debug, Default)]
pub(super) struct ListTrace {
    /// The end of what came before, in which a trace may have begun.
    end: Vec<u8>,
}

impl ListTrace {
    /// Whether there is a trace in this piece, or across its border to what came before.
    pub(super) fn is_in(&mut self, piece: &[u8]) -> bool {
        let border = piece.len().min(LONGEST - 1);
        self.end.extend_from_slice(&piece[..border]);
        let is_there = has_trace(&self.end) || has_trace(piece);
        self.end
            .extend_from_slice(&piece[border..][(piece.len() - border).saturating_sub(LONGEST)..]);
        self.end.drain(..self.end.len().saturating_sub(LONGEST - 1));
        is_there
    }
}

/// Whether these bytes have what every list has, in whatever way JSON lets it be written.
///
/// That is the name of its member; an escape in which a character of a name can hide (ASCII, or the letter `ſ`); or a NUL, as
/// encodings other than UTF-8 have.
pub(super) fn has_trace(bytes: &[u8]) -> bool {
    may_have_member(bytes, &NAMES)
}

/// Whether these bytes could hold a member whose name begins with one of these, which are in small letters.
pub(super) fn may_have_member(bytes: &[u8], sought: &SoughtNames) -> bool {
    let mut rest = bytes;
    while let Some(at) = memchr3(b'"', b'\\', 0, rest) {
        let (found, after) = (rest[at], &rest[at + 1..]);
        let is_trace = match found {
            b'"' => {
                let may_begin =
                    after.first().is_some_and(|first| sought.may_begin[usize::from(*first)]);
                may_begin && sought.names.iter().any(|name| begins_with(after, name.as_bytes()))
            }
            b'\\' => matches!(
                after,
                [b'u', b'0', b'0', b'2'..=b'7', ..] | [b'u', b'0', b'1', b'7', b'f' | b'F', ..]
            ),
            _ => true,
        };
        if is_trace {
            return true;
        }
        rest = after;
    }
    false
}

/// Names that members are looked for by: in small letters, and found in whatever letters. Of a longer name, its beginning.
pub(super) struct SoughtNames {
    names: &'static [&'static str],
    /// How they begin, large or small: most members are told from all of them by one byte.
    may_begin: [bool; 256],
}

impl SoughtNames {
    pub(super) const fn of(names: &'static [&'static str]) -> Self {
        let mut may_begin = [false; 256];
        let mut at = 0;
        while at < names.len() {
            let first = names[at].as_bytes()[0];
            may_begin[first as usize] = true;
            may_begin[first.to_ascii_uppercase() as usize] = true;
            if first == b's' {
                may_begin[LONG_S[0] as usize] = true;
            }
            at += 1;
        }
        Self { names, may_begin }
    }
}

/// Whether these bytes begin with this name, which is in small letters, in whatever letters.
fn begins_with(mut bytes: &[u8], name: &[u8]) -> bool {
    for letter in name {
        bytes = match bytes {
            [first, rest @ ..] if first.eq_ignore_ascii_case(letter) => rest,
            _ if *letter == b's' => match bytes.strip_prefix(LONG_S) {
                Some(rest) => rest,
                None => return false,
            },
            _ => return false,
        };
    }
    true
}

/// Whether two names are the same where case does not count; the second is in ASCII.
pub(super) fn folded_eq(written: &str, name: &str) -> bool {
    let is_ascii_pair = written.len() == name.len() && written.eq_ignore_ascii_case(name);
    is_ascii_pair || (!written.is_ascii() && written.replace('ſ', "s").eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::list_filter::ListKind;
    use super::*;

    #[test]
    fn every_list_has_a_trace_and_little_else_has() {
        for kind in ListKind::ALL {
            let name = kind.member();
            let in_other_letters = [name.to_uppercase(), name.replace('s', "ſ")];
            for written in in_other_letters.iter().map(String::as_str).chain([name]) {
                assert!(has_trace(format!(r#"{{"{written}":[]}}"#).as_bytes()), "{written}");
                assert!(folded_eq(written, name) && !folded_eq(&format!("{written}x"), name));
            }
            for at in 0..name.len() {
                let escaped = format!("\\u{:04x}", name.as_bytes()[at]);
                let escaped = [&name[..at], &escaped, &name[at + 1..]].concat();
                assert!(has_trace(format!(r#""{escaped}""#).as_bytes()), "{escaped}");
            }
        }
        let rows: [(&[u8], bool); 11] = [
            (br#"{"tool\u017f":[]}"#, true),
            (br#"{"RE\u017Fources":[]}"#, true),
            (br#"{"$serde_json::private::RawValue":"{}"}"#, true),
            (br#"{"\u0024serde_json::private::RawValue":"{}"}"#, true),
            (b"\"\0t\0", true),
            (br#"{"content":[{"type":"text","text":"the tools and prompts"}]}"#, false),
            (br#"{"text":"caf\u00e9 \ud83d\ude00 \n"}"#, false),
            (br#"{"capabilities":{}}"#, false),
            (b"\"", false),
            (b"\\u00", false),
            (b"", false),
        ];
        for (bytes, expected) in rows {
            assert_eq!(has_trace(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        }
        let longest = NAMES.names.iter().map(|name| name.len() + name.matches('s').count()).max();
        assert_eq!(longest.map(|longest| longest + 1), Some(LONGEST));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn pieces_make_no_difference(
            pieces in prop::collection::vec(
                prop_oneof![
                    Just("\"too".to_owned()), Just("ls".to_owned()), Just("\\u".to_owned()),
                    Just("006".to_owned()), Just("\"$serde_json::".to_owned()), Just("\"TOOLſ".to_owned()),
                    Just("private".to_owned()), "[a-z\"]{0,30}",
                ],
                0..8,
            ),
        ) {
            let mut trace = ListTrace::default();
            let mut is_there = false;
            for piece in &pieces {
                is_there |= trace.is_in(piece.as_bytes());
            }
            prop_assert_eq!(is_there, has_trace(pieces.concat().as_bytes()));
            let mut trace = ListTrace::default();
            let mut is_there = false;
            for byte in pieces.concat().as_bytes().chunks(1) {
                is_there |= trace.is_in(byte);
            }
            prop_assert_eq!(is_there, has_trace(pieces.concat().as_bytes()));
        }
    }
}
