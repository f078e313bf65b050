//! What a field of the log says, for loggers that keep fields as data.

/// What a field of an event of the target `mcp_auth::decision` says, where it was written as one text: such as
/// `methods`, `rules`, `expected` and `actual`.
///
/// ```
/// use mcp_auth::decision::LogValue;
///
/// let methods = LogValue::of_field("methods", r#"["tools/list", "tools/call wipe"]"#);
/// assert_eq!(methods, LogValue::List(vec!["tools/list".to_owned(), "tools/call wipe".to_owned()]));
/// assert_eq!(LogValue::of_field("actual", "\"https://as.example\""), LogValue::Text("https://as.example".to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "one or several: who logs says what becomes of both")]
pub enum LogValue {
    /// One value.
    Text(String),
    /// Several values; the last is `…` where more were left out.
    List(Vec<String>),
}

/// Fields in which texts stand in quotes.
const QUOTING: [&str; 4] = ["methods", "rules", "expected", "actual"];

impl LogValue {
    /// What this field says, by its text. Only those fields are looked into in which the library puts texts in quotes: any
    /// other is one value, as it stands.
    pub fn of_field(name: &str, text: &str) -> Self {
        if QUOTING.contains(&name) { Self::read(text) } else { Self::Text(text.to_owned()) }
    }

    /// The values in a text that the library wrote. What is in quotes is a value, without them; its escapes stay, so that
    /// what a stranger chose remains inert. What is written in another way is one value, as it stands.
    fn read(text: &str) -> Self {
        if let Some((value, "")) = quoted(text) {
            return Self::Text(value);
        }
        match listed(text) {
            Some(values) => Self::List(values),
            None => Self::Text(text.to_owned()),
        }
    }
}

/// The items of a list of texts in quotes.
fn listed(text: &str) -> Option<Vec<String>> {
    let mut rest = text.strip_prefix('[')?;
    let mut values = Vec::new();
    if rest == "]" {
        return Some(values);
    }
    loop {
        if rest == "…]" {
            values.push("…".to_owned());
            return Some(values);
        }
        let (value, after) = quoted(rest)?;
        values.push(value);
        if after == "]" {
            return Some(values);
        }
        rest = after.strip_prefix(", ")?;
    }
}

/// What stands between the quotes at the beginning of a text, with the mark of one that was cut; and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut is_escaped = false;
    for (index, character) in inside.char_indices() {
        match character {
            '"' if !is_escaped => {
                let (value, after) = (&inside[..index], &inside[index + 1..]);
                return Some(match after.strip_prefix('…') {
                    Some(after_mark) => (format!("{value}…"), after_mark),
                    None => (value.to_owned(), after),
                });
            }
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Quoted, QuotedList};

    #[test]
    fn a_value_of_a_stranger_is_one_value_whatever_is_in_it() {
        let hostile = ["a\", \"b", "[\"x\"]", "\\", "\\\"", "]", "", "a\nb", "…", "\u{202e}"];
        for text in hostile {
            let LogValue::Text(value) = LogValue::read(&Quoted(text).to_string()) else {
                panic!("{text:?} became a list");
            };
            assert!(!value.contains('\n') && !value.contains('\u{202e}'), "{value}");
            let pair = [text.to_owned(), "b".to_owned()];
            let LogValue::List(values) = LogValue::read(&QuotedList(&pair).to_string()) else {
                panic!("{text:?} ended the list");
            };
            assert_eq!((values.len(), values[1].as_str(), &values[0]), (2, "b", &value));
        }
    }

    #[test]
    fn a_text_that_was_cut_is_one_value_with_its_mark() {
        let long = vec!["a".repeat(100), "b".to_owned()];
        let cut = format!("{}…", "a".repeat(64));
        assert_eq!(LogValue::read(&Quoted(&long[0]).to_string()), LogValue::Text(cut.clone()));
        let LogValue::List(values) = LogValue::read(&QuotedList(&long).to_string()) else {
            panic!("it is a list");
        };
        assert_eq!(values, [cut.as_str(), "b"]);
    }

    #[test]
    fn what_is_written_in_another_way_stays_as_it_is() {
        let many: Vec<String> = (0..6).map(|number| number.to_string()).collect();
        let LogValue::List(values) = LogValue::read(&QuotedList(&many).to_string()) else {
            panic!("it is a list");
        };
        assert_eq!(values, ["0", "1", "2", "3", "…"]);
        let path = r#"["x"]"#;
        assert_eq!(LogValue::of_field("path", path), LogValue::Text(path.to_owned()));
        assert_eq!(LogValue::read("[]"), LogValue::List(Vec::new()));
        for text in
            ["mcp", "", "header `typ` \"x\"", "[\"a\"] or", "[a]", "\"a\", which", "[\"a\",]"]
        {
            assert_eq!(LogValue::read(text), LogValue::Text(text.to_owned()));
        }
    }
}
