//! What is wrong with the user's own token, as far as it shows that itself: the server that refuses it is right.

use serde_json::Value;

use crate::explain::{Shown, date};
use crate::output::quoted;

/// Why a server of these identifiers must refuse the token. `None` where it does not show: it is opaque, or nothing is
/// wrong with its times and its audience. `now`: seconds since 1970.
pub(super) fn fault_of(token: &str, resources: &[String], now: u64) -> Option<String> {
    let shown = Shown::of(token, false);
    if shown.form != "JWT" {
        let is_cut = token.starts_with("eyJ") && shown.form == "opaque";
        return is_cut.then(|| {
            "the token begins like a JWT and cannot be read as one: was it copied to its end?"
                .to_owned()
        });
    }
    let claims = &shown.claims;
    if let Some(end) = seconds(claims.get("exp"))
        && end <= now
    {
        return Some(format!("the token has expired since {}: give a new one", date(end)));
    }
    if let Some(start) = seconds(claims.get("nbf"))
        && start > now
    {
        return Some(format!("the token is not valid before {}", date(start)));
    }
    let audiences = match claims.get("aud") {
        None => return Some("the token is for no audience: it has no `aud`".to_owned()),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(one) => one.as_str().into_iter().collect::<Vec<_>>(),
    };
    let is_for_it =
        audiences.iter().any(|one| resources.iter().any(|resource| is_same(one, resource)));
    (!is_for_it).then(|| {
        format!("the token is for another audience: `aud` is {}", quoted(&audiences.join(", ")))
    })
}

fn is_same(audience: &str, resource: &str) -> bool {
    audience.trim_end_matches('/') == resource.trim_end_matches('/')
}

/// A time, of which parts of a second are cut.
fn seconds(value: Option<&Value>) -> Option<u64> {
    let number = value?;
    number.as_u64().or_else(|| number.as_f64().filter(|one| *one >= 0.0).map(|one| one as u64))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_795_533_421;

    fn jwt(claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", part(&json!({ "alg": "ES256" })), part(claims))
    }

    #[test]
    fn a_token_that_no_server_may_accept_says_why_and_any_other_nothing() {
        let here = "https://h.example/mcp";
        let rows = [
            (json!({ "aud": here, "exp": NOW }), Some("has expired since 2026-11-24 15:17:01 UTC")),
            (json!({ "aud": here, "exp": NOW as f64 - 0.5 }), Some("has expired since")),
            (json!({ "aud": here, "exp": NOW + 9, "nbf": NOW + 1 }), Some("not valid before")),
            (
                json!({ "aud": "https://o.example", "exp": NOW + 9 }),
                Some("`aud` is https://o.example"),
            ),
            (json!({ "aud": ["a", "b"], "exp": NOW + 9 }), Some("`aud` is a, b")),
            (json!({ "exp": NOW + 9 }), Some("no `aud`")),
            (json!({ "aud": here, "exp": NOW + 9 }), None),
            (json!({ "aud": [format!("{here}/"), "b"], "exp": NOW + 9 }), None),
            (json!({ "aud": "https://public.example/mcp" }), None),
        ];
        let resources = [here.to_owned(), "https://public.example/mcp".to_owned()];
        for (claims, expected) in rows {
            let fault = fault_of(&jwt(&claims), &resources, NOW);
            assert_eq!(fault.is_some(), expected.is_some(), "{claims}");
            if let (Some(told), Some(part)) = (fault, expected) {
                assert!(told.contains(part), "{part} in {told}");
            }
        }
        assert_eq!(fault_of("opaque", &resources, NOW), None);
        let whole = jwt(&json!({ "aud": here }));
        assert!(fault_of(&whole[..30], &resources, NOW).unwrap().contains("copied to its end"));
    }
}
