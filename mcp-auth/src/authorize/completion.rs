//! What `completion/complete` is about: a prompt, or a resource whose template is filled in with what was chosen before.

use std::borrow::Cow;
use std::collections::HashMap;

use super::member_names::skip_unless_in_other_letters;
use crate::error::MessageFault;
use crate::json::{JsonError, JsonLimits, JsonReader, Object, read_whole};

/// Bytes of a template with its variables filled in; no rule is about a URI that is longer.
pub(super) const MAX_TEMPLATE: usize = 8192;

/// `ref` of `completion/complete`.
#[derive(Default)]
pub(super) struct Reference<'m> {
    pub(super) kind: Option<&'m str>,
    pub(super) name: Option<&'m str>,
    pub(super) uri: Option<&'m str>,
}

impl<'m> Object<'m> for Reference<'m> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'m>) -> Result<(), JsonError> {
        match name {
            "type" => self.kind = value.written()?,
            "name" => self.name = value.written()?,
            "uri" => self.uri = value.written()?,
            _ => skip_unless_in_other_letters(name, &["type", "name", "uri"], value)?,
        }
        Ok(())
    }
}

/// `context` of `completion/complete`: what the client has chosen already.
#[derive(Default)]
pub(super) struct Context<'m> {
    pub(super) arguments: Option<&'m str>,
    pub(super) chosen: HashMap<String, Cow<'m, str>>,
}

impl<'m> Object<'m> for Context<'m> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'m>) -> Result<(), JsonError> {
        if name != "arguments" {
            return skip_unless_in_other_letters(name, &["arguments"], value);
        }
        self.arguments = value.written()?;
        if let Some(arguments) = self.arguments {
            read_whole(arguments.as_bytes(), JsonLimits::LARGEST, |reader| {
                reader.object(|variable, chosen| {
                    self.chosen.insert(variable.to_owned(), chosen.string()?);
                    Ok(())
                })
            })?;
        }
        Ok(())
    }
}

/// The template with the chosen variables in place of `{name}`, `{+name}`, `{?name}` and `{&name}`. What is put in
/// is not looked at again: a value that holds braces would make expansion grow without bound.
pub(super) fn filled_in<'m>(
    template: &Cow<'m, str>,
    chosen: &HashMap<String, Cow<'_, str>>,
) -> Result<Cow<'m, str>, MessageFault> {
    if template.len() > MAX_TEMPLATE {
        return Err(MessageFault::TooLarge);
    }
    if chosen.is_empty() {
        return Ok(template.clone());
    }
    let mut filled = String::with_capacity(template.len());
    let mut rest: &str = template;
    while let Some((fixed, variable)) = rest.split_once('{') {
        let Some((expression, after)) = variable.split_once('}') else { break };
        crate::steps::take(fixed.len() + expression.len() + 2);
        filled.push_str(fixed);
        if expression.starts_with(['?', '&']) {
            push_parameters(&mut filled, expression, chosen)?;
        } else {
            let name = expression.strip_prefix('+').unwrap_or(expression);
            match chosen.get(name) {
                Some(value) => {
                    crate::steps::take(value.len());
                    filled.push_str(value);
                }
                None => filled.extend(["{", expression, "}"]),
            }
        }
        if filled.len() > MAX_TEMPLATE {
            return Err(MessageFault::TooLarge);
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(Cow::Owned(filled))
}

/// Writes the chosen ones of `?name,other` as parameters, or the expression as it is where none of them is chosen.
/// Those that are not chosen yet are left out: the template as it is written is judged too, and stands for them.
fn push_parameters(
    filled: &mut String,
    expression: &str,
    chosen: &HashMap<String, Cow<'_, str>>,
) -> Result<(), MessageFault> {
    let (mut separator, names) = expression.split_at(1);
    let mut is_any_chosen = false;
    for name in names.split(',') {
        let Some(value) = chosen.get(name) else { continue };
        crate::steps::take(value.len());
        filled.extend([separator, name, "=", value]);
        if filled.len() > MAX_TEMPLATE {
            return Err(MessageFault::TooLarge);
        }
        separator = "&";
        is_any_chosen = true;
    }
    if !is_any_chosen {
        filled.extend(["{", expression, "}"]);
    }
    Ok(())
}
