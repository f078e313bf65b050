//! Secrets that were given to the command, found again however they are written.

mod in_url;
mod needle;
mod written;

use std::fs;
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

pub(crate) use needle::Secret;
use serde_json::Value;

use crate::understand;

/// Everything that must not be printed. The command is one process for one task: what is printed
/// anywhere is held against this.
static KNOWN: RwLock<Vec<Secret>> = RwLock::new(Vec::new());

/// What stands for an argument that may be a token.
const ARGUMENT: &str = "[argument]";

/// Keeps a token out of everything that is printed from now on, and its signature, by which alone
/// somebody could complete it.
pub(crate) fn remember(token: &str) {
    add_secret(Secret::of(token, "[token]"));
    if let Some((_, signature)) = token.rsplit_once('.')
        && signature.len() > 16
    {
        add_secret(Secret::of(signature, "[signature]"));
    }
}

/// Keeps the secrets of a configuration out of what is printed: those of clients that ask about tokens.
pub(crate) fn remember_those_in(configuration: &Value) {
    let members = configuration.as_object().into_iter().flatten();
    for (name, value) in members {
        let secret = match (&**name, value.as_str()) {
            ("client_secret", Some(secret)) => Some(secret.to_owned()),
            // Whoever needs the file says what is wrong with it.
            ("client_secret_file", Some(file)) => fs::read_to_string(file).ok(),
            _ => None,
        };
        secret.into_iter().for_each(|one| {
            add_secret(Secret::of(one.trim_start_matches('\u{feff}').trim(), "[secret]"))
        });
        remember_those_in(value);
    }
    configuration.as_array().into_iter().flatten().for_each(remember_those_in);
}

/// Keeps an argument out of what is printed, unless it is what was asked for there: a URL, or a path. It
/// may be a token that somebody gave in the wrong place.
pub(crate) fn suspect(argument: &str) {
    in_url::credentials_in(argument).iter().for_each(|secret| remember(secret));
    if !is_url_or_path(argument) {
        add_secret(Secret::of(argument, ARGUMENT));
        // However short: errors have it in quotes.
        add_secret(Secret::exactly(&format!("{argument:?}"), ARGUMENT));
    }
}

/// Keeps a URL out of what is printed, as [`suspect`] does with a host without its scheme taken for one, and
/// refuses one that has credentials in it.
///
/// # Errors
/// A sentence for the user, which begins with `name` and has no part of the URL.
pub(crate) fn refuse_credentials(name: &str, text: &str) -> Result<(), String> {
    let url = understand::with_scheme(text);
    suspect(&url);
    if in_url::credentials_in(&url).is_empty() {
        return Ok(());
    }
    Err(format!(
        "{name} must have no user, password or token in it: URLs are logged and printed. If it was in use, it is to be \
         revoked."
    ))
}

/// An argument as an error may show it.
pub(crate) fn showable_argument(text: &str) -> &str {
    if is_url_or_path(text) { text } else { ARGUMENT }
}

/// The text with a word in place of every secret.
pub(crate) fn without_secrets(text: &str) -> String {
    needle::replace_secrets(text, known_secrets().iter())
}

/// The text with a word in place of every secret, and of one more.
pub(crate) fn without_secrets_and(text: &str, secret: Option<&Secret>) -> String {
    needle::replace_secrets(text, known_secrets().iter().chain(secret))
}

fn add_secret(secret: Secret) {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).push(secret);
}

fn known_secrets() -> RwLockReadGuard<'static, Vec<Secret>> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner)
}

fn is_url_or_path(argument: &str) -> bool {
    const ENDINGS: [&str; 6] = [".toml", ".json", ".jwks", ".pem", ".crt", ".cer"];
    let has_short_parts =
        argument.split('/').all(|part| part.len() <= 32 && !part.contains(['+', '=']));
    let is_path = argument.starts_with(['/', '.', '~']) && has_short_parts;
    let is_url = argument.contains("://") && in_url::credentials_in(argument).is_empty();
    is_url
        || is_path
        || ENDINGS.iter().any(|ending| argument.ends_with(ending))
        || Path::new(argument).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_paths_may_be_shown_and_what_may_be_a_token_may_not() {
        for argument in ["https://h.example/mcp", "ftp://x", "/no/such", "./a", "mcp-auth.toml"] {
            assert!(is_url_or_path(argument), "{argument}");
        }
        for argument in [
            "opaque-secret-token",
            "eyJh.eyJp.c2ln",
            "/9j4AAQSkZJRgABAQAAAQABAAD+2wBD",
            "a b",
            "https://h.example/?token=t",
        ] {
            assert!(!is_url_or_path(argument), "{argument}");
        }
    }
}
