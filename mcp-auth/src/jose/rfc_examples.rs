//! The signatures printed in the RFCs, as they are printed there.

use serde::Deserialize;
use serde_json::Value;

use super::{Jws, TokenLimits, VerificationKey};

#[derive(Deserialize)]
struct Example {
    name: String,
    /// Absent for an unsecured one.
    key: Option<Value>,
    token: String,
    /// Why it is refused although the RFC accepts it.
    refused: Option<String>,
}

impl Example {
    fn key(&self) -> Option<VerificationKey> {
        VerificationKey::from_jwk(self.key.as_ref()?)
            .inspect_err(|reason| println!("{}: {reason}", self.name))
            .ok()
    }
}

fn examples() -> Vec<Example> {
    serde_json::from_str(include_str!("rfc_examples.json")).unwrap()
}

fn verifies(token: &str, key: &VerificationKey) -> bool {
    Jws::parse(token, &TokenLimits::LARGEST, &mut Vec::new())
        .is_ok_and(|jws| jws.verify(key).is_some())
}

#[test]
fn asymmetric_examples_verify_and_no_other_key_verifies_them() {
    let examples: Vec<_> =
        examples().into_iter().filter(|example| example.refused.is_none()).collect();
    assert_eq!(examples.len(), 10);
    for example in &examples {
        for other in &examples {
            let same_key = other.key == example.key;
            let key = other.key().unwrap();
            assert_eq!(
                verifies(&example.token, &key),
                same_key,
                "{} by the key of {}",
                example.name,
                other.name
            );
        }
    }
}

#[test]
fn every_single_changed_character_breaks_an_example() {
    for example in examples().iter().filter(|example| example.refused.is_none()) {
        let key = example.key().unwrap();
        // Every character of short tokens, some of the post-quantum ones.
        let step = example.token.len().div_ceil(1000);
        for at in (0..example.token.len()).step_by(step) {
            let mut changed = example.token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(!verifies(&changed, &key), "{} with character {at} changed", example.name);
        }
    }
}

#[test]
fn symmetric_and_unsecured_examples_are_refused() {
    let refused: Vec<_> =
        examples().into_iter().filter(|example| example.refused.is_some()).collect();
    assert_eq!(refused.len(), 3);
    for example in refused {
        let mut buffer = Vec::new();
        let parsed = Jws::parse(&example.token, &TokenLimits::LARGEST, &mut buffer);
        assert!(parsed.is_err(), "{}", example.name);
        assert!(example.key().is_none(), "{}", example.name);
    }
}
