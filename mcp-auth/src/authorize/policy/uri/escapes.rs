//! The normal form of each character of a URI: escaped or not.

use super::{REST, SEGMENT};

/// Which part of a URI a text is: the parts differ in what must be escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The path, or the host.
    Path,
    Query,
}

pub(super) const CONTROL: &str = "a control character, or its escape";
pub(super) const NOT_UTF8: &str = "escapes that are not UTF-8";

/// The text with each character in its normal form. Escapes that hide a delimiter, or that nobody needs, are refused.
pub(super) fn folded(text: &str, place: Place) -> Result<String, &'static str> {
    let mut folded = String::with_capacity(text.len());
    // The last bytes that are not ASCII: together they must be UTF-8.
    let mut foreign = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = if character == '%' { 3 } else { character.len_utf8() };
        let (written, after) = rest
            .split_at_checked(length)
            .ok_or("a `%` without two digits: write `%25`, if at all")?;
        rest = after;
        if !character.is_ascii() {
            foreign.extend_from_slice(written.as_bytes());
            continue;
        }
        let byte = if character == '%' { escaped_byte(written)? } else { written.as_bytes()[0] };
        if !byte.is_ascii() {
            foreign.push(byte);
            continue;
        }
        push_foreign(&mut folded, &mut foreign)?;
        if character == '%' {
            check_escape(byte, place, rest)?;
        }
        match byte {
            b'&' | b';' | b'=' | b'+' if place == Place::Query && character == '%' => {
                push_escape(&mut folded, byte);
            }
            b' ' | b'+' if place == Place::Query => folded.push('+'),
            b';' if place == Place::Query => {
                return Err(
                    "a semicolon in the query, which some readers take for `&`: write `%3B`",
                );
            }
            b'%' | b' ' | b'"' | b'*' | b'<' | b'>' | b'[' | b']' | b'^' | b'`' | b'{' | b'|'
            | b'}' => {
                push_escape(&mut folded, byte);
            }
            _ => folded.push(char::from(byte)),
        }
    }
    push_foreign(&mut folded, &mut foreign)?;
    Ok(folded)
}

/// The byte that `%` and two digits stand for.
fn escaped_byte(escape: &str) -> Result<u8, &'static str> {
    let digits = escape.as_bytes().get(1..).unwrap_or_default();
    let both_are_digits = digits.iter().all(u8::is_ascii_hexdigit);
    let byte = u8::from_str_radix(&escape[1..], 16).ok().filter(|_| both_are_digits);
    byte.ok_or("a `%` without two digits: write the character as it is")
}

/// Refuses an escaped character of ASCII that some readers take for another one. `after` is the text behind it.
fn check_escape(byte: u8, place: Place, after: &str) -> Result<(), &'static str> {
    match byte {
        b'/' | b'?' if place == Place::Query => Ok(()),
        b'/' | b'\\' | b'?' | b'#' => {
            Err("an escaped slash, backslash, question mark or number sign")
        }
        b'%' if may_begin_with_digits(after) => {
            Err("an escaped percent sign before two digits, which some readers decode twice")
        }
        // RFC 3986 §2.3: they mean the same as without, and no encoder escapes them but the tilde.
        _ if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) => {
            Err("an escape that is not needed: write the character as it is")
        }
        _ if byte.is_ascii_control() => Err(CONTROL),
        _ => Ok(()),
    }
}

/// Whether two hexadecimal digits come first, also those that a variable may have.
fn may_begin_with_digits(text: &str) -> bool {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(SEGMENT | REST), _) => true,
        (Some(first), Some(second)) => {
            first.is_ascii_hexdigit()
                && (second.is_ascii_hexdigit() || matches!(second, SEGMENT | REST))
        }
        _ => false,
    }
}

/// Moves the collected bytes to the text, escaped, if they are UTF-8 without control characters.
fn push_foreign(folded: &mut String, foreign: &mut Vec<u8>) -> Result<(), &'static str> {
    let text = std::str::from_utf8(foreign).map_err(|_| NOT_UTF8)?;
    if text.contains(char::is_control) {
        return Err(CONTROL);
    }
    foreign.drain(..).for_each(|byte| push_escape(folded, byte));
    Ok(())
}

fn push_escape(folded: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    folded.push('%');
    for digit in [byte >> 4, byte & 15] {
        folded.push(char::from(DIGITS[usize::from(digit)]));
    }
}
