//! What is said of a member whose value has another type than it must have.

use serde_json::Value;

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
