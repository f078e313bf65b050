//! What the library must decide: the member `expect` of a case.

use serde_json::{Value, json};

pub(crate) fn ok() -> Value {
    json!({ "status": 200, "code": "ok" })
}

/// The caller may come back with these scopes.
pub(crate) fn step_up(scope: &str) -> Value {
    json!({ "status": 403, "code": "insufficient_scope", "scope": scope })
}

/// No scope would help the caller.
pub(crate) fn policy_denied() -> Value {
    json!({ "status": 403, "code": "policy_denied" })
}

/// The caller has to get a token with these scopes first.
pub(crate) fn sign_in(code: &str, scope: &str) -> Value {
    json!({ "status": 401, "code": code, "scope": scope })
}

pub(crate) fn bad_request(code: &str) -> Value {
    json!({ "status": 400, "code": code })
}
