//! One strict reader for the JSON objects inside a token.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

/// Members an object may have; more is taken for an attack.
const MAX_MEMBERS: usize = 256;

/// An object that is read member by member.
pub(crate) trait Object<'de>: Default {
    /// Takes the value of one member; `map.next_value()` must be called exactly once.
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Reads exactly one JSON object, refusing duplicate member names.
///
/// RFC 8725 §2.4 and RFC 7515 §4: two readers that resolve duplicates differently see two tokens.
pub(crate) fn read_object<'de, T: Object<'de>>(bytes: &'de [u8]) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let object = deserializer.deserialize_map(ObjectVisitor(PhantomData))?;
    deserializer.end()?;
    Ok(object)
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Object<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut object = T::default();
        let mut names: Vec<Text<'de>> = Vec::with_capacity(16);
        while let Some(name) = map.next_key::<Text<'de>>()? {
            if names.contains(&name) {
                return Err(de::Error::custom("duplicate member"));
            }
            if names.len() == MAX_MEMBERS {
                return Err(de::Error::custom("too many members"));
            }
            object.member(&name.0, &mut map)?;
            names.push(name);
        }
        Ok(object)
    }
}

/// A JSON string, borrowed from the input unless it holds escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}
