//! A compact JSON Web Signature (RFC 7515), with its payload out of reach until it is verified.

use std::fmt;

use serde::de::MapAccess;

use super::base64url::{Decoded, base64url};
use super::{Algorithm, Checked, Object, Text, VerificationKey, read_object};

/// A parsed but unverified signature. Only what routing needs can be read: `alg`, `kid`, `typ`
/// and the issuer of the payload.
pub(crate) struct Jws<'t> {
    algorithm: Algorithm,
    key_id: Option<Box<str>>,
    typ: MediaType,
    signing_input: &'t str,
    payload: Vec<u8>,
    signature: Decoded<512>,
}

impl<'t> Jws<'t> {
    /// Splits and decodes a token; nothing in it is to be believed yet.
    pub(crate) fn parse(token: &'t str) -> Result<Self, JwsError> {
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwsError::NotJws)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JwsError::NotJws)?;
        if payload.contains('.') {
            return Err(if token.split('.').count() == 5 {
                JwsError::Encrypted
            } else {
                JwsError::NotJws
            });
        }
        let header = Decoded::<256>::new(header).ok_or(JwsError::Encoding)?;
        let header: Header<'_> = read_object(header.as_slice()).map_err(|_| JwsError::Header)?;
        // RFC 7515 §4.1.11: no extension is understood here, so none may be critical.
        if header.critical {
            return Err(JwsError::Critical);
        }
        let algorithm = header.algorithm.ok_or(JwsError::Header)?;
        let algorithm = Algorithm::from_name(&algorithm.0)
            .ok_or_else(|| JwsError::Algorithm(algorithm.0.into_owned()))?;
        Ok(Self {
            algorithm,
            key_id: header.key_id.map(|text| text.0.into()),
            typ: MediaType::of(header.typ.as_ref().map(|text| &*text.0)),
            signing_input,
            payload: base64url(payload).ok_or(JwsError::Encoding)?,
            signature: Decoded::new(signature).ok_or(JwsError::Encoding)?,
        })
    }

    /// The algorithm that the header claims.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `kid` that the header claims.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The media type that the header claims.
    pub(crate) fn typ(&self) -> MediaType {
        self.typ
    }

    /// The payload as an object that nobody may look into yet.
    pub(crate) fn payload<'p, T: Object<'p>>(&'p self) -> Result<Unverified<T>, serde_json::Error> {
        read_object(&self.payload).map(Unverified)
    }

    /// Proof that this key made the signature, if it did.
    pub(crate) fn verify(&self, key: &VerificationKey) -> Option<SignatureVerified> {
        let (message, signature) = (self.signing_input.as_bytes(), self.signature.as_slice());
        key.verifies(self.algorithm, message, signature).then_some(SignatureVerified(()))
    }

    /// The bytes of the payload, for whoever has verified the signature.
    pub(crate) fn into_payload(self, _: &SignatureVerified) -> Vec<u8> {
        self.payload
    }
}

/// The kinds of token that a header's `typ` tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// `at+jwt` (RFC 9068 §2.1).
    AccessToken,
    /// `JWT`, or no `typ` at all.
    Jwt,
    /// Every other one.
    Other,
}

impl MediaType {
    fn of(typ: Option<&str>) -> Self {
        let is = |name: &str| typ.is_some_and(|typ| typ.eq_ignore_ascii_case(name));
        if is("at+jwt") || is("application/at+jwt") {
            Self::AccessToken
        } else if typ.is_none() || is("JWT") {
            Self::Jwt
        } else {
            Self::Other
        }
    }
}

/// What was read from a payload before its signature was verified.
pub(crate) struct Unverified<T>(T);

impl<T: NamesIssuer> Unverified<T> {
    /// The unverified `iss`, for choosing whose keys and rules apply.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.0.issuer()
    }
}

impl<T> Unverified<T> {
    /// All of it, for whoever has verified the signature.
    pub(crate) fn verified(self, _: &SignatureVerified) -> T {
        self.0
    }
}

/// A payload that says who issued it.
pub(crate) trait NamesIssuer {
    /// Its `iss`, when it has one.
    fn issuer(&self) -> Option<&str>;
}

/// Proof that a signature was verified; made only by [`Jws::verify`].
#[derive(Debug)]
pub(crate) struct SignatureVerified(());

/// Why a token is not a JWS that could be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JwsError {
    /// `alg` is not supported: `none`, a symmetric one, or unknown.
    Algorithm(String),
    /// The header has `crit` or `b64`.
    Critical,
    /// A part is not base64url.
    Encoding,
    /// Five parts: an encrypted token.
    Encrypted,
    /// The header is not a JSON object with a string `alg`, or has duplicate members.
    Header,
    /// Not three parts: an opaque token, or garbage.
    NotJws,
}

impl fmt::Display for JwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Algorithm(_) => "`alg` is not a supported signature algorithm",
            Self::Critical => "the header has `crit` or `b64`",
            Self::Encoding => "a part is not base64url without padding",
            Self::Encrypted => {
                "the token is encrypted (JWE): configure the provider to issue signed access tokens"
            }
            Self::Header => "the header is not a JSON object with distinct members and a string `alg`",
            Self::NotJws => {
                "not a JWT: the provider issued an opaque token; ask for one whose audience is this resource"
            }
        })
    }
}

#[derive(Default)]
struct Header<'a> {
    algorithm: Option<Text<'a>>,
    key_id: Option<Text<'a>>,
    typ: Option<Text<'a>>,
    critical: bool,
}

impl<'de> Object<'de> for Header<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "alg" => self.algorithm = Some(map.next_value()?),
            "kid" => self.key_id = Some(map.next_value()?),
            "typ" => self.typ = Some(map.next_value()?),
            // RFC 7797 §7: `b64` has no place in a JWT, and without `crit` it would be a trap.
            "crit" | "b64" => {
                self.critical = true;
                map.next_value::<Checked>()?;
            }
            // `jwk`, `jku`, `x5u`, `x5c`: a token does not choose its own key.
            _ => {
                map.next_value::<Checked>()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // RFC 7515 appendix A.3: ES256 over {"iss":"joe",…}.
    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    fn key() -> VerificationKey {
        VerificationKey::from_jwk(&json!({ "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" }))
        .unwrap()
    }

    fn parse_error(token: &str) -> JwsError {
        Jws::parse(token).map(|_| ()).unwrap_err()
    }

    #[test]
    fn the_example_of_rfc_7515_verifies() {
        let jws = Jws::parse(TOKEN).unwrap();
        let verified = jws.verify(&key()).unwrap();
        assert!(jws.into_payload(&verified).starts_with(b"{\"iss\":\"joe\""));
    }

    #[test]
    fn a_changed_byte_does_not_verify() {
        let changed = TOKEN.replace("DtEhU3", "DtEhU4");
        assert!(Jws::parse(&changed).unwrap().verify(&key()).is_none());
    }

    #[test]
    fn shapes_that_are_not_a_jws_are_told_apart() {
        assert_eq!(parse_error("opaque"), JwsError::NotJws);
        assert_eq!(parse_error("a.b"), JwsError::NotJws);
        assert_eq!(parse_error("a.b.c.d"), JwsError::NotJws);
        assert_eq!(parse_error("a.b.c.d.e"), JwsError::Encrypted);
        assert_eq!(parse_error(&format!("{TOKEN}=")), JwsError::Encoding);
        assert_eq!(parse_error("e30.e30.AA"), JwsError::Header);
    }

    #[test]
    fn dangerous_headers_are_refused() {
        use base64::Engine as _;
        let token = |header: &str| {
            format!("{}.e30.AA", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header))
        };
        assert_eq!(parse_error(&token(r#"{"alg":"none"}"#)), JwsError::Algorithm("none".into()));
        assert_eq!(parse_error(&token(r#"{"alg":"HS256"}"#)), JwsError::Algorithm("HS256".into()));
        assert_eq!(parse_error(&token(r#"{"alg":"ES256","crit":["b64"]}"#)), JwsError::Critical);
        assert_eq!(parse_error(&token(r#"{"alg":"ES256","alg":"none"}"#)), JwsError::Header);
        assert_eq!(parse_error(&token(r#"{"alg":7}"#)), JwsError::Header);
    }
}
