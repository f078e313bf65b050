//! A policy in the form that decides: rules are found by hash, so that many of them cost no more than a few.
//!
//! What an operation needs is the sum of
//!
//! 1. the baseline, which everything needs,
//! 2. the rule of its method,
//! 3. the rule of what it names.
//!
//! An open rule (`public`, `optional`) asks for nothing. The rule that is closest to the operation is that of what it
//! names or, if there is none, that of its method. If it is open, the baseline does not count. What other rules ask
//! for counts all the same.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::argument_rule::Arguments;
use super::faults::{check_rule, check_whole};
use super::hierarchy::Hierarchy;
use super::requirement::NEEDS_NO_TOKEN;
use super::resource_rules::{Ambiguous, Found, ResourceRules};
use crate::auth_info::{AuthInfo, Principal};
use crate::authorize::{AccessRequest, Asked, Authorizer, Operation, OperationKind, Verdict};
use crate::claim_path::{texts_of_claim, value_at_path};
use crate::config::{Access, Faults, Requirement, ScopePolicy, ScopesByArguments};
use crate::scope::Scopes;

/// A [`ScopePolicy`] in the form that decides.
#[derive(Debug)]
pub(super) struct CompiledPolicy {
    /// Whether some rule is open.
    allows_anonymous: bool,
    /// The rules for every operation: that of the policy, and then that of the resource it protects.
    baseline: [Rule; 2],
    methods: HashMap<String, Rule>,
    tools: HashMap<String, Rule>,
    prompts: HashMap<String, Rule>,
    resources: ResourceRules,
    hierarchy: Hierarchy,
    deny_undeclared: bool,
    strict_lists: bool,
    claims: ClaimPaths,
}

/// A requirement and where it is written.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) requirement: Requirement,
    by_arguments: Option<ScopesByArguments>,
}

impl Rule {
    fn new(name: String, requirement: Requirement) -> Self {
        Self { name, requirement, by_arguments: None }
    }

    fn is_open(&self) -> bool {
        self.requirement.access != Access::Required
    }
}

/// The most combinations of alternatives that are compared for one request, which may call many things.
const COMPARISONS: usize = 256;

/// Where roles, groups and permissions are found.
#[derive(Debug)]
struct ClaimPaths {
    roles: String,
    groups: String,
    permissions: String,
}

/// What an operation needs.
struct Needs<'p> {
    access: Access,
    /// The rules for everything, unless an open rule lifts them.
    baseline: &'p [Rule],
    /// The rules for what it names.
    named: Found<'p>,
    method: Option<&'p Rule>,
}

impl<'p> Needs<'p> {
    /// What this rule alone asks for.
    fn of_rule(rule: &'p Rule) -> Self {
        Self {
            access: Access::Required,
            baseline: std::slice::from_ref(rule),
            named: Found::default(),
            method: None,
        }
    }

    /// The rules that ask for something, the baseline's first.
    fn asking_rules(&self) -> impl Iterator<Item = &'p Rule> {
        let besides = self.besides_baseline().filter(|rule| !rule.is_open());
        self.baseline.iter().chain(besides)
    }

    /// Open rules that are about it as well.
    fn open_rules(&self) -> impl Iterator<Item = &'p Rule> {
        self.besides_baseline().filter(|rule| rule.is_open())
    }

    fn besides_baseline(&self) -> impl Iterator<Item = &'p Rule> {
        self.named.rules().chain(self.method)
    }

    fn requirements(&self) -> impl Iterator<Item = &'p Requirement> {
        self.asking_rules().map(|rule| &rule.requirement)
    }
}

/// Why an operation is forbidden to every caller.
#[derive(Clone, Copy)]
enum Denied {
    Undeclared,
    Ambiguous,
}

impl Denied {
    fn reason(self) -> &'static str {
        match self {
            Self::Undeclared => "no rule of the policy names it",
            Self::Ambiguous => "its URI can be read in two ways",
        }
    }
}

impl From<Ambiguous> for Denied {
    fn from(_: Ambiguous) -> Self {
        Self::Ambiguous
    }
}

impl CompiledPolicy {
    /// The policy of a resource that asks for these scopes itself.
    pub(super) fn new(
        policy: &ScopePolicy,
        required_scopes: &Scopes,
        faults: &mut Faults<'_>,
    ) -> Self {
        check_whole(policy, faults);
        let of_policy = Requirement {
            all_of: policy.require.clone(),
            caller: policy.caller,
            allowed_clients: policy.allowed_clients.clone(),
            ..Requirement::default()
        };
        of_policy.check(&mut faults.below("require"));
        let of_resource = Requirement { all_of: required_scopes.clone(), ..Requirement::default() };
        let baseline = [
            Rule::new("require".into(), of_policy),
            Rule::new("required_scopes".into(), of_resource),
        ];
        let mut tools: HashMap<_, _> = rules_of_section("tools", &policy.tools, faults).collect();
        for (tool, function) in &policy.by_arguments {
            let place = format!("tools.{tool}");
            let rule = tools
                .entry(tool.clone())
                .or_insert_with(|| Rule::new(place, Requirement::default()));
            rule.by_arguments = Some(function.clone());
            if rule.is_open() {
                faults.below("tools").add(tool, NEEDS_NO_TOKEN);
            }
        }
        let methods: HashMap<_, _> = rules_of_section("methods", &policy.methods, faults).collect();
        let prompts: HashMap<_, _> = rules_of_section("prompts", &policy.prompts, faults).collect();
        let resources = ResourceRules::new(&policy.resources, faults);
        let all = methods.values().chain(tools.values()).chain(prompts.values());
        let allows_anonymous = all.chain(resources.iter()).any(Rule::is_open);
        Self {
            allows_anonymous,
            baseline,
            methods,
            tools,
            prompts,
            resources,
            hierarchy: Hierarchy::new(&policy.implies, faults),
            deny_undeclared: policy.deny_undeclared,
            strict_lists: policy.strict_lists,
            claims: ClaimPaths {
                roles: policy.roles_claim.clone(),
                groups: policy.groups_claim.clone(),
                permissions: policy.permissions_claim.clone(),
            },
        }
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        self.resources.warnings(&self.hierarchy)
    }

    /// The rules for what the operation names.
    fn rules_by_name(&self, operation: &Operation<'_>) -> Result<Found<'_>, Denied> {
        let rule = match (operation.kind(), operation.name()) {
            (OperationKind::Tool, Some(name)) => self.tools.get(name),
            (OperationKind::Prompt, Some(name)) => self.prompts.get(name),
            (OperationKind::Resource, Some(_)) => {
                return Ok(self.resources.find(operation, self.deny_undeclared)?);
            }
            _ => None,
        };
        Ok(rule.map_or_else(Found::default, Found::of_rule))
    }

    /// What an operation needs.
    fn needs(&self, operation: &Operation<'_>) -> Result<Needs<'_>, Denied> {
        self.needs_with(operation, self.rules_by_name(operation)?)
    }

    /// What an operation needs, if these are the rules for what it names. The module's documentation says how rules
    /// add up.
    fn needs_with<'p>(
        &'p self,
        operation: &Operation<'_>,
        named: Found<'p>,
    ) -> Result<Needs<'p>, Denied> {
        let method = self.methods.get(operation.method());
        let is_known = operation.can_be_opened_by_name();
        // A rule for a method does not declare everything that can be called with it.
        let is_declared = match is_known {
            true => named.is_covered,
            false => method.is_some() || operation.needs_no_declaration(),
        };
        let names_beside = !is_known && operation.kind() == OperationKind::Resource;
        if self.deny_undeclared && !is_declared && !names_beside {
            return Err(Denied::Undeclared);
        }
        let asks_by_name = named.rules().any(|rule| !rule.is_open());
        let is_opened_by_name = is_known && named.is_covered && !asks_by_name;
        let is_opened_by_method = method.is_some_and(Rule::is_open);
        let asks_by_method = method.is_some_and(|rule| !rule.is_open());
        // Without it, a caller without a token would never reach what needs none.
        let is_opened_for_all = self.allows_anonymous
            && method.is_none()
            && (operation.opens_connection() || operation.is_list());
        let lifts_baseline =
            !asks_by_name && (is_opened_by_name || is_opened_by_method || is_opened_for_all);
        let baseline = if lifts_baseline { &[] } else { self.baseline.as_slice() };
        let mut needs = Needs { access: Access::Required, baseline, named, method };
        if lifts_baseline && !asks_by_method {
            needs.access = open_access(operation, &needs);
        }
        Ok(needs)
    }

    /// The verdict, with what the arguments ask for if they are known. Which scopes are missing,
    /// [`Authorizer::required_scopes`] tells, of everything that is called at once.
    fn verdict(&self, caller: &AuthInfo, needs: &Needs<'_>, by_arguments: &Scopes) -> Verdict {
        if needs.access != Access::Required {
            return Verdict::Allow;
        }
        for requirement in needs.requirements() {
            if let Some(reason) = self.denial(requirement, caller) {
                return Verdict::forbidden(reason);
            }
        }
        let granted = caller.scopes();
        let has_scopes_of_rules = needs
            .requirements()
            .all(|requirement| requirement.is_covered_by(granted, &self.hierarchy));
        if has_scopes_of_rules && self.hierarchy.grants_all(granted, by_arguments) {
            return Verdict::Allow;
        }
        Verdict::MissingScopes(Scopes::default())
    }

    /// Why the caller may not do it with any scopes; `None` when scopes are all that could be missing.
    fn denial(&self, requirement: &Requirement, caller: &AuthInfo) -> Option<&'static str> {
        if let Some(kind) = requirement.caller.filter(|kind| caller.principal() != *kind) {
            return Some(match kind {
                Principal::User => "it is for users only",
                _ => "it is for machine clients only",
            });
        }
        if let Some(clients) = &requirement.allowed_clients {
            let client = caller.client_id();
            if !clients.iter().any(|allowed| client == Some(allowed.as_str())) {
                return Some("the client is not one of `allowed_clients`");
            }
        }
        if let Some(roles) = &requirement.roles
            && !has_one_value(caller, &self.claims.roles, roles)
        {
            return Some("the caller has none of the roles");
        }
        if let Some(groups) = &requirement.groups
            && !has_one_value(caller, &self.claims.groups, groups)
        {
            return Some(match has_too_many_groups(caller) {
                true => "the caller's groups are not in the token: there are too many of them",
                false => "the caller is in none of the groups",
            });
        }
        for permission in requirement.permissions.iter().flatten() {
            if !has_value(caller, &self.claims.permissions, permission) {
                return Some("the caller lacks a permission");
            }
        }
        None
    }

    /// All scopes to ask for; of alternatives, those with which the fewest are asked for. All combinations of them
    /// are compared if they are no more than `comparisons`, from which they are taken; otherwise one set after the
    /// other is chosen.
    fn scopes_to_ask_for(
        &self,
        needs: &Needs<'_>,
        by_arguments: &Scopes,
        granted: &Scopes,
        comparisons: &mut usize,
    ) -> Scopes {
        let needed_always = Scopes::union(
            needs.requirements().map(|requirement| &requirement.all_of).chain([by_arguments]),
        );
        let alternatives: Vec<&[Scopes]> =
            needs.requirements().filter_map(|requirement| requirement.any_of.as_deref()).collect();
        let combinations = combinations_of(&alternatives, *comparisons);
        if let Some(count) = combinations.filter(|_| !alternatives.is_empty()) {
            *comparisons -= count;
        }
        let mut candidates = vec![needed_always];
        for sets in alternatives {
            let mut combined = Vec::new();
            for so_far in &candidates {
                combined.extend(sets.iter().map(|set| Scopes::union([so_far, set])));
            }
            crate::steps::take(combined.len());
            candidates = combined;
            if combinations.is_none() {
                candidates = self.with_fewest_missing(candidates, granted).into_iter().collect();
            }
        }
        let chosen = self.with_fewest_missing(candidates, granted).unwrap_or_default();
        self.hierarchy.reduce(chosen)
    }

    /// The set of which the fewest scopes are not granted yet; of several, the one that is written first.
    fn with_fewest_missing(&self, sets: Vec<Scopes>, granted: &Scopes) -> Option<Scopes> {
        if sets.len() <= 1 {
            return sets.into_iter().next();
        }
        sets.into_iter().min_by_key(|set| {
            let reduced = self.hierarchy.reduce(set.clone());
            reduced.iter().filter(|scope| !self.hierarchy.grants(granted, scope)).count()
        })
    }

    /// What one rule asks for, for people.
    fn asked_by_rule(
        &self,
        rule: &Rule,
        caller: Option<&AuthInfo>,
        operation: &Operation<'_>,
    ) -> Asked {
        let needs = Needs::of_rule(rule);
        let by_arguments = scopes_by_arguments(&needs, operation).unwrap_or_default();
        let nothing = Scopes::default();
        let granted = caller.map_or(&nothing, AuthInfo::scopes);
        let mut comparisons = COMPARISONS;
        let lacks = caller.and_then(|known| self.denial(&rule.requirement, known));
        Asked {
            rule: rule.name.clone(),
            access: rule.requirement.access,
            scopes: self.scopes_to_ask_for(&needs, &by_arguments, granted, &mut comparisons),
            lacks: lacks.map(str::to_owned),
            is_replaced: false,
        }
    }

    fn is_in_baseline(&self, rule: &Rule) -> bool {
        self.baseline.iter().any(|one| std::ptr::eq(one, rule))
    }

    /// Whether a list shows it to a client without a token: it needs none, or scopes are all it needs.
    fn lists_without_caller(&self, needs: &Needs<'_>) -> bool {
        needs.access != Access::Required
            || (!self.strict_lists && needs.requirements().all(Requirement::asks_for_scopes_alone))
    }

    /// Whether a list shows an operation, if these are the rules for what it names.
    fn lists_with(
        &self,
        caller: Option<&AuthInfo>,
        operation: &Operation<'_>,
        named: Found<'_>,
    ) -> bool {
        match self.needs_with(operation, named) {
            Ok(needs) => self.lists_what_needs(caller, &needs),
            Err(_) => false,
        }
    }

    /// Whether a list shows what needs this.
    fn lists_what_needs(&self, caller: Option<&AuthInfo>, needs: &Needs<'_>) -> bool {
        let Some(caller) = caller else { return self.lists_without_caller(needs) };
        // A list has no arguments, so that nobody knows what they would need.
        match self.verdict(caller, needs, &Scopes::default()) {
            Verdict::Allow => true,
            Verdict::MissingScopes(_) => !self.strict_lists,
            Verdict::Forbidden(_) => false,
        }
    }
}

impl Authorizer for CompiledPolicy {
    fn authorize(
        &self,
        request: &AccessRequest<'_>,
    ) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
        let AccessRequest { caller, operation, .. } = *request;
        Ok(match self.needs(operation) {
            Ok(needs) => {
                let by_arguments = scopes_by_arguments(&needs, operation)?;
                self.verdict(caller, &needs, &by_arguments)
            }
            Err(denied) => Verdict::forbidden(denied.reason()),
        })
    }

    fn access(&self, operation: &Operation<'_>) -> Option<Access> {
        // Nothing is opened but by a rule that is open: the rules need not be found.
        if !self.allows_anonymous {
            return Some(Access::Required);
        }
        Some(self.needs(operation).map_or(Access::Required, |needs| needs.access))
    }

    fn allows_anonymous(&self) -> bool {
        self.allows_anonymous
    }

    fn required_scopes(&self, operations: &[Operation<'_>], granted: &Scopes) -> Scopes {
        let mut comparisons = COMPARISONS;
        // What is called many times, or by many names that the same rules are about, is looked at once.
        let mut looked_at = HashSet::new();
        let mut each = Vec::new();
        let mut is_denied = false;
        for operation in operations {
            let Ok(needs) = self.needs(operation) else {
                is_denied = true;
                continue;
            };
            // This allows nothing: in `authorize`, such a failure denies.
            let by_arguments = scopes_by_arguments(&needs, operation).unwrap_or_default();
            // A message that is no batch calls one thing.
            let is_new = operations.len() == 1 || {
                let rules: Vec<*const Rule> =
                    needs.asking_rules().map(std::ptr::from_ref).collect();
                looked_at.insert((rules, by_arguments.clone()))
            };
            if is_new {
                each.push(self.scopes_to_ask_for(&needs, &by_arguments, granted, &mut comparisons));
            }
        }
        if is_denied {
            each.extend(self.baseline.iter().map(|rule| rule.requirement.all_of.clone()));
        }
        Scopes::union(&each)
    }

    fn uncovered(&self, granted: &Scopes, required: &Scopes) -> Option<Scopes> {
        let is_covered = self.hierarchy.grants_all(granted, required);
        (!is_covered).then(|| self.hierarchy.reduce(required.clone()))
    }

    fn lists(&self, caller: Option<&AuthInfo>, operation: &Operation<'_>) -> bool {
        let Ok(named) = self.rules_by_name(operation) else { return false };
        if !operation.is_template() {
            return self.lists_with(caller, operation, named);
        }
        // A template is shown if something that it stands for would be.
        named.rules().any(|rule| self.lists_with(caller, operation, Found::of_rule(rule)))
            || (!named.is_covered && self.lists_with(caller, operation, Found::default()))
    }

    fn rules(&self, operation: &Operation<'_>) -> Vec<String> {
        match self.needs(operation) {
            Ok(needs) => {
                let all = needs.asking_rules().chain(needs.open_rules());
                all.filter(|rule| !self.is_in_baseline(rule))
                    .map(|rule| rule.name.clone())
                    .collect()
            }
            Err(Denied::Undeclared) => vec!["deny_undeclared".to_owned()],
            Err(Denied::Ambiguous) => Vec::new(),
        }
    }

    fn asked(&self, caller: Option<&AuthInfo>, operation: &Operation<'_>) -> Vec<Asked> {
        let Ok(needs) = self.needs(operation) else { return Vec::new() };
        let mut all = Vec::new();
        for rule in needs.asking_rules().chain(needs.open_rules()) {
            // A baseline that is not configured is no rule to anybody.
            let is_unset = self.is_in_baseline(rule) && rule.requirement == Requirement::default();
            if !is_unset {
                all.push(self.asked_by_rule(rule, caller, operation));
            }
        }
        for rule in needs.named.replaced {
            let asked = self.asked_by_rule(rule, caller, operation);
            all.push(Asked { is_replaced: true, ..asked });
        }
        all
    }
}

/// Public only if every rule says so, and if the answer does not depend on who is asking.
fn open_access(operation: &Operation<'_>, needs: &Needs<'_>) -> Access {
    let is_public = needs.open_rules().next().is_some()
        && !operation.is_list()
        && needs.open_rules().all(|rule| rule.requirement.access == Access::Public);
    if is_public { Access::Public } else { Access::Optional }
}

/// How many combinations there are of one set of each alternative; `None` when there are more than `most`.
fn combinations_of(alternatives: &[&[Scopes]], most: usize) -> Option<usize> {
    let mut combinations = 1_usize;
    for sets in alternatives {
        combinations = combinations.saturating_mul(sets.len());
        if combinations > most {
            return None;
        }
    }
    Some(combinations)
}

/// The rules of one section of a policy, such as `tools`. What is wrong with them is added to the faults.
pub(super) fn rules_of_section(
    section: &str,
    written: &BTreeMap<String, Requirement>,
    faults: &mut Faults<'_>,
) -> impl Iterator<Item = (String, Rule)> + use<> {
    let mut rules = Vec::new();
    let mut section_faults = faults.below(section);
    for (name, requirement) in written {
        requirement.check(&mut section_faults.below(name));
        check_rule(section, name, requirement, &mut section_faults);
        let rule = Rule::new(format!("{section}.{name}"), requirement.clone());
        rules.push((name.clone(), rule));
    }
    rules.into_iter()
}

/// The scopes that the rules ask for because of the arguments.
///
/// # Errors
/// A function of the user panicked, so that nobody knows what it would ask for.
fn scopes_by_arguments(
    needs: &Needs<'_>,
    operation: &Operation<'_>,
) -> Result<Scopes, &'static str> {
    let none = serde_json::Map::new();
    let mut scopes = Vec::new();
    for rule in needs.asking_rules() {
        if rule.by_arguments.is_none() && rule.requirement.when.is_empty() {
            continue;
        }
        let members = operation.arguments().unwrap_or(&none);
        let arguments = match operation.is_completion() {
            true => Arguments::Chosen(members),
            false => Arguments::OfCall(members),
        };
        let applying = rule.requirement.when.iter().filter(|when| when.applies_to(arguments));
        scopes.extend(applying.map(|when| when.scopes.clone()));
        if let Some(function) = &rule.by_arguments {
            let outcome = catch_unwind(AssertUnwindSafe(|| function.call(members)));
            let asked = outcome.map_err(|_| "the function for its arguments panicked")?;
            scopes.push(asked.bounded()?);
        }
    }
    Ok(Scopes::union(&scopes))
}

/// Whether the caller has one of these values in the claim.
fn has_one_value(caller: &AuthInfo, path: &str, wanted: &[String]) -> bool {
    wanted.iter().any(|value| has_value(caller, path, value))
}

/// Whether the caller has this value in the claim.
fn has_value(caller: &AuthInfo, path: &str, wanted: &str) -> bool {
    value_at_path(caller.claims(), path)
        .is_some_and(|claim| texts_of_claim(claim).contains(&wanted))
}

/// Entra ID names the claim instead of listing more than 200 groups in it.
fn has_too_many_groups(caller: &AuthInfo) -> bool {
    let claims = caller.claims();
    claims.get("hasgroups").is_some_and(|has| has == true || has == "true")
        || claims.get("_claim_names").and_then(|names| names.get("groups")).is_some()
}
