//! What is said of arguments that cannot be used: everything but the arguments, any of which may be a
//! token in the wrong place.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

const UNNAMED: &str = "[argument]";

/// The error without what was written in the command line.
pub(crate) fn without_values(mut error: Error, command: &mut Command) -> Error {
    if error.kind() == ErrorKind::ValueValidation {
        // What the parser of a value says of it may hold it.
        let option = text(error.get(ContextKind::InvalidArg)).unwrap_or_default();
        let message = format!("invalid value '{UNNAMED}' for '{option}'");
        return command.error(ErrorKind::ValueValidation, message);
    }
    let mut written = vec![ContextKind::InvalidValue, ContextKind::InvalidSubcommand];
    if error.kind() == ErrorKind::UnknownArgument {
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

fn text(value: Option<&ContextValue>) -> Option<String> {
    match value? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join(" ")),
        _ => None,
    }
}
