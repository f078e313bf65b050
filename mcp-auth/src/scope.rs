//! Scopes (RFC 6749 §3.3): a set of case-sensitive words.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of scope tokens, in the order they were given.
///
/// In configuration written as a list, or as one string with spaces between.
// One string, because verifying a token should cost one allocation for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(Box<str>);

impl Scopes {
    /// Reads the space-separated form of RFC 6749, such as `notes:read notes:write`.
    pub fn parse(text: &str) -> Self {
        [text].into_iter().collect()
    }

    /// The scopes of a token's `scope` claim. The text is kept as it is if single spaces separate its scopes, so that
    /// a scope may be in it twice; that costs one allocation and no comparison.
    pub(crate) fn granted(text: &str) -> Self {
        let tidy = !text.starts_with(' ') && !text.ends_with(' ') && !text.contains("  ");
        if tidy { Self(text.into()) } else { Self::parse(text) }
    }

    /// Whether the set has no scope.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes, each once.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        scopes_in_text(&self.0)
    }

    /// Whether this scope is in the set.
    pub fn contains(&self, scope: &str) -> bool {
        crate::steps::take(self.0.len());
        self.iter().any(|present| present == scope)
    }

    /// Whether every one of these scopes is in the set.
    pub fn contains_all(&self, scopes: &Self) -> bool {
        scopes.iter().all(|scope| self.contains(scope))
    }

    /// Whether one of them is Entra ID's `.default`, which stands for all that was configured there.
    pub(crate) fn have_default(&self) -> bool {
        self.iter().any(|scope| scope == ".default" || scope.ends_with("/.default"))
    }

    /// Every scope that is in one of these sets.
    pub(crate) fn union<'s>(sets: impl IntoIterator<Item = &'s Self>) -> Self {
        let mut with_scopes = sets.into_iter().filter(|set| !set.is_empty());
        match (with_scopes.next(), with_scopes.next()) {
            (None, _) => Self::default(),
            (Some(only), None) => only.clone(),
            (Some(first), Some(second)) => {
                [first, second].into_iter().chain(with_scopes).flat_map(Self::iter).collect()
            }
        }
    }

    /// The set, unless it is longer than code of the user's may make it: it ends up in headers.
    pub(crate) fn bounded(self) -> Result<Self, &'static str> {
        /// Scopes, and bytes of all of them.
        const MOST: (usize, usize) = (64, 4096);
        match self.0.len() <= MOST.1 && self.iter().count() <= MOST.0 {
            true => Ok(self),
            false => Err("it gave more than 64 scopes, or more than 4 KiB of them"),
        }
    }

    /// The set without this scope.
    pub(crate) fn without(&self, scope: &str) -> Self {
        self.iter().filter(|present| *present != scope).collect()
    }

    /// The set without the scopes that RFC 6749 §3.3 does not allow: they would break a header.
    pub(crate) fn well_formed(&self) -> Self {
        if self.malformed().next().is_none() {
            return self.clone();
        }
        self.iter().filter(|scope| is_well_formed(scope)).collect()
    }

    /// The scopes that RFC 6749 §3.3 does not allow: with `"`, `\` or a control character.
    pub(crate) fn malformed(&self) -> impl Iterator<Item = &str> {
        self.iter().filter(|scope| !is_well_formed(scope))
    }
}

/// RFC 6749 §3.3: printable ASCII without space, `"` and `\`.
fn is_well_formed(scope: &str) -> bool {
    scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// The scopes between the spaces of a text; two spaces in a row have none between them.
fn scopes_in_text(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|word| !word.is_empty())
}

/// Every item may hold several scopes with spaces between.
impl<S: AsRef<str>> FromIterator<S> for Scopes {
    fn from_iter<I: IntoIterator<Item = S>>(items: I) -> Self {
        let mut text = String::new();
        let mut present = Present::default();
        for item in items {
            // Room for all of it at once, so that a token's scopes are one allocation.
            match text.is_empty() {
                true => text.reserve_exact(item.as_ref().len()),
                false => text.reserve(item.as_ref().len() + 1),
            }
            for scope in scopes_in_text(item.as_ref()) {
                present.add(scope, &mut text);
            }
        }
        Self(text.into_boxed_str())
    }
}

/// Which scopes a text has so far. The first eight are compared one by one, without memory for them; all others are
/// found by hash. So reading scopes takes time in proportion to their length, also if one is named again and
/// again.
#[derive(Default)]
struct Present {
    /// Where the first ones are in the text.
    few: [Range<usize>; Self::FEW],
    count: usize,
    many: HashSet<String>,
}

impl Present {
    const FEW: usize = 8;

    /// Puts a scope at the end of the text, unless it is there.
    fn add(&mut self, scope: &str, text: &mut String) {
        crate::steps::take(self.count.min(Self::FEW) + scope.len());
        let few = &self.few[..self.count.min(Self::FEW)];
        let is_known =
            few.iter().any(|place| text[place.clone()] == *scope) || self.many.contains(scope);
        if is_known {
            return;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        match self.few.get_mut(self.count) {
            Some(place) => *place = text.len()..text.len() + scope.len(),
            None => drop(self.many.insert(scope.to_owned())),
        }
        self.count += 1;
        text.push_str(scope);
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
        f.write_str(&self.0)
    }
}

/// As a list.
impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScopesVisitor)
    }
}

struct ScopesVisitor;

impl<'de> Visitor<'de> for ScopesVisitor {
    type Value = Scopes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scopes: a string with spaces between, or a list of strings")
    }

    fn visit_str<E>(self, text: &str) -> Result<Scopes, E> {
        Ok(Scopes::parse(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scopes, A::Error> {
        let mut scopes = Vec::new();
        while let Some(scope) = list.next_element::<String>()? {
            scopes.push(scope);
        }
        Ok(scopes.into_iter().collect())
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
        let scopes: Scopes = ["ok:read", "two words", "quo\"te", "tab\there", ""].iter().collect();
        assert_eq!(scopes.malformed().collect::<Vec<_>>(), ["quo\"te", "tab\there"]);
    }
}
