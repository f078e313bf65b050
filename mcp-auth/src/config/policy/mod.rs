//! A policy as data. What it means is in `authorize/policy/`, which decides by it.

mod access;
mod argument_rule;
mod requirement;
mod scope_policy;
mod scopes_by_arguments;

pub use self::access::Access;
pub use self::argument_rule::ArgumentRule;
pub use self::requirement::Requirement;
pub use self::scope_policy::ScopePolicy;
pub(crate) use self::scopes_by_arguments::ScopesByArguments;
