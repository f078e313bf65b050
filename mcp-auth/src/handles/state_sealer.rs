//! Seals state that a server gives to a client and takes back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hmac, rand};
use base64_simd::URL_SAFE_NO_PAD;

use super::KeyRing;
use super::binding::{add_owner, add_text};
use crate::auth_info::AuthInfo;
use crate::clock::Clock;

/// Random bytes that make the key of one state: so many that no two states ever have the same.
const SALT_BYTES: usize = 24;
/// The time at which a state ends, in seconds since 1970.
const EXPIRY_BYTES: usize = 8;

/// Seals state that a server gives to a client and takes back, such as the step of a dialogue: for servers that keep
/// nothing themselves.
///
/// What is sealed can be read and changed by nobody else (AES-256-GCM), is accepted from the caller it was made for alone,
/// for the purpose it was made for, and until it ends. Every instance with the same `handle_keys` opens what another has
/// sealed. That a state is used once, it cannot tell: whoever got it may come with it again until it ends.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use mcp_auth::{AuthInfo, McpAuth};
///
/// fn next_step(auth: &McpAuth, caller: &AuthInfo, state: Option<&str>) -> Option<String> {
///     let sealer = auth.state_sealer();
///     let step = match state {
///         Some(sealed) => sealer.open(caller, "order", sealed).ok()?,
///         None => b"1".to_vec(),
///     };
///     sealer.seal(caller, "order", Duration::from_secs(600), &step).ok()
/// }
/// ```
#[derive(Clone)]
pub struct StateSealer {
    /// Shared by all copies of it: they change with the configuration.
    sealing: Arc<ArcSwap<Sealing>>,
    clock: Arc<dyn Clock>,
}

/// What states are sealed with, and for which resource.
struct Sealing {
    keys: Arc<KeyRing>,
    resource: Box<str>,
}

/// Why a state is not accepted, or cannot be sealed. Say the same of both to whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateError {
    /// It was not sealed here for this caller and this purpose, or was changed, or its key is gone.
    Invalid,
    /// It has ended.
    Expired,
    /// The system has no randomness.
    NoRandomness,
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "the state was not sealed here for this caller and purpose",
            Self::Expired => "the state has ended",
            Self::NoRandomness => "the system has no randomness",
        })
    }
}

impl std::error::Error for StateError {}

impl StateSealer {
    pub(crate) fn new(keys: Arc<KeyRing>, resource: &str, clock: Arc<dyn Clock>) -> Self {
        let sealing = Sealing { keys, resource: resource.into() };
        Self { sealing: Arc::new(ArcSwap::from_pointee(sealing)), clock }
    }

    /// Seals and opens with these keys from now on, for this resource, wherever a copy of it is.
    pub(crate) fn change(&self, keys: Arc<KeyRing>, resource: &str) {
        self.sealing.store(Arc::new(Sealing { keys, resource: resource.into() }));
    }

    /// The state as a text for the client, which this caller may bring back for this purpose within this time.
    ///
    /// # Errors
    /// [`StateError::NoRandomness`].
    pub fn seal(
        &self,
        caller: &AuthInfo,
        purpose: &str,
        lifetime: Duration,
        state: &[u8],
    ) -> Result<String, StateError> {
        let sealing = self.sealing.load();
        let master = sealing.keys.sealing().ok_or(StateError::NoRandomness)?;
        let mut salt = [0; SALT_BYTES];
        rand::fill(&mut salt).map_err(|_| StateError::NoRandomness)?;
        let ends = self.clock.unix_seconds().saturating_add(lifetime.as_secs());
        let mut secret = Vec::with_capacity(EXPIRY_BYTES + state.len() + AES_256_GCM.tag_len());
        secret.extend_from_slice(&ends.to_be_bytes());
        secret.extend_from_slice(state);
        let bound = Aad::from(sealing.bound_to(caller, purpose));
        let key = key_of_state(master, &salt).ok_or(StateError::Invalid)?;
        key.seal_in_place_append_tag(only_nonce(), bound, &mut secret)
            .map_err(|_| StateError::Invalid)?;
        Ok(URL_SAFE_NO_PAD.encode_to_string([salt.as_slice(), &secret].concat()))
    }

    /// The state in a text that came back.
    ///
    /// # Errors
    /// [`StateError::Invalid`] or [`StateError::Expired`].
    pub fn open(
        &self,
        caller: &AuthInfo,
        purpose: &str,
        sealed: &str,
    ) -> Result<Vec<u8>, StateError> {
        let bytes = URL_SAFE_NO_PAD.decode_to_vec(sealed).map_err(|_| StateError::Invalid)?;
        let (salt, secret) = bytes.split_at_checked(SALT_BYTES).ok_or(StateError::Invalid)?;
        let sealing = self.sealing.load();
        let bound = sealing.bound_to(caller, purpose);
        for master in sealing.keys.opening() {
            let key = key_of_state(master, salt).ok_or(StateError::Invalid)?;
            let mut copy = secret.to_vec();
            let Ok(opened) = key.open_in_place(only_nonce(), Aad::from(&bound), &mut copy) else {
                continue;
            };
            let (ends, state) =
                opened.split_first_chunk::<EXPIRY_BYTES>().ok_or(StateError::Invalid)?;
            return match u64::from_be_bytes(*ends) > self.clock.unix_seconds() {
                true => Ok(state.to_vec()),
                false => Err(StateError::Expired),
            };
        }
        Err(StateError::Invalid)
    }
}

impl Sealing {
    fn bound_to(&self, caller: &AuthInfo, purpose: &str) -> Vec<u8> {
        let mut bound = Vec::new();
        add_text(&mut bound, Some(&self.resource));
        add_owner(&mut bound, Some(caller));
        add_text(&mut bound, Some(purpose));
        bound
    }
}

/// The key of one state. Each has its own, so that no number of states wears a key out.
fn key_of_state(master: &hmac::Key, salt: &[u8]) -> Option<LessSafeKey> {
    let mut context = hmac::Context::with_key(master);
    context.update(b"mcp-auth state 1");
    context.update(salt);
    let key = UnboundKey::new(&AES_256_GCM, context.sign().as_ref()).ok()?;
    Some(LessSafeKey::new(key))
}

/// The nonce of the one thing that a key ever seals.
fn only_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

/// Shows no key.
impl fmt::Debug for StateSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StateSealer").field(&self.sealing.load().resource).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use serde_json::{Value, json};

    use super::*;

    #[derive(Default)]
    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn unix_seconds(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn caller(claims: Value) -> AuthInfo {
        AuthInfo::from_verified_json(&claims.to_string()).unwrap()
    }

    fn sealer(keys: &[&str], resource: &str, clock: &Arc<Hand>) -> StateSealer {
        let ring = KeyRing::new(keys.iter().map(|key| key.as_bytes()));
        StateSealer::new(Arc::new(ring), resource, clock.clone())
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_state_comes_back_from_its_caller_for_its_purpose_until_it_ends() {
        let clock = Arc::new(Hand::default());
        let ours = sealer(&["new", "old"], "https://h.example/mcp", &clock);
        let alice = caller(json!({ "iss": "i", "sub": "alice", "client_id": "app" }));
        for state in [b"".as_slice(), b"1", &[0; 100_000]] {
            let sealed = ours.seal(&alice, "order", MINUTE, state).unwrap();
            assert_eq!(ours.open(&alice, "order", &sealed).as_deref(), Ok(state));
            assert_ne!(ours.seal(&alice, "order", MINUTE, state).unwrap(), sealed);
            assert_eq!(ours.open(&alice, "refund", &sealed), Err(StateError::Invalid));
            let strangers = [
                json!({ "iss": "i", "sub": "bob", "client_id": "app" }),
                json!({ "iss": "i", "sub": "alice", "client_id": "other" }),
                json!({ "iss": "j", "sub": "alice", "client_id": "app" }),
                json!({ "iss": "i", "sub": "alice" }),
            ];
            for stranger in strangers.map(caller) {
                assert_eq!(ours.open(&stranger, "order", &sealed), Err(StateError::Invalid));
            }
        }
        let sealed = ours.seal(&alice, "order", MINUTE, b"1").unwrap();
        clock.0.store(59, Ordering::Relaxed);
        assert!(ours.open(&alice, "order", &sealed).is_ok());
        clock.0.store(60, Ordering::Relaxed);
        assert_eq!(ours.open(&alice, "order", &sealed), Err(StateError::Expired));
    }

    #[test]
    fn every_key_opens_and_nothing_that_was_changed_does() {
        let clock = Arc::new(Hand::default());
        let resource = "https://h.example/mcp";
        let alice = caller(json!({ "iss": "i", "sub": "alice" }));
        let old = sealer(&["old"], resource, &clock);
        let sealed = old.seal(&alice, "order", MINUTE, b"1").unwrap();
        let open = |one: &StateSealer, text: &str| one.open(&alice, "order", text);
        assert!(open(&sealer(&["new", "old"], resource, &clock), &sealed).is_ok());
        for (keys, of) in
            [(&["new"][..], resource), (&[], resource), (&["old"], "https://o.example")]
        {
            let other = sealer(keys, of, &clock);
            assert_eq!(open(&other, &sealed), Err(StateError::Invalid));
        }
        for place in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(open(&old, &changed), Err(StateError::Invalid), "{place}");
            assert_eq!(open(&old, &sealed[..place]), Err(StateError::Invalid), "{place}");
        }
    }
}
