//! One strict reader for the JSON objects inside a token.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

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
        let mut names = Names::default();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            object.member(&name.0, &mut map)?;
            names.add(name).map_err(de::Error::custom)?;
        }
        Ok(object)
    }
}

/// The member names seen so far; a usual token's fit without allocating.
struct Names<'de> {
    /// One bit for each kind of name seen: a name whose bit is not set is new.
    kinds: u64,
    first: [Text<'de>; USUAL_MEMBERS],
    more: Vec<Text<'de>>,
    count: usize,
}

/// Members that a token usually has at most.
const USUAL_MEMBERS: usize = 16;

impl Default for Names<'_> {
    fn default() -> Self {
        Self {
            kinds: 0,
            first: [const { Text(Cow::Borrowed("")) }; USUAL_MEMBERS],
            more: Vec::new(),
            count: 0,
        }
    }
}

impl<'de> Names<'de> {
    fn add(&mut self, name: Text<'de>) -> Result<(), &'static str> {
        let kind = kind_of(&name.0);
        if self.kinds & kind != 0 {
            let first = &self.first[..self.count.min(USUAL_MEMBERS)];
            if first.contains(&name) || self.more.contains(&name) {
                return Err("duplicate member");
            }
        }
        self.kinds |= kind;
        if self.count == MAX_MEMBERS {
            return Err("too many members");
        }
        match self.first.get_mut(self.count) {
            Some(free) => *free = name,
            None => self.more.push(name),
        }
        self.count += 1;
        Ok(())
    }
}

/// A bit that depends on the name's length and first byte alone.
fn kind_of(name: &str) -> u64 {
    let first = name.bytes().next().unwrap_or_default();
    1 << ((usize::from(first) * 5 + name.len()) % 64)
}

/// Any JSON value that a reader of the whole object would accept too, unread.
///
/// Unlike `IgnoredAny` it bounds depth and refuses broken strings and numbers, so that an object
/// that was read strictly can also be read whole.
pub(crate) struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// A JSON string, borrowed from the input unless it holds escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text<'de>(pub(crate) Cow<'de, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
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

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;

    #[derive(Default)]
    struct Whatever;

    impl<'de> Object<'de> for Whatever {
        fn member<A: MapAccess<'de>>(&mut self, _: &str, map: &mut A) -> Result<(), A::Error> {
            map.next_value::<Checked>().map(drop)
        }
    }

    #[test]
    fn what_is_read_strictly_can_be_read_whole() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        let nested = format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100));
        let rows: [&[u8]; 12] = [
            br#"{}"#,
            br#"{"a":null,"b":[1,-2,3.5,"x",{"y":true}]}"#,
            br#"{"a":18446744073709551616}"#,
            br#"{"a":1e999}"#,
            br#"{"a":"\ud800"}"#,
            br#"{"a":"\u00e9"}"#,
            b"{\"a\":\"\xff\"}",
            br#"{"a":{"b":"\ud800"}}"#,
            br#"{"a":01}"#,
            br#"{} x"#,
            deep.as_bytes(),
            nested.as_bytes(),
        ];
        for bytes in rows {
            let whole = serde_json::from_slice::<Map<String, Value>>(bytes);
            let strict = read_object::<Whatever>(bytes);
            assert_eq!(strict.is_ok(), whole.is_ok(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
