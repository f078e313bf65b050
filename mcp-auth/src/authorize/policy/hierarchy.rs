//! Scopes that include other scopes.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::config::Faults;
use crate::scope::Scopes;

/// For every scope that something includes: what includes it, however indirectly.
#[derive(Debug, Default)]
pub(super) struct Hierarchy(HashMap<String, Vec<String>>);

impl Hierarchy {
    /// Follows every inclusion to its end; a cycle is a fault.
    pub(super) fn new(implies: &BTreeMap<String, Scopes>, faults: &mut Faults<'_>) -> Self {
        let mut included_in: HashMap<String, Vec<String>> = HashMap::new();
        for broad in implies.keys() {
            let reached = reached_from(broad, implies);
            if reached.contains(broad.as_str()) {
                faults.add("implies", format!("{broad:?} includes itself in the end"));
            }
            for narrow in reached {
                included_in.entry(narrow.to_owned()).or_default().push(broad.clone());
            }
        }
        Self(included_in)
    }

    /// Whether the granted scopes have this one, or one that includes it.
    pub(super) fn grants(&self, granted: &Scopes, scope: &str) -> bool {
        let broader = || self.0.get(scope).into_iter().flatten();
        granted.contains(scope) || broader().any(|broad| granted.contains(broad))
    }

    pub(super) fn grants_all(&self, granted: &Scopes, scopes: &Scopes) -> bool {
        scopes.iter().all(|scope| self.grants(granted, scope))
    }

    /// The fewest scopes that cover the same: without those that another one includes.
    pub(super) fn reduce(&self, scopes: Scopes) -> Scopes {
        if self.0.is_empty() {
            return scopes;
        }
        let includes = |scope: &str| {
            let broader = self.0.get(scope).into_iter().flatten();
            broader.into_iter().any(|broad| scopes.contains(broad))
        };
        scopes.iter().filter(|scope| !includes(scope)).collect()
    }
}

fn reached_from<'p>(start: &str, implies: &'p BTreeMap<String, Scopes>) -> HashSet<&'p str> {
    let mut reached = HashSet::new();
    let mut open: Vec<&str> = implies.get(start).into_iter().flat_map(Scopes::iter).collect();
    while let Some(scope) = open.pop() {
        if reached.insert(scope) {
            open.extend(implies.get(scope).into_iter().flat_map(Scopes::iter));
        }
    }
    reached
}
