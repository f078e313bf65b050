//! A JWS whose signature was found good.

use serde_json::{Map, Value};

/// Header and claims of a JWS whose signature was found good. Nothing else of it was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
}

impl Verified {
    /// Whether `typ` is this one; RFC 7515 §4.1.9 compares as media types do.
    pub(crate) fn has_typ(&self, typ: &str) -> bool {
        let own = self.header.get("typ").and_then(Value::as_str);
        own.is_some_and(|own| own.eq_ignore_ascii_case(typ))
    }
}
