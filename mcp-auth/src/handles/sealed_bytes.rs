//! Bytes that are sealed with a key of the ring, bound to what they are for.
//!
//! Each gets a key of its own, made of a key of the ring and a salt, so that no number of them wears a key out.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hmac, rand};
use base64_simd::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::KeyRing;
use super::binding::add_text;

/// Bytes of the salt, which make the key.
const SALT_BYTES: usize = 32;

/// What sealed bytes are for; they open for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SealedFor<'p> {
    /// What kind of thing it is.
    pub(crate) purpose: &'static str,
    /// Whose, and of what: texts of which no two lists are the same bytes.
    pub(crate) texts: &'p [&'p str],
}

impl SealedFor<'_> {
    fn bound(&self) -> Vec<u8> {
        let mut bound = Vec::new();
        add_text(&mut bound, Some(self.purpose));
        for text in self.texts {
            add_text(&mut bound, Some(text));
        }
        bound
    }
}

impl KeyRing {
    /// The bytes as a text that nobody else can read or make; `None`: there is no key, or no randomness.
    pub(crate) fn seal_bytes(&self, what_for: SealedFor<'_>, bytes: &[u8]) -> Option<String> {
        let mut salt = [0; SALT_BYTES];
        rand::fill(&mut salt).ok()?;
        let key = key_of_bytes(self.sealing()?, &salt)?;
        let mut secret = bytes.to_vec();
        key.seal_in_place_append_tag(only_nonce(), Aad::from(what_for.bound()), &mut secret)
            .ok()?;
        Some(URL_SAFE_NO_PAD.encode_to_string([salt.as_slice(), &secret].concat()))
    }

    /// The bytes in a text that was sealed with a key of this ring for the same; `None` for every other text.
    pub(crate) fn open_bytes(
        &self,
        what_for: SealedFor<'_>,
        sealed: &str,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = URL_SAFE_NO_PAD.decode_to_vec(sealed).ok()?;
        let (salt, secret) = bytes.split_at_checked(SALT_BYTES)?;
        let bound = what_for.bound();
        for master in self.opening() {
            let key = key_of_bytes(master, salt)?;
            let mut copy = Zeroizing::new(secret.to_vec());
            let opened = key.open_in_place(only_nonce(), Aad::from(&bound), &mut copy);
            if let Ok(opened) = opened {
                return Some(Zeroizing::new(opened.to_vec()));
            }
        }
        None
    }
}

/// The key of one text.
fn key_of_bytes(master: &hmac::Key, salt: &[u8]) -> Option<LessSafeKey> {
    let mut context = hmac::Context::with_key(master);
    context.update(b"mcp-auth bytes 1");
    context.update(salt);
    let key = UnboundKey::new(&AES_256_GCM, context.sign().as_ref()).ok()?;
    Some(LessSafeKey::new(key))
}

/// The nonce of the one thing that a key ever seals.
fn only_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(keys: &[&str]) -> KeyRing {
        KeyRing::new(keys.iter().map(|key| key.as_bytes()))
    }

    #[test]
    fn bytes_open_for_what_they_were_sealed_for_alone() {
        let ours = ring(&["new", "old"]);
        let alice = SealedFor { purpose: "grant", texts: &["i", "alice"] };
        let sealed = ours.seal_bytes(alice, b"secret").unwrap();
        assert_eq!(ours.open_bytes(alice, &sealed).unwrap().as_slice(), b"secret");
        assert_ne!(ours.seal_bytes(alice, b"secret").unwrap(), sealed);
        for (purpose, texts) in
            [("state", &["i", "alice"][..]), ("grant", &["i", "bob"]), ("grant", &["ialice"])]
        {
            assert!(ours.open_bytes(SealedFor { purpose, texts }, &sealed).is_none());
        }
    }

    #[test]
    fn every_key_opens_and_nothing_that_was_changed_does() {
        let what_for = SealedFor { purpose: "grant", texts: &["i"] };
        let sealed = ring(&["old"]).seal_bytes(what_for, b"1").unwrap();
        assert!(ring(&["new", "old"]).open_bytes(what_for, &sealed).is_some());
        assert!(ring(&["new"]).open_bytes(what_for, &sealed).is_none());
        assert!(ring(&[]).seal_bytes(what_for, b"1").is_none());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(ring(&["old"]).open_bytes(what_for, &changed).is_none(), "{place}");
            assert!(ring(&["old"]).open_bytes(what_for, &sealed[..place]).is_none(), "{place}");
        }
    }
}
