//! Names of members that some readers take for the same: Go's `encoding/json`, and those of .NET and Java by a setting, look at no
//! letter case. To a server with such a reader, `Name` beside `name` is another name of a tool, and the last one counts.
//!
//! No client writes them so. Whoever does is told that the message is invalid.

use crate::json::{JsonError, JsonReader};

/// Whether this is one of these names, in other letters.
pub(super) fn is_in_other_letters(written: &str, names: &[&str]) -> bool {
    names.iter().any(|name| written != *name && is_same_to_some(written, name))
}

/// Reads past a member that nobody looks at.
pub(super) fn skip_unless_in_other_letters(
    name: &str,
    looked_at: &[&str],
    value: &mut JsonReader<'_>,
) -> Result<(), JsonError> {
    if is_in_other_letters(name, looked_at) {
        return Err(JsonError::OtherLetters);
    }
    value.skip()
}

/// Whether two names are the same where case does not count; the second is in ASCII.
fn is_same_to_some(written: &str, name: &str) -> bool {
    if written.is_ascii() {
        return written.eq_ignore_ascii_case(name);
    }
    let mut letters = written.chars();
    let is_alike = name.chars().all(|letter| {
        letters.next().is_some_and(|other| in_ascii(other).eq_ignore_ascii_case(&letter))
    });
    is_alike && letters.next().is_none()
}

/// The letter of ASCII that this one is, in small or in capitals.
fn in_ascii(letter: char) -> char {
    match letter {
        'ſ' => 's',
        '\u{212a}' => 'k',
        'ı' | 'İ' => 'i',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_letters_are_found_and_other_names_are_not() {
        for written in
            ["TaskId", "TASKID", "taskid", "ta\u{17f}kId", "tas\u{212a}Id", "task\u{131}d"]
        {
            assert!(is_in_other_letters(written, &["name", "taskId"]), "{written}");
        }
        for written in ["taskId", "name", "", "task", "taskIds", "tåskId", "ta\u{17f}kIds"] {
            assert!(!is_in_other_letters(written, &["name", "taskId"]), "{written}");
        }
    }
}
