//! Scopes (RFC 6749 §3.3): a set of case-sensitive words.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of scope tokens, in the order they were given.
///
/// In configuration written as a list, or as one string with spaces between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Box<str>>);

impl Scopes {
    /// Reads the space-separated form of RFC 6749, such as `notes:read notes:write`.
    pub fn parse(text: &str) -> Self {
        text.split_ascii_whitespace().collect()
    }

    /// Whether the set has no scope at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes, each once.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Whether this scope is in the set.
    pub fn contains(&self, scope: &str) -> bool {
        self.iter().any(|present| present == scope)
    }

    /// Whether every one of these scopes is in the set.
    pub fn contains_all(&self, scopes: &Self) -> bool {
        scopes.iter().all(|scope| self.contains(scope))
    }

    /// The set without this scope.
    pub(crate) fn without(&self, scope: &str) -> Self {
        self.iter().filter(|present| *present != scope).collect()
    }

    /// The scopes that RFC 6749 §3.3 does not allow: empty, or with a space, `"`, `\` or control.
    pub(crate) fn malformed(&self) -> impl Iterator<Item = &str> {
        let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        self.iter().filter(move |scope| scope.is_empty() || !scope.bytes().all(allowed))
    }
}

impl<S: AsRef<str>> FromIterator<S> for Scopes {
    fn from_iter<I: IntoIterator<Item = S>>(scopes: I) -> Self {
        let mut set = Self::default();
        for scope in scopes {
            if !set.contains(scope.as_ref()) {
                set.0.push(scope.as_ref().into());
            }
        }
        set
    }
}

/// Reads the space-separated form, as [`Scopes::parse`] does.
impl From<&str> for Scopes {
    fn from(text: &str) -> Self {
        Self::parse(text)
    }
}

/// The space-separated form of RFC 6749.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(f, "{separator}{scope}")?;
        }
        Ok(())
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            List(Vec<String>),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Text(text) => Self::parse(&text),
            Form::List(list) => list.iter().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_written_forms_read_the_same() {
        let text: Scopes = serde_json::from_str(r#""a b a""#).unwrap();
        let list: Scopes = serde_json::from_str(r#"["a", "b"]"#).unwrap();
        assert_eq!(text, list);
        assert_eq!(text.to_string(), "a b");
    }

    #[test]
    fn malformed_scopes_are_named() {
        let scopes: Scopes = ["ok:read", "two words", "quo\"te", ""].iter().collect();
        assert_eq!(scopes.malformed().collect::<Vec<_>>(), ["two words", "quo\"te", ""]);
    }
}
