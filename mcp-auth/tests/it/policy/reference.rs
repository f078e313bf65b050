//! The meaning of a policy, written a second time from `docs/policies.md` alone, as plainly as the page
//! says it. It knows callers whose tokens are good, and messages and URIs that can be read in one way only.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// A caller with a good token.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) scopes: Vec<&'static str>,
    pub(super) roles: Vec<&'static str>,
    pub(super) client: Option<&'static str>,
    /// `user`, `client`, or neither.
    pub(super) kind: Option<&'static str>,
}

/// What an operation, or a part of it, asks of its caller.
#[derive(Debug, Default)]
struct Need {
    is_open: bool,
    is_forbidden: bool,
    scopes_are_missing: bool,
}

impl Need {
    fn open() -> Self {
        Self { is_open: true, ..Self::default() }
    }

    fn and(self, other: Self) -> Self {
        Self {
            is_open: self.is_open && other.is_open,
            is_forbidden: self.is_forbidden || other.is_forbidden,
            scopes_are_missing: self.scopes_are_missing || other.scopes_are_missing,
        }
    }
}

/// What a message names.
enum Named<'m> {
    Tool(&'m str),
    Prompt(&'m str),
    Resource(&'m str),
    Nothing,
}

impl<'m> Named<'m> {
    /// `None`: what the method needs is not there.
    fn by(message: &'m Value) -> Option<Self> {
        let params = &message["params"];
        Some(match message["method"].as_str()? {
            "tools/call" => Self::Tool(params["name"].as_str()?),
            "prompts/get" => Self::Prompt(params["name"].as_str()?),
            "resources/read"
            | "resources/subscribe"
            | "resources/unsubscribe"
            | "resources/directory/read" => Self::Resource(params["uri"].as_str()?),
            "completion/complete" => match params["ref"]["type"].as_str()? {
                "ref/prompt" => Self::Prompt(params["ref"]["name"].as_str()?),
                "ref/resource" => Self::Resource(params["ref"]["uri"].as_str()?),
                _ => return None,
            },
            _ => Self::Nothing,
        })
    }
}

/// What needs no rule under `deny_undeclared`.
const NEED_NO_RULE: [&str; 13] = [
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "subscriptions/listen",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
];

/// A policy as data, and a caller; `None`: nobody.
pub(super) struct Reference<'p> {
    pub(super) policy: &'p Value,
    pub(super) caller: Option<&'p Caller>,
}

impl Reference<'_> {
    /// The code of the decision about one message; `unreadable` for a 400.
    pub(super) fn code(&self, message: &Value) -> &'static str {
        match self.need(message) {
            // Where nothing is open, nobody's body is not read.
            _ if self.caller.is_none() && !self.has_open_rule() => "missing_token",
            None => "unreadable",
            Some(need) if need.is_open => "ok",
            Some(_) if self.caller.is_none() => "missing_token",
            Some(need) if need.is_forbidden => "policy_denied",
            Some(need) if need.scopes_are_missing => "insufficient_scope",
            Some(_) => "ok",
        }
    }

    /// Whether a list shows what this message calls.
    pub(super) fn lists(&self, message: &Value) -> bool {
        // Scopes that depend on arguments are not known in a list and do not count.
        let mut policy = self.policy.clone();
        for section in ["tools", "prompts", "methods"] {
            for rule in policy[section].as_object_mut().into_iter().flat_map(Map::values_mut) {
                rule.as_object_mut().unwrap().remove("when");
            }
        }
        let is_strict = policy["strict_lists"] == true;
        // Nobody sees what scopes alone could unlock: for somebody who has them, and nothing else.
        let scopes_alone =
            Caller { scopes: vec!["a", "b", "c"], roles: Vec::new(), client: None, kind: None };
        let code_for = |caller| Reference { policy: &policy, caller }.code(message);
        match code_for(self.caller) {
            "ok" => true,
            "insufficient_scope" => !is_strict,
            "missing_token" => !is_strict && code_for(Some(&scopes_alone)) == "ok",
            _ => false,
        }
    }

    /// The rules that apply to a message, sorted; `deny_undeclared` where one is needed and there is none.
    /// `None` for a 400. It does not know of rules for the `uri` of a method that names nothing.
    pub(super) fn rules(&self, message: &Value) -> Option<Vec<String>> {
        let method = message["method"].as_str()?;
        let named = Named::by(message)?;
        let names_nothing = matches!(named, Named::Nothing);
        let of_method = self.policy["methods"].get(method).map(|_| format!("methods.{method}"));
        let mut rules: Vec<_> =
            self.named_rules(&named).into_iter().map(|(name, _)| name).collect();
        let is_declared = match names_nothing {
            true => of_method.is_some() || NEED_NO_RULE.contains(&method),
            false => !rules.is_empty(),
        };
        if self.denies_undeclared() && !is_declared {
            return Some(vec!["deny_undeclared".to_owned()]);
        }
        rules.extend(of_method);
        rules.sort();
        Some(rules)
    }

    fn need(&self, message: &Value) -> Option<Need> {
        let method = message["method"].as_str()?;
        let params = &message["params"];
        let named = Named::by(message)?;
        let rule = self.policy["methods"].get(method);
        let completes = method == "completion/complete";
        let none = Map::new();
        let given = match completes {
            true => params["context"]["arguments"].as_object(),
            false => params["arguments"].as_object(),
        };
        // What is chosen for an argument of a prompt is a text.
        if completes && given.is_some_and(|given| !given.values().all(Value::is_string)) {
            return None;
        }
        let arguments = (given.unwrap_or(&none), completes);
        if matches!(named, Named::Nothing) {
            return Some(self.other_method(method, rule, params, arguments));
        }
        let named: Vec<_> = self.named_rules(&named).into_iter().map(|(_, rule)| rule).collect();
        Some(self.operation(rule, &named, true, arguments))
    }

    /// The rules of what is named, with where they are written.
    fn named_rules(&self, named: &Named<'_>) -> Vec<(String, &Value)> {
        let by_name = |section: &str, name: &str| {
            let rule = self.policy[section].get(name);
            rule.map(|rule| (format!("{section}.{name}"), rule)).into_iter().collect()
        };
        match named {
            Named::Tool(name) => by_name("tools", name),
            Named::Prompt(name) => by_name("prompts", name),
            Named::Resource(uri) => {
                // A slash at the end: the rules for the URI without it count as well.
                let mut all = self.resource_rules(uri);
                if let Some(shorter) = uri.strip_suffix('/') {
                    all.extend(self.resource_rules(shorter));
                }
                // One that is about both is one rule.
                let all: BTreeMap<_, _> = all.into_iter().collect();
                let place = |(pattern, rule)| (format!("resources.{pattern}"), rule);
                all.into_iter().map(place).collect()
            }
            Named::Nothing => Vec::new(),
        }
    }

    /// A method that names nothing that has a rule.
    fn other_method(
        &self,
        method: &str,
        rule: Option<&Value>,
        params: &Value,
        arguments: (&Map<String, Value>, bool),
    ) -> Need {
        let needed_to_connect = [
            "initialize",
            "notifications/initialized",
            "ping",
            "server/discover",
            "tools/list",
            "prompts/list",
            "resources/list",
            "resources/templates/list",
        ];
        let mut need =
            if rule.is_none() && needed_to_connect.contains(&method) && self.has_open_rule() {
                Need::open()
            } else {
                let mut need = self.operation(rule, &[], false, arguments);
                if rule.is_none() && self.denies_undeclared() && !NEED_NO_RULE.contains(&method) {
                    need.is_forbidden = true;
                }
                need
            };
        if NEED_NO_RULE.contains(&method) || method.starts_with("tasks/") {
            return need;
        }
        if let Some(uri) = params["uri"].as_str() {
            let all = self.named_rules(&Named::Resource(uri)).into_iter().map(|(_, rule)| rule);
            let all: Vec<_> = all.filter(|rule| !is_open(rule)).collect();
            if !all.is_empty() {
                need = need.and(self.operation(None, &all, false, arguments));
            }
        }
        need
    }

    /// The baseline, the rule of the method and the rules of what is named.
    fn operation(
        &self,
        method: Option<&Value>,
        named: &[&Value],
        needs_a_name: bool,
        arguments: (&Map<String, Value>, bool),
    ) -> Need {
        let lifts = match named {
            [] => method.is_some_and(is_open) && !(needs_a_name && self.denies_undeclared()),
            named => named.iter().all(|rule| is_open(rule)),
        };
        let asking: Vec<_> =
            method.into_iter().chain(named.iter().copied()).filter(|rule| !is_open(rule)).collect();
        let mut need = Need { is_open: lifts && asking.is_empty(), ..Need::default() };
        need.is_forbidden = needs_a_name && named.is_empty() && self.denies_undeclared();
        let Some(caller) = self.caller else { return need };
        let granted = self.granted(caller);
        let lacks = |scopes: &Value| !scopes_of(scopes).is_subset(&granted);
        let mut who = asking.clone();
        if !lifts {
            need.scopes_are_missing |= lacks(&self.policy["require"]);
            who.push(self.policy);
        }
        for rule in &asking {
            need.scopes_are_missing |= lacks(&rule["all_of"]);
            for condition in rule["when"].as_array().into_iter().flatten() {
                need.scopes_are_missing |=
                    applies(condition, arguments) && lacks(&condition["scopes"]);
            }
            if let Some(sets) = rule["any_of"].as_array() {
                need.scopes_are_missing |= sets.iter().all(lacks);
            }
        }
        for rule in who {
            let among = |list: &str, has: &[&str]| match rule[list].as_array() {
                Some(list) => list.iter().any(|one| has.iter().any(|have| one == have)),
                None => true,
            };
            let client: Vec<_> = caller.client.into_iter().collect();
            let kind = rule["caller"].as_str();
            need.is_forbidden |= !among("roles", &caller.roles)
                || !among("allowed_clients", &client)
                || (kind.is_some() && kind != caller.kind);
        }
        need
    }

    /// The rules that are about this URI, without those in whose place another one counts.
    fn resource_rules(&self, uri: &str) -> Vec<(&String, &Value)> {
        let rules = self.policy["resources"].as_object().into_iter().flatten();
        let matching: Vec<_> = rules
            .filter(|(pattern, rule)| is_about(pattern, is_open(rule), uri))
            .map(|one| (Rank::of(one.0), one))
            .collect();
        let replaces = |one: &Rank, other: &Rank| {
            let says_more = (one.fixed, one.is_exact) > (other.fixed, other.is_exact);
            match (one.has_query, other.has_query) {
                (false, true) => false,
                (true, false) => {
                    says_more || one.fixed == other.fixed && one.is_exact == other.is_exact
                }
                _ => says_more,
            }
        };
        let counts = |rank: &Rank| !matching.iter().any(|(other, _)| replaces(other, rank));
        matching.iter().filter(|(rank, _)| counts(rank)).map(|(_, one)| *one).collect()
    }

    /// The scopes of the caller and what they include, over several steps.
    fn granted<'s>(&'s self, caller: &'s Caller) -> BTreeSet<&'s str> {
        let mut granted: BTreeSet<&str> = caller.scopes.iter().copied().collect();
        loop {
            let before = granted.len();
            for (broad, narrow) in self.policy["implies"].as_object().into_iter().flatten() {
                if granted.contains(&**broad) {
                    granted.extend(scopes_of(narrow));
                }
            }
            if granted.len() == before {
                return granted;
            }
        }
    }

    fn denies_undeclared(&self) -> bool {
        self.policy["deny_undeclared"] == true
    }

    fn has_open_rule(&self) -> bool {
        let kinds = ["tools", "prompts", "resources", "methods"];
        let rules = kinds.iter().filter_map(|kind| self.policy[*kind].as_object());
        rules.flat_map(Map::values).any(is_open)
    }
}

/// How exactly a pattern says what it is about.
struct Rank {
    fixed: usize,
    is_exact: bool,
    has_query: bool,
}

impl Rank {
    fn of(pattern: &str) -> Self {
        let (path, query) = split_query(pattern);
        let mut fixed = 0;
        let mut is_inside = false;
        for character in path.chars() {
            match character {
                '{' => is_inside = true,
                '}' => is_inside = false,
                '*' => {}
                _ if is_inside => {}
                _ => fixed += 1,
            }
        }
        Self { fixed, is_exact: !path.contains(['{', '*']), has_query: query.is_some() }
    }
}

fn is_open(rule: &Value) -> bool {
    rule["access"] == "public" || rule["access"] == "optional"
}

fn scopes_of(scopes: &Value) -> BTreeSet<&str> {
    let texts = scopes.as_array().map_or(std::slice::from_ref(scopes), Vec::as_slice);
    texts.iter().filter_map(Value::as_str).flat_map(str::split_whitespace).collect()
}

/// Whether a condition on arguments applies; of a completion's arguments nothing fulfils an `unless`.
fn applies(condition: &Value, (arguments, completes): (&Map<String, Value>, bool)) -> bool {
    let argument = arguments.get(condition["argument"].as_str().unwrap());
    if let Some(allowed) = condition.get("unless") {
        return completes || argument != Some(allowed);
    }
    let Some(argument) = argument else { return false };
    match (condition.get("equals"), condition["starts_with"].as_str()) {
        (Some(value), _) => argument == value,
        (None, Some(start)) => argument.as_str().is_some_and(|text| text.starts_with(start)),
        (None, None) => true,
    }
}

fn split_query(uri: &str) -> (&str, Option<&str>) {
    match uri.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (uri, None),
    }
}

/// Whether a rule for this pattern is about this URI. A query of a pattern has one parameter, written
/// `name={x}`.
fn is_about(pattern: &str, is_open: bool, uri: &str) -> bool {
    let (wanted_path, wanted_query) = split_query(pattern);
    let (path, query) = split_query(uri);
    if let Some(wanted) = wanted_query {
        let name = wanted.split('=').next().unwrap();
        let mut parameters = query.into_iter().flat_map(|query| query.split('&'));
        let has = |parameter: &str| parameter.split('=').next() == Some(name);
        let fits = match is_open {
            true => parameters.clone().count() == 1 && parameters.all(has),
            false => parameters.any(has),
        };
        return fits && fits_path(wanted_path, path);
    }
    fits_path(wanted_path, path)
}

fn fits_path(pattern: &str, path: &str) -> bool {
    if let Some(prefix) = pattern.strip_suffix('*') {
        return path.starts_with(prefix);
    }
    let Some((before, rest)) = pattern.split_once('{') else { return pattern == path };
    let (name, after) = rest.split_once('}').unwrap();
    let Some(rest) = path.strip_prefix(before) else { return false };
    let anything = name.starts_with('+');
    let ends = rest.char_indices().map(|(end, _)| end).chain([rest.len()]);
    ends.into_iter().any(|end| {
        let (value, left) = rest.split_at(end);
        (anything || !value.is_empty() && !value.contains('/')) && fits_path(after, left)
    })
}
