//! A policy as data: what each tool, prompt, resource and method needs.

mod argument_rule;
mod compiled;
mod faults;
mod hierarchy;
mod pieces;
mod readings;
mod requirement;
mod resource_pattern;
mod resource_rules;
mod uri;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::argument_rule::ArgumentRule;
use self::compiled::CompiledPolicy;
pub use self::requirement::Requirement;
pub(super) use self::resource_rules::FoundRules;
#[cfg(any(fuzzing, test))]
pub(crate) use self::uri::{NormalUri, normal_pattern};
use super::{Access, AccessRequest, Asked, Authorizer, Operation, Verdict};
use crate::auth_info::{AuthInfo, Principal};
use crate::scope::Scopes;

/// Who may call what. One set of rules decides about calls, and about what lists show.
///
/// Everything needs `require`. Beyond that, a tool, prompt or resource needs what its own rule and
/// the rule of the method ask for. In data, write it as [`ProtectedResource::policy`]; in code,
/// give it to [`McpAuthBuilder::authorizer`] or put it in the same field.
///
/// ```
/// # use mcp_auth::{Requirement, ScopePolicy};
/// let policy = ScopePolicy::new()
///     .require(["mcp"])
///     .require_for_tool("delete_note", ["notes:write"])
///     .require_for_tool("wipe", Requirement::all_of(["notes:write"]).roles(["admin"]))
///     .require_for_resource("notes://{id}", ["notes:read"])
///     .implies("notes:write", ["notes:read"]);
/// ```
///
/// # Defaults
/// Nothing is asked for, and what no rule names needs `require` alone.
///
/// [`ProtectedResource::policy`]: crate::ProtectedResource::policy
/// [`McpAuthBuilder::authorizer`]: crate::McpAuthBuilder::authorizer
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ScopePolicy {
    /// Scopes that every operation needs, besides the `required_scopes` of the resource.
    pub require: Scopes,
    /// By method, such as `completion/complete`; for `tools/call` and the like besides the rule of
    /// what is called.
    #[serde(deserialize_with = "requirement::by_name")]
    pub methods: BTreeMap<String, Requirement>,
    /// By name, for `tools/call`.
    #[serde(deserialize_with = "requirement::by_name")]
    pub tools: BTreeMap<String, Requirement>,
    /// By name, for `prompts/get` and for completing its arguments.
    #[serde(deserialize_with = "requirement::by_name")]
    pub prompts: BTreeMap<String, Requirement>,
    /// By URI, URI template (`notes://{id}`) or prefix (`notes://team/*`), for `resources/read`,
    /// `resources/subscribe`, `resources/unsubscribe` and completion. An exact URI comes first,
    /// then the pattern with the most fixed characters; of several such, all apply. A URI that can
    /// be read in two ways (`..`, needless `%`) is forbidden where there are patterns.
    #[serde(deserialize_with = "requirement::by_name")]
    pub resources: BTreeMap<String, Requirement>,
    /// Which scopes include which others, also over several steps.
    pub implies: BTreeMap<String, Scopes>,
    /// Forbid what no rule names. Opening a connection, notifications and lists always may.
    pub deny_undeclared: bool,
    /// Lists leave out what needs another token too, and not only what is forbidden.
    pub strict_lists: bool,
    /// The only kind of caller that may do anything.
    pub caller: Option<Principal>,
    /// The only clients that may do anything; a token that names no client may not.
    pub allowed_clients: Option<Vec<String>>,
    /// Where the caller's roles are: the name of a claim, or a JSON Pointer (RFC 6901) such as
    /// `/realm_access/roles`. A text, a list of texts, or an object whose member names count.
    pub roles_claim: String,
    /// Where the caller's groups are.
    pub groups_claim: String,
    /// Where the caller's permissions are.
    pub permissions_claim: String,
    #[serde(skip)]
    by_arguments: BTreeMap<String, ScopesByArguments>,
}

impl Default for ScopePolicy {
    fn default() -> Self {
        Self {
            require: Scopes::default(),
            methods: BTreeMap::new(),
            tools: BTreeMap::new(),
            prompts: BTreeMap::new(),
            resources: BTreeMap::new(),
            implies: BTreeMap::new(),
            deny_undeclared: false,
            strict_lists: false,
            caller: None,
            allowed_clients: None,
            roles_claim: "roles".to_owned(),
            groups_claim: "groups".to_owned(),
            permissions_claim: "permissions".to_owned(),
            by_arguments: BTreeMap::new(),
        }
    }
}

impl ScopePolicy {
    /// A policy that asks for nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every operation that has a rule of its own; patterns of URIs as they are written.
    pub(crate) fn named(&self) -> Vec<Operation<'static>> {
        let tools = self.tools.keys().map(|name| Operation::tool(name.clone()));
        let prompts = self.prompts.keys().map(|name| Operation::prompt(name.clone()));
        let resources = self.resources.keys().map(|uri| Operation::resource(uri.clone()));
        let methods = self.methods.keys().map(|method| Operation::new(method.clone()));
        tools.chain(prompts).chain(resources).chain(methods).collect()
    }

    /// Requires these scopes for every operation.
    #[must_use]
    pub fn require<S: AsRef<str>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.require = scopes.into_iter().collect();
        self
    }

    /// What this method needs.
    #[must_use]
    pub fn require_for_method(
        mut self,
        method: impl Into<String>,
        requirement: impl Into<Requirement>,
    ) -> Self {
        self.methods.insert(method.into(), requirement.into());
        self
    }

    /// What this tool needs.
    #[must_use]
    pub fn require_for_tool(
        mut self,
        name: impl Into<String>,
        requirement: impl Into<Requirement>,
    ) -> Self {
        self.tools.insert(name.into(), requirement.into());
        self
    }

    /// What this prompt needs.
    #[must_use]
    pub fn require_for_prompt(
        mut self,
        name: impl Into<String>,
        requirement: impl Into<Requirement>,
    ) -> Self {
        self.prompts.insert(name.into(), requirement.into());
        self
    }

    /// What a resource needs: by URI, URI template or prefix, see [`ScopePolicy::resources`].
    #[must_use]
    pub fn require_for_resource(
        mut self,
        uri: impl Into<String>,
        requirement: impl Into<Requirement>,
    ) -> Self {
        self.resources.insert(uri.into(), requirement.into());
        self
    }

    /// Scopes that a tool needs for its arguments, besides those of its rule. For what
    /// [`Requirement::when`] cannot say; it exists in code only.
    #[must_use]
    pub fn require_by_arguments(
        mut self,
        tool: impl Into<String>,
        scopes: impl Fn(&Map<String, Value>) -> Scopes + Send + Sync + 'static,
    ) -> Self {
        self.by_arguments.insert(tool.into(), ScopesByArguments(Arc::new(scopes)));
        self
    }

    /// A caller who has this scope counts as having these as well.
    #[must_use]
    pub fn implies<S: AsRef<str>>(
        mut self,
        scope: impl Into<String>,
        others: impl IntoIterator<Item = S>,
    ) -> Self {
        self.implies.insert(scope.into(), others.into_iter().collect());
        self
    }

    /// Forbids what no rule names.
    #[must_use]
    pub fn deny_undeclared(mut self) -> Self {
        self.deny_undeclared = true;
        self
    }

    /// Leaves out of lists what needs another token too.
    #[must_use]
    pub fn strict_lists(mut self) -> Self {
        self.strict_lists = true;
        self
    }

    /// The policy in the form that decides. Faults are left out: [`Authorizer::faults`] lists them.
    fn compile(&self) -> CompiledPolicy {
        CompiledPolicy::new(self, &Scopes::default(), &mut Vec::new())
    }
}

/// This way it is compiled anew for each question. A server asks [`Authorizer::compiled`] once, when it is built.
impl Authorizer for ScopePolicy {
    fn authorize(
        &self,
        request: &AccessRequest<'_>,
    ) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
        self.compile().authorize(request)
    }

    fn access(&self, operation: &Operation<'_>) -> Option<Access> {
        self.compile().access(operation)
    }

    fn allows_anonymous(&self) -> bool {
        self.compile().allows_anonymous()
    }

    fn required_scopes(&self, operation: &Operation<'_>, granted: &Scopes) -> Scopes {
        self.compile().required_scopes(operation, granted)
    }

    fn uncovered(&self, granted: &Scopes, required: &Scopes) -> Option<Scopes> {
        self.compile().uncovered(granted, required)
    }

    fn lists(&self, caller: Option<&AuthInfo>, operation: &Operation<'_>) -> bool {
        self.compile().lists(caller, operation)
    }

    fn rules(&self, operation: &Operation<'_>) -> Vec<String> {
        self.compile().rules(operation)
    }

    fn asked(&self, caller: Option<&AuthInfo>, operation: &Operation<'_>) -> Vec<Asked> {
        self.compile().asked(caller, operation)
    }

    fn compiled(&self, required_scopes: &Scopes) -> Option<Arc<dyn Authorizer>> {
        Some(Arc::new(CompiledPolicy::new(self, required_scopes, &mut Vec::new())))
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        CompiledPolicy::new(self, &Scopes::default(), &mut faults);
        faults
    }

    fn warnings(&self) -> Vec<String> {
        self.compile().warnings()
    }
}

/// Two policies are equal when their data is equal and they hold the very same functions.
impl PartialEq for ScopePolicy {
    fn eq(&self, other: &Self) -> bool {
        self.by_arguments == other.by_arguments
            && serde_json::to_value(self).ok() == serde_json::to_value(other).ok()
    }
}

/// A function of the user that derives scopes from arguments: [`ScopePolicy::require_by_arguments`].
#[derive(Clone)]
struct ScopesByArguments(Arc<ScopesFunction>);

type ScopesFunction = dyn Fn(&Map<String, Value>) -> Scopes + Send + Sync;

impl fmt::Debug for ScopesByArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("function")
    }
}

impl PartialEq for ScopesByArguments {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
