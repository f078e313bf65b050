//! Which rules for resources count.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::is_open;
use super::pattern::Pattern;
use super::uri::{Parameters, Uri, stands_for};

/// What the rules say about a thing that is named.
#[derive(Default)]
pub(super) struct Named<'p> {
    /// Those that count, by where they are written.
    pub(super) rules: BTreeMap<String, &'p Value>,
    /// All of it has a rule.
    pub(super) is_declared: bool,
    /// Open rules are about all of it.
    pub(super) is_open: bool,
    /// It can be read in two ways, and something would be asked.
    pub(super) is_forbidden: bool,
}

struct ResourceRule<'p> {
    /// Where it is written.
    place: String,
    pattern: Pattern,
    rule: &'p Value,
}

impl<'p> ResourceRule<'p> {
    fn all(policy: &'p Value) -> Vec<Self> {
        let rules = policy["resources"].as_object().into_iter().flatten();
        let read = |(pattern, rule): (&String, _)| Self {
            place: format!("resources.{pattern}"),
            pattern: Pattern::read(pattern, is_open(rule)),
            rule,
        };
        rules.map(read).collect()
    }

    /// Whether it is about this URI, or about it without the slash at its end.
    fn is_about(&self, uri: &Uri) -> bool {
        self.pattern.is_about(uri)
            || uri.without_slash().is_some_and(|uri| self.pattern.is_about(&uri))
    }

    /// The same, where a rule that asks for something looks at every reading.
    fn could_be_about(&self, uri: &Uri) -> bool {
        let is_about = |uri: &Uri| self.pattern.is_about(uri);
        self.is_about(uri) || !self.pattern.is_open && uri.careless_readings().iter().any(is_about)
    }

    /// Whether it is about this URI of a template; or about another reading of it, where none of the others takes its
    /// place.
    fn could_count(&self, uri: &Uri, others: &[&Self]) -> bool {
        let counts = |reading: &Uri| {
            let is_replaced = others.iter().any(|other| other.takes_the_place_of(self, reading));
            self.pattern.is_about(reading) && !is_replaced
        };
        self.pattern.is_about(uri)
            || uri.without_slash().is_some_and(|shorter| counts(&shorter))
            || !self.pattern.is_open && uri.careless_readings().iter().any(counts)
    }

    /// Whether it is about this URI, and none of the others takes its place.
    fn counts(&self, uri: &Uri, others: &[Self]) -> bool {
        let is_replaced =
            |uri: &Uri| others.iter().any(|other| other.takes_the_place_of(self, uri));
        let counts = |uri: &Uri| self.pattern.is_about(uri) && !is_replaced(uri);
        // A rule for just this URI, with its slash, takes the place of others without the slash too.
        let is_named = |other: &Self| {
            let takes_its_place = |third: &Self| third.takes_the_place_of(other, uri);
            other.pattern.is_written_with_slash()
                && other.pattern.is_about(uri)
                && !others.iter().any(takes_its_place)
        };
        if self.pattern.is_about(uri) && is_replaced(uri) && others.iter().any(is_named) {
            return false;
        }
        counts(uri)
            || uri.without_slash().is_some_and(|uri| counts(&uri))
            || !self.pattern.is_open && uri.careless_readings().iter().any(counts)
    }

    fn takes_the_place_of(&self, other: &Self, uri: &Uri) -> bool {
        self.pattern.is_about(uri) && self.pattern.replaces(&other.pattern, uri)
    }
}

/// The rules of a URI, or of everything that a template stands for.
pub(super) fn rules_of<'p>(policy: &'p Value, text: &str, is_template: bool) -> Named<'p> {
    let all = ResourceRule::all(policy);
    let Some(uris) = stands_for(text, is_template, Parameters::Any) else {
        let asks = |one: &ResourceRule<'_>| !one.pattern.is_open && one.pattern.has_scheme_of(text);
        let is_forbidden = all.iter().any(asks) || policy["deny_undeclared"] == true;
        return Named { is_forbidden, ..Named::default() };
    };
    let uris: Vec<_> = uris.iter().map(|uri| Uri::read(uri)).collect();
    let named_uris = stands_for(text, is_template, Parameters::Named).unwrap();
    let named_uris: Vec<_> = named_uris.iter().map(|uri| Uri::read(uri)).collect();
    let ends_with_slash = |uri: &&Uri| uri.path.ends_with('/');
    let decisive_uris: Vec<_> = match named_uris.iter().all(|uri| ends_with_slash(&uri)) {
        true => named_uris.iter().collect(),
        false => named_uris.iter().filter(|uri| !ends_with_slash(uri)).collect(),
    };
    let uris_for = |one: &ResourceRule<'_>| if one.pattern.is_open { &named_uris } else { &uris };
    // Where the template itself ends with a slash, what is read without it is a template too, and only a rule about all
    // of that takes the place of others.
    let without_slash: Vec<_> = uris.iter().filter_map(Uri::without_slash).collect();
    let can_replace = |one: &&ResourceRule<'_>| {
        !text.ends_with('/') || without_slash.iter().all(|uri| one.pattern.is_about(uri))
    };
    let replacing: Vec<_> = all.iter().filter(can_replace).collect();
    let is_about_all = |one: &ResourceRule<'_>| uris_for(one).iter().all(|uri| one.is_about(uri));
    let counts = |one: &&ResourceRule<'_>| match &*uris {
        [uri] => one.counts(uri, &all),
        uris => {
            // Another one counts in its place for all of them. Here parameters are those that are named, and what ends
            // with a slash because a variable stands for nothing is not looked at.
            let is_replaced = all.iter().any(|other| {
                let counts = |uri: &&Uri| one.counts(uri, std::slice::from_ref(other));
                named_uris.iter().all(|uri| other.is_about(uri))
                    && decisive_uris.iter().any(|uri| one.could_be_about(uri))
                    && !decisive_uris.iter().any(counts)
            });
            !is_replaced && uris.iter().any(|uri| one.could_count(uri, &replacing))
        }
    };
    let rules: Vec<_> = all.iter().filter(counts).collect();
    let is_opened = |uri: &Uri| all.iter().any(|one| one.pattern.is_open && one.is_about(uri));
    Named {
        is_declared: all.iter().any(is_about_all),
        is_open: named_uris.iter().all(is_opened) && rules.iter().all(|one| one.pattern.is_open),
        rules: rules.iter().map(|one| (one.place.clone(), one.rule)).collect(),
        is_forbidden: false,
    }
}

/// The open rules that are about a careless reading of something that this stands for.
pub(super) fn open_carelessly(policy: &Value, text: &str, is_template: bool) -> BTreeSet<String> {
    let uris = stands_for(text, is_template, Parameters::Any).unwrap_or_default();
    let readings: Vec<_> = uris.iter().flat_map(|uri| Uri::read(uri).careless_readings()).collect();
    let mut open = ResourceRule::all(policy);
    open.retain(|one| one.pattern.is_open && readings.iter().any(|uri| one.pattern.is_about(uri)));
    open.into_iter().map(|one| one.place).collect()
}

/// The pairs of rules of which a warning tells: the narrower, and the broader one that it replaces. Whether
/// the narrower one asks for less is for the caller to say.
pub(super) fn warned(
    policy: &Value,
    asks_for_less: impl Fn(&Value, &Value) -> bool,
) -> BTreeSet<(String, String)> {
    let all = ResourceRule::all(policy);
    let with_uris: Vec<_> = all.iter().map(|rule| (rule, uris_of(rule))).collect();
    let mut pairs = BTreeSet::new();
    for (narrow, uris) in &with_uris {
        for (broad, broad_uris) in &with_uris {
            let replaces = |uri| {
                let is_about = broad.pattern.is_about(uri);
                is_about && narrow.takes_the_place_of(broad, uri)
            };
            let lies_within = uris.iter().all(|uri| broad.pattern.is_about(uri));
            let overlap = uris.iter().chain(broad_uris).any(replaces);
            let is_meant = narrow.pattern.is_open && lies_within;
            if overlap && !is_meant && asks_for_less(narrow.rule, broad.rule) {
                pairs.insert((narrow.place.clone(), broad.place.clone()));
            }
        }
    }
    pairs
}

/// What a rule is about; of an endless number those that tell the generated patterns apart.
fn uris_of(rule: &ResourceRule<'_>) -> Vec<Uri> {
    let pattern = rule.place.strip_prefix("resources.").unwrap();
    let template = match pattern.strip_suffix('*') {
        Some(prefix) => format!("{prefix}{{+rest}}"),
        None => pattern.to_owned(),
    };
    let uris = stands_for(&template, true, Parameters::Named).unwrap();
    uris.iter().map(|uri| Uri::read(uri)).collect()
}
