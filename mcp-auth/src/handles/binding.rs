//! What a handle is bound to, as bytes. Each text is preceded by its length, so that no two lists of different texts are the
//! same bytes.

use crate::auth_info::AuthInfo;

/// What takes the bytes: a text that is bound, or the sum that is made of it.
pub(super) trait Bytes {
    fn add(&mut self, bytes: &[u8]);
}

impl Bytes for Vec<u8> {
    fn add(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Bytes for aws_lc_rs::hmac::Context {
    fn add(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

/// Adds a text, or that there is none.
pub(super) fn add_text(to: &mut impl Bytes, text: Option<&str>) {
    let Some(text) = text else {
        return to.add(&u64::MAX.to_be_bytes());
    };
    to.add(&(text.len() as u64).to_be_bytes());
    to.add(text.as_bytes());
}

/// Adds a caller, however often their token is renewed: issuer, subject and client; or that there is none.
pub(super) fn add_owner(to: &mut impl Bytes, owner: Option<&AuthInfo>) {
    add_text(to, owner.map(AuthInfo::issuer));
    add_text(to, owner.and_then(AuthInfo::subject));
    add_text(to, owner.and_then(AuthInfo::client_id));
}
