//! base64url as RFC 7515 §2 defines it: no padding, no white space, no stray bits.

use base64_simd::{Out, URL_SAFE_NO_PAD};

/// Decodes into memory of its own.
pub(super) fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode_to_vec(text).ok()
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
        let length =
            URL_SAFE_NO_PAD.decode(text.as_bytes(), Out::from_slice(&mut bytes)).ok()?.len();
        Some(Self::Stack(bytes, length))
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Stack(bytes, length) => &bytes[..*length],
            Self::Heap(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as REFERENCE;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn it_accepts_and_decodes_what_the_reference_does(text in "[A-Za-z0-9_=+/ .\n-]{0,90}") {
            let expected = REFERENCE.decode(&text).ok();
            prop_assert_eq!(base64url(&text), expected.clone());
            prop_assert_eq!(Decoded::<64>::new(&text).map(|decoded| decoded.as_slice().to_vec()), expected);
        }

        #[test]
        fn what_was_encoded_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..900)) {
            let text = REFERENCE.encode(&bytes);
            prop_assert_eq!(base64url(&text), Some(bytes.clone()));
            prop_assert_eq!(Decoded::<512>::new(&text).map(|decoded| decoded.as_slice().to_vec()), Some(bytes));
        }
    }

    #[test]
    fn stray_bits_padding_and_other_alphabets_are_refused() {
        for text in ["QQ==", "QR", "QUI=", "QUJ", "Q", "Q+==", "Q/8", "Q Q", "QQ\n", "QQ.", "é"] {
            assert_eq!(base64url(text), None, "{text:?}");
        }
        assert_eq!(base64url(""), Some(Vec::new()));
    }
}
