//! A JWK Set (RFC 7517 §5) as prepared keys.

use std::fmt;

use serde_json::Value;

use crate::identifier::host_in;
use crate::jose::{Jws, JwsCopy, VerificationKey, VerifiedCopy, VerifiedJws, set_member};
use crate::json::{type_in_words, wrong_type};
use crate::text::shown;

/// Keys a set may hold; the rest is skipped, so that a set cannot grow memory without bound.
const MAX_KEYS: usize = 256;
/// Keys that are tried for one token, when its `kid` does not single one out.
const MAX_CANDIDATES: usize = 8;

/// An issuer's usable keys. One odd key never spoils the others.
pub(crate) struct KeySet {
    keys: Vec<VerificationKey>,
    skipped: Vec<SkippedKey>,
    /// The document they came from.
    document: Value,
}

impl KeySet {
    /// Prepares every key of a set that this issuer can use.
    pub(crate) fn read(document: &Value, issuer: &str) -> Result<Self, String> {
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for (jwk, judged) in Self::judge(document, issuer)? {
            match judged {
                Ok(key) => keys.push(key),
                Err(reason) => skipped.push(SkippedKey::new(jwk, reason)),
            }
        }
        if keys.is_empty() {
            let first = skipped.first().map_or("it is empty".to_owned(), SkippedKey::to_string);
            return Err(format!("no key in the set can verify signatures: {first}"));
        }
        let ignored = Self::ignored(document);
        if ignored > 0 {
            tracing::warn!(ignored, MAX_KEYS, "a key set is cut: it has too many keys");
        }
        Ok(Self { keys, skipped, document: document.clone() })
    }

    /// The keys of an issuer whose tokens are all opaque.
    pub(crate) fn none() -> Self {
        Self { keys: Vec::new(), skipped: Vec::new(), document: Value::Null }
    }

    /// The keys of a set that are looked at, each prepared, or why it cannot be used.
    pub(crate) fn judge<'d>(
        document: &'d Value,
        issuer: &str,
    ) -> Result<impl Iterator<Item = (&'d Value, Result<VerificationKey, String>)>, String> {
        let keys = listed(document).ok_or_else(|| without_keys(document))?;
        Ok(keys.iter().take(MAX_KEYS).map(move |jwk| (jwk, usable_key(jwk, issuer))))
    }

    /// How many keys of a set are not looked at.
    pub(crate) fn ignored(document: &Value) -> usize {
        listed(document).map_or(0, |keys| keys.len().saturating_sub(MAX_KEYS))
    }

    /// The document they were read from.
    pub(crate) fn document(&self) -> &Value {
        &self.document
    }

    /// Whether both were read from the same document.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.document == other.document
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Logs which keys were skipped, unless the set before this one skipped them as well.
    pub(super) fn log_skipped(&self, issuer: &str, before: Option<&Self>) {
        let known = before.map_or(&[][..], |set| &set.skipped);
        for key in self.skipped.iter().filter(|key| !known.contains(key)) {
            let (kid, reason) = (key.kid.as_deref(), &key.reason);
            if key.encrypts {
                // Many issuers publish such keys beside the others: nobody has to act.
                tracing::debug!(issuer, kid, reason, "a key is skipped");
            } else {
                tracing::warn!(issuer, kid, reason, "a key is skipped");
            }
        }
    }

    /// Whether looking for the key that made a token's signature may take more than 0.1 ms.
    pub(super) fn is_slow_for<T>(&self, jws: &Jws<'_, T>) -> bool {
        self.keys.iter().any(|key| {
            key.supports(jws.algorithm()) && key.is_slow() && may_be_named(key, jws.key_id())
        })
    }

    /// Looks for the key that made a token's signature.
    pub(crate) fn verify<'j, T>(
        &self,
        jws: &'j Jws<'j, T>,
    ) -> Result<VerifiedJws<'j, T>, KeyMismatch> {
        if let Some(outcome) = self.verify_named(jws) {
            return outcome;
        }
        // A token may name no key, and a set may have keys without a name.
        match self.try_keys(jws, |key| jws.key_id().is_none() || key.key_id().is_none()) {
            Ok(verified) => Ok(verified),
            Err(Tries { tried: 0, .. }) => Err(KeyMismatch::NoKey),
            Err(Tries { untried, .. }) => Err(KeyMismatch::NotNamed { untried }),
        }
    }

    /// The same with the key that the token names; `None`: there is none.
    pub(super) fn verify_named<'j, T>(
        &self,
        jws: &'j Jws<'j, T>,
    ) -> Option<Result<VerifiedJws<'j, T>, KeyMismatch>> {
        let name = jws.key_id()?;
        match self.try_keys(jws, |key| key.key_id() == Some(name)) {
            Ok(verified) => Some(Ok(verified)),
            Err(Tries { tried: 0, .. }) => None,
            Err(Tries { untried, .. }) => Some(Err(KeyMismatch::Forged { untried })),
        }
    }

    /// The same for a copy of a token. `None`: it cannot be parsed, which would mean that it is no copy.
    pub(super) fn verify_copy(&self, copy: &JwsCopy) -> Option<Result<VerifiedCopy, KeyMismatch>> {
        let mut buffer = Vec::new();
        let jws = copy.parse(&mut buffer).ok()?;
        Some(self.verify(&jws).map(VerifiedJws::into_proof))
    }

    /// Tries the wanted keys of the token's algorithm in their order, but no more than a few: each costs time.
    fn try_keys<'j, T>(
        &self,
        jws: &'j Jws<'j, T>,
        is_wanted: impl Fn(&VerificationKey) -> bool,
    ) -> Result<VerifiedJws<'j, T>, Tries> {
        let mut tries = Tries { tried: 0, untried: 0 };
        for key in self.keys.iter().filter(|key| key.supports(jws.algorithm()) && is_wanted(key)) {
            if tries.tried == MAX_CANDIDATES {
                tries.untried += 1;
                continue;
            }
            tries.tried += 1;
            if let Some(verified) = jws.verify(key) {
                return Ok(verified);
            }
        }
        Err(tries)
    }
}

/// How many keys did not make a signature, and how many might have.
struct Tries {
    tried: usize,
    untried: usize,
}

/// Whether a key is tried for a token whose header names this key: not if it has another name.
fn may_be_named(key: &VerificationKey, wanted: Option<&str>) -> bool {
    match (key.key_id(), wanted) {
        (Some(key_id), Some(wanted)) => key_id == wanted,
        _ => true,
    }
}

/// A key, prepared, or why it cannot be used.
fn usable_key(jwk: &Value, issuer: &str) -> Result<VerificationKey, String> {
    check_owner(jwk, issuer)?;
    VerificationKey::from_jwk(jwk).map_err(|error| error.to_string())
}

fn listed(document: &Value) -> Option<&Vec<Value>> {
    document.get("keys").and_then(Value::as_array)
}

/// Why a document has no list of keys.
fn without_keys(document: &Value) -> String {
    if !document.is_object() {
        return format!("the key set is {}, an object is needed", type_in_words(document));
    }
    match document.get("keys") {
        None => "`keys` is missing".to_owned(),
        Some(keys) => wrong_type("keys", type_in_words(keys), "an array"),
    }
}

/// Entra ID says in each key whose tokens it signs, and `{tenantid}` stands for every tenant. Decided
/// here and not for each token: an issuer is known by its exact name.
fn check_owner(jwk: &Value, issuer: &str) -> Result<(), String> {
    let Some(owner) = set_member(jwk, "issuer") else { return Ok(()) };
    let owner =
        owner.as_str().ok_or_else(|| wrong_type("issuer", type_in_words(owner), "a string"))?;
    let fits = owner.split('/').count() == issuer.split('/').count()
        && owner
            .split('/')
            .zip(issuer.split('/'))
            .all(|(part, own)| part == own || part == "{tenantid}");
    // Its v1 issuers are on another host than the v2 ones, and share their keys.
    if fits || host_in(owner) != host_in(issuer) {
        return Ok(());
    }
    Err("a key of another issuer: its `issuer` says so".to_owned())
}

/// Why a set has no key for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyMismatch {
    /// The key that the token names did not make the signature.
    Forged {
        /// How many of that name were not tried.
        untried: usize,
    },
    /// The set has no key that could have made it.
    NoKey,
    /// The token names no key of the set, and none that was tried of those without a name made it.
    NotNamed {
        /// How many were not tried.
        untried: usize,
    },
}

/// A key that cannot be used, and why. Nothing of the key itself is kept.
#[derive(PartialEq, Eq)]
struct SkippedKey {
    /// As it is shown in logs: cut and inert.
    kid: Option<String>,
    reason: String,
    encrypts: bool,
}

impl SkippedKey {
    fn new(jwk: &Value, reason: String) -> Self {
        let kid = jwk.get("kid").and_then(Value::as_str);
        Self {
            kid: kid.map(shown),
            reason,
            encrypts: jwk.get("use").is_some_and(|purpose| purpose == "enc"),
        }
    }
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kid \"{}\" {}", self.kid.as_deref().unwrap_or_default(), self.reason)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_that_names_its_issuer_is_for_that_one() {
        let issuer = "https://login.example/8c6f/v2.0";
        let rows = [
            (json!("https://login.example/8c6f/v2.0"), true),
            (json!("https://login.example/{tenantid}/v2.0"), true),
            (json!("https://login.example/9188/v2.0"), false),
            (json!("https://login.example/8c6f/v2.0/"), false),
            (json!("https://login.example/{tenantid}"), false),
            (json!("https://login.example/x{tenantid}/v2.0"), false),
            (json!("https://sts.example/{tenantid}/"), true),
            (json!(7), false),
            (json!(["https://login.example/8c6f/v2.0"]), false),
            (json!(null), true),
            (json!(""), true),
            (json!({}), false),
        ];
        for (owner, expected) in rows {
            assert_eq!(
                check_owner(&json!({ "issuer": owner }), issuer).is_ok(),
                expected,
                "{owner}"
            );
        }
        assert!(check_owner(&json!({}), issuer).is_ok());
    }
}
