//! Which methods a policy may have rules for.
//!
//! Methods are compared exactly, so a rule for a misspelt one would protect nothing. A method that is not of MCP is
//! written with a namespace of its own, such as `vendor/wipe`.

use crate::nearest::{distance, nearest};

/// Methods that clients send, in some revision of MCP.
const METHODS: [&str; 26] = [
    "completion/complete",
    "initialize",
    "logging/setLevel",
    "notifications/cancelled",
    "notifications/initialized",
    "notifications/progress",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
    "ping",
    "prompts/get",
    "prompts/list",
    // Of rmcp, beyond the specification: what is in a directory.
    "resources/directory/read",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tasks/update",
    "tools/call",
    "tools/list",
];

/// The namespaces of MCP's methods, also of those that servers send alone.
const NAMESPACES: [&str; 14] = [
    "completion",
    "elicitation",
    "initialize",
    "logging",
    "notifications",
    "ping",
    "prompts",
    "resources",
    "roots",
    "sampling",
    "server",
    "subscriptions",
    "tasks",
    "tools",
];

/// What is before the name of a notification.
const NOTIFICATION: &str = "notifications/";

/// Why a rule for this method would never apply; `None` when it may.
pub(super) fn fault_of_method(name: &str) -> Option<String> {
    if METHODS.contains(&name) || is_of_vendor(name) {
        return None;
    }
    Some(match nearest(name, METHODS) {
        Some(meant) => format!("{name:?} is no method that clients send: did you mean {meant:?}?"),
        None => format!(
            "{name:?} is no method that clients send; a method of your own has a namespace that is not MCP's, as `vendor/method` has"
        ),
    })
}

/// Whether the method has a namespace that is not MCP's, and no slip of the pen made it from one of MCP's.
fn is_of_vendor(name: &str) -> bool {
    // A notification of a vendor has the vendor's namespace behind that of all notifications.
    let own = name.strip_prefix(NOTIFICATION).unwrap_or(name);
    let Some((namespace, rest)) = own.split_once('/') else { return false };
    let is_mcp = NAMESPACES.iter().any(|known| known.eq_ignore_ascii_case(namespace.trim()));
    !(is_mcp || namespace.is_empty() || rest.is_empty() || is_slip(namespace, rest))
}

/// Whether namespace and rest are each those of a method of MCP but for one letter: `tool/call`, `resource/read`.
fn is_slip(namespace: &str, rest: &str) -> bool {
    let without_prefix = METHODS.iter().filter_map(|method| method.strip_prefix(NOTIFICATION));
    METHODS.into_iter().chain(without_prefix).any(|method| {
        method.split_once('/').is_some_and(|(known, known_rest)| {
            distance(namespace, known) <= 1 && distance(rest, known_rest) <= 1
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_method_is_a_fault_that_names_the_method_that_was_meant() {
        let rows = [
            ("tool/call", "tools/call"),
            ("tools/Call", "tools/call"),
            ("Tools/Call", "tools/call"),
            ("/tools/call", "tools/call"),
            ("tools/call/", "tools/call"),
            (" tools/call", "tools/call"),
            ("tools.call", "tools/call"),
            ("tools_call", "tools/call"),
            ("toolscall", "tools/call"),
            ("tools/cal", "tools/call"),
            ("tools/calls", "tools/call"),
            ("resource/read", "resources/read"),
            ("resources/reads", "resources/read"),
            ("prompt/get", "prompts/get"),
            ("task/result", "tasks/result"),
            ("taks/get", "tasks/get"),
            ("resources/template/list", "resources/templates/list"),
            ("completions/complete", "completion/complete"),
            ("logging/setlevel", "logging/setLevel"),
            ("subscription/listen", "subscriptions/listen"),
            ("notification/progress", "notifications/progress"),
            ("notifications/canceled", "notifications/cancelled"),
            ("notifications/root/list_changed", "notifications/roots/list_changed"),
            ("Ping", "ping"),
            ("initialise", "initialize"),
        ];
        for (written, meant) in rows {
            let fault = fault_of_method(written).unwrap_or_else(|| panic!("{written}"));
            assert!(fault.ends_with(&format!("did you mean {meant:?}?")), "{written}: {fault}");
        }
    }

    #[test]
    fn what_no_client_sends_is_a_fault_even_where_nothing_is_like_it() {
        for written in ["delete_note", "", "/", "vendor/", "tools/explode", "roots/x", "*"] {
            assert!(fault_of_method(written).is_some(), "{written}");
        }
    }

    #[test]
    fn methods_of_mcp_and_of_vendors_are_no_faults() {
        let vendors = [
            "vendor/x",
            "admin/wipe",
            "servers/list",
            "pools/drain",
            "disks/get",
            "com.example/notes/purge",
            "notifications/acme/opened",
        ];
        for name in vendors.into_iter().chain(METHODS) {
            assert_eq!(fault_of_method(name), None, "{name}");
        }
    }
}
