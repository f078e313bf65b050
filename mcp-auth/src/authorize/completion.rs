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

/// `argument` of `completion/complete`: the variable that is completed, and what the client has written of it so far.
#[derive(Default)]
pub(super) struct Argument<'m> {
    pub(super) name: Option<&'m str>,
    pub(super) value: Option<&'m str>,
}

impl<'m> Object<'m> for Argument<'m> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'m>) -> Result<(), JsonError> {
        match name {
            "name" => self.name = value.written()?,
            "value" => self.value = value.written()?,
            _ => skip_unless_in_other_letters(name, &["name", "value"], value)?,
        }
        Ok(())
    }
}

/// What stands in a template in the place of its variables.
pub(super) struct Values<'v> {
    pub(super) chosen: &'v HashMap<String, Cow<'v, str>>,
    /// A variable of which the beginning is written.
    pub(super) begun: Option<(&'v str, &'v str)>,
}

/// The template with values in place of its variables, as RFC 6570 puts them in, but without escapes. What is put in
/// is not looked at again: a value that holds braces would make expansion grow without bound.
///
/// # Errors
///
/// What it becomes is too large, or some reader could take the name of a value for that of another variable.
pub(super) fn filled_in<'m>(
    template: &Cow<'m, str>,
    values: &Values<'_>,
) -> Result<Cow<'m, str>, MessageFault> {
    if template.len() > MAX_TEMPLATE {
        return Err(MessageFault::TooLarge);
    }
    let mut names =
        values.chosen.keys().map(String::as_str).chain(values.begun.map(|(name, _)| name));
    if !names.all(is_name_of_variable) {
        return Err(MessageFault::Invalid);
    }
    if values.chosen.is_empty() && values.begun.is_none() {
        return Ok(template.clone());
    }
    let mut filled = String::with_capacity(template.len());
    let mut rest: &str = template;
    while let Some((fixed, variable)) = rest.split_once('{') {
        let Some((expression, after)) = variable.split_once('}') else { break };
        crate::steps::take(fixed.len() + expression.len() + 2);
        filled.push_str(fixed);
        push_expanded(&mut filled, expression, values)?;
        rest = after;
    }
    filled.push_str(rest);
    Ok(Cow::Owned(filled))
}

/// What begins an expression that is more than `{name}`: the operators of RFC 6570, and those that it reserves.
const OPERATORS: &[char] = &['+', '#', '.', '/', ';', '?', '&', '=', ',', '!', '@', '|'];

/// Whether a variable can have this name, and no reader takes a part of it for something else.
fn is_name_of_variable(name: &str) -> bool {
    !name.starts_with(OPERATORS) && !name.contains([',', ':', '*', '{', '}'])
}

/// How an expression is written out (RFC 6570, appendix A).
struct Form {
    first: &'static str,
    separator: &'static str,
    /// Whether each value has its name before it.
    is_named: bool,
}

impl Form {
    fn of(operator: &str) -> Self {
        let (first, separator, is_named) = match operator {
            "#" => ("#", ",", false),
            "." => (".", ".", false),
            "/" => ("/", "/", false),
            ";" => (";", ";", true),
            "?" => ("?", "&", true),
            "&" => ("&", "&", true),
            _ => ("", ",", false),
        };
        Self { first, separator, is_named }
    }
}

/// Writes an expression with its values, or as it is where it has none. Variables without a value are left out: the
/// template as it is written is judged too, and stands for them.
fn push_expanded(
    filled: &mut String,
    expression: &str,
    values: &Values<'_>,
) -> Result<(), MessageFault> {
    let names = expression.strip_prefix(OPERATORS).unwrap_or(expression);
    let form = Form::of(&expression[..expression.len() - names.len()]);
    let mut before = form.first;
    // What follows what is written so far.
    let mut goes_on = true;
    for written in names.split(',') {
        let (name, length) = name_and_length(written);
        // A parameter that is begun may go on with others, for which the template stands as it is written.
        let begun = values.begun.filter(|(begun, _)| *begun == name && !form.is_named);
        let value = match begun {
            Some((_, value)) => value,
            None => match values.chosen.get(name) {
                Some(value) => value,
                None => continue,
            },
        };
        let value = first_characters(value, length);
        crate::steps::take(value.len());
        filled.push_str(before);
        if form.is_named {
            filled.extend([name, "="]);
        }
        filled.push_str(value);
        if filled.len() > MAX_TEMPLATE {
            return Err(MessageFault::TooLarge);
        }
        before = form.separator;
        goes_on = begun.is_some();
    }
    if goes_on {
        filled.extend(["{", expression, "}"]);
    }
    match filled.len() > MAX_TEMPLATE {
        true => Err(MessageFault::TooLarge),
        false => Ok(()),
    }
}

/// The name of a variable without its modifiers, and how many characters of its value there are: three of `{name:3}`.
fn name_and_length(written: &str) -> (&str, usize) {
    let written = written.strip_suffix('*').unwrap_or(written);
    match written.split_once(':') {
        Some((name, length)) => (name, length.parse().unwrap_or(usize::MAX)),
        None => (written, usize::MAX),
    }
}

fn first_characters(value: &str, count: usize) -> &str {
    match value.char_indices().nth(count) {
        Some((end, _)) => &value[..end],
        None => value,
    }
}
