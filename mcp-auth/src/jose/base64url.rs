//! base64url as RFC 7515 §2 defines it: no padding, no white space, no stray bits.

use std::ops::Range;

use base64_simd::URL_SAFE_NO_PAD;

/// Decodes into memory of its own.
pub(super) fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode_to_vec(text).ok()
}

/// Decodes to the end of `bytes`, and says where that is.
pub(super) fn append_base64url(bytes: &mut Vec<u8>, text: &str) -> Option<Range<usize>> {
    let start = bytes.len();
    URL_SAFE_NO_PAD.decode_append(text, bytes).ok()?;
    Some(start..bytes.len())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as REFERENCE;
    use proptest::prelude::*;

    use super::*;

    fn appended(text: &str) -> Option<Vec<u8>> {
        let mut bytes = b"before".to_vec();
        let range = append_base64url(&mut bytes, text)?;
        assert!(bytes.starts_with(b"before") && range == (6..bytes.len()));
        Some(bytes[range].to_vec())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn it_accepts_and_decodes_what_the_reference_does(text in "[A-Za-z0-9_=+/ .\n-]{0,90}") {
            let expected = REFERENCE.decode(&text).ok();
            prop_assert_eq!(base64url(&text), expected.clone());
            prop_assert_eq!(appended(&text), expected);
        }

        #[test]
        fn what_was_encoded_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..900)) {
            let text = REFERENCE.encode(&bytes);
            prop_assert_eq!(base64url(&text), Some(bytes.clone()));
            prop_assert_eq!(appended(&text), Some(bytes));
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
