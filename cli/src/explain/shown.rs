//! What of a token may be shown: its header, and the claims that decide. Nothing here is verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_auth::explanation::{CheckOutcome, TokenCheck};
use serde::Serialize;
use serde_json::{Map, Value};

/// Claims that say nothing of a person.
const OPEN: [&str; 17] = [
    "iss",
    "aud",
    "exp",
    "nbf",
    "iat",
    "auth_time",
    "scope",
    "scp",
    "scopes",
    "client_id",
    "azp",
    "cid",
    "appid",
    "typ",
    "token_use",
    "ver",
    "cnf",
];

/// A token as people may see it.
#[derive(Serialize)]
pub(crate) struct Shown {
    /// `JWT`, `JWE`, or `opaque`.
    pub(crate) form: &'static str,
    /// The header of a JWT.
    pub(crate) header: Map<String, Value>,
    /// The claims of a JWT; a hidden value is replaced by its type.
    pub(crate) claims: Map<String, Value>,
}

impl Shown {
    pub(crate) fn of(token: &str, with_all_claims: bool) -> Self {
        let parts: Vec<_> = token.split('.').collect();
        let (header, payload) = match parts.as_slice() {
            [first, second, _] => (json_object(first), json_object(second)),
            [first, _, _, _, _] => (json_object(first), None),
            _ => (None, None),
        };
        let form = match (&header, &payload) {
            (Some(_), Some(_)) => "JWT",
            (Some(_), None) if parts.len() == 5 => "JWE",
            _ => "opaque",
        };
        let mut claims = payload.unwrap_or_default();
        for (name, value) in &mut claims {
            if !with_all_claims && !OPEN.contains(&name.as_str()) {
                *value = Value::from(placeholder(value));
            }
        }
        Self { form, header: header.unwrap_or_default(), claims }
    }

    /// Says of a text that begins like a JWT, and is not one, that it is cut: it is no opaque token.
    pub(super) fn correct_form(&self, token: &str, checks: &mut [TokenCheck]) {
        let is_cut = self.form == "opaque" && token.starts_with("eyJ");
        for check in checks.iter_mut().filter(|check| check.name == "form") {
            if is_cut && check.outcome == CheckOutcome::Failed {
                let parts = token.split('.').count();
                check.actual = format!(
                    "it begins like a JWT and cannot be read as one ({parts} of 3 parts): was it copied to its end?"
                );
            }
        }
    }

    /// The issuer that it names.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// A claim that is a text, and shown.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }
}

fn json_object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// What stands for a hidden value.
fn placeholder(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("(hidden list of {})", items.len()),
        Value::Object(_) => "(hidden object)".to_owned(),
        Value::String(_) => "(hidden text)".to_owned(),
        Value::Number(_) => "(hidden number)".to_owned(),
        Value::Bool(_) => "(hidden yes or no)".to_owned(),
        Value::Null => "null".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn jwt(claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2lnbmF0dXJl", part(&json!({ "alg": "ES256" })), part(claims))
    }

    #[test]
    fn who_somebody_is_stays_hidden_and_so_does_the_signature() {
        let claims = json!({ "iss": "i", "sub": "alice", "email": "a@b.c", "roles": ["x", "y"] });
        let shown = Shown::of(&jwt(&claims), false);
        assert_eq!(shown.issuer(), Some("i"));
        let text = serde_json::to_string(&shown).unwrap();
        for hidden in ["alice", "a@b.c", "\"x\"", "c2lnbmF0dXJl"] {
            assert!(!text.contains(hidden), "{text}");
        }
        assert!(text.contains("hidden list of 2"));
        assert_eq!(Shown::of(&jwt(&claims), true).claims["sub"], "alice");
    }

    #[test]
    fn forms_are_told_apart() {
        assert_eq!(Shown::of("opaque", false).form, "opaque");
        assert_eq!(Shown::of("a.b.c", false).form, "opaque");
        assert_eq!(Shown::of("eyJhbGciOiJkaXIifQ.a.b.c.d", false).form, "JWE");
    }
}
