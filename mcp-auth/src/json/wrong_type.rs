//! What is said of a member whose value has another type than it must have.

use std::fmt;

use serde_json::Value;

/// A value of another type than it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrongType {
    /// The member that has the value; `None` for the text as a whole.
    member: Option<String>,
    /// Whether it is an item of the list that the member has.
    is_item: bool,
    /// What it is: its type, as [`type_in_words`] has it.
    found: &'static str,
    /// What it must be.
    needed: &'static str,
}

impl WrongType {
    /// A value of the text as a whole, or of a member that [`Self::of_member`] names.
    pub(crate) fn new(found: &'static str, needed: &'static str) -> Self {
        Self { member: None, is_item: false, found, needed }
    }

    /// The same as an item of a list.
    pub(crate) fn in_list(self) -> Self {
        Self { is_item: true, ..self }
    }

    /// The same as the value of this member; the innermost name stays.
    pub(crate) fn of_member(self, name: &str) -> Self {
        let member = self.member.or_else(|| Some(name.to_owned()));
        Self { member, ..self }
    }
}

/// Such as `` `sub` is a number, a string is needed ``.
impl fmt::Display for WrongType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, needed, .. } = self;
        match (&self.member, self.is_item) {
            (Some(member), false) => f.write_str(&wrong_type(member, found, needed)),
            (Some(member), true) => write!(f, "an item of {}", wrong_type(member, found, needed)),
            (None, false) => write!(f, "it is {found}, {needed} is needed"),
            (None, true) => write!(f, "an item is {found}, {needed} is needed"),
        }
    }
}

/// The type of a value, in words that fit behind "is".
pub(crate) fn type_in_words(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Such as "`exp` is a string, a number is needed". `found` and `needed` are as [`type_in_words`] has them.
pub(crate) fn wrong_type(member: &str, found: &str, needed: &str) -> String {
    format!("`{member}` is {found}, {needed} is needed")
}

/// The JSON type of a value that begins with this byte, in the same words; `None` when none does.
pub(super) fn type_by_first_byte(byte: u8) -> Option<&'static str> {
    match byte {
        b'n' => Some("null"),
        b't' | b'f' => Some("a boolean"),
        b'-' | b'0'..=b'9' => Some("a number"),
        b'"' => Some("a string"),
        b'[' => Some("an array"),
        b'{' => Some("an object"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_type_has_its_words() {
        let rows = [
            (json!(null), "`x` is null, an array is needed"),
            (json!(true), "`x` is a boolean, an array is needed"),
            (json!(1.5), "`x` is a number, an array is needed"),
            (json!("1"), "`x` is a string, an array is needed"),
            (json!([1]), "`x` is an array, an array is needed"),
            (json!({}), "`x` is an object, an array is needed"),
        ];
        for (value, expected) in rows {
            assert_eq!(wrong_type("x", type_in_words(&value), "an array"), expected);
        }
    }
}
