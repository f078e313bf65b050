//! What one rule of a policy asks for, as plain data.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::{Access, ArgumentRule};
use crate::principal::Principal;
use crate::scope::Scopes;

/// What a caller needs for an operation. In data, a list of scopes stands for `all_of` alone.
///
/// Every field that is set must be fulfilled; a list that is set and empty is a fault, because it would
/// ask for nothing. A missing scope is answered with a challenge that asks for it. Everything else that is
/// missing is answered without one, since a new token would not help.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Requirement {
    /// Whether a token is needed at all. If not, nothing else can be asked for.
    pub access: Access,
    /// Scopes that are all needed.
    pub all_of: Scopes,
    /// Sets of scopes of which one is needed in full.
    pub any_of: Option<Vec<Scopes>>,
    /// Roles of which one is needed.
    pub roles: Option<Vec<String>>,
    /// Groups of which one is needed.
    pub groups: Option<Vec<String>>,
    /// Permissions that are all needed.
    pub permissions: Option<Vec<String>>,
    /// The kind of caller that may do it; all others may not, nor those of whom the token does not tell.
    pub caller: Option<Principal>,
    /// The clients that may do it, by `client_id`; all others may not, nor a token that names no client.
    pub allowed_clients: Option<Vec<String>>,
    /// Scopes that depend on the arguments of a tool or prompt.
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
        self.any_of = Some(sets.into_iter().map(Into::into).collect());
        self
    }

    /// Also one of these roles.
    #[must_use]
    pub fn roles<S: Into<String>>(mut self, roles: impl IntoIterator<Item = S>) -> Self {
        self.roles = Some(roles.into_iter().map(Into::into).collect());
        self
    }

    /// Also one of these groups.
    #[must_use]
    pub fn groups<S: Into<String>>(mut self, groups: impl IntoIterator<Item = S>) -> Self {
        self.groups = Some(groups.into_iter().map(Into::into).collect());
        self
    }

    /// Also all of these permissions.
    #[must_use]
    pub fn permissions<S: Into<String>>(mut self, all: impl IntoIterator<Item = S>) -> Self {
        self.permissions = Some(all.into_iter().map(Into::into).collect());
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
        self.allowed_clients = Some(ids.into_iter().map(Into::into).collect());
        self
    }

    /// Also more scopes, when the arguments are like this.
    #[must_use]
    pub fn when(mut self, rule: ArgumentRule) -> Self {
        self.when.push(rule);
        self
    }
}

/// Scopes alone, as `all_of`.
impl<S: AsRef<str>, const N: usize> From<[S; N]> for Requirement {
    fn from(scopes: [S; N]) -> Self {
        Self::all_of(scopes)
    }
}

/// Reads a map from names to requirements, in which a list of scopes, or a text, stands for `all_of` alone.
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
