//! By what a token for a downstream API is known: whose it is, and what it is for.

use serde_json::Value;

use crate::auth_info::AuthInfo;
use crate::jose::{Digest, sha256};
use crate::scope::Scopes;

/// What differs from one token of a caller to the next, and says nothing of their rights. All other claims are in the key: a
/// token that was had with more must not be given to one with less.
const CLAIMS_OF_ONE_TOKEN: [&str; 9] =
    ["exp", "iat", "nbf", "jti", "uti", "aio", "rh", "at_hash", "nonce"];

/// The key of a token for this caller, or for the tool itself, with these scopes. Everything has its length before it, so that no
/// two can be one.
pub(super) fn token_key(caller: Option<&AuthInfo>, scopes: &Scopes) -> Digest {
    let mut text = Vec::with_capacity(512);
    add_scopes(&mut text, scopes);
    if let Some(known) = caller {
        add(&mut text, Some(known.issuer()));
        add(&mut text, known.subject());
        add(&mut text, known.client_id());
        add_scopes(&mut text, known.scopes());
        // In the order of their names.
        for (name, claim) in known.claims() {
            if CLAIMS_OF_ONE_TOKEN.contains(&name.as_str()) {
                continue;
            }
            add(&mut text, Some(name));
            match claim {
                Value::String(said) => add(&mut text, Some(said)),
                // As JSON writes it. A text has nothing before it, whatever is in it.
                other => {
                    add(&mut text, None);
                    add(&mut text, Some(&other.to_string()));
                }
            }
        }
        // Nobody is named: it is for this token alone.
        if known.subject().is_none() && known.client_id().is_none() {
            add(&mut text, Some(known.dangerous_raw_token()));
        }
    }
    sha256(&text)
}

/// The key of what was said of one token of a caller; `token` is empty for the tool itself.
pub(super) fn key_of_one_token(key: &Digest, token: &str) -> Digest {
    sha256(&[key, token.as_bytes()].concat())
}

fn add(text: &mut Vec<u8>, part: Option<&str>) {
    // What is not there is not what is empty.
    let length = part.map_or(u64::MAX, |known| known.len() as u64);
    text.extend_from_slice(&length.to_be_bytes());
    text.extend_from_slice(part.unwrap_or_default().as_bytes());
}

fn add_scopes(text: &mut Vec<u8>, scopes: &Scopes) {
    text.extend_from_slice(&(scopes.iter().count() as u64).to_be_bytes());
    for scope in scopes.iter() {
        add(text, Some(scope));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::collection::btree_map;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_difference_of_right_makes_another_key() {
        let whole = json!({ "iss": "i", "sub": "s", "client_id": "c", "scope": "a b", "sid": "1",
            "acr": "2", "amr": ["pwd"], "auth_time": 5, "act": { "sub": "x" }, "aud": "x", "org_id": "o",
            "roles": ["r"], "authorization_details": [{ "type": "t" }] });
        let key_of = |claims: &Value| {
            let caller = AuthInfo::from_verified_json(&claims.to_string()).unwrap();
            token_key(Some(&caller), &Scopes::parse("r"))
        };
        let mut keys = HashSet::from([key_of(&whole), token_key(None, &Scopes::parse("r"))]);
        let mut expected = 2;
        for name in whole.as_object().unwrap().keys() {
            for other in [json!(null), json!("other")] {
                let mut changed = whole.clone();
                match other.is_null() {
                    true => drop(changed.as_object_mut().unwrap().remove(name)),
                    false => changed[name] = other,
                }
                keys.insert(key_of(&changed));
                expected += 1;
            }
        }
        let mut moved = whole.clone();
        (moved["sub"], moved["client_id"]) = (json!("sc"), json!(""));
        keys.insert(key_of(&moved));
        assert_eq!(keys.len(), expected + 1);
        // A text is not what it looks like.
        for (one, another) in [
            (json!(true), json!("true")),
            (json!(true), json!("\u{0}true")),
            (json!(["r"]), json!("[\"r\"]")),
            (json!(null), json!("")),
        ] {
            let with = |claim: &Value| {
                let mut changed = whole.clone();
                changed["roles"] = claim.clone();
                key_of(&changed)
            };
            assert_ne!(with(&one), with(&another), "{one}");
        }
        // A refreshed token is of the same caller.
        let mut refreshed = whole.clone();
        (refreshed["iat"], refreshed["exp"], refreshed["jti"]) = (json!(9), json!(99), json!("n"));
        assert_eq!(key_of(&refreshed), key_of(&whole));
    }

    /// Claims of a few names and values, so that two callers often are the same.
    fn some_claims() -> impl Strategy<Value = Value> {
        let texts = ["", "a", "a b", "sub", "\u{0}1", "1"].map(Value::from);
        let others = [json!(1), json!(true), json!(null), json!(["a"]), json!({ "sub": "a" })];
        let values: Vec<Value> = texts.into_iter().chain(others).collect();
        let names = prop::sample::select(vec!["roles", "org", "ro", "les", "exp", "jti"]);
        let subjects = prop::sample::select(vec!["a", "b", "a\u{0}", "ab"]);
        let members = btree_map(names, prop::sample::select(values), 0..4);
        (subjects, members).prop_map(|(subject, members)| {
            let mut claims = json!({ "iss": "i", "sub": subject });
            for (name, value) in members {
                // These are numbers and texts, where they are there.
                claims[name] = match name {
                    "exp" => json!(99),
                    "jti" => json!("j"),
                    _ => value,
                };
            }
            claims
        })
    }

    fn without_those_of_one_token(claims: &Value) -> Value {
        let mut rest = claims.clone();
        rest.as_object_mut().unwrap().retain(|name, _| !CLAIMS_OF_ONE_TOKEN.contains(&&**name));
        rest
    }

    proptest! {
        #[test]
        fn two_callers_have_one_key_if_they_are_the_same(one in some_claims(), another in some_claims()) {
            let key_of = |claims: &Value| {
                let caller = AuthInfo::from_verified_json(&claims.to_string()).unwrap();
                token_key(Some(&caller), &Scopes::parse("r"))
            };
            let are_same = without_those_of_one_token(&one) == without_those_of_one_token(&another);
            prop_assert_eq!(key_of(&one) == key_of(&another), are_same);
        }
    }
}
