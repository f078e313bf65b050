//! The meaning of a policy, written a second time from `docs/policies.md` alone, as plainly as the page
//! says it. It knows callers whose tokens are good, and the kinds of messages, URIs and rules that are generated.

mod completed;
mod message;
mod pattern;
mod resources;
mod uri;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use self::message::What;
use self::resources::{Named, open_carelessly, rules_of, warned};
use self::uri::{Parameters, stands_for};

/// A caller with a good token.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
    pub(super) scopes: Vec<&'static str>,
    pub(super) roles: Vec<&'static str>,
    pub(super) groups: Vec<&'static str>,
    pub(super) permissions: Vec<&'static str>,
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
        let policy = self.policy_of_lists();
        Reference { policy: &policy, caller: self.caller }.shows(message)
    }

    /// Whether a list shows this template: something that it stands for could be read.
    pub(super) fn lists_template(&self, template: &str) -> bool {
        let policy = self.policy_of_lists();
        let reference = Reference { policy: &policy, caller: self.caller };
        // What can be read in two ways is listed like a URI that can.
        let uris = stands_for(template, true, Parameters::Any)
            .unwrap_or_else(|| vec![format!("{template}#")]);
        let read = |uri| json!({ "method": "resources/read", "params": { "uri": uri } });
        uris.iter().any(|uri| reference.shows(&read(uri)))
    }

    /// Scopes that depend on arguments are not known in a list and do not count.
    fn policy_of_lists(&self) -> Value {
        let mut policy = self.policy.clone();
        for section in ["tools", "prompts", "methods"] {
            for rule in policy[section].as_object_mut().into_iter().flat_map(Map::values_mut) {
                rule.as_object_mut().unwrap().remove("when");
            }
        }
        policy
    }

    fn shows(&self, message: &Value) -> bool {
        let is_strict = self.policy["strict_lists"] == true;
        // Nobody sees what scopes alone could unlock: for somebody who has them, and nothing else.
        let scopes_alone = Caller { scopes: vec!["a", "b", "c"], ..Caller::default() };
        let somebody = Reference { policy: self.policy, caller: Some(&scopes_alone) };
        match self.code(message) {
            "ok" => true,
            "insufficient_scope" => !is_strict,
            "missing_token" => !is_strict && somebody.code(message) == "ok",
            _ => false,
        }
    }

    /// The rules that apply to a message, sorted; `deny_undeclared` where one is needed and there is none.
    /// None of what can be read in two ways. `None` for a 400. It does not know of rules for the `uri` of a method that names nothing.
    pub(super) fn rules(&self, message: &Value) -> Option<Vec<String>> {
        let method = message["method"].as_str()?;
        let all: Vec<_> = What::all(message)?.iter().map(|what| self.named(what)).collect();
        if all.iter().any(|named| named.is_forbidden) {
            return Some(Vec::new());
        }
        let of_method = self.policy["methods"].get(method).map(|_| format!("methods.{method}"));
        let is_declared = match all.is_empty() {
            true => of_method.is_some() || NEED_NO_RULE.contains(&method),
            false => all.iter().all(|named| named.is_declared),
        };
        if self.denies_undeclared() && !is_declared {
            return Some(vec!["deny_undeclared".to_owned()]);
        }
        let named = all.into_iter().flat_map(|named| named.rules.into_keys());
        let rules: BTreeSet<_> = named.chain(of_method).collect();
        Some(rules.into_iter().collect())
    }

    /// The rules of what a message names, and of the `uri` of any other method.
    pub(super) fn named_rules(&self, message: &Value) -> BTreeSet<String> {
        let uri = message["params"]["uri"].as_str().map(What::Uri);
        let all = What::all(message).into_iter().flatten().chain(uri);
        all.flat_map(|what| self.named(&what).rules.into_keys()).collect()
    }

    /// The open rules that are about what a careless server could read in place of what the message names. There they
    /// open nothing, and take the place of rules that would ask for something.
    pub(super) fn open_for_a_reading(&self, message: &Value) -> BTreeSet<String> {
        let uri = message["params"]["uri"].as_str().map(What::Uri);
        let all = What::all(message).into_iter().flatten().chain(uri);
        let of_each = all.map(|what| match what {
            What::Uri(uri) => open_carelessly(self.policy, uri, false),
            What::Template(template) => open_carelessly(self.policy, &template, true),
            What::Tool(_) | What::Prompt(_) => BTreeSet::new(),
        });
        of_each.flatten().collect()
    }

    /// Whether rules declare all that a message names.
    pub(super) fn declares_all(&self, message: &Value) -> bool {
        let all = What::all(message).into_iter().flatten();
        all.map(|what| self.named(&what)).all(|named| named.is_declared)
    }

    fn need(&self, message: &Value) -> Option<Need> {
        let method = message["method"].as_str()?;
        let params = &message["params"];
        let all = What::all(message)?;
        let rule = self.policy["methods"].get(method);
        let completes = method == "completion/complete";
        let nothing = Map::new();
        let given = match completes {
            true => params["context"]["arguments"].as_object(),
            false => params["arguments"].as_object(),
        };
        let given = given.unwrap_or(&nothing);
        let mut with_begun = given.clone();
        let begun = &params["argument"];
        if completes && begun["value"] != "" {
            with_begun.insert(begun["name"].as_str()?.to_owned(), begun["value"].clone());
        }
        let mut needs = Vec::new();
        for arguments in [(given, completes), (&with_begun, completes)] {
            let named =
                all.iter().map(|what| self.operation(rule, Some(self.named(what)), arguments));
            needs.extend(named);
            if all.is_empty() || method == "subscriptions/listen" {
                needs.push(self.other_method(method, rule, params, arguments));
            }
        }
        needs.into_iter().reduce(Need::and)
    }

    /// The rules of what is named.
    fn named(&self, what: &What<'_>) -> Named<'_> {
        match what {
            What::Tool(name) => self.by_name("tools", name),
            What::Prompt(name) => self.by_name("prompts", name),
            What::Uri(uri) => rules_of(self.policy, uri, false),
            What::Template(template) => rules_of(self.policy, template, true),
        }
    }

    fn by_name(&self, section: &str, name: &str) -> Named<'_> {
        let Some(rule) = self.policy[section].get(name) else { return Named::default() };
        Named {
            rules: BTreeMap::from([(format!("{section}.{name}"), rule)]),
            is_declared: true,
            is_open: is_open(rule),
            is_forbidden: false,
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
                let mut need = self.operation(rule, None, arguments);
                if rule.is_none() && self.denies_undeclared() && !NEED_NO_RULE.contains(&method) {
                    need.is_forbidden = true;
                }
                need
            };
        if let (false, Some(uri)) = (method.starts_with("tasks/"), params["uri"].as_str()) {
            let mut named = self.named(&What::Uri(uri));
            named.rules.retain(|_, rule| !is_open(rule));
            if named.is_forbidden || !named.rules.is_empty() {
                named.is_open = false;
                named.is_declared = true;
                need = need.and(self.operation(None, Some(named), arguments));
            }
        }
        need
    }

    /// The baseline, the rule of the method and the rules of what is named.
    fn operation(
        &self,
        method: Option<&Value>,
        named: Option<Named<'_>>,
        arguments: (&Map<String, Value>, bool),
    ) -> Need {
        let needs_a_rule = named.is_some() && self.denies_undeclared();
        let named = named.unwrap_or_default();
        let is_forbidden = named.is_forbidden || needs_a_rule && !named.is_declared;
        let rules: Vec<_> = named.rules.into_values().collect();
        let lifts =
            named.is_open || method.is_some_and(is_open) && rules.iter().all(|rule| is_open(rule));
        let asking: Vec<_> =
            method.into_iter().chain(rules).filter(|rule| !is_open(rule)).collect();
        let is_open = lifts && asking.is_empty() && !is_forbidden;
        let mut need = Need { is_open, is_forbidden, scopes_are_missing: false };
        let Some(caller) = self.caller else { return need };
        // The baseline is a rule like another: its scopes are in `require`.
        let baseline = (!lifts).then_some(self.policy);
        for rule in asking.into_iter().chain(baseline) {
            need = need.and(self.refusal(caller, rule, arguments));
        }
        need
    }

    /// What one rule refuses this caller for.
    fn refusal(
        &self,
        caller: &Caller,
        rule: &Value,
        arguments: (&Map<String, Value>, bool),
    ) -> Need {
        let granted = self.granted(caller);
        let lacks = |scopes: &Value| !scopes_of(scopes).is_subset(&granted);
        let mut scopes_are_missing = lacks(&rule["all_of"]) || lacks(&rule["require"]);
        for condition in rule["when"].as_array().into_iter().flatten() {
            scopes_are_missing |= applies(condition, arguments) && lacks(&condition["scopes"]);
        }
        if let Some(sets) = rule["any_of"].as_array() {
            scopes_are_missing |= sets.iter().all(lacks);
        }
        let among = |list: &str, has: &[&str]| match rule[list].as_array() {
            Some(list) => list.iter().any(|one| has.iter().any(|have| one == have)),
            None => true,
        };
        let client: Vec<_> = caller.client.into_iter().collect();
        let kind = rule["caller"].as_str();
        let permissions = scopes_of(&rule["permissions"]);
        let is_forbidden = !among("roles", &caller.roles)
            || !among("groups", &caller.groups)
            || !among("allowed_clients", &client)
            || !permissions.is_subset(&caller.permissions.iter().copied().collect())
            || (kind.is_some() && kind != caller.kind);
        Need { is_open: false, is_forbidden, scopes_are_missing }
    }

    /// The pairs of rules for resources of which a warning tells: the narrower and the broader one.
    pub(super) fn warned(&self, everybody: &[Caller]) -> BTreeSet<(String, String)> {
        let nothing = Map::new();
        let admits = |rule: &Value, caller: &Caller| {
            let refusal = self.refusal(caller, rule, (&nothing, false));
            is_open(rule) || !refusal.is_forbidden && !refusal.scopes_are_missing
        };
        warned(self.policy, |narrow, broad| {
            everybody.iter().any(|caller| admits(narrow, caller) && !admits(broad, caller))
        })
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
