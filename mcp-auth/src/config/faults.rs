//! The collector of everything that is wrong with a configuration.

use super::ConfigFault;

/// Collects faults for one part of a configuration: code that checks the part names fields of it, and need not know
/// where the part is in the whole.
///
/// Collectors for all parts, which [`Faults::below`] makes, add to one list, in the order in which faults are
/// found.
pub(crate) struct Faults<'f> {
    /// Where the part is; empty for the whole configuration.
    path: String,
    found: &'f mut Vec<ConfigFault>,
}

impl<'f> Faults<'f> {
    /// A collector for a whole configuration.
    pub(crate) fn of_all(found: &'f mut Vec<ConfigFault>) -> Self {
        Self { path: String::new(), found }
    }

    /// A collector for what is in this field of the part.
    pub(crate) fn below(&mut self, field: &str) -> Faults<'_> {
        Faults { path: joined_path(&self.path, field), found: self.found }
    }

    /// A collector for one item of this list, such as `resources[0]`.
    pub(crate) fn below_item(&mut self, list: &str, index: usize) -> Faults<'_> {
        self.below(&format!("{list}[{index}]"))
    }

    /// A collector for one item of the part, which is a list.
    pub(crate) fn at_item(&mut self, index: usize) -> Faults<'_> {
        Faults { path: format!("{}[{index}]", self.path), found: self.found }
    }

    /// Where the part is; empty for the whole configuration.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Adds a fault of this field.
    pub(crate) fn add(&mut self, field: &str, reason: impl Into<String>) {
        self.found.push(ConfigFault::new(joined_path(&self.path, field), reason));
    }

    /// Adds a fault of the part itself.
    pub(crate) fn add_here(&mut self, reason: impl Into<String>) {
        self.found.push(ConfigFault::new(&*self.path, reason));
    }

    /// Adds faults that somebody found who does not know where the part is.
    pub(crate) fn add_all(&mut self, faults: Vec<ConfigFault>) {
        for fault in faults {
            if fault.path.is_empty() {
                self.add_here(fault.reason);
            } else {
                self.add(&fault.path, fault.reason);
            }
        }
    }

    /// How many there are so far, in all parts: a check compares it before and after.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }
}

/// The path of a field below another one.
fn joined_path(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_adds_to_one_list_with_the_whole_path() {
        let mut found = Vec::new();
        let mut faults = Faults::of_all(&mut found);
        faults.add("clock_tolerance", "too long");
        let mut resource = faults.below_item("resources", 1);
        resource.add("audiences", "empty");
        let mut policy = resource.below("policy");
        policy.add_here("cannot be read");
        policy
            .add_all(vec![ConfigFault::new("tools.a: b", "no scope"), ConfigFault::new("", "odd")]);
        assert_eq!(faults.count(), 5);
        let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
        let expected = [
            "clock_tolerance: too long",
            "resources[1].audiences: empty",
            "resources[1].policy: cannot be read",
            "resources[1].policy.tools.a: b: no scope",
            "resources[1].policy: odd",
        ];
        assert_eq!(texts, expected);
        assert_eq!(found[3].path, "resources[1].policy.tools.a: b");
    }
}
