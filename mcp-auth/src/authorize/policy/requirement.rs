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

    /// Whether nobody fulfils this who would not fulfil the other one too, as far as the two can be
    /// compared without asking a caller.
    pub(super) fn asks_for_all_of(&self, other: &Self, hierarchy: &Hierarchy) -> bool {
        let is_within = |own: &Option<Vec<String>>, wanted: &Option<Vec<String>>| {
            let Some(wanted) = wanted else { return true };
            own.as_ref().is_some_and(|own| own.iter().all(|one| wanted.contains(one)))
        };
        let holds = |own: &Option<Vec<String>>, wanted: &Option<Vec<String>>| {
            let mut wanted = wanted.iter().flatten();
            wanted.all(|one| own.as_ref().is_some_and(|own| own.contains(one)))
        };
        let has_alternative = |granted: &Scopes| {
            let Some(sets) = &other.any_of else { return true };
            sets.iter().any(|set| hierarchy.grants_all(granted, set))
        };
        let with_each = match &self.any_of {
            Some(sets) => sets.iter().map(|set| Scopes::union([&self.all_of, set])).collect(),
            None => vec![self.all_of.clone()],
        };
        let has_scopes = |granted: &Scopes| {
            hierarchy.grants_all(granted, &other.all_of) && has_alternative(granted)
        };
        with_each.iter().all(has_scopes)
            && is_within(&self.roles, &other.roles)
            && is_within(&self.groups, &other.groups)
            && is_within(&self.allowed_clients, &other.allowed_clients)
            && holds(&self.permissions, &other.permissions)
            && (other.caller.is_none() || self.caller == other.caller)
    }

    pub(super) fn check(&self, faults: &mut Faults<'_>) {
        let sets = self.any_of.iter().flatten().chain([&self.all_of]);
        let sets = sets.chain(self.when.iter().map(|rule| &rule.scopes));
        for scope in sets.flat_map(Scopes::malformed) {
            faults.add_here(format!("{scope:?} is not a scope (RFC 6749 §3.3)"));
        }
        if self.any_of.iter().flatten().any(Scopes::is_empty) {
            faults.add("any_of", "a set without scopes would always be fulfilled");
        }
        let names = [
            ("roles", &self.roles),
            ("groups", &self.groups),
            ("permissions", &self.permissions),
            ("allowed_clients", &self.allowed_clients),
        ];
        let mut empty: Vec<_> =
            names.iter().filter(|(_, list)| is_empty(list)).map(|one| one.0).collect();
        empty.extend(is_empty(&self.any_of).then_some("any_of"));
        for field in empty {
            faults.add(
                field,
                "an empty list would ask for nothing; leave the field out if that is meant",
            );
        }
        if names.iter().flat_map(|(_, list)| list.iter().flatten()).any(String::is_empty) {
            faults.add_here("an empty name would match nothing");
        }
        for rule in &self.when {
            rule.check(&mut faults.below("when"));
        }
        let asks = Self { access: self.access, ..Self::default() } != *self;
        if self.access != Access::Required && asks {
            faults.add_here(NEEDS_NO_TOKEN);
        }
    }
}

fn is_empty<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_some_and(Vec::is_empty)
}
