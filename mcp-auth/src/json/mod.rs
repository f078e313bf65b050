//! JSON that strangers wrote, read into plain data.
//!
//! `serde_json`'s own [`Value`] gives two member names a meaning when it is deserialized:
//! `$serde_json::private::RawValue` and `$serde_json::private::Number`. `{"…RawValue": "true"}` is
//! `true` for it, and `{"…RawValue": 5}` an error. Which of them depends on the features that any
//! crate of the program asks for. So all JSON that a stranger wrote is read here, by a reader of our own.
//!
//! A text that two readers would read differently is refused. Otherwise this library could allow one call, and the
//! server behind it carry out another:
//!
//! | text | read as |
//! |---|---|
//! | two members of one name, at any depth, also when one is written with escapes | refused |
//! | a name that begins with `$serde_json::private::` | refused: serde_json itself would read another value |
//! | `__proto__`, `constructor`, and all other names | a member of that name |
//! | more than 127 objects and arrays inside each other | refused, as serde_json does |
//! | `9007199254740993` | that integer, exactly. JavaScript makes …992 of it |
//! | `18446744073709551616`, and every other integer that neither an `i64` nor a `u64` holds | refused: some readers round it |
//! | `1.0`, `1e2`, `0.1` | the closest `f64` |
//! | `-0` | the `f64` -0.0, which equals 0 |
//! | `1e400` | refused: not a number for some readers, infinity for others |
//! | `"\ud800"`, bytes that are no UTF-8, a byte order mark, `NaN`, a comma too many | refused: not JSON |

mod reader;
mod wrong_type;

pub(crate) use reader::{
    JsonError, JsonLimits, JsonReader, Object, StringOrList, read_as, read_whole,
};
use serde_json::{Map, Value};
pub(crate) use wrong_type::{type_in_words, wrong_type};

/// Reads one JSON text of any type.
///
/// # Errors
/// [`JsonError`] when it is not JSON, or when two readers could make different values of it.
pub(crate) fn read_value(json: impl AsRef<[u8]>) -> Result<Value, JsonError> {
    reader::read_whole(json.as_ref(), JsonLimits::LARGEST, JsonReader::value)
}

/// Reads one JSON object.
///
/// # Errors
/// As [`read_value`], and when it is something else than an object.
pub(crate) fn read_object(json: impl AsRef<[u8]>) -> Result<Map<String, Value>, JsonError> {
    read_object_within(json, JsonLimits::LARGEST)
}

/// Reads one JSON object of limited size.
///
/// # Errors
/// As [`read_object`], and when it exceeds the limits.
pub(crate) fn read_object_within(
    json: impl AsRef<[u8]>,
    limits: JsonLimits,
) -> Result<Map<String, Value>, JsonError> {
    reader::read_whole(json.as_ref(), limits, JsonReader::members)
}

/// The text of a JSON object that [`read_as`] has accepted, to be read whole when somebody asks for all of it.
///
/// Most callers' claims are never asked for, and reading them whole takes an allocation for each.
#[derive(Clone, Copy)]
pub(crate) struct CheckedObject<'t>(&'t [u8]);

impl<'t> CheckedObject<'t> {
    /// A text that [`read_as`] has accepted.
    pub(crate) fn new(accepted: &'t [u8]) -> Self {
        Self(accepted)
    }

    /// The text.
    pub(crate) fn as_bytes(self) -> &'t [u8] {
        self.0
    }

    /// All members. What `read_as` accepts, this accepts: it is the same reader, and a fuzz target holds it to that.
    ///
    /// # Errors
    /// The text is none that [`read_as`] accepts.
    pub(crate) fn members(self) -> Result<Map<String, Value>, JsonError> {
        read_object(self.0)
    }

    /// Those of [`CheckedObject::members`] whose names are wanted: the others need no memory.
    ///
    /// # Errors
    /// As [`CheckedObject::members`].
    pub(crate) fn wanted_members(
        self,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Map<String, Value>, JsonError> {
        reader::read_whole(self.0, JsonLimits::LARGEST, |reader| reader.wanted_members(is_wanted))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_name_has_a_meaning_of_its_own() {
        let names = [
            "__proto__",
            "constructor",
            "toJSON",
            "$ref",
            "$oid",
            "$type",
            "$__toml_private_datetime",
            "$serde_json::private",
            " $serde_json::private::RawValue",
            "",
            "\u{0}",
        ];
        for name in names {
            let text = json!({ "outer": [{ name: "\"inner\"" }] }).to_string();
            let outer = read_object(&text).unwrap().remove("outer").unwrap();
            let member = outer[0].as_object().unwrap().get(name).unwrap();
            assert_eq!(member, "\"inner\"", "{name:?}");
        }
    }

    #[test]
    fn what_serde_json_reads_in_a_way_of_its_own_is_refused() {
        let rows = [
            r#"{"$serde_json::private::RawValue":"true"}"#,
            r#"{"$serde_json::private::RawValue":5}"#,
            r#"{"$serde_json::private::Number":"1"}"#,
            r#"{"$serde_json::private::Other":null}"#,
            r#"{"\u0024serde_json::private::RawValue":"1"}"#,
            r#"{"a":1,"$serde_json::private::RawValue":"1"}"#,
            r#"{"a":{"b":[0,{"$serde_json::private::RawValue":"1"}]}}"#,
        ];
        for text in rows {
            assert_eq!(read_value(text), Err(JsonError::ReservedName), "{text}");
            assert_eq!(read_object(text), Err(JsonError::ReservedName), "{text}");
        }
    }

    #[test]
    fn numbers_are_exact_or_refused() {
        let read = |text: &str| read_value(text).map(|number| number.to_string());
        let rows = [
            ("0", "0"),
            ("-0", "-0.0"),
            ("7", "7"),
            ("-7", "-7"),
            ("1.0", "1.0"),
            ("1e2", "100.0"),
            ("0.1", "0.1"),
            ("9007199254740993", "9007199254740993"),
            ("-9007199254740993", "-9007199254740993"),
            ("9223372036854775808", "9223372036854775808"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("18446744073709551615", "18446744073709551615"),
            ("1e-400", "0.0"),
            ("0e400", "0.0"),
        ];
        for (text, number) in rows {
            assert_eq!(read(text).as_deref(), Ok(number), "{text}");
            let reference: Value = serde_json::from_str(text).unwrap();
            assert_eq!(read_value(text), Ok(reference), "{text}");
        }
        let refused = [
            "18446744073709551616",
            "-9223372036854775809",
            "100000000000000000000000000",
            "1e400",
            "-1e400",
            "1e99999999999999999999",
        ];
        for text in refused {
            assert_eq!(read(text), Err(JsonError::WrongNumber), "{text}");
            let inside = format!(r#"{{"a":[{text}]}}"#);
            assert_eq!(read_value(&inside), Err(JsonError::WrongNumber), "{text}");
        }
        for text in ["01", "1.", ".5", "+1", "1e", "-", "--1", "0x1", "NaN", "Infinity", "1_0"] {
            assert!(matches!(read(text), Err(JsonError::Syntax(_))), "{text}");
        }
    }

    #[test]
    fn values_of_every_kind_are_read_and_nothing_after_them() {
        let text = r#" { "a" : [ null , true , false , "é\u00e9\ud83d\ude00\n" , { } , [ ] ] } "#;
        let expected = json!({ "a": [null, true, false, "éé😀\n", {}, []] });
        assert_eq!(read_value(text), Ok(expected));
        assert_eq!(read_value(r#""x""#), Ok(json!("x")));
        assert_eq!(read_object("{}"), Ok(Map::new()));
        for text in
            ["", " ", "{} {}", "1 2", "\u{feff}{}", "nul", "[1,]", r#"{"a":1,}"#, r#""\ud800""#]
        {
            assert!(matches!(read_value(text), Err(JsonError::Syntax(_))), "{text}");
        }
        for text in ["[]", "1", "null", r#""{}""#, "[{}]"] {
            assert!(matches!(read_object(text), Err(JsonError::WrongType(_))), "{text}");
        }
        for text in ["[1", "-", "nul", r#""{}"#, "[{]}"] {
            assert!(matches!(read_object(text), Err(JsonError::Syntax(_))), "{text}");
        }
        for text in [r#"{"a":1,"a":1}"#, r#"[{"x":[{"a":1,"\u0061":2}]}]"#] {
            assert_eq!(read_value(text), Err(JsonError::DuplicateMember), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded_as_in_serde_json() {
        for (depth, expected) in [(127, true), (128, false), (100_000, false)] {
            let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(read_value(&text).is_ok(), expected, "{depth}");
            assert_eq!(serde_json::from_str::<Value>(&text).is_ok(), expected, "{depth}");
        }
    }
}
