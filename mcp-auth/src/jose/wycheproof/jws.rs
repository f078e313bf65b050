//! JSON Web Signatures, Keys and Encryption, read from the files of the project Wycheproof.

use std::path::PathBuf;
use std::{env, fs};

use serde::Deserialize;
use serde_json::Value;

use crate::jose::{Jws, TokenLimits, VerificationKey};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    private: Value,
    /// Absent for symmetric keys.
    public: Option<Value>,
    tests: Vec<Case>,
}

impl Group {
    /// The usable keys: of a set, or the only one.
    fn keys(&self) -> Vec<VerificationKey> {
        let jwk = self.public.as_ref().unwrap_or(&self.private);
        let one = std::slice::from_ref(jwk);
        let keys = jwk.get("keys").and_then(Value::as_array).map_or(one, Vec::as_slice);
        keys.iter().filter_map(|jwk| VerificationKey::from_jwk(jwk).ok()).collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    tc_id: usize,
    comment: String,
    /// A text in compact serialization; an object in JSON serialization.
    #[serde(alias = "jwe")]
    jws: Value,
    result: String,
}

impl Case {
    fn is_accepted(&self, keys: &[VerificationKey]) -> bool {
        let text = self.jws.as_str().map_or_else(|| self.jws.to_string(), str::to_owned);
        Jws::parse(&text, &TokenLimits::LARGEST, &mut Vec::new())
            .is_ok_and(|jws| keys.iter().any(|key| jws.verify(key).is_some()))
    }
}

/// Vectors, by `tcId`, that may be accepted, and why we refuse them.
type Stricter = &'static [(&'static [usize], &'static str)];

#[derive(Debug, Default, PartialEq)]
struct Count {
    accepted: usize,
    refused: usize,
    stricter: usize,
}

const SYMMETRIC: &str = "HS*: who verifies could also sign";
const ENCRYPTED: &str = "JWE: we hold no key to decrypt with, so no token is meant for us";

#[test]
fn signatures() {
    let stricter: Stricter = &[
        (&[1, 348, 352, 357, 358, 359, 376, 377], SYMMETRIC),
        (&[372, 373], "a character that base64url does not have, and HS256"),
        (&[346, 350], "the key is for PS256, the token is signed with PS384"),
        (&[347, 351], "`ES521` is no registered algorithm; the name is ES512"),
    ];
    let expected = Count { accepted: 32, refused: 355, stricter: 14 };
    check("json_web_signature_test.json", stricter, &expected);
}

#[test]
fn keys() {
    let stricter: Stricter = &[(&[2, 13, 14, 15], SYMMETRIC)];
    let expected = Count { accepted: 1, refused: 21, stricter: 4 };
    check("json_web_key_test.json", stricter, &expected);
}

#[test]
fn signatures_and_encryption() {
    let stricter: Stricter = &[(&[1, 48], SYMMETRIC), (&[50, 67], ENCRYPTED)];
    let expected = Count { accepted: 2, refused: 77, stricter: 4 };
    check("json_web_crypto_test.json", stricter, &expected);
}

fn check(name: &str, stricter: Stricter, expected: &Count) {
    let Some(text) = read(name) else { return };
    let file: File = serde_json::from_str(&text).unwrap();
    let mut count = Count::default();
    let mut faults = Vec::new();
    let mut unused: Vec<_> = stricter.iter().flat_map(|(ids, _)| *ids).collect();
    for group in &file.test_groups {
        let keys = group.keys();
        for case in &group.tests {
            let accepted = case.is_accepted(&keys);
            let excepted = unused.iter().position(|id| **id == case.tc_id);
            match (&*case.result, accepted) {
                ("valid", true) => count.accepted += 1,
                ("invalid", false) => count.refused += 1,
                ("valid", false) if excepted.is_some() => count.stricter += 1,
                (result, _) => faults.push(format!("{} {}: {result}", case.tc_id, case.comment)),
            }
            if !accepted && let Some(at) = excepted {
                unused.remove(at);
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new(), "{name}: decided otherwise than the vector says");
    assert_eq!(unused, Vec::<&usize>::new(), "{name}: exceptions that nothing needs");
    assert_eq!(&count, expected, "{name}");
    let total = count.accepted + count.refused + count.stricter;
    assert_eq!(total, file.number_of_tests, "{name}");
    println!("{name}: {count:?}");
}

/// The file's text. Without the files there is nothing to check, which CI does not let pass.
fn read(name: &str) -> Option<String> {
    let folder = env::var_os("WYCHEPROOF_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/wycheproof")),
        PathBuf::from,
    );
    match fs::read_to_string(folder.join(name)) {
        Ok(text) => Some(text),
        Err(error) => {
            let in_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
            assert!(!in_ci, "{}: {error}, and CI is set", folder.join(name).display());
            println!("skipped: {name} is not in {} (WYCHEPROOF_DIR)", folder.display());
            None
        }
    }
}
