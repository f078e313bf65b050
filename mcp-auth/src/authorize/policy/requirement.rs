//! What one rule of a policy asks for, as plain data.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::ArgumentRule;
use super::hierarchy::Hierarchy;
use crate::auth_info::Principal;
use crate::authorize::Access;
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

    /// Whether a token with other scopes is all that could be missing.
    pub(super) fn asks_for_scopes_alone(&self) -> bool {
        self.roles.is_none()
            && self.groups.is_none()
            && self.permissions.is_none()
            && self.allowed_clients.is_none()
            && self.caller.is_none()
    }

    /// Whether everybody who fulfils this fulfils the other one too. It is `false` also where the two cannot be compared
    /// without a caller.
    pub(super) fn asks_for_all_of(&self, other: &Self, hierarchy: &Hierarchy) -> bool {
        let sufficient_scopes = match &self.any_of {
            Some(sets) => sets.iter().map(|set| Scopes::union([&self.all_of, set])).collect(),
            None => vec![self.all_of.clone()],
        };
        sufficient_scopes.iter().all(|scopes| other.is_covered_by(scopes, hierarchy))
            && one_implies_one(&self.roles, &other.roles)
            && one_implies_one(&self.groups, &other.groups)
            && one_implies_one(&self.allowed_clients, &other.allowed_clients)
            && all_imply_all(&self.permissions, &other.permissions)
            && (other.caller.is_none() || self.caller == other.caller)
    }

    /// Whether the granted scopes cover `all_of`, and one of the sets of `any_of`.
    pub(super) fn is_covered_by(&self, granted: &Scopes, hierarchy: &Hierarchy) -> bool {
        let has_alternative = match &self.any_of {
            Some(sets) => sets.iter().any(|set| hierarchy.grants_all(granted, set)),
            None => true,
        };
        hierarchy.grants_all(granted, &self.all_of) && has_alternative
    }

    /// Adds what is wrong with it to the faults. `place` is where it is written, such as `tools.wipe`.
    pub(super) fn check(&self, place: &str, faults: &mut Vec<String>) {
        let of_arguments = self.when.iter().map(|rule| &rule.scopes);
        let all_sets = self.any_of.iter().flatten().chain([&self.all_of]).chain(of_arguments);
        for scope in all_sets.flat_map(Scopes::malformed) {
            faults.push(format!("{place}: {scope:?} is not a scope (RFC 6749 §3.3)"));
        }
        if self.any_of.iter().flatten().any(Scopes::is_empty) {
            faults.push(format!("{place}.any_of: a set without scopes would always be fulfilled"));
        }
        let lists_of_names = [&self.roles, &self.groups, &self.permissions, &self.allowed_clients];
        let emptiness_by_field = [
            ("roles", is_empty(&self.roles)),
            ("groups", is_empty(&self.groups)),
            ("permissions", is_empty(&self.permissions)),
            ("allowed_clients", is_empty(&self.allowed_clients)),
            ("any_of", is_empty(&self.any_of)),
        ];
        for (field, is_empty_list) in emptiness_by_field {
            if is_empty_list {
                faults.push(format!(
                    "{place}.{field}: an empty list would ask for nothing; leave the field out if that is meant"
                ));
            }
        }
        if lists_of_names.into_iter().flatten().flatten().any(String::is_empty) {
            faults.push(format!("{place}: an empty name would match nothing"));
        }
        for rule in &self.when {
            rule.check(place, faults);
        }
        let asks_for_something = Self { access: self.access, ..Self::default() } != *self;
        if self.access != Access::Required && asks_for_something {
            faults.push(format!("{place}: who needs no token needs nothing else either"));
        }
    }
}

/// Whether who has one of the own names has one of the others too: all own ones are among them.
fn one_implies_one(own: &Option<Vec<String>>, others: &Option<Vec<String>>) -> bool {
    match (own, others) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(own), Some(others)) => own.iter().all(|name| others.contains(name)),
    }
}

/// Whether who has all own names has all others too: all others are among them.
fn all_imply_all(own: &Option<Vec<String>>, others: &Option<Vec<String>>) -> bool {
    others.iter().flatten().all(|name| own.iter().flatten().any(|own_name| own_name == name))
}

/// Whether a list is set, and empty.
fn is_empty<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_some_and(Vec::is_empty)
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
