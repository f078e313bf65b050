//! What is wrong with a policy. A rule that can never apply, or that matches less than it seems to, protects
//! nothing, and nobody notices. So it is a fault, and a server with such a policy does not start.

use super::methods::fault_of_method;
use crate::claim_path::is_path;
use crate::config::{Faults, Requirement, ScopePolicy};
use crate::scope::Scopes;

/// Checks the fields of a policy that are not rules: `implies`, the paths of claims, the tools of functions.
pub(super) fn check_whole(policy: &ScopePolicy, faults: &mut Faults<'_>) {
    for (scope, others) in &policy.implies {
        let one = Scopes::parse(scope);
        for wrong in one.malformed().chain(others.malformed()) {
            faults.add("implies", format!("{wrong:?} is not a scope (RFC 6749 §3.3)"));
        }
        if one.iter().count() != 1 {
            faults.add("implies", format!("{scope:?} is not one scope"));
        }
    }
    let paths = [
        ("roles_claim", &policy.roles_claim),
        ("groups_claim", &policy.groups_claim),
        ("permissions_claim", &policy.permissions_claim),
    ];
    for (field, path) in paths {
        if path.is_empty() {
            faults.add(field, "must not be empty");
        } else if !is_path(path) {
            let reason = format!(
                "{path:?} is no JSON Pointer: `~` is written `~0`, and `/` in a name `~1` (RFC 6901)"
            );
            faults.add(field, reason);
        }
    }
    for tool in policy.by_arguments.keys() {
        check_name("tools", tool, &mut faults.below("tools"));
    }
}

/// Checks the name of a rule, and whether what is called so can have arguments. The faults are those of the section.
pub(super) fn check_rule(
    section: &str,
    name: &str,
    requirement: &Requirement,
    faults: &mut Faults<'_>,
) {
    let has_arguments = match section {
        "methods" => matches!(name, "tools/call" | "prompts/get"),
        "resources" => false,
        _ => true,
    };
    if !requirement.when.is_empty() && !has_arguments {
        faults.below(name).add(
            "when",
            "there are no arguments; only tools and prompts have them, and the methods tools/call and prompts/get",
        );
    }
    check_name(section, name, faults);
    if section == "methods"
        && let Some(fault) = fault_of_method(name)
    {
        faults.add(name, fault);
    }
}

/// Checks whether a client could send this name at all: names are compared exactly.
fn check_name(section: &str, name: &str, faults: &mut Faults<'_>) {
    if name.is_empty() {
        faults.add_here("a rule without a name would match nothing");
    }
    if section != "resources" && name.contains('*') {
        let instead = match section {
            "methods" => {
                "`require` is for everything, and `deny_undeclared` forbids what no rule names"
            }
            _ => {
                "name each one; a rule for all of them belongs to the method, in `methods`, and `deny_undeclared` forbids what no rule names"
            }
        };
        faults.add(name, format!("`*` is a plain character here; {instead}"));
    }
    if name.trim() != name || name.contains(char::is_control) {
        faults.add(
            name,
            "white space around a name, or a control character in it, would match nothing",
        );
    }
}
