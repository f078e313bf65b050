//! Why a configuration that is written as data cannot be read: where each fault is, and what was expected there.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::config::{Config, ConfigFault, Faults};

/// The longest text of a configuration that a fault shows, in characters.
const LONGEST_SHOWN_TEXT: usize = 60;

/// A step from a value into what it is made of.
enum Step<'c> {
    Item,
    Member(&'c str),
}

/// Every value that cannot be read, with its path and what was expected there. Empty when all can be.
pub(super) fn find_unreadable(config: &Map<String, Value>) -> Vec<ConfigFault> {
    let whole = Value::Object(config.clone());
    let mut found = Vec::new();
    locate(&whole, &mut Vec::new(), &mut Faults::of_all(&mut found));
    found
}

/// Reads a configuration that has nothing but a value in this place. Every field may be left out, so that no other one
/// can be at fault.
fn read_alone(value: &Value, place: &[Step<'_>]) -> Result<(), String> {
    let mut config = value.clone();
    for step in place.iter().rev() {
        config = match step {
            Step::Item => json!([config]),
            Step::Member(name) => json!({ *name: config }),
        };
    }
    Config::deserialize(config).map(drop).map_err(|error| error.to_string())
}

/// Adds what is wrong with this value, or with what is in it.
fn locate<'c>(value: &'c Value, place: &mut Vec<Step<'c>>, faults: &mut Faults<'_>) {
    let Err(reason) = read_alone(value, place) else { return };
    let found_before = faults.count();
    match value {
        // Where an empty one cannot be read either, it is not about what is in it.
        Value::Array(items) if read_alone(&json!([]), place).is_ok() => {
            place.push(Step::Item);
            for (index, item) in items.iter().enumerate() {
                locate(item, place, &mut faults.at_item(index));
            }
            place.pop();
        }
        Value::Object(members) if read_alone(&json!({}), place).is_ok() => {
            for (name, member) in members {
                place.push(Step::Member(name));
                locate(member, place, &mut faults.below(name));
                place.pop();
            }
        }
        _ => {}
    }
    if faults.count() == found_before {
        let is_secret = is_for_secrets(faults.path());
        faults.add_here(in_words(&reason, value, is_secret));
    }
}

/// Whether secrets belong in this place, so that what stands there is not shown, whatever it is.
fn is_for_secrets(path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or(path);
    let without_index = name.split('[').next().unwrap_or(name);
    matches!(without_index, "client_secret" | "handle_keys" | "url" | "authorization")
}

/// The reason in words that do not take Rust for granted.
fn in_words(reason: &str, value: &Value, is_secret: bool) -> String {
    let is_about_value =
        reason.starts_with("invalid type: ") || reason.starts_with("invalid value: ");
    // What was found may have the same words in it, as a text of the user's: the last ones are the library's.
    let Some((_, for_rust)) = reason.rsplit_once(", expected ").filter(|_| is_about_value) else {
        return reason.to_owned();
    };
    let expected = match for_rust {
        "a sequence" => "a list",
        "a string" => "a text",
        "a boolean" => "true or false",
        "f64" => "a number of seconds",
        "u64" | "usize" => "a whole number, 0 or more",
        "a map" => "an object",
        structure if structure.starts_with("struct ") => "an object",
        other => other,
    };
    format!("must be {expected}, not {}", shown(value, is_secret))
}

/// The value, as much of it as helps.
fn shown(value: &Value, is_secret: bool) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null => "null".to_owned(),
        Value::String(_) if is_secret => "a text".to_owned(),
        _ if is_secret => "a number or a truth value".to_owned(),
        Value::String(text) if text.chars().count() > LONGEST_SHOWN_TEXT => {
            let beginning: String = text.chars().take(LONGEST_SHOWN_TEXT).collect();
            format!("{beginning:?}…")
        }
        // As JSON it could hold what moves the text around on a screen.
        Value::String(text) => format!("{text:?}"),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}
