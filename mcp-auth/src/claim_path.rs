//! Where a value is in a token's claims, or in a call's arguments.

use serde_json::{Map, Value};

/// A member by its name, or a value by its JSON Pointer (RFC 6901).
pub(crate) fn at<'v>(object: &'v Map<String, Value>, path: &str) -> Option<&'v Value> {
    let Some(pointer) = path.strip_prefix('/') else {
        return object.get(path);
    };
    let (first, rest) = match pointer.find('/') {
        Some(slash) => pointer.split_at(slash),
        None => (pointer, ""),
    };
    object.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(rest)
}

/// The texts that a claim stands for: itself, the texts in its list, or the names of its members
/// that are not `false` or `null`.
pub(crate) fn texts(claim: &Value) -> Vec<&str> {
    match claim {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        Value::Object(members) => {
            let is_set = |value: &Value| !value.is_null() && *value != false;
            members.iter().filter(|(_, value)| is_set(value)).map(|(name, _)| &**name).collect()
        }
        _ => Vec::new(),
    }
}
