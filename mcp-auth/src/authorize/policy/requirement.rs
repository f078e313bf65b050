//! What one rule of a policy means to the engine: its faults, and how it compares with another.

use super::hierarchy::Hierarchy;
use crate::config::{Access, Faults, Requirement};
use crate::scope::Scopes;

/// Why a rule that is open cannot ask for anything.
pub(super) const NEEDS_NO_TOKEN: &str = "who needs no token needs nothing else either";

impl Requirement {
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

    /// Adds what is wrong with it to the faults.
    pub(super) fn check(&self, faults: &mut Faults<'_>) {
        let of_arguments = self.when.iter().map(|rule| &rule.scopes);
        let all_sets = self.any_of.iter().flatten().chain([&self.all_of]).chain(of_arguments);
        for scope in all_sets.flat_map(Scopes::malformed) {
            faults.add_here(format!("{scope:?} is not a scope (RFC 6749 §3.3)"));
        }
        if self.any_of.iter().flatten().any(Scopes::is_empty) {
            faults.add("any_of", "a set without scopes would always be fulfilled");
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
                faults.add(
                    field,
                    "an empty list would ask for nothing; leave the field out if that is meant",
                );
            }
        }
        if lists_of_names.into_iter().flatten().flatten().any(String::is_empty) {
            faults.add_here("an empty name would match nothing");
        }
        for rule in &self.when {
            rule.check(&mut faults.below("when"));
        }
        let asks_for_something = Self { access: self.access, ..Self::default() } != *self;
        if self.access != Access::Required && asks_for_something {
            faults.add_here(NEEDS_NO_TOKEN);
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
