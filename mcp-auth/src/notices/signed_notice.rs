//! A notice as it comes: a JWT, of which only `iss` shows before its signature is verified.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::NoticeFault;
use crate::jose::NamesIssuer;
use crate::json::{JsonError, JsonReader, Object};

/// The only claim that is read of a notice that nobody has verified.
#[derive(Default)]
pub(super) struct UnverifiedNotice<'t> {
    issuer: Option<Cow<'t, str>>,
}

impl<'t> Object<'t> for UnverifiedNotice<'t> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'t>) -> Result<(), JsonError> {
        match name {
            "iss" => self.issuer = Some(value.string()?),
            _ => value.skip()?,
        }
        Ok(())
    }
}

impl NamesIssuer for UnverifiedNotice<'_> {
    fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }
}

/// The claims of a notice whose signature was verified. Each is there and has its type, or is a fault.
pub(super) struct NoticeClaims {
    all: Map<String, Value>,
}

impl NoticeClaims {
    pub(super) fn new(all: Map<String, Value>) -> Self {
        Self { all }
    }

    /// Whether the claim is written at all, also as `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.all.contains_key(name)
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, NoticeFault> {
        text_of(&self.all, name)
    }

    /// An object.
    pub(super) fn object(&self, name: &str) -> Result<Option<&Map<String, Value>>, NoticeFault> {
        match self.all.get(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(_) => Err(NoticeFault::malformed(format!("`{name}` is no object"))),
        }
    }

    /// A time in seconds since 1970.
    pub(super) fn time(&self, name: &str) -> Result<Option<u64>, NoticeFault> {
        time_of(&self.all, name)
    }

    /// The events by their types.
    pub(super) fn events(&self) -> Result<&Map<String, Value>, NoticeFault> {
        let events = self.object("events")?;
        events.ok_or_else(|| NoticeFault::malformed("it has no `events`"))
    }

    /// Whether `aud` has one of these.
    pub(super) fn check_audience(&self, accepted: &[String]) -> Result<(), NoticeFault> {
        let is_for_us = match self.all.get("aud") {
            Some(Value::Array(list)) => {
                if !list.iter().all(Value::is_string) {
                    return Err(NoticeFault::malformed("`aud` has what is no text"));
                }
                list.iter().any(|value| is_one_of(value, accepted))
            }
            Some(one @ Value::String(_)) => is_one_of(one, accepted),
            Some(_) => return Err(NoticeFault::malformed("`aud` is no text and no list of them")),
            None => return Err(NoticeFault::malformed("it has no `aud`")),
        };
        if is_for_us { Ok(()) } else { Err(NoticeFault::WrongAudience) }
    }

    /// When it was made, and from when on it is refused by its age.
    pub(super) fn check_times(&self, rules: &TimeRules, now: u64) -> Result<Times, NoticeFault> {
        let issued_at =
            self.time("iat")?.ok_or_else(|| NoticeFault::malformed("it has no `iat`"))?;
        let expires_at = match self.time("exp")? {
            Some(exp) => exp,
            None if rules.needs_exp => return Err(NoticeFault::malformed("it has no `exp`")),
            None => u64::MAX,
        };
        let too_old_from = issued_at.saturating_add(rules.max_age).min(expires_at);
        let end = too_old_from.saturating_add(rules.tolerance);
        if issued_at > now.saturating_add(rules.tolerance) || end <= now {
            return Err(NoticeFault::WrongTime);
        }
        Ok(Times { issued_at, end })
    }
}

/// How old a notice may be, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeRules {
    pub(super) max_age: u64,
    pub(super) needs_exp: bool,
    pub(super) tolerance: u64,
}

/// Of a notice, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) issued_at: u64,
    /// From then on it is refused by its age.
    pub(super) end: u64,
}

/// Whether it is one of these texts.
fn is_one_of(value: &Value, accepted: &[String]) -> bool {
    value.as_str().is_some_and(|text| accepted.iter().any(|one| one == text))
}

/// A member that is a text and not empty; `None` when it is not there.
pub(super) fn text_of<'m>(
    members: &'m Map<String, Value>,
    name: &str,
) -> Result<Option<&'m str>, NoticeFault> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(NoticeFault::malformed(format!("`{name}` is no text, or an empty one"))),
    }
}

/// A member that is a NumericDate (RFC 7519 §2), without its part of a second; `None` when it is not there.
pub(super) fn time_of(
    members: &Map<String, Value>,
    name: &str,
) -> Result<Option<u64>, NoticeFault> {
    /// The year 9999: what is beyond it is a mistake or an attack.
    const LIMIT: f64 = 253_402_300_800.0;
    let Some(value) = members.get(name) else { return Ok(None) };
    let in_range = value.as_f64().filter(|read| (0.0..LIMIT).contains(read));
    let Some(seconds) = in_range else {
        return Err(NoticeFault::malformed(format!("`{name}` is no time in seconds since 1970")));
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    Ok(Some(seconds as u64))
}
