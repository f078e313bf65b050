//! What is said of arguments that cannot be used: everything but the arguments, any of which may be a
//! token in the wrong place.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

const UNNAMED: &str = "[argument]";

/// The error without what was written in the command line.
pub(crate) fn without_values(mut error: Error, command: &mut Command) -> Error {
    if error.kind() == ErrorKind::ValueValidation {
        return without_value(&error, command);
    }
    let option = text(error.get(ContextKind::InvalidArg)).unwrap_or_default();
    if error.kind() == ErrorKind::UnknownArgument && FORMATS.contains(&&*option) {
        let format = option.trim_start_matches('-');
        let message = format!("unexpected argument '{option}': did you mean '--format {format}'?");
        return command.error(ErrorKind::UnknownArgument, message);
    }
    let mut written = vec![ContextKind::InvalidValue, ContextKind::InvalidSubcommand];
    if error.kind() == ErrorKind::UnknownArgument && !is_plain_option(&option) {
        written.push(ContextKind::InvalidArg);
    }
    for kind in written {
        if let Some(value) = text(error.get(kind)) {
            error.insert(kind, ContextValue::String(UNNAMED.to_owned()));
            // `to pass '…' as a value, use '-- …'`
            let repeats = match error.get(ContextKind::Suggested) {
                Some(ContextValue::StyledStrs(all)) => {
                    all.iter().any(|one| one.to_string().contains(&value))
                }
                _ => false,
            };
            if repeats {
                error.remove(ContextKind::Suggested);
            }
        }
    }
    error
}

/// What people take for options that are values of one.
const FORMATS: [&str; 3] = ["--human", "--markdown", "--sarif"];

/// The error with what the parser says of the value where that does not hold it, or where it is a short number.
fn without_value(error: &Error, command: &mut Command) -> Error {
    let option = text(error.get(ContextKind::InvalidArg)).unwrap_or_default();
    let value = text(error.get(ContextKind::InvalidValue)).unwrap_or_default();
    let reason = error.source().map(ToString::to_string).unwrap_or_default();
    let is_short_number = value.len() <= 6 && value.bytes().all(|one| one.is_ascii_digit());
    let shown = if is_short_number { &*value } else { UNNAMED };
    let is_silent = !reason.is_empty() && (is_short_number || !reason.contains(&value));
    let why = if is_silent { format!(": {reason}") } else { String::new() };
    let message = format!("invalid value '{shown}' for '{option}'{why}");
    command.error(ErrorKind::ValueValidation, message)
}

/// Whether it is an option that may be shown: a few lower-case words are no token.
fn is_plain_option(option: &str) -> bool {
    let Some(name) = option.strip_prefix("--") else { return false };
    name.len() <= 14 && name.bytes().all(|one| one.is_ascii_lowercase() || one == b'-')
}

fn text(value: Option<&ContextValue>) -> Option<String> {
    match value? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join(" ")),
        _ => None,
    }
}
