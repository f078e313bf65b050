//! A policy made ready: rules are found by hash, however many there are.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::hierarchy::Hierarchy;
use super::requirement::at;
use super::uri_pattern::{UriPattern, is_ambiguous, normal_case};
use super::{Requirement, ScopePolicy, ScopesByArguments};
use crate::auth_info::{AuthInfo, Principal};
use crate::authorize::{Access, Operation, OperationKind, Scopes, Verdict};

/// What a [`ScopePolicy`] means.
#[derive(Debug)]
pub(super) struct CompiledPolicy {
    pub(super) allows_anonymous: bool,
    /// For every operation.
    baseline: Requirement,
    methods: HashMap<String, Rule>,
    tools: HashMap<String, Rule>,
    prompts: HashMap<String, Rule>,
    /// By URI in normal case.
    resources: HashMap<String, Rule>,
    patterns: Vec<(UriPattern, Rule)>,
    hierarchy: Hierarchy,
    deny_undeclared: bool,
    strict_lists: bool,
    claims: ClaimPaths,
}

/// A requirement and where it is written.
#[derive(Debug)]
struct Rule {
    name: String,
    requirement: Requirement,
    by_arguments: Option<ScopesByArguments>,
}

/// Where roles, groups and permissions are found.
#[derive(Debug)]
struct ClaimPaths {
    roles: String,
    groups: String,
    permissions: String,
}

/// The rules that apply to an operation.
enum Applying<'p> {
    Rules(Rules<'p>),
    /// None, and none is needed.
    Nothing,
    /// None, but the policy wants one.
    Undeclared,
    /// The URI may mean another resource than it says.
    Ambiguous,
}

/// One rule or more, the most specific first.
struct Rules<'p> {
    /// For what is named; only patterns for URIs may be several.
    named: Option<&'p Rule>,
    tied: Vec<&'p Rule>,
    method: Option<&'p Rule>,
}

impl<'p> Rules<'p> {
    fn iter(&self) -> impl Iterator<Item = &'p Rule> {
        self.named.into_iter().chain(self.tied.iter().copied()).chain(self.method)
    }

    /// As the most specific one says.
    fn access(&self) -> Access {
        self.requirements().next().map_or(Access::Required, |first| first.access)
    }

    fn requirements(&self) -> impl Iterator<Item = &'p Requirement> {
        self.iter().map(|rule| &rule.requirement)
    }
}

impl CompiledPolicy {
    pub(super) fn new(policy: &ScopePolicy, faults: &mut Vec<String>) -> Self {
        let baseline = Requirement {
            all_of: policy.require.clone(),
            caller: policy.caller,
            allowed_clients: policy.allowed_clients.clone(),
            ..Requirement::default()
        };
        baseline.check("require", faults);
        for (scope, others) in &policy.implies {
            let both = Scopes::parse(scope);
            for wrong in both.malformed().chain(others.malformed()) {
                faults.push(format!("implies: {wrong:?} is not a scope (RFC 6749 §3.3)"));
            }
        }
        let mut tools = rules("tools", &policy.tools, faults);
        for (tool, function) in &policy.by_arguments {
            let rule = tools.entry(tool.clone()).or_insert_with(|| Rule {
                name: format!("tools.{tool}"),
                requirement: Requirement::default(),
                by_arguments: None,
            });
            rule.by_arguments = Some(function.clone());
        }
        let (patterns, resources) = resources(&policy.resources, faults);
        let methods = rules("methods", &policy.methods, faults);
        let all = methods.values().chain(tools.values());
        let open = |rule: &&Rule| rule.requirement.access != Access::Required;
        let prompts = rules("prompts", &policy.prompts, faults);
        let all = all.chain(prompts.values()).chain(resources.values());
        let allows_anonymous = all.chain(patterns.iter().map(|(_, rule)| rule)).any(|r| open(&r));
        let paths = [&policy.roles_claim, &policy.groups_claim, &policy.permissions_claim];
        if paths.into_iter().any(String::is_empty) {
            faults.push("roles_claim, groups_claim, permissions_claim: must not be empty".into());
        }
        let [roles, groups, permissions] = paths.map(String::clone);
        Self {
            allows_anonymous,
            baseline,
            methods,
            tools,
            prompts,
            resources,
            patterns,
            hierarchy: Hierarchy::new(&policy.implies, faults),
            deny_undeclared: policy.deny_undeclared,
            strict_lists: policy.strict_lists,
            claims: ClaimPaths { roles, groups, permissions },
        }
    }

    pub(super) fn access(&self, operation: &Operation<'_>) -> Access {
        match self.applying(operation) {
            Applying::Rules(rules) => rules.access(),
            // Without it, a caller without a token would never reach what needs none.
            Applying::Nothing if operation.is_housekeeping() && self.allows_anonymous => {
                Access::Optional
            }
            _ => Access::Required,
        }
    }

    pub(super) fn verdict(&self, caller: &AuthInfo, operation: &Operation<'_>) -> Verdict {
        self.verdict_on(caller, operation, scopes_by_arguments)
    }

    /// The verdict, with this way to tell what the arguments need.
    fn verdict_on(
        &self,
        caller: &AuthInfo,
        operation: &Operation<'_>,
        by_arguments: fn(&Rules<'_>, &Operation<'_>) -> Scopes,
    ) -> Verdict {
        let rules = match self.applying(operation) {
            Applying::Rules(rules) if rules.access() != Access::Required => return Verdict::Allow,
            Applying::Rules(rules) => rules,
            Applying::Nothing => Rules { named: None, tied: Vec::new(), method: None },
            Applying::Undeclared => return Verdict::forbidden("no rule of the policy names it"),
            Applying::Ambiguous => return Verdict::forbidden("its URI can be read in two ways"),
        };
        let requirements = || [&self.baseline].into_iter().chain(rules.requirements());
        if let Some(reason) = requirements().find_map(|asked| self.denial(asked, caller)) {
            return Verdict::forbidden(reason);
        }
        let granted = caller.scopes();
        let has = |scopes: &Scopes| self.hierarchy.grants_all(granted, scopes);
        let is_covered = requirements().all(|asked| {
            has(&asked.all_of) && (asked.any_of.is_empty() || asked.any_of.iter().any(has))
        });
        let by_arguments = by_arguments(&rules, operation);
        if is_covered && has(&by_arguments) {
            return Verdict::Allow;
        }
        Verdict::MissingScopes(self.needed(&rules, &by_arguments, granted))
    }

    pub(super) fn required_scopes(&self, operation: &Operation<'_>, granted: &Scopes) -> Scopes {
        match self.applying(operation) {
            Applying::Rules(rules) => {
                let by_arguments = scopes_by_arguments(&rules, operation);
                self.needed(&rules, &by_arguments, granted)
            }
            _ => self.baseline.all_of.clone(),
        }
    }

    pub(super) fn uncovered(&self, granted: &Scopes, required: &Scopes) -> Option<Scopes> {
        let is_covered = self.hierarchy.grants_all(granted, required);
        (!is_covered).then(|| self.hierarchy.reduce(required.clone()))
    }

    pub(super) fn lists(&self, caller: Option<&AuthInfo>, operation: &Operation<'_>) -> bool {
        // A list has no arguments, so what they need is not known.
        let nothing = |_: &Rules<'_>, _: &Operation<'_>| Scopes::default();
        match caller.map(|caller| self.verdict_on(caller, operation, nothing)) {
            Some(Verdict::Allow) => true,
            Some(Verdict::MissingScopes(_)) => !self.strict_lists,
            Some(Verdict::Forbidden(_)) => false,
            None => match self.applying(operation) {
                Applying::Undeclared | Applying::Ambiguous => false,
                _ => !self.strict_lists || self.access(operation) != Access::Required,
            },
        }
    }

    pub(super) fn rule_names(&self, operation: &Operation<'_>) -> Vec<String> {
        match self.applying(operation) {
            Applying::Rules(rules) => rules.iter().map(|rule| rule.name.clone()).collect(),
            Applying::Undeclared => vec!["deny_undeclared".to_owned()],
            Applying::Nothing | Applying::Ambiguous => Vec::new(),
        }
    }

    /// The rules for an operation, the most specific first.
    fn applying(&self, operation: &Operation<'_>) -> Applying<'_> {
        let method = self.methods.get(operation.method());
        let mut rules = Rules { named: None, tied: Vec::new(), method };
        match (operation.kind(), operation.name()) {
            (OperationKind::Tool, Some(name)) => rules.named = self.tools.get(name),
            (OperationKind::Prompt, Some(name)) => rules.named = self.prompts.get(name),
            (OperationKind::Resource, Some(uri)) => match self.rules_for_resource(uri) {
                Some(found) => (rules.named, rules.tied) = found,
                None => return Applying::Ambiguous,
            },
            _ => {}
        }
        if rules.iter().next().is_some() {
            Applying::Rules(rules)
        } else if self.deny_undeclared && !operation.is_housekeeping() && !operation.is_nothing() {
            Applying::Undeclared
        } else {
            Applying::Nothing
        }
    }

    /// `None`: not to be decided.
    fn rules_for_resource(&self, uri: &str) -> Option<(Option<&Rule>, Vec<&Rule>)> {
        let uri = normal_case(uri);
        if let Some(exact) = self.resources.get(&uri) {
            return Some((Some(exact), Vec::new()));
        }
        let has_rules = !self.patterns.is_empty() || !self.resources.is_empty();
        if has_rules && is_ambiguous(&uri) {
            return None;
        }
        let matching = || self.patterns.iter().filter(|(pattern, _)| pattern.matches(&uri));
        let most_specific = matching().map(|(pattern, _)| pattern.fixed).max();
        let mut best = matching().filter(|(pattern, _)| Some(pattern.fixed) == most_specific);
        let first = best.next().map(|(_, rule)| rule);
        Some((first, best.map(|(_, rule)| rule).collect()))
    }

    /// Why no token with other scopes would help.
    fn denial(&self, asked: &Requirement, caller: &AuthInfo) -> Option<&'static str> {
        let client_is_wrong = || {
            let client = caller.client_id();
            !asked.allowed_clients.iter().any(|allowed| client == Some(allowed.as_str()))
        };
        let lacks_one = |path: &str, wanted: &[String]| {
            !wanted.iter().any(|value| has_value(caller, path, value))
        };
        if asked.caller.is_some_and(|kind| caller.principal() != kind) {
            return Some(match asked.caller {
                Some(Principal::User) => "it is for users only",
                _ => "it is for machine clients only",
            });
        }
        if !asked.allowed_clients.is_empty() && client_is_wrong() {
            return Some("the client is not one of `allowed_clients`");
        }
        if !asked.roles.is_empty() && lacks_one(&self.claims.roles, &asked.roles) {
            return Some("the caller has none of the roles");
        }
        if !asked.groups.is_empty() && lacks_one(&self.claims.groups, &asked.groups) {
            return Some(match has_too_many_groups(caller) {
                true => "the caller's groups are not in the token: there are too many of them",
                false => "the caller is in none of the groups",
            });
        }
        let has_permission = |value: &String| has_value(caller, &self.claims.permissions, value);
        (!asked.permissions.iter().all(has_permission)).then_some("the caller lacks a permission")
    }

    /// All scopes to ask for; of alternatives, the one that lacks least.
    fn needed(&self, rules: &Rules<'_>, by_arguments: &Scopes, granted: &Scopes) -> Scopes {
        let requirements = [&self.baseline].into_iter().chain(rules.requirements());
        let lacks = |set: &&Scopes| {
            set.iter().filter(|scope| !self.hierarchy.grants(granted, scope)).count()
        };
        let mut needed = Vec::new();
        for asked in requirements {
            needed.push(&asked.all_of);
            needed.extend(asked.any_of.iter().min_by_key(lacks));
        }
        needed.push(by_arguments);
        self.hierarchy.reduce(Scopes::union(needed))
    }
}

fn rules(
    section: &str,
    written: &BTreeMap<String, Requirement>,
    faults: &mut Vec<String>,
) -> HashMap<String, Rule> {
    let rule = |(name, requirement): (&String, &Requirement)| {
        let place = format!("{section}.{name}");
        requirement.check(&place, faults);
        if name.is_empty() {
            faults.push(format!("{section}: a rule without a name would match nothing"));
        }
        let requirement = requirement.clone();
        (name.clone(), Rule { name: place, requirement, by_arguments: None })
    };
    written.iter().map(rule).collect()
}

type ResourceRules = (Vec<(UriPattern, Rule)>, HashMap<String, Rule>);

fn resources(written: &BTreeMap<String, Requirement>, faults: &mut Vec<String>) -> ResourceRules {
    let (mut patterns, mut exact) = (Vec::new(), HashMap::new());
    for (uri, rule) in rules("resources", written, faults) {
        if !UriPattern::is_pattern(&uri) {
            if let Some(other) = exact.insert(normal_case(&uri), rule) {
                faults.push(format!("{}: another rule is for the same URI", other.name));
            }
            continue;
        }
        match UriPattern::parse(&uri) {
            Ok(pattern) => patterns.push((pattern, rule)),
            Err(fault) => faults.push(format!("{}: {fault}", rule.name)),
        }
    }
    (patterns, exact)
}

fn scopes_by_arguments(rules: &Rules<'_>, operation: &Operation<'_>) -> Scopes {
    let depends = |rule: &&Rule| rule.by_arguments.is_some() || !rule.requirement.when.is_empty();
    let mut scopes = Vec::new();
    for rule in rules.iter().filter(depends) {
        let none = serde_json::Map::new();
        let arguments = operation.arguments().unwrap_or(&none);
        let applying = rule.requirement.when.iter().filter(|when| when.applies_to(arguments));
        scopes.extend(applying.map(|when| when.scopes.clone()));
        scopes.extend(rule.by_arguments.as_ref().map(|function| (function.0)(arguments)));
    }
    Scopes::union(&scopes)
}

/// Whether a claim is this text, has it in its list, or has a member of this name.
fn has_value(caller: &AuthInfo, path: &str, wanted: &str) -> bool {
    match at(caller.claims(), path) {
        Some(Value::String(text)) => text == wanted,
        Some(Value::Array(list)) => list.iter().any(|value| value == wanted),
        Some(Value::Object(members)) => members.contains_key(wanted),
        _ => false,
    }
}

/// Entra ID names the claim instead of listing more than 200 groups in it.
fn has_too_many_groups(caller: &AuthInfo) -> bool {
    let claims = caller.claims();
    claims.get("hasgroups").is_some_and(|has| has == true || has == "true")
        || claims.get("_claim_names").and_then(|names| names.get("groups")).is_some()
}
