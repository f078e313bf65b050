//! base64url as RFC 7515 §2 defines it: no padding, no white space, no stray bits.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Decodes into memory of its own.
pub(super) fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Decoded bytes, on the stack when there are at most `N`.
pub(super) enum Decoded<const N: usize> {
    Stack([u8; N], usize),
    Heap(Vec<u8>),
}

impl<const N: usize> Decoded<N> {
    pub(super) fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; N];
        if text.len() / 4 * 3 + 3 > N {
            return base64url(text).map(Self::Heap);
        }
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        Some(Self::Stack(bytes, length))
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Stack(bytes, length) => &bytes[..*length],
            Self::Heap(bytes) => bytes,
        }
    }
}
