//! Scopes that depend on the arguments of a call, as plain data.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::scope::Scopes;

/// Scopes that a call needs besides those of its rule, depending on one argument. Without a condition it needs them
/// whenever the argument is there.
///
/// Set one of `equals`, `starts_with` and `unless` at most: a rule with two is a fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ArgumentRule {
    /// The name of an argument, or a JSON Pointer (RFC 6901) such as `/options/mode`.
    pub argument: String,
    /// Only if it has this value, which may be `null`. Numbers are the same when they have the same
    /// value: `1` and `1.0` are, 9007199254740992 and 9007199254740993 are not.
    #[serde(deserialize_with = "value_or_null", skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    /// Only if it is a text that starts with this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_with: Option<String>,
    /// Unless it has this value, which may be `null`; also when it is absent.
    #[serde(deserialize_with = "value_or_null", skip_serializing_if = "Option::is_none")]
    pub unless: Option<Value>,
    /// Scopes that are needed then, all of them.
    pub scopes: Scopes,
}

impl ArgumentRule {
    /// These scopes, whenever the argument is there.
    pub fn new<S: AsRef<str>>(
        argument: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        Self { argument: argument.into(), scopes: scopes.into_iter().collect(), ..Self::default() }
    }

    /// Only if it has this value.
    #[must_use]
    pub fn equals(mut self, value: impl Into<Value>) -> Self {
        self.equals = Some(value.into());
        self
    }

    /// Only if it is a text that starts with this.
    #[must_use]
    pub fn starts_with(mut self, text: impl Into<String>) -> Self {
        self.starts_with = Some(text.into());
        self
    }

    /// Unless it has this value; also when it is absent.
    #[must_use]
    pub fn unless(mut self, value: impl Into<Value>) -> Self {
        self.unless = Some(value.into());
        self
    }
}

/// Reads `null` as a value, `Some(Value::Null)`: serde would read it as a field that is absent.
fn value_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
