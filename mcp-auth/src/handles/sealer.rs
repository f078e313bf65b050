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
/// Bytes of the time at which a state ends, in seconds since 1970: enough for eight million years.
const EXPIRY_BYTES: usize = 6;
/// Characters of that time and a tag, in base64url.
const STATE_TAG_CHARACTERS: usize = 30;

/// What a handle is for: one that was given as the identifier of a session is no other handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandleKind {
    Session,
    Task,
}

impl HandleKind {
    fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Task => "task",
        }
    }
}

/// In the place of a kind, for where a stream of events is taken up again: nothing else belongs to a session.
const EVENT: &str = "event";
/// In the place of a kind, for the state of a request: nothing else ends.
const REQUEST_STATE: &str = "request state";

/// The request that a state belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateOf<'r> {
    pub(crate) method: &'r str,
    /// What it names: a tool, a prompt, a resource, a task.
    pub(crate) name: Option<&'r str>,
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
        let tag = self.context(self.keys.sealing()?, kind.name(), owner, handle).sign();
        Some(with_tag(handle, &tag.as_ref()[..TAG_BYTES], TAG_CHARACTERS))
    }

    /// The handle without its tag; `None` where it was not given to this caller as such a handle of this resource.
    pub(crate) fn open<'h>(
        &self,
        kind: HandleKind,
        owner: Option<&AuthInfo>,
        sealed: &'h str,
    ) -> Option<&'h str> {
        let (handle, tag) = without_tag::<TAG_BYTES>(sealed, TAG_CHARACTERS)?;
        self.is_signed(&tag, |key| self.context(key, kind.name(), owner, handle)).then_some(handle)
    }

    /// The identifier of an event with its tag: for this caller, and in this session alone. `None`: there is no key.
    pub(crate) fn seal_event(
        &self,
        owner: Option<&AuthInfo>,
        session: Option<&str>,
        event: &str,
    ) -> Option<String> {
        let tag = self.event_context(self.keys.sealing()?, owner, session, event).sign();
        Some(with_tag(event, &tag.as_ref()[..TAG_BYTES], TAG_CHARACTERS))
    }

    /// The identifier of an event without its tag; `None` where it was not given to this caller in this session.
    pub(crate) fn open_event<'e>(
        &self,
        owner: Option<&AuthInfo>,
        session: Option<&str>,
        sealed: &'e str,
    ) -> Option<&'e str> {
        let (event, tag) = without_tag::<TAG_BYTES>(sealed, TAG_CHARACTERS)?;
        self.is_signed(&tag, |key| self.event_context(key, owner, session, event)).then_some(event)
    }

    /// The state of a request with the time at which it ends, in seconds since 1970, and a tag: for this caller and for
    /// the same request alone. `None`: there is no key.
    pub(crate) fn seal_state(
        &self,
        owner: Option<&AuthInfo>,
        of: StateOf<'_>,
        ends: u64,
        state: &str,
    ) -> Option<String> {
        let [_, _, expiry @ ..] = ends.to_be_bytes();
        let tag = self.state_context(self.keys.sealing()?, owner, of, &expiry, state).sign();
        let mut end = [0; EXPIRY_BYTES + TAG_BYTES];
        let (first, last) = end.split_at_mut(EXPIRY_BYTES);
        first.copy_from_slice(&expiry);
        last.copy_from_slice(&tag.as_ref()[..TAG_BYTES]);
        Some(with_tag(state, &end, STATE_TAG_CHARACTERS))
    }

    /// The state as the server knows it; `None` where it was not given to this caller for this request, or has ended.
    pub(crate) fn open_state<'s>(
        &self,
        owner: Option<&AuthInfo>,
        of: StateOf<'_>,
        now: u64,
        sealed: &'s str,
    ) -> Option<&'s str> {
        let (state, end) =
            without_tag::<{ EXPIRY_BYTES + TAG_BYTES }>(sealed, STATE_TAG_CHARACTERS)?;
        let (expiry, tag) = end.split_first_chunk::<EXPIRY_BYTES>()?;
        let is_own = self.is_signed(tag, |key| self.state_context(key, owner, of, expiry, state));
        let [a, b, c, d, e, f] = *expiry;
        let ends = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        (is_own && now < ends).then_some(state)
    }

    /// Whether one of the keys made this tag. All are tried: which one it was is nobody's business.
    fn is_signed(&self, tag: &[u8], context_of: impl Fn(&hmac::Key) -> hmac::Context) -> bool {
        let mut is_signed = false;
        for key in self.keys.opening() {
            let expected = context_of(key).sign();
            is_signed |= verify_slices_are_equal(&expected.as_ref()[..TAG_BYTES], tag).is_ok();
        }
        is_signed
    }

    /// What binds the handle to everything that it is for.
    fn context(
        &self,
        key: &hmac::Key,
        kind: &str,
        owner: Option<&AuthInfo>,
        handle: &str,
    ) -> hmac::Context {
        crate::steps::take(handle.len());
        let mut context = hmac::Context::with_key(key);
        context.update(b"mcp-auth handle 1");
        add_text(&mut context, Some(&self.resource));
        add_text(&mut context, Some(kind));
        add_owner(&mut context, owner);
        add_text(&mut context, Some(handle));
        context
    }

    /// The same for an event, which is bound to its session as well, or to there being none.
    fn event_context(
        &self,
        key: &hmac::Key,
        owner: Option<&AuthInfo>,
        session: Option<&str>,
        event: &str,
    ) -> hmac::Context {
        let mut context = self.context(key, EVENT, owner, event);
        add_text(&mut context, session);
        context
    }

    /// The same for a state, which is bound to its request and its end as well.
    fn state_context(
        &self,
        key: &hmac::Key,
        owner: Option<&AuthInfo>,
        of: StateOf<'_>,
        expiry: &[u8; EXPIRY_BYTES],
        state: &str,
    ) -> hmac::Context {
        let mut context = self.context(key, REQUEST_STATE, owner, state);
        add_text(&mut context, Some(of.method));
        add_text(&mut context, of.name);
        context.update(expiry);
        context
    }
}

/// The handle, and behind it these bytes in so many characters.
fn with_tag(handle: &str, tag: &[u8], characters: usize) -> String {
    let mut sealed = String::with_capacity(handle.len() + 1 + characters);
    sealed.push_str(handle);
    sealed.push(SEPARATOR);
    URL_SAFE_NO_PAD.encode_append(tag, &mut sealed);
    sealed
}

/// The handle and the bytes behind it, which have so many characters; `None` where it has no such end.
fn without_tag<const BYTES: usize>(sealed: &str, characters: usize) -> Option<(&str, [u8; BYTES])> {
    let (handle, tag) = sealed.split_at_checked(sealed.len().checked_sub(1 + characters)?)?;
    let encoded = tag.strip_prefix(SEPARATOR)?.as_bytes();
    let mut bytes = [0; BYTES];
    URL_SAFE_NO_PAD.decode(encoded, base64_simd::Out::from_slice(&mut bytes)).ok()?;
    Some((handle, bytes))
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

    #[test]
    fn a_state_comes_back_in_its_request_from_its_caller_until_it_ends() {
        let ours = sealer(&["new", "old"], "https://h.example/mcp");
        let owner = caller(json!({ "sub": "alice", "client_id": "app" }));
        let of = StateOf { method: "tools/call", name: Some("pay") };
        for state in ["", "a.b", "é", "{\"step\":1}"] {
            let sealed = ours.seal_state(Some(&owner), of, 100, state).unwrap();
            assert!(sealed.starts_with(state) && sealed.len() == state.len() + 31, "{sealed}");
            let open = |who, request, now, text: &str| {
                ours.open_state(who, request, now, text).map(str::to_owned)
            };
            assert_eq!(open(Some(&owner), of, 99, &sealed).as_deref(), Some(state));
            assert_eq!(open(Some(&owner), of, 100, &sealed), None);
            let others = [
                StateOf { method: "tools/call", name: Some("refund") },
                StateOf { method: "prompts/get", name: Some("pay") },
                StateOf { method: "tools/call", name: None },
                StateOf { method: "tools/callpay", name: None },
            ];
            for other in others {
                assert_eq!(open(Some(&owner), other, 99, &sealed), None, "{other:?}");
            }
            let bob = caller(json!({ "sub": "bob", "client_id": "app" }));
            assert_eq!(open(Some(&bob), of, 99, &sealed), None);
            assert_eq!(open(None, of, 99, &sealed), None);
            // One that ends later is another one.
            let later = ours.seal_state(Some(&owner), of, 200, state).unwrap();
            let start = state.len() + 1;
            let mixed = format!("{}{}", &later[..start + 8], &sealed[start + 8..]);
            assert_eq!(open(Some(&owner), of, 99, &mixed), None);
            for end in 0..sealed.len() {
                if let Some(cut) = sealed.get(..end) {
                    assert_eq!(open(Some(&owner), of, 99, cut), None, "{cut}");
                }
            }
        }
    }

    #[test]
    fn what_was_given_as_one_kind_of_handle_is_no_other() {
        let ours = sealer(&["key"], "https://h.example/mcp");
        let owner = caller(json!({ "sub": "alice" }));
        let kinds = [HandleKind::Session, HandleKind::Task];
        for given in kinds {
            let sealed = ours.seal(given, Some(&owner), "x").unwrap();
            for asked in kinds {
                let is_open = ours.open(asked, Some(&owner), &sealed).is_some();
                assert_eq!(is_open, asked == given, "{given:?} as {asked:?}");
            }
            let of = StateOf { method: "tools/call", name: None };
            assert_eq!(ours.open_state(Some(&owner), of, 0, &sealed), None);
            assert_eq!(ours.open_event(Some(&owner), None, &sealed), None);
            assert_eq!(ours.open_event(Some(&owner), Some("x"), &sealed), None);
            let event = ours.seal_event(Some(&owner), None, "x").unwrap();
            assert_eq!(ours.open(given, Some(&owner), &event), None);
        }
    }

    #[test]
    fn an_event_is_of_its_caller_and_its_session() {
        let ours = sealer(&["new", "old"], "https://h.example/mcp");
        let owner = caller(json!({ "sub": "alice", "client_id": "app" }));
        let bob = caller(json!({ "sub": "bob", "client_id": "app" }));
        for session in [Some("8f3c"), Some(""), None] {
            let sealed = ours.seal_event(Some(&owner), session, "e1").unwrap();
            assert_eq!(ours.open_event(Some(&owner), session, &sealed), Some("e1"));
            for other in [Some("8f3"), Some("8f3cc"), Some("e1"), Some("8f3c"), Some(""), None] {
                let is_open = ours.open_event(Some(&owner), other, &sealed).is_some();
                assert_eq!(is_open, other == session, "{session:?} in {other:?}");
            }
            assert_eq!(ours.open_event(Some(&bob), session, &sealed), None);
            assert_eq!(ours.open_event(None, session, &sealed), None);
            assert_eq!(ours.open_event(Some(&owner), session, "e1"), None);
        }
    }

    /// A character whose upper bits are the same: a decoder that is not strict reads the same bytes.
    fn next_in_base64(last: &str) -> char {
        char::from(last.as_bytes()[0] + 1)
    }
}
