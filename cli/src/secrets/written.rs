//! A text as those read it who undo its escapes.

use std::ops::Range;

/// Escapes within escapes are undone this often.
const MOST_LAYERS: usize = 8;

/// A text with some of its escapes undone, which knows where each of its characters comes from.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) text: String,
    /// Where in the original text each byte of this one begins, and where the last one ends.
    from: Vec<usize>,
}

impl Written {
    /// The text with no escape undone yet.
    pub(super) fn of(text: &str) -> Self {
        Self { text: text.to_owned(), from: (0..=text.len()).collect() }
    }

    /// This, and what is left of it after undoing its escapes once, twice, and so on to the end.
    pub(super) fn layers(self) -> Vec<Self> {
        let mut layers = vec![self];
        while layers.len() < MOST_LAYERS {
            match layers.last().and_then(Self::unescaped) {
                Some(next) => layers.push(next),
                None => break,
            }
        }
        layers
    }

    /// Where a part of this is in the original.
    pub(super) fn original(&self, part: Range<usize>) -> Range<usize> {
        self.from[part.start]..self.from[part.end]
    }

    /// With every escape undone once; `None` when it has none.
    fn unescaped(&self) -> Option<Self> {
        self.text.contains(['%', '\\', '&']).then_some(())?;
        let mut next = Self { text: String::new(), from: Vec::new() };
        let mut has_changed = false;
        let mut at = 0;
        while let Some(character) = self.text[at..].chars().next() {
            let (meant, length) = match escape(&self.text[at..]) {
                Some(escape) => {
                    has_changed = true;
                    escape
                }
                None => (character, character.len_utf8()),
            };
            next.text.push(meant);
            next.from.extend(std::iter::repeat_n(self.from[at], meant.len_utf8()));
            at += length;
        }
        next.from.push(self.from[at]);
        has_changed.then_some(next)
    }
}

/// What the escape at the beginning of a text stands for, and its length: of URLs and forms, of JSON,
/// JavaScript, Rust and Markdown, or of HTML.
fn escape(text: &str) -> Option<(char, usize)> {
    match text.as_bytes().first()? {
        b'%' => Some((byte(text.get(1..3)?)?, 3)),
        b'\\' => backslash(text),
        b'&' => entity(text),
        _ => None,
    }
}

fn backslash(text: &str) -> Option<(char, usize)> {
    match text.as_bytes().get(1)? {
        b'u' if text.as_bytes().get(2) == Some(&b'{') => {
            let digits = braced(text.get(3..)?)?;
            Some((character(digits, 16)?, 4 + digits.len()))
        }
        b'u' => Some((character(text.get(2..6)?, 16)?, 6)),
        b'x' => Some((byte(text.get(2..4)?)?, 4)),
        other if other.is_ascii_punctuation() => Some((char::from(*other), 2)),
        _ => None,
    }
}

fn entity(text: &str) -> Option<(char, usize)> {
    const NAMED: [(&str, char); 24] = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("excl", '!'),
        ("num", '#'),
        ("dollar", '$'),
        ("percnt", '%'),
        ("lpar", '('),
        ("rpar", ')'),
        ("ast", '*'),
        ("plus", '+'),
        ("comma", ','),
        ("hyphen", '-'),
        ("dash", '-'),
        ("period", '.'),
        ("sol", '/'),
        ("colon", ':'),
        ("semi", ';'),
        ("equals", '='),
        ("quest", '?'),
        ("lowbar", '_'),
        ("vert", '|'),
    ];
    // The longest one that is looked for: `&#x00002b;`.
    let end = text.bytes().take(12).position(|byte| byte == b';')?;
    let name = text.get(1..end)?;
    let meant = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(digits) => character(digits, 16)?,
            None => character(number, 10)?,
        },
        None => NAMED.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((meant, end + 1))
}

/// The digits before the closing brace.
fn braced(text: &str) -> Option<&str> {
    let end = text.bytes().take(8).position(|byte| byte == b'}')?;
    text.get(..end)
}

fn byte(digits: &str) -> Option<char> {
    let is_hexadecimal = digits.bytes().all(|one| one.is_ascii_hexdigit());
    is_hexadecimal.then(|| u8::from_str_radix(digits, 16).ok().map(char::from)).flatten()
}

fn character(digits: &str, radix: u32) -> Option<char> {
    let is_number = digits.bytes().all(|one| one.is_ascii_hexdigit());
    is_number.then(|| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_layer_by_layer_and_places_kept() {
        let layers = Written::of("é%252f\\u0041&amp;#66;z").layers();
        let texts: Vec<_> = layers.iter().map(|layer| layer.text.as_str()).collect();
        assert_eq!(texts, ["é%252f\\u0041&amp;#66;z", "é%2fA&#66;z", "é/ABz"]);
        let last = layers.last().unwrap();
        assert_eq!(last.original(2..3), 2..7);
        assert_eq!(last.original(0..last.text.len()), 0..layers[0].text.len());
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in [
            "%", "%2", "%zz", "%+1", "\\", "\\u12", "\\u{zz}", "\\ud800", "&;", "&x;", "&#;",
            "&#xg;", "%é",
        ] {
            assert_eq!(Written::of(text).layers().len(), 1, "{text}");
        }
    }
}
