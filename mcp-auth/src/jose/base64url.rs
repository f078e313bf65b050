//! base64url as RFC 7515 §2 defines it: no padding, no white space, no stray bits. In keys, and there alone, padding
//! and the standard alphabet are read as well.

use std::ops::Range;

use base64_simd::URL_SAFE_NO_PAD;

/// Decodes a member of a key. Many issuers make keys with a base64 of their language: padded to a multiple of four
/// characters, or with `+` and `/` for `-` and `_`. Neither leaves a doubt about the bytes that are meant.
pub(super) fn base64_of_key(text: &str) -> Option<Vec<u8>> {
    crate::steps::take(text.len());
    let without_padding = match text.len() % 4 {
        0 => text.strip_suffix("==").or(text.strip_suffix('=')).unwrap_or(text),
        _ => text,
    };
    let in_url_alphabet = without_padding.replace('+', "-").replace('/', "_");
    URL_SAFE_NO_PAD.decode_to_vec(in_url_alphabet).ok()
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
    use base64::engine::general_purpose::{
        STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD as REFERENCE,
    };
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
            if expected.is_some() {
                prop_assert_eq!(base64_of_key(&text), expected.clone());
            }
            prop_assert_eq!(appended(&text), expected);
        }

        #[test]
        fn what_was_encoded_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..900)) {
            let text = REFERENCE.encode(&bytes);
            prop_assert_eq!(base64_of_key(&text), Some(bytes.clone()));
            prop_assert_eq!(base64_of_key(&STANDARD.encode(&bytes)), Some(bytes.clone()));
            prop_assert_eq!(base64_of_key(&STANDARD_NO_PAD.encode(&bytes)), Some(bytes.clone()));
            prop_assert_eq!(base64_of_key(&URL_SAFE.encode(&bytes)), Some(bytes.clone()));
            prop_assert_eq!(appended(&text), Some(bytes));
        }
    }

    #[test]
    fn stray_bits_padding_and_other_alphabets_are_refused() {
        for text in ["QQ==", "QR", "QUI=", "QUJ", "Q", "Q+==", "Q/8", "Q Q", "QQ\n", "QQ.", "é"] {
            assert_eq!(appended(text), None, "{text:?}");
        }
        assert_eq!(appended(""), Some(Vec::new()));
    }

    #[test]
    fn in_keys_too_stray_bits_wrong_padding_and_white_space_are_refused() {
        for text in
            ["QR==", "QUJ=", "QQ=", "Q===", "QQ===", "=", "====", "Q Q=", "QQ\n=", "Q=Q=", "é"]
        {
            assert_eq!(base64_of_key(text), None, "{text:?}");
        }
        assert_eq!(base64_of_key(""), Some(Vec::new()));
    }
}
