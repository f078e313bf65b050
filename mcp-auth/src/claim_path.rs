//! Where a value is in a token's claims, or in a call's arguments.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// The value that a path leads to: a member of the object by its name or, where the path begins with a slash,
/// what a JSON Pointer (RFC 6901) names. `None` when nothing is there.
pub(crate) fn value_at_path<'v>(object: &'v Map<String, Value>, path: &str) -> Option<&'v Value> {
    let (member, rest) = first_step(path);
    object.get(&*member)?.pointer(rest)
}

/// The name of the member with which a path begins.
pub(crate) fn first_member(path: &str) -> Cow<'_, str> {
    first_step(path).0
}

/// The member with which a path begins, and the pointer that leads on from its value.
fn first_step(path: &str) -> (Cow<'_, str>, &str) {
    let Some(pointer) = path.strip_prefix('/') else {
        return (path.into(), "");
    };
    let (first, rest) = match pointer.find('/') {
        Some(slash) => pointer.split_at(slash),
        None => (pointer, ""),
    };
    (first.replace("~1", "/").replace("~0", "~").into(), rest)
}

/// Whether a path that begins with a slash is a JSON Pointer; every other text is a plain name.
pub(crate) fn is_path(path: &str) -> bool {
    !path.starts_with('/') || path.split('~').skip(1).all(|escaped| escaped.starts_with(['0', '1']))
}

/// The texts that a claim stands for: itself, the texts in its list, or the names of its members
/// that are not `false` or `null`. A claim of any other type stands for none.
pub(crate) fn texts_of_claim(claim: &Value) -> Vec<&str> {
    match claim {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        Value::Object(members) => {
            let mut names = Vec::new();
            for (name, value) in members {
                if !value.is_null() && *value != false {
                    names.push(&**name);
                }
            }
            names
        }
        _ => Vec::new(),
    }
}
