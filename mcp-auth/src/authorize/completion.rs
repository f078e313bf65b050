//! The parameters of `completion/complete`, read.

use std::borrow::Cow;
use std::collections::HashMap;

use super::member_names::skip_unless_in_other_letters;
use crate::json::{JsonError, JsonLimits, JsonReader, Object, read_whole};

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
