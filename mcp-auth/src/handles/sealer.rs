//! Seals the handles of one resource, and opens them.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64_simd::URL_SAFE_NO_PAD;

use super::KeyRing;
use super::binding::{add_owner, add_text};
use crate::auth_info::AuthInfo;

/// Bytes of a tag: half of what HMAC-SHA256 makes (RFC 2104 §5), which nobody guesses.
const TAG_BYTES: usize = 16;
/// Characters of a tag, in base64url.
const TAG_CHARACTERS: usize = 22;
/// Between the handle and its tag.
const SEPARATOR: char = '.';

/// What a handle is for: one that was given as the identifier of a session is no other handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandleKind {
    Session,
}

impl HandleKind {
    fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
        }
    }
}

/// Seals and opens the handles of one resource.
#[derive(Clone, Debug)]
pub(crate) struct HandleSealer {
    keys: Arc<KeyRing>,
    resource: Box<str>,
}

impl HandleSealer {
    pub(crate) fn new(keys: Arc<KeyRing>, resource: &str) -> Self {
        Self { keys, resource: resource.into() }
    }

    /// The handle with its tag, for this caller alone. The same handle has the same tag for the same caller, whatever
    /// their token. `None`: there is no key.
    pub(crate) fn seal(
        &self,
        kind: HandleKind,
        owner: Option<&AuthInfo>,
        handle: &str,
    ) -> Option<String> {
        let tag = self.tag(self.keys.sealing()?, kind, owner, handle);
        let mut sealed = String::with_capacity(handle.len() + 1 + TAG_CHARACTERS);
        sealed.push_str(handle);
        sealed.push(SEPARATOR);
        URL_SAFE_NO_PAD.encode_append(&tag.as_ref()[..TAG_BYTES], &mut sealed);
        Some(sealed)
    }

    /// The handle without its tag; `None` where it was not given to this caller as such a handle of this resource.
    pub(crate) fn open<'h>(
        &self,
        kind: HandleKind,
        owner: Option<&AuthInfo>,
        sealed: &'h str,
    ) -> Option<&'h str> {
        let end = sealed.len().checked_sub(1 + TAG_CHARACTERS)?;
        let (handle, tag) = sealed.split_at_checked(end)?;
        let mut given = [0; TAG_BYTES];
        let decoded = URL_SAFE_NO_PAD
            .decode(
                tag.strip_prefix(SEPARATOR)?.as_bytes(),
                base64_simd::Out::from_slice(&mut given),
            )
            .ok()?;
        // All keys are tried: which one it was is nobody's business.
        let mut is_own = false;
        for key in self.keys.opening() {
            let expected = self.tag(key, kind, owner, handle);
            is_own |= verify_slices_are_equal(&expected.as_ref()[..TAG_BYTES], decoded).is_ok();
        }
        is_own.then_some(handle)
    }

    /// What binds the handle to everything that it is for.
    fn tag(
        &self,
        key: &hmac::Key,
        kind: HandleKind,
        owner: Option<&AuthInfo>,
        handle: &str,
    ) -> hmac::Tag {
        let mut context = hmac::Context::with_key(key);
        context.update(b"mcp-auth handle 1");
        add_text(&mut context, Some(&self.resource));
        add_text(&mut context, Some(kind.name()));
        add_owner(&mut context, owner);
        add_text(&mut context, Some(handle));
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    const SESSION: HandleKind = HandleKind::Session;

    fn caller(claims: Value) -> AuthInfo {
        let Value::Object(claims) = claims else { return caller(json!({})) };
        let issuer = Map::from_iter([("iss".to_owned(), json!("https://as.example"))]);
        AuthInfo::from_verified_claims(issuer.into_iter().chain(claims).collect()).unwrap()
    }

    fn sealer(keys: &[&str], resource: &str) -> HandleSealer {
        let ring = KeyRing::new(keys.iter().map(|key| key.as_bytes()));
        HandleSealer::new(Arc::new(ring), resource)
    }

    #[test]
    fn a_handle_is_of_whoever_got_it() {
        let ours = sealer(&["new", "old"], "https://h.example/mcp");
        let owner = caller(json!({ "sub": "alice", "client_id": "app", "jti": "1" }));
        let renewed = caller(json!({ "sub": "alice", "azp": "app", "jti": "2" }));
        let sealed = ours.seal(SESSION, Some(&owner), "8f3c").unwrap();
        assert_eq!(ours.seal(SESSION, Some(&renewed), "8f3c").unwrap(), sealed);
        assert!(sealed.starts_with("8f3c.") && sealed.len() == 4 + 23, "{sealed}");
        assert_eq!(ours.open(SESSION, Some(&renewed), &sealed), Some("8f3c"));

        let strangers = [
            json!({ "sub": "bob", "client_id": "app" }),
            json!({ "sub": "alice", "client_id": "another" }),
            json!({ "sub": "alice" }),
            json!({ "client_id": "alice" }),
            json!({ "sub": "alice", "client_id": "app", "iss": "https://other.example" }),
            json!({ "sub": "aliceapp" }),
        ];
        for stranger in strangers {
            assert_eq!(
                ours.open(SESSION, Some(&caller(stranger.clone())), &sealed),
                None,
                "{stranger}"
            );
        }
        assert_eq!(ours.open(SESSION, None, &sealed), None);
        let of_nobody = ours.seal(SESSION, None, "8f3c").unwrap();
        assert_eq!(ours.open(SESSION, None, &of_nobody), Some("8f3c"));
        assert_eq!(ours.open(SESSION, Some(&owner), &of_nobody), None);
    }

    #[test]
    fn every_key_opens_and_the_first_seals() {
        let owner = caller(json!({ "sub": "alice" }));
        let resource = "https://h.example/mcp";
        let (before, between) = (sealer(&["old"], resource), sealer(&["new", "old"], resource));
        let after = sealer(&["new"], resource);
        let old = before.seal(SESSION, Some(&owner), "s").unwrap();
        let new = between.seal(SESSION, Some(&owner), "s").unwrap();
        let opened =
            |one: &HandleSealer, sealed: &str| one.open(SESSION, Some(&owner), sealed).is_some();
        assert!(opened(&between, &old) && opened(&between, &new) && opened(&after, &new));
        assert!(!opened(&after, &old) && !opened(&before, &new));
        let elsewhere = sealer(&["new"], "https://h.example/other");
        assert!(!opened(&elsewhere, &new));
        assert!(sealer(&[], resource).seal(SESSION, Some(&owner), "s").is_none());
        assert!(!opened(&sealer(&[], resource), &new));
    }

    #[test]
    fn no_other_text_opens() {
        let ours = sealer(&["key"], "https://h.example/mcp");
        let owner = caller(json!({ "sub": "alice" }));
        for handle in ["", "a", "a.b", "é", "{\"a\":1}", &"x".repeat(5000)] {
            let sealed = ours.seal(SESSION, Some(&owner), handle).unwrap();
            assert_eq!(ours.open(SESSION, Some(&owner), &sealed), Some(handle));
            let twice = ours.seal(SESSION, Some(&owner), &sealed).unwrap();
            assert_eq!(ours.open(SESSION, Some(&owner), &twice), Some(&*sealed));
            let (text, tag) = sealed.split_at(handle.len() + 1);
            let others = [
                handle.to_owned(),
                format!("{text}{}", &tag[..21]),
                format!("{text}{tag}="),
                format!("{text}{tag}A"),
                format!("x{sealed}"),
                format!(" {sealed}"),
                sealed.replace('.', ","),
                format!("{text}{}", tag.to_lowercase()),
                format!("{handle}{tag}"),
                tag.to_owned(),
                // Other bits behind the last whole byte.
                format!("{text}{}{}", &tag[..21], next_in_base64(&tag[21..])),
            ];
            for other in others {
                assert_eq!(ours.open(SESSION, Some(&owner), &other), None, "{other}");
            }
        }
    }

    /// A character whose upper bits are the same: a decoder that is not strict reads the same bytes.
    fn next_in_base64(last: &str) -> char {
        char::from(last.as_bytes()[0] + 1)
    }
}
