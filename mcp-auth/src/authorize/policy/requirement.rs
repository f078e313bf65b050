//! What one rule of a policy asks for, as plain data.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::auth_info::Principal;
use crate::authorize::{Access, Scopes};
use crate::claim_path::at;

/// What a caller needs for an operation. In data, a list of scopes stands for `all_of` alone.
///
/// Every field that is set must be fulfilled. A missing scope is answered with a challenge that
/// asks for it; everything else is forbidden without one, since a new token would not help.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Requirement {
    /// Whether a token is needed at all. If not, nothing else can be asked for.
    pub access: Access,
    /// Scopes that are all needed.
    pub all_of: Scopes,
    /// Sets of scopes of which one is needed in full.
    pub any_of: Vec<Scopes>,
    /// Roles of which one is needed.
    pub roles: Vec<String>,
    /// Groups of which one is needed.
    pub groups: Vec<String>,
    /// Permissions that are all needed.
    pub permissions: Vec<String>,
    /// The only kind of caller that may.
    pub caller: Option<Principal>,
    /// The only clients that may; a token that names no client may not.
    pub allowed_clients: Vec<String>,
    /// Scopes that depend on the arguments.
    pub when: Vec<ArgumentRule>,
}

impl Requirement {
    /// These scopes, all of them.
    pub fn all_of<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Self {
        Self { all_of: scopes.into_iter().collect(), ..Self::default() }
    }

    /// Nothing, not even a token.
    pub fn public() -> Self {
        Self { access: Access::Public, ..Self::default() }
    }

    /// No token; one that is sent must be good.
    pub fn optional() -> Self {
        Self { access: Access::Optional, ..Self::default() }
    }

    /// Also all of the scopes of one of these sets.
    #[must_use]
    pub fn any_of<S: Into<Scopes>>(mut self, sets: impl IntoIterator<Item = S>) -> Self {
        self.any_of = sets.into_iter().map(Into::into).collect();
        self
    }

    /// Also one of these roles.
    #[must_use]
    pub fn roles<S: Into<String>>(mut self, roles: impl IntoIterator<Item = S>) -> Self {
        self.roles = roles.into_iter().map(Into::into).collect();
        self
    }

    /// Also one of these groups.
    #[must_use]
    pub fn groups<S: Into<String>>(mut self, groups: impl IntoIterator<Item = S>) -> Self {
        self.groups = groups.into_iter().map(Into::into).collect();
        self
    }

    /// Also all of these permissions.
    #[must_use]
    pub fn permissions<S: Into<String>>(mut self, all: impl IntoIterator<Item = S>) -> Self {
        self.permissions = all.into_iter().map(Into::into).collect();
        self
    }

    /// Only for callers of this kind.
    #[must_use]
    pub fn caller(mut self, kind: Principal) -> Self {
        self.caller = Some(kind);
        self
    }

    /// Only for these clients.
    #[must_use]
    pub fn allowed_clients<S: Into<String>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        self.allowed_clients = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Also more scopes, when the arguments are like this.
    #[must_use]
    pub fn when(mut self, rule: ArgumentRule) -> Self {
        self.when.push(rule);
        self
    }

    /// Whether a token with other scopes is all that could be missing.
    pub(super) fn asks_for_scopes_alone(&self) -> bool {
        self.roles.is_empty()
            && self.groups.is_empty()
            && self.permissions.is_empty()
            && self.allowed_clients.is_empty()
            && self.caller.is_none()
    }

    pub(super) fn check(&self, place: &str, faults: &mut Vec<String>) {
        let sets = self.any_of.iter().chain([&self.all_of]);
        let sets = sets.chain(self.when.iter().map(|rule| &rule.scopes));
        for scope in sets.flat_map(Scopes::malformed) {
            faults.push(format!("{place}: {scope:?} is not a scope (RFC 6749 §3.3)"));
        }
        if self.any_of.iter().any(Scopes::is_empty) {
            faults.push(format!("{place}.any_of: a set without scopes would always be fulfilled"));
        }
        let lists = [&self.roles, &self.groups, &self.permissions, &self.allowed_clients];
        if lists.into_iter().flatten().any(String::is_empty) {
            faults.push(format!("{place}: an empty name would match nothing"));
        }
        for rule in &self.when {
            rule.check(place, faults);
        }
        let asks = Self { access: self.access, ..Self::default() } != *self;
        if self.access != Access::Required && asks {
            faults.push(format!("{place}: who needs no token needs nothing else either"));
        }
    }
}

/// More scopes for some arguments. With no condition: whenever the argument is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ArgumentRule {
    /// Which argument: its name, or a JSON Pointer (RFC 6901) such as `/options/mode`.
    pub argument: String,
    /// It has this value. Servers may read other values in the same way, `"true"` as `true`: where
    /// that matters, `unless` is safer.
    pub equals: Option<Value>,
    /// It is a text that starts with this.
    pub starts_with: Option<String>,
    /// It does **not** have this value; an argument that is absent has not.
    pub unless: Option<Value>,
    /// The scopes that are needed then.
    pub scopes: Scopes,
}

impl ArgumentRule {
    /// These scopes, whenever this argument is there.
    pub fn new<S: AsRef<str>>(
        argument: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        let scopes = scopes.into_iter().collect();
        Self { argument: argument.into(), scopes, ..Self::default() }
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

    pub(super) fn applies_to(&self, arguments: &Map<String, Value>) -> bool {
        let value = at(arguments, &self.argument);
        if let Some(exempt) = &self.unless {
            return !value.is_some_and(|value| is_same(exempt, value));
        }
        let Some(value) = value else { return false };
        let text = value.as_str();
        self.equals.as_ref().is_none_or(|expected| is_same(expected, value))
            && self
                .starts_with
                .as_ref()
                .is_none_or(|start| text.is_some_and(|text| text.starts_with(start.as_str())))
    }

    fn check(&self, place: &str, faults: &mut Vec<String>) {
        let place = format!("{place}.when");
        if self.argument.is_empty() {
            faults.push(format!("{place}: `argument` must be set"));
        }
        if self.scopes.is_empty() {
            faults.push(format!("{place}: `scopes` must be set"));
        }
        if self.unless.is_some() && (self.equals.is_some() || self.starts_with.is_some()) {
            faults.push(format!("{place}: `unless` stands alone"));
        }
    }
}

/// Whether two values are the same: numbers by what they are, not by how they are written.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other).is_eq(),
        _ => one == other,
    }
}

/// Scopes alone, as `all_of`.
impl<S: AsRef<str>, const N: usize> From<[S; N]> for Requirement {
    fn from(scopes: [S; N]) -> Self {
        Self::all_of(scopes)
    }
}

/// A map in which a list of scopes, or a text, stands for `all_of` alone.
pub(super) fn by_name<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Requirement>, D::Error> {
    struct Written(Requirement);

    impl<'de> Deserialize<'de> for Written {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(RequirementVisitor).map(Self)
        }
    }

    let written = BTreeMap::<String, Written>::deserialize(deserializer)?;
    Ok(written.into_iter().map(|(name, requirement)| (name, requirement.0)).collect())
}

struct RequirementVisitor;

impl<'de> Visitor<'de> for RequirementVisitor {
    type Value = Requirement;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scopes, or a table such as { all_of = [\"notes:write\"] }")
    }

    fn visit_str<E>(self, scopes: &str) -> Result<Requirement, E> {
        Ok(Requirement::all_of([scopes]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, scopes: A) -> Result<Requirement, A::Error> {
        let all_of = Scopes::deserialize(SeqAccessDeserializer::new(scopes))?;
        Ok(Requirement { all_of, ..Requirement::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Requirement, A::Error> {
        Requirement::deserialize(MapAccessDeserializer::new(table))
    }
}
