//! Headers of tokens that were accepted: nearly all tokens of a key have the same, to the letter.
//!
//! What a header says follows from its text alone. So the text is looked for among those that are known, and compared as a
//! whole; it is decoded and read only when it is not there. Strangers add nothing: the token must have been accepted.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::VerifiedJws;
use super::jws::Header;
use crate::algorithm::Algorithm;

/// Headers that are remembered: those of the first keys. There is no room for more, and those are read each time.
const MOST: usize = 16;
/// Bytes of a header, as it is sent, that may be remembered.
const LONGEST: usize = 512;

/// What was read of some headers. It is looked through without a lock.
#[derive(Default)]
pub(crate) struct KnownHeaders([OnceLock<KnownHeader>; MOST]);

pub(super) struct KnownHeader {
    /// As it is sent.
    encoded: Box<str>,
    algorithm: Algorithm,
    key_id: Option<Box<str>>,
    typ: Option<Box<str>>,
}

impl KnownHeaders {
    pub(super) fn find(&self, encoded: &str) -> Option<&KnownHeader> {
        self.0.iter().map_while(OnceLock::get).find(|known| *known.encoded == *encoded)
    }

    /// Remembers the header of a token that was accepted, if it names a key and says no more.
    pub(crate) fn remember<T>(&self, accepted: &VerifiedJws<'_, T>) {
        let (encoded, header) = accepted.header();
        let is_full = self.0.iter().all(|slot| slot.get().is_some());
        if is_full || encoded.len() > LONGEST || !header.is_of_key {
            return;
        }
        let mut new = KnownHeader::new(encoded, header);
        for slot in &self.0 {
            // Another thread may be faster, also with the same header.
            match slot.set(new) {
                Ok(()) => return,
                Err(not_set) => new = not_set,
            }
            if self.find(encoded).is_some() {
                return;
            }
        }
    }
}

impl KnownHeader {
    fn new(encoded: &str, header: &Header<'_>) -> Self {
        Self {
            encoded: encoded.into(),
            algorithm: header.algorithm,
            key_id: header.key_id.as_deref().map(Into::into),
            typ: header.typ.as_deref().map(Into::into),
        }
    }

    /// What it says.
    pub(super) fn header(&self) -> Header<'_> {
        Header {
            algorithm: self.algorithm,
            key_id: self.key_id.as_deref().map(Cow::Borrowed),
            typ: self.typ.as_deref().map(Cow::Borrowed),
            // It need not be remembered again.
            is_of_key: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use base64_simd::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;
    use crate::jose::{Jws, JwsError, TokenLimits, VerificationKey};

    struct Signer {
        pair: Ed25519KeyPair,
        key: VerificationKey,
    }

    impl Signer {
        fn new() -> Self {
            let pair = Ed25519KeyPair::generate().unwrap();
            let x = URL_SAFE_NO_PAD.encode_to_string(pair.public_key().as_ref());
            let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
            Self { pair, key: VerificationKey::from_jwk(&jwk).unwrap() }
        }

        fn token(&self, header: &str) -> String {
            let message = format!("{}.e30", URL_SAFE_NO_PAD.encode_to_string(header));
            let signature = self.pair.sign(message.as_bytes());
            format!("{message}.{}", URL_SAFE_NO_PAD.encode_to_string(signature.as_ref()))
        }

        /// A token with this header is accepted.
        fn accept(&self, header: &str, known: &KnownHeaders) {
            let (token, mut buffer) = (self.token(header), Vec::new());
            let jws = Jws::parse(&token, &TokenLimits::LARGEST, &mut buffer).unwrap();
            known.remember(&jws.verify(&self.key).unwrap());
        }
    }

    fn is_known(token: &str, known: &KnownHeaders) -> bool {
        known.find(token.split('.').next().unwrap()).is_some()
    }

    #[test]
    fn a_known_header_says_what_reading_it_says() {
        let (signer, known) = (Signer::new(), KnownHeaders::default());
        let headers = [
            r#"{"alg":"EdDSA"}"#,
            r#"{"alg":"EdDSA","kid":"k","typ":"at+jwt"}"#,
            r#"{ "typ":"JWT", "kid":"k\u0031", "alg":"EdDSA" }"#,
            r#"{"alg":"Ed25519","kid":"","typ":null}"#,
            r#"{"alg":"EdDSA","kid":"é","x5t":"a","x5t#S256":"b"}"#,
        ];
        for header in headers {
            let (token, mut buffer, mut other_buffer) = (signer.token(header), vec![], vec![]);
            let read = Jws::parse(&token, &TokenLimits::LARGEST, &mut buffer).unwrap();
            assert!(!is_known(&token, &known), "{header}");
            signer.accept(header, &known);
            assert!(is_known(&token, &known), "{header}");
            let limits = TokenLimits::LARGEST;
            let again = Jws::parse_with(&token, &limits, Some(&known), &mut other_buffer).unwrap();
            assert_eq!(again.algorithm(), read.algorithm());
            assert_eq!((again.key_id(), again.typ()), (read.key_id(), read.typ()));
            assert!(again.verify(&signer.key).is_some(), "{header}");
        }
    }

    #[test]
    fn what_says_more_than_its_key_is_not_remembered() {
        let (signer, known) = (Signer::new(), KnownHeaders::default());
        let long_name = format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, "k".repeat(LONGEST));
        let headers = [
            r#"{"alg":"EdDSA","nonce":"7"}"#,
            r#"{"alg":"EdDSA","kid":"k","jku":"https://evil.example"}"#,
            r#"{"alg":"EdDSA","cty":null}"#,
            &long_name,
        ];
        for header in headers {
            signer.accept(header, &known);
            assert!(!is_known(&signer.token(header), &known), "{header}");
        }
    }

    #[test]
    fn a_header_that_differs_from_a_known_one_is_read() {
        let (signer, known) = (Signer::new(), KnownHeaders::default());
        let usual = r#"{"alg":"EdDSA","kid":"a"}"#;
        signer.accept(usual, &known);
        let parse = |token: &str, limits: &TokenLimits| {
            let mut buffer = Vec::new();
            let parsed = Jws::parse_with(token, limits, Some(&known), &mut buffer);
            parsed.map(|jws| jws.key_id().map(str::to_owned))
        };
        let rows = [
            (usual, Ok(Some("a".to_owned()))),
            (r#"{"alg":"EdDSA","kid":"b"}"#, Ok(Some("b".to_owned()))),
            (r#"{"alg":"EdDSA","kid":"a"} "#, Ok(Some("a".to_owned()))),
            (r#"{"alg":"none","kid":"a"}"#, Err(JwsError::Algorithm("none".to_owned()))),
            (r#"{"alg":"EdDSA","kid":"a","crit":[]}"#, Err(JwsError::Critical)),
            (r#"{"kid":"a"}"#, Err(JwsError::NoAlgorithm)),
        ];
        for (header, expected) in rows {
            assert_eq!(parse(&signer.token(header), &TokenLimits::LARGEST), expected, "{header}");
        }
        let token = signer.token(usual);
        let stray_bit = token.replacen("ifQ.", "ifR.", 1);
        assert!(stray_bit != token);
        for changed in [stray_bit, format!("{token}."), format!(".{token}")] {
            assert!(parse(&changed, &TokenLimits::LARGEST).is_err(), "{changed}");
        }
        let short = TokenLimits { header_bytes: 10, ..TokenLimits::LARGEST };
        assert_eq!(parse(&token, &short), Err(JwsError::TooLarge("max_token_header_bytes")));
    }

    #[test]
    fn there_is_room_for_a_few() {
        let (signer, known) = (Signer::new(), KnownHeaders::default());
        let header = |index: usize| format!(r#"{{"alg":"EdDSA","kid":"{index}"}}"#);
        for index in 0..MOST * 2 {
            for _ in 0..2 {
                signer.accept(&header(index), &known);
            }
            assert_eq!(is_known(&signer.token(&header(index)), &known), index < MOST);
        }
        assert!(is_known(&signer.token(&header(0)), &known), "it stays");
    }
}
