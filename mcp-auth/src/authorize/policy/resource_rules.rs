//! The rules for resources, and which of them are about what a request asks for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use super::compiled::{Rule, rules_of_section};
use super::hierarchy::Hierarchy;
use super::resource_pattern::ResourcePattern;
use super::uri::{NormalUri, is_scheme};
use crate::authorize::Operation;
use crate::config::{Access, Faults, Requirement};

/// The rules for resources, ready to be found.
#[derive(Debug)]
pub(super) struct ResourceRules {
    /// Tells these rules from those of any other policy in the process: see [`FoundRules`].
    id: u64,
    rules: Vec<ResourceRule>,
    /// By their path, the rules whose path has no variables and that have no query.
    by_path: HashMap<String, usize>,
    /// All other rules. Each is compared with what is asked for.
    others: Vec<usize>,
    /// The schemes of rules that ask for something; empty for a rule that may be about any scheme.
    requiring_schemes: HashSet<String>,
}

#[derive(Debug)]
struct ResourceRule {
    pattern: ResourcePattern,
    /// The pattern without the slash at its end, if it is written with one.
    shorter: Option<ResourcePattern>,
    rule: Rule,
}

impl ResourceRule {
    fn is_open(&self) -> bool {
        self.rule.requirement.access != Access::Required
    }

    fn meets(&self, asked: &ResourcePattern) -> bool {
        self.patterns().any(|pattern| pattern.meets(asked, self.is_open()))
    }

    fn covers(&self, asked: &ResourcePattern) -> bool {
        self.patterns().any(|pattern| pattern.covers(asked, self.is_open()))
    }

    /// A server that does not look at a slash at the end reads the same resource without it: a rule that asks
    /// for something is for that too.
    fn patterns(&self) -> impl Iterator<Item = &ResourcePattern> {
        let shorter = self.shorter.iter().filter(|_| !self.is_open());
        [&self.pattern].into_iter().chain(shorter)
    }
}

/// The rules that are about one resource, or about what a template stands for.
#[derive(Debug, Default)]
pub(super) struct Found<'p> {
    /// The only one, where there is one: no memory is needed for it.
    only: Option<&'p Rule>,
    several: Vec<&'p Rule>,
    /// Rules that would be about it too, if others did not say more exactly what they are about.
    pub(super) replaced: Vec<&'p Rule>,
    /// Whether they are about all of it. A URI has no part that no rule is about, unless no rule is
    /// about it at all.
    pub(super) is_covered: bool,
}

impl<'p> Found<'p> {
    /// One rule, which is about all of it.
    pub(super) fn of_rule(rule: &'p Rule) -> Self {
        Self { only: Some(rule), is_covered: true, ..Self::default() }
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = &'p Rule> {
        self.only.into_iter().chain(self.several.iter().copied())
    }
}

/// What [`Found`] says, with indices into [`ResourceRules::rules`] in place of the rules: so it can be kept with an
/// operation, which does not borrow from a policy.
#[derive(Debug, Default)]
struct FoundPlaces {
    rules: Vec<usize>,
    replaced: Vec<usize>,
    is_covered: bool,
}

/// What was found for an operation, kept with it: a policy is asked about each operation several times, and
/// to compare a long URI with many rules takes a while.
#[derive(Debug)]
pub(in crate::authorize) struct FoundRules {
    /// The [`ResourceRules`] that these are of.
    policy: u64,
    places: Result<FoundPlaces, Ambiguous>,
}

/// A URI that can be read in two ways, where it matters which one is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ambiguous;

impl ResourceRules {
    pub(super) fn new(written: &BTreeMap<String, Requirement>, faults: &mut Faults<'_>) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let mut resources = Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            rules: Vec::new(),
            by_path: HashMap::new(),
            others: Vec::new(),
            requiring_schemes: HashSet::new(),
        };
        let mut known = HashMap::new();
        for (uri, rule) in rules_of_section("resources", written, faults) {
            let pattern = match ResourcePattern::parse(&uri) {
                Ok(pattern) => pattern,
                Err(fault) => {
                    faults.below("resources").add(&uri, fault);
                    continue;
                }
            };
            let shorter = pattern.without_last_slash().filter(|shorter| !shorter.ends_open());
            let key = shorter.clone().unwrap_or_else(|| pattern.clone());
            if let Some((other, had_slash)) =
                known.insert(key, (rule.name.clone(), shorter.is_some()))
                && (had_slash != shorter.is_some() || pattern.is_plain())
            {
                faults.below("resources").add(&uri, format!("{other} is for the same URI"));
            }
            if rule.requirement.access == Access::Required {
                resources.requiring_schemes.insert(scheme_of(&uri));
            }
            let resource = ResourceRule { pattern, shorter, rule };
            let index = resources.rules.len();
            match resource.pattern.is_plain() {
                true => {
                    let paths = resource.patterns().filter_map(ResourcePattern::plain_path);
                    resources.by_path.extend(paths.map(|path| (path, index)));
                }
                false => resources.others.push(index),
            }
            resources.rules.push(resource);
        }
        resources
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|resource| &resource.rule)
    }

    /// The rules for what the operation names.
    ///
    /// A name that can be read in two ways is about no rule. That is an error where a rule asks for
    /// something that the server may take it for (or where `needs_rule`, which is so for a whole policy).
    pub(super) fn find(
        &self,
        operation: &Operation<'_>,
        needs_rule: bool,
    ) -> Result<Found<'_>, Ambiguous> {
        if self.rules.is_empty() && !needs_rule {
            return Ok(Found::default());
        }
        let name = operation.name().unwrap_or_default();
        let is_template = operation.is_template();
        let found_before = operation.found_rules().get_or_init(|| FoundRules {
            policy: self.id,
            places: self.find_places(name, is_template, needs_rule),
        });
        if found_before.policy == self.id {
            return match &found_before.places {
                Ok(places) => Ok(self.found_at(places)),
                Err(ambiguous) => Err(*ambiguous),
            };
        }
        // Another policy of the same resource was asked first.
        Ok(self.found_at(&self.find_places(name, is_template, needs_rule)?))
    }

    fn found_at(&self, places: &FoundPlaces) -> Found<'_> {
        Found {
            only: None,
            several: self.rules_at(&places.rules),
            replaced: self.rules_at(&places.replaced),
            is_covered: places.is_covered,
        }
    }

    fn rules_at(&self, places: &[usize]) -> Vec<&Rule> {
        places.iter().map(|place| &self.rules[*place].rule).collect()
    }

    /// As [`Self::find`], without looking whether they were found before.
    fn find_places(
        &self,
        name: &str,
        is_template: bool,
        needs_rule: bool,
    ) -> Result<FoundPlaces, Ambiguous> {
        let asked = match is_template {
            true => ResourcePattern::of_template(name).ok(),
            false => NormalUri::read(name).ok().and_then(|uri| ResourcePattern::of_uri(&uri).ok()),
        };
        let Some(asked) = asked else {
            let matters = needs_rule || self.may_ask_for_something(name);
            return if matters { Err(Ambiguous) } else { Ok(FoundPlaces::default()) };
        };
        let mut found = self.rules_about(&asked);
        let without_slash = asked.without_last_slash();
        let sometimes_without_slash = asked.without_slash_before_nothing();
        // `n://a/{+p}` may be `n://a/`, but what another rule replaces for all of the template does not count for that.
        let may_end_with_slash = sometimes_without_slash.is_some();
        let set_aside = match may_end_with_slash || self.is_written_with_slash(&found) {
            true => found.replaced.clone(),
            false => Vec::new(),
        };
        for reading in asked.other_readings() {
            let others = self.rules_about(&reading);
            // A URI without the slash at its end is what was asked for as well; other readings open nothing. Of a
            // template, that may be so for a part of what it stands for.
            let is_as_good = without_slash.as_ref() == Some(&reading);
            let is_part = sometimes_without_slash.as_ref() == Some(&reading);
            found.is_covered |= is_as_good && others.is_covered;
            for place in others.rules {
                let counts = is_as_good || is_part || !self.rules[place].is_open();
                if counts && !set_aside.contains(&place) && !found.rules.contains(&place) {
                    found.rules.push(place);
                }
            }
            if is_as_good {
                found.replaced.extend(others.replaced);
            }
        }
        Ok(found)
    }

    /// Whether a rule is for just this URI, with the slash at its end: then it takes the place of others for the
    /// URI without it too.
    fn is_written_with_slash(&self, found: &FoundPlaces) -> bool {
        let mut rules = found.rules.iter().map(|place| &self.rules[*place]);
        rules.any(|resource| resource.shorter.is_some() && resource.pattern.is_plain())
    }

    /// Whether a rule asks for something that may be about this scheme.
    fn may_ask_for_something(&self, uri: &str) -> bool {
        // Some readers leave out the scheme `url`.
        let is_left_out = uri.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("url:"));
        let scheme = scheme_of(if is_left_out { &uri[4..] } else { uri });
        let is_any = scheme.is_empty() && !self.requiring_schemes.is_empty();
        is_any || self.requiring_schemes.contains("") || self.requiring_schemes.contains(&scheme)
    }

    /// The rules that are about this reading of what is asked for, and about no other reading.
    fn rules_about(&self, asked: &ResourcePattern) -> FoundPlaces {
        // A path without variables is found by hash.
        let mut candidates: Vec<usize> = match asked.plain_path() {
            Some(path) => self.by_path.get(&path).copied().into_iter().collect(),
            None => self.by_path.values().copied().collect(),
        };
        candidates.extend(&self.others);
        // Each once, and in the order in which they are written: that of hashes differs from run to run.
        candidates.sort_unstable();
        candidates.dedup();
        candidates.retain(|place| self.rules[*place].meets(asked));
        let mut covering: Vec<usize> = candidates.clone();
        covering.retain(|place| self.rules[*place].covers(asked));
        let mut found = FoundPlaces { is_covered: !covering.is_empty(), ..FoundPlaces::default() };
        covering.retain(|place| self.rules[*place].pattern.speaks_of_all(asked));
        for place in candidates {
            let pattern = &self.rules[place].pattern;
            // Of what a template stands for, with a query and without one.
            let is_replaced = covering.iter().any(|other| {
                let other_pattern = &self.rules[*other].pattern;
                let mut with_query_or_not = asked.may_have_query().iter();
                with_query_or_not.all(|has_query| other_pattern.replaces(pattern, *has_query))
            });
            match is_replaced {
                true => found.replaced.push(place),
                false => found.rules.push(place),
            }
        }
        found
    }

    /// Warns of each narrower rule that allows somebody something that the broader rule, in whose place it counts,
    /// would not allow.
    pub(super) fn warnings(&self, hierarchy: &Hierarchy) -> Vec<String> {
        let mut warnings = Vec::new();
        for broad in self.rules.iter().filter(|broad| !broad.is_open()) {
            for narrow in &self.rules {
                let has_query = narrow.pattern.has_query();
                let is_replaced = !std::ptr::eq(broad, narrow)
                    && narrow.pattern.replaces(&broad.pattern, has_query)
                    && narrow.patterns().any(|pattern| broad.meets(pattern));
                // An open rule for a part of something is written on purpose.
                let is_meant = narrow.is_open() && broad.covers(&narrow.pattern);
                let asks_for_less =
                    !narrow.rule.requirement.asks_for_all_of(&broad.rule.requirement, hierarchy);
                if is_replaced && !is_meant && asks_for_less {
                    warnings.push(format!(
                        "{} takes the place of {} where both match, and does not ask for all that it asks for",
                        narrow.rule.name, broad.rule.name
                    ));
                }
            }
        }
        warnings
    }
}

/// The scheme of a URI or pattern in lower case (RFC 3986 §3.1), as a reader finds it that drops white
/// space and control characters; empty when there is none, or when variables are in it.
fn scheme_of(uri: &str) -> String {
    let Some((before_colon, _)) = uri.split_once(':') else { return String::new() };
    let mut scheme: String = before_colon
        .chars()
        .filter(|character| !character.is_whitespace() && !character.is_control())
        .collect();
    scheme.make_ascii_lowercase();
    if is_scheme(&scheme) { scheme } else { String::new() }
}
