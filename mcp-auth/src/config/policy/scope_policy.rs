//! What each tool, prompt, resource and method needs, as plain data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::requirement::{self, Requirement};
use super::scopes_by_arguments::ScopesByArguments;
use crate::principal::Principal;
use crate::scope::Scopes;

/// Who may call what. Lists show a caller what these rules let it call.
///
/// Everything needs `require`. Beyond that, a tool, prompt or resource needs what its own rule and
/// the rule of the method ask for. In data, write it as [`ProtectedResource::policy`]; in code,
/// put it in that field, or give it to [`McpAuthBuilder::authorizer`] for all resources.
///
/// ```
/// # use mcp_auth::policy::Requirement;
/// # use mcp_auth::ScopePolicy;
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
    /// Functions are no data: they are set in code alone.
    #[serde(skip)]
    pub(crate) by_arguments: BTreeMap<String, ScopesByArguments>,
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
        self.by_arguments.insert(tool.into(), ScopesByArguments::new(scopes));
        self
    }

    /// A caller who has this scope has these as well.
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
}

/// Two policies are equal when their data is, and when they hold the very same functions.
impl PartialEq for ScopePolicy {
    fn eq(&self, other: &Self) -> bool {
        self.by_arguments == other.by_arguments && self.as_data() == other.as_data()
    }
}

impl ScopePolicy {
    /// All but the functions, which are not written as data.
    fn as_data(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }
}
