//! Texts of strangers: as they are read, and as they are shown.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};

/// A JSON string, borrowed from the input unless it holds escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

/// A file or document without the byte order mark that some editors and servers put before UTF-8 (RFC 8259 §8.1 lets
/// readers ignore it). Tokens and the bodies of requests are read with the mark, which is no JSON.
pub(crate) fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}

/// A text that a stranger chose, for logs and events: in quotes, and cut after 64 characters. Characters that a
/// terminal or an editor would act on (control characters, marks of direction) are written as escapes. So such a
/// text cannot begin a new line of a log, hide another line, or fill the log.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = cut(self.0);
        let mark = if shown.len() < self.0.len() { "…" } else { "" };
        write!(f, "{shown:?}{mark}")
    }
}

/// The beginning of a text that a stranger chose: 64 characters at most.
pub(crate) fn cut(text: &str) -> &str {
    match text.char_indices().nth(64) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// A text that a stranger chose, as [`Quoted`] shows it but without quotes: for a text that has them around it, or
/// stands in a list.
pub(crate) fn shown(text: &str) -> String {
    let beginning = cut(text);
    let mark = if beginning.len() < text.len() { "…" } else { "" };
    inert(beginning) + mark
}

/// A text of ours that contains values of strangers, with the characters written as escapes that a terminal or an
/// editor would act on. Unlike [`Quoted`], it adds no quotes and cuts nothing.
pub(crate) fn inert(text: &str) -> String {
    let mut inert = String::with_capacity(text.len());
    for character in text.chars() {
        let is_direction_mark = matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        );
        match is_direction_mark || character.is_control() {
            true => inert.extend(character.escape_unicode()),
            false => inert.push(character),
        }
    }
    inert
}

/// A text of ours for the log, as [`inert`] writes it, and cut after 256 bytes: a stranger may have chosen a part of
/// it, and could fill the log.
pub(crate) fn in_one_line(text: &str) -> String {
    const LIMIT: usize = 256;
    let mut line = inert(text);
    if line.len() > LIMIT {
        let end = (0..=LIMIT).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
        line.truncate(end);
        line.push('…');
    }
    line
}

/// Several texts of strangers, each as [`Quoted`]. The first four are shown, because a stranger also chose how
/// many there are.
pub(crate) struct QuotedList<'a>(pub(crate) &'a [String]);

impl fmt::Display for QuotedList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Texts that are shown of a list.
        const MOST: usize = 4;
        f.write_str("[")?;
        for (index, text) in self.0.iter().take(MOST).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}", Quoted(text))?;
        }
        f.write_str(if self.0.len() > MOST { ", …]" } else { "]" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_chose_is_cut_and_inert() {
        let rows = [
            ("plain", "\"plain\""),
            ("\u{1b}[2J\r\n", r#""\u{1b}[2J\r\n""#),
            ("\u{9b}1m\u{7f}", r#""\u{9b}1m\u{7f}""#),
            ("a\u{202e}b\u{2066}", r#""a\u{202e}b\u{2066}""#),
            ("é", "\"é\""),
        ];
        for (text, shown) in rows {
            assert_eq!(Quoted(text).to_string(), shown, "{text:?}");
        }
        assert_eq!(Quoted(&"é".repeat(65)).to_string(), format!("\"{}\"…", "é".repeat(64)));
        assert_eq!(inert("a \u{202e}\"b\"\u{1b}\n"), r#"a \u{202e}"b"\u{1b}\u{a}"#);
        assert_eq!(shown("a \u{202e}\"b\"\n"), r#"a \u{202e}"b"\u{a}"#);
        assert_eq!(shown(&"é".repeat(65)), format!("{}…", "é".repeat(64)));
        let many = vec!["x".repeat(1000); 9];
        assert!(QuotedList(&many).to_string().len() < 300);
        assert_eq!(QuotedList(&many[..0]).to_string(), "[]");
    }
}
