//! Scopes that include other scopes.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::config::Faults;
use crate::scope::Scopes;

/// Which scopes include which others, as `implies` of a policy says, over any number of steps.
#[derive(Debug, Default)]
pub(super) struct Hierarchy {
    /// By each scope that is included in another one: all scopes that include it.
    broader: HashMap<String, Vec<String>>,
}

impl Hierarchy {
    /// Follows every inclusion to its end; a cycle is a fault.
    pub(super) fn new(implies: &BTreeMap<String, Scopes>, faults: &mut Faults<'_>) -> Self {
        let mut broader: HashMap<String, Vec<String>> = HashMap::new();
        for broad in implies.keys() {
            let reached = reached_from(broad, implies);
            if reached.contains(broad.as_str()) {
                faults.add("implies", format!("{broad:?} includes itself in the end"));
            }
            for narrow in reached {
                broader.entry(narrow.to_owned()).or_default().push(broad.clone());
            }
        }
        Self { broader }
    }

    /// Whether the granted scopes have this one, or one that includes it.
    pub(super) fn grants(&self, granted: &Scopes, scope: &str) -> bool {
        granted.contains(scope) || self.has_broader(granted, scope)
    }

    /// Whether some of these scopes includes this one.
    fn has_broader(&self, scopes: &Scopes, scope: &str) -> bool {
        match self.broader.get(scope) {
            Some(broader) => broader.iter().any(|broad| scopes.contains(broad)),
            None => false,
        }
    }

    /// Whether the granted scopes have each of these, or one that includes it.
    pub(super) fn grants_all(&self, granted: &Scopes, scopes: &Scopes) -> bool {
        scopes.iter().all(|scope| self.grants(granted, scope))
    }

    /// The fewest scopes that cover the same: without those that another one includes.
    pub(super) fn reduce(&self, scopes: Scopes) -> Scopes {
        if self.broader.is_empty() {
            return scopes;
        }
        scopes.iter().filter(|scope| !self.has_broader(&scopes, scope)).collect()
    }
}

/// All scopes that this one includes, over any number of steps.
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
