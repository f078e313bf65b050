//! Scopes that are declared beside a tool, and the policy that is made of them.

use rmcp::model::{MetaObject, Tool};
use serde_json::{Value, json};

use crate::config::ScopePolicy;
use crate::scope::Scopes;

/// The member of a tool's `_meta` in which its scopes are.
const REQUIRES: &str = "mcp-auth/requires";

/// The scopes that a tool needs, declared beside it. [`ScopePolicy::require_for_declared`] makes rules of it: **without
/// that nothing is asked for.**
///
/// Whoever may list the tool sees the declaration in its `_meta`.
///
/// # Examples
///
/// ```
/// use mcp_auth::{Config, McpAuth, ScopePolicy, requires};
/// use rmcp::{tool, tool_router};
///
/// struct Notes;
///
/// #[tool_router]
/// impl Notes {
///     #[tool(description = "Add a note", meta = requires(["notes:write"]))]
///     async fn add_note(&self) -> String {
///         "added".to_owned()
///     }
/// }
///
/// let mut config = Config::new("https://mcp.example.com/mcp", "https://auth.example.com")?;
/// let tools = Notes::tool_router().list_all();
/// config.resources[0].policy = Some(ScopePolicy::new().require_for_declared(&tools));
/// let auth = McpAuth::new(config)?;
/// # Ok::<(), mcp_auth::ConfigError>(())
/// ```
pub fn requires<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> MetaObject {
    let declared: Vec<_> = scopes.into_iter().map(|scope| scope.as_ref().to_owned()).collect();
    let mut meta = MetaObject::default();
    meta.0.insert(REQUIRES.to_owned(), json!(declared));
    meta
}

impl ScopePolicy {
    /// Requires what these tools, such as those of a router (`list_all`), declare with [`requires`]: lists, calls and
    /// challenges then go by it. Where the policy has a rule for such a tool already, both count.
    #[must_use]
    pub fn require_for_declared(mut self, tools: &[Tool]) -> Self {
        for tool in tools {
            let Some(meta) = &tool.meta else { continue };
            let Some(declared) = meta.0.get(REQUIRES) else { continue };
            let rule = self.tools.entry(tool.name.to_string()).or_default();
            rule.all_of = Scopes::union(&[rule.all_of.clone(), scopes_of(declared)]);
        }
        self
    }
}

/// The declared scopes. What is no list of scopes becomes a text that is no scope, so that it is a fault of the policy.
fn scopes_of(declared: &Value) -> Scopes {
    let texts: Option<Vec<&str>> =
        declared.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
    match texts {
        Some(scopes) if scopes.iter().all(|scope| !scope.trim().is_empty()) => {
            scopes.into_iter().collect()
        }
        _ => [format!("\"{declared}\"")].into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::Authorizer;
    use crate::config::Requirement;

    fn declaring(name: &'static str, meta: Option<MetaObject>) -> Tool {
        let mut tool = Tool::new(name, "", serde_json::Map::new());
        tool.meta = meta;
        tool
    }

    #[test]
    fn what_is_declared_beside_a_tool_is_a_rule_of_the_policy() {
        let tools = [
            declaring("add", Some(requires(["notes:write"]))),
            declaring("wipe", Some(requires(["notes:write", "notes:wipe"]))),
            declaring("list", Some(requires(Vec::<String>::new()))),
            declaring("none", None),
        ];
        let policy = ScopePolicy::new()
            .require_for_tool("wipe", Requirement::default().roles(["admin"]))
            .require_for_declared(&tools);
        let expected = ScopePolicy::new()
            .require_for_tool("add", ["notes:write"])
            .require_for_tool("list", Requirement::default())
            .require_for_tool(
                "wipe",
                Requirement::all_of(["notes:write", "notes:wipe"]).roles(["admin"]),
            );
        assert_eq!(policy, expected);
        assert!(policy.faults().is_empty());
    }

    #[test]
    fn a_declaration_that_nobody_can_read_is_a_fault() {
        let mut rows = vec![requires(["quo\"te"]), requires([""])];
        for written in [json!("notes:write"), json!(5), json!(null), json!(["a", 5])] {
            let mut meta = MetaObject::default();
            meta.0.insert(REQUIRES.to_owned(), written);
            rows.push(meta);
        }
        for meta in rows {
            let tool = declaring("add", Some(meta.clone()));
            let policy = ScopePolicy::new().require_for_declared(&[tool]);
            assert!(!policy.faults().is_empty(), "{meta:?}");
        }
        let opened = ScopePolicy::new()
            .require_for_tool("add", Requirement::public())
            .require_for_declared(&[declaring("add", Some(requires(["notes:write"])))]);
        assert!(!opened.faults().is_empty());
    }
}
