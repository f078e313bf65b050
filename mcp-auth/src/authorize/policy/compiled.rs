//! A policy made ready: rules are found by hash, however many there are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;

use super::hierarchy::Hierarchy;
use super::uri::{is_ambiguous, normal_form, scheme_of};
use super::uri_pattern::UriPattern;
use super::{Requirement, ScopePolicy, ScopesByArguments};
use crate::auth_info::{AuthInfo, Principal};
use crate::authorize::{Access, Authorizer, Operation, OperationKind, Scopes, Verdict};
use crate::claim_path::{at, texts};

/// What a [`ScopePolicy`] means.
#[derive(Debug)]
pub(super) struct CompiledPolicy {
    allows_anonymous: bool,
    /// For every operation.
    baseline: Requirement,
    methods: HashMap<String, Rule>,
    tools: HashMap<String, Rule>,
    prompts: HashMap<String, Rule>,
    /// By URI in normal form.
    resources: HashMap<String, Rule>,
    patterns: Vec<(UriPattern, Rule)>,
    /// Of the URIs that rules are about.
    schemes: HashSet<String>,
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

    /// As the rule for what is named says, the strictest of several; else as the method's says.
    fn access(&self) -> Access {
        let named = self.named.into_iter().chain(self.tied.iter().copied());
        let strictest = named.map(|rule| rule.requirement.access).max();
        let method = self.method.map(|rule| rule.requirement.access);
        strictest.or(method).unwrap_or_default()
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
            let one = Scopes::parse(scope);
            for wrong in one.malformed().chain(others.malformed()) {
                faults.push(format!("implies: {wrong:?} is not a scope (RFC 6749 §3.3)"));
            }
            if one.iter().count() != 1 {
                faults.push(format!("implies: {scope:?} is not one scope"));
            }
        }
        let mut tools: HashMap<_, _> = rules("tools", &policy.tools, faults).collect();
        for (tool, function) in &policy.by_arguments {
            let rule = tools.entry(tool.clone()).or_insert_with(|| Rule {
                name: format!("tools.{tool}"),
                requirement: Requirement::default(),
                by_arguments: None,
            });
            rule.by_arguments = Some(function.clone());
            if rule.requirement.access != Access::Required {
                faults.push(format!("{}: who needs no token needs nothing else either", rule.name));
            }
        }
        let (patterns, resources) = resources(&policy.resources, faults);
        let methods: HashMap<_, _> = rules("methods", &policy.methods, faults).collect();
        let all = methods.values().chain(tools.values());
        let open = |rule: &&Rule| rule.requirement.access != Access::Required;
        let prompts: HashMap<_, _> = rules("prompts", &policy.prompts, faults).collect();
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
            schemes: policy.resources.keys().map(|uri| scheme_of(uri)).collect(),
            resources,
            patterns,
            hierarchy: Hierarchy::new(&policy.implies, faults),
            deny_undeclared: policy.deny_undeclared,
            strict_lists: policy.strict_lists,
            claims: ClaimPaths { roles, groups, permissions },
        }
    }

    /// The verdict, with this way to tell what the arguments need.
    fn verdict(
        &self,
        caller: &AuthInfo,
        operation: &Operation<'_>,
        by_arguments: fn(&Rules<'_>, &Operation<'_>) -> Scopes,
    ) -> Verdict {
        let rules = match self.applying(operation) {
            Applying::Rules(rules) if rules.access() != Access::Required => return Verdict::Allow,
            Applying::Rules(rules) => rules,
            Applying::Nothing if self.access(operation) != Access::Required => {
                return Verdict::Allow;
            }
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
        // A rule for a method does not declare everything that can be called with it.
        let is_declared = match operation.kind() {
            OperationKind::Other => rules.method.is_some(),
            _ => rules.named.is_some(),
        };
        let is_free = operation.is_housekeeping() || operation.is_nothing();
        if self.deny_undeclared && !is_declared && !is_free {
            Applying::Undeclared
        } else if rules.iter().next().is_some() {
            Applying::Rules(rules)
        } else {
            Applying::Nothing
        }
    }

    /// `None`: not to be decided.
    fn rules_for_resource(&self, uri: &str) -> Option<(Option<&Rule>, Vec<&Rule>)> {
        if self.schemes.is_empty() {
            return Some((None, Vec::new()));
        }
        // What a server might trim away must not make another scheme of it.
        if uri.trim() != uri || uri.contains(char::is_control) {
            return None;
        }
        let whole = normal_form(uri);
        if !self.schemes.contains(&scheme_of(&whole)) {
            return Some((None, Vec::new()));
        }
        if is_ambiguous(&whole) {
            return None;
        }
        // A rule for a resource is for it with any query, and with a slash at its end.
        let path = whole.split('?').next().unwrap_or_default();
        let forms = [whole.as_str(), path, path.trim_end_matches('/')];
        if let Some(exact) = forms.iter().find_map(|form| self.resources.get(*form)) {
            return Some((Some(exact), Vec::new()));
        }
        let is_meant = |pattern: &UriPattern| forms.iter().any(|form| pattern.matches(form));
        let matching: Vec<_> =
            self.patterns.iter().filter(|(pattern, _)| is_meant(pattern)).collect();
        let most_specific = matching.iter().map(|(pattern, _)| pattern.fixed).max();
        let best = matching.into_iter().filter(|(pattern, _)| Some(pattern.fixed) == most_specific);
        let mut best = best.map(|(_, rule)| rule);
        Some((best.next(), best.collect()))
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

impl Authorizer for CompiledPolicy {
    fn authorize(
        &self,
        caller: &AuthInfo,
        operation: &Operation<'_>,
    ) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
        Ok(self.verdict(caller, operation, scopes_by_arguments))
    }

    fn access(&self, operation: &Operation<'_>) -> Access {
        match self.applying(operation) {
            Applying::Rules(rules) => rules.access(),
            // Without it, a caller without a token would never reach what needs none.
            Applying::Nothing if operation.is_housekeeping() && self.allows_anonymous => {
                Access::Optional
            }
            _ => Access::Required,
        }
    }

    fn allows_anonymous(&self) -> bool {
        self.allows_anonymous
    }

    fn required_scopes(&self, operation: &Operation<'_>, granted: &Scopes) -> Scopes {
        match self.applying(operation) {
            Applying::Rules(rules) => {
                let by_arguments = scopes_by_arguments(&rules, operation);
                self.needed(&rules, &by_arguments, granted)
            }
            _ => self.baseline.all_of.clone(),
        }
    }

    fn uncovered(&self, granted: &Scopes, required: &Scopes) -> Option<Scopes> {
        let is_covered = self.hierarchy.grants_all(granted, required);
        (!is_covered).then(|| self.hierarchy.reduce(required.clone()))
    }

    fn lists(&self, caller: Option<&AuthInfo>, operation: &Operation<'_>) -> bool {
        // A list has no arguments, so what they need is not known.
        let nothing = |_: &Rules<'_>, _: &Operation<'_>| Scopes::default();
        match caller.map(|caller| self.verdict(caller, operation, nothing)) {
            Some(Verdict::Allow) => true,
            Some(Verdict::MissingScopes(_)) => !self.strict_lists,
            Some(Verdict::Forbidden(_)) => false,
            // Nobody sees no more than somebody: what is for some roles or clients is hidden.
            None => match self.applying(operation) {
                Applying::Undeclared | Applying::Ambiguous => false,
                Applying::Rules(rules) if rules.access() != Access::Required => true,
                Applying::Rules(rules) => {
                    !self.strict_lists
                        && rules.requirements().all(Requirement::asks_for_scopes_alone)
                }
                Applying::Nothing => !self.strict_lists,
            },
        }
    }

    fn rules(&self, operation: &Operation<'_>) -> Vec<String> {
        match self.applying(operation) {
            Applying::Rules(rules) => rules.iter().map(|rule| rule.name.clone()).collect(),
            Applying::Undeclared => vec!["deny_undeclared".to_owned()],
            Applying::Nothing | Applying::Ambiguous => Vec::new(),
        }
    }
}

fn rules(
    section: &str,
    written: &BTreeMap<String, Requirement>,
    faults: &mut Vec<String>,
) -> impl Iterator<Item = (String, Rule)> + use<> {
    let rule = |(name, requirement): (&String, &Requirement)| {
        let place = format!("{section}.{name}");
        requirement.check(&place, faults);
        if name.is_empty() {
            faults.push(format!("{section}: a rule without a name would match nothing"));
        }
        let requirement = requirement.clone();
        (name.clone(), Rule { name: place, requirement, by_arguments: None })
    };
    written.iter().map(rule).collect::<Vec<_>>().into_iter()
}

type ResourceRules = (Vec<(UriPattern, Rule)>, HashMap<String, Rule>);

fn resources(written: &BTreeMap<String, Requirement>, faults: &mut Vec<String>) -> ResourceRules {
    let (mut patterns, mut exact) = (Vec::new(), HashMap::new());
    for (uri, rule) in rules("resources", written, faults) {
        let normal = normal_form(&uri);
        if is_ambiguous(&normal) {
            faults.push(format!("{}: a URI that can be read in two ways", rule.name));
        } else if !UriPattern::is_pattern(&uri) {
            if let Some(other) = exact.insert(normal, rule) {
                faults.push(format!("{}: another rule is for the same URI", other.name));
            }
        } else {
            match UriPattern::parse(&normal) {
                Ok(pattern) => patterns.push((pattern, rule)),
                Err(fault) => faults.push(format!("{}: {fault}", rule.name)),
            }
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

/// Whether the caller has this value in the claim.
fn has_value(caller: &AuthInfo, path: &str, wanted: &str) -> bool {
    at(caller.claims(), path).is_some_and(|claim| texts(claim).contains(&wanted))
}

/// Entra ID names the claim instead of listing more than 200 groups in it.
fn has_too_many_groups(caller: &AuthInfo) -> bool {
    let claims = caller.claims();
    claims.get("hasgroups").is_some_and(|has| has == true || has == "true")
        || claims.get("_claim_names").and_then(|names| names.get("groups")).is_some()
}
