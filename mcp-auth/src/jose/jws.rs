//! A compact JSON Web Signature (RFC 7515), with its payload out of reach until it is verified.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::VerificationKey;
use super::base64url::append_base64url;
use crate::algorithm::Algorithm;
use crate::json::{JsonError, JsonLimits, JsonReader, Object, read_as, read_object_within};

/// How large a token may be; what is larger is refused unread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenLimits {
    /// All of it, in bytes.
    pub(crate) token_bytes: usize,
    /// The header as it is sent, in bytes.
    pub(crate) header_bytes: usize,
    pub(crate) json: JsonLimits,
}

impl TokenLimits {
    /// For tests.
    #[cfg(any(test, fuzzing))]
    pub(crate) const LARGEST: Self =
        Self { token_bytes: usize::MAX, header_bytes: usize::MAX, json: JsonLimits::LARGEST };
}

/// A parsed but unverified signature. Only what routing needs can be read: `alg`, `kid`, `typ`
/// and the issuer of the payload.
pub(crate) struct Jws<'t> {
    token: Cow<'t, str>,
    algorithm: Algorithm,
    key_id: Option<Box<str>>,
    typ: MediaType,
    /// How much of the token is signed: header and payload.
    signing_length: usize,
    /// Payload and signature, in one piece of memory.
    decoded: Vec<u8>,
    payload: Range<usize>,
    signature: Range<usize>,
    json_limits: JsonLimits,
}

impl<'t> Jws<'t> {
    /// Splits and decodes a token; nothing in it is to be believed yet.
    pub(crate) fn parse(token: &'t str, limits: &TokenLimits) -> Result<Self, JwsError> {
        if token.len() > limits.token_bytes {
            return Err(JwsError::TooLarge("max_token_bytes"));
        }
        crate::steps::take(token.len());
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwsError::NotJws)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JwsError::NotJws)?;
        if header.len() > limits.header_bytes {
            return Err(JwsError::TooLarge("max_token_header_bytes"));
        }
        let mut decoded = Vec::with_capacity(token.len());
        let mut decode = |part| {
            append_base64url(&mut decoded, part).ok_or_else(|| match token.split('.').count() {
                3 => JwsError::Encoding,
                5 => JwsError::Encrypted,
                _ => JwsError::NotJws,
            })
        };
        let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
        let header: Header<'_> =
            read_as(&decoded[header], limits.json).map_err(JwsError::Header)?;
        // RFC 7515 §4.1.11: no extension is understood here, so none may be critical.
        if header.critical {
            return Err(JwsError::Critical);
        }
        let algorithm = header.algorithm.ok_or(JwsError::NoAlgorithm)?;
        let algorithm = Algorithm::from_name(&algorithm)
            .ok_or_else(|| JwsError::Algorithm(algorithm.into_owned()))?;
        Ok(Self {
            token: Cow::Borrowed(token),
            algorithm,
            key_id: header.key_id.map(Into::into),
            typ: MediaType::of(header.typ.as_deref()),
            signing_length: signing_input.len(),
            decoded,
            payload,
            signature,
            json_limits: limits.json,
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
    pub(crate) fn payload<'p, T: Object<'p>>(&'p self) -> Result<Unverified<T>, JsonError> {
        read_as(&self.decoded[self.payload.clone()], self.json_limits).map(Unverified)
    }

    /// The whole payload, for whoever has verified the signature.
    pub(crate) fn claims(&self, _: &SignatureVerified) -> Result<Map<String, Value>, JsonError> {
        read_object_within(&self.decoded[self.payload.clone()], self.json_limits)
    }

    /// Proof that this key made the signature, if it did.
    pub(crate) fn verify(&self, key: &VerificationKey) -> Option<SignatureVerified> {
        let signature = &self.decoded[self.signature.clone()];
        let message = &self.token.as_bytes()[..self.signing_length];
        key.verifies(self.algorithm, message, signature).then_some(SignatureVerified(()))
    }

    /// The same for whoever outlives the request.
    pub(crate) fn to_owned(&self) -> Jws<'static> {
        Jws {
            token: Cow::Owned(self.token.as_ref().to_owned()),
            key_id: self.key_id.clone(),
            decoded: self.decoded.clone(),
            payload: self.payload.clone(),
            signature: self.signature.clone(),
            ..*self
        }
    }

    /// The token to keep, for whoever has verified the signature.
    pub(crate) fn into_token(self, _: &SignatureVerified) -> VerifiedToken {
        VerifiedToken(self.token.as_ref().into())
    }
}

/// A token whose signature was verified. It is wiped when it goes.
pub(crate) struct VerifiedToken(Box<str>);

impl VerifiedToken {
    #[cfg(test)]
    pub(crate) fn unchecked(token: &str) -> Self {
        Self(token.into())
    }

    /// The token as it came; ASCII.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Drop for VerifiedToken {
    fn drop(&mut self) {
        // The text and not the box: the whole at once and not byte by byte.
        str::zeroize(&mut self.0);
    }
}

/// The kinds of token that a header's `typ` tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// `at+jwt` (RFC 9068 §2.1).
    AccessToken,
    /// `JWT`, or no `typ` at all.
    Jwt,
    /// `token-introspection+jwt` (RFC 9701 §5).
    TokenIntrospection,
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
        } else if is("token-introspection+jwt") || is("application/token-introspection+jwt") {
            Self::TokenIntrospection
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
    /// All of it, to show what a refused token says: nothing may be decided by it.
    pub(crate) fn unverified_for_explanation(self) -> T {
        self.0
    }

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
    /// The header is not a JSON object that can be read.
    Header(JsonError),
    /// The header has no `alg`.
    NoAlgorithm,
    /// Not three parts: an opaque token, or garbage.
    NotJws,
    /// Above the limit that this setting gives.
    TooLarge(&'static str),
}

impl fmt::Display for JwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header(error) => return write!(f, "header: {error}"),
            Self::TooLarge(setting) => return write!(f, "longer than `{setting}`"),
            Self::Algorithm(_) => "`alg` is not a supported signature algorithm",
            Self::Critical => "the header has `crit` or `b64`",
            Self::Encoding => "a part is not base64url without padding",
            Self::Encrypted => {
                "the token is encrypted (JWE): let the provider issue signed access tokens, or configure `introspection`"
            }
            Self::NoAlgorithm => "the header has no `alg`",
            Self::NotJws => {
                "not a JWT: the provider issued an opaque token; let it issue JWTs for this resource, or configure `introspection`"
            }
        })
    }
}

#[derive(Default)]
struct Header<'t> {
    algorithm: Option<Cow<'t, str>>,
    key_id: Option<Cow<'t, str>>,
    typ: Option<Cow<'t, str>>,
    critical: bool,
}

impl<'t> Object<'t> for Header<'t> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'t>) -> Result<(), JsonError> {
        match name {
            "alg" => self.algorithm = Some(value.string()?),
            "kid" => self.key_id = Some(value.string()?),
            "typ" => self.typ = Some(value.string()?),
            // RFC 7797 §7: `b64` has no place in a JWT, and without `crit` it would be a trap.
            "crit" | "b64" => {
                self.critical = true;
                value.skip()?;
            }
            // `jwk`, `jku`, `x5u`, `x5c`: a token does not choose its own key.
            _ => value.skip()?,
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

    fn parse(token: &str) -> Result<Jws<'_>, JwsError> {
        Jws::parse(token, &TokenLimits::LARGEST)
    }

    fn parse_error(token: &str) -> JwsError {
        parse(token).map(|_| ()).unwrap_err()
    }

    #[test]
    fn the_example_of_rfc_7515_verifies() {
        let jws = parse(TOKEN).unwrap();
        let verified = jws.verify(&key()).unwrap();
        assert_eq!(jws.claims(&verified).unwrap()["iss"], "joe");
    }

    #[test]
    fn a_changed_byte_does_not_verify() {
        let changed = TOKEN.replace("DtEhU3", "DtEhU4");
        assert!(parse(&changed).unwrap().verify(&key()).is_none());
    }

    #[test]
    fn shapes_that_are_not_a_jws_are_told_apart() {
        assert_eq!(parse_error("opaque"), JwsError::NotJws);
        assert_eq!(parse_error("a.b"), JwsError::NotJws);
        assert_eq!(parse_error("a.b.c.d"), JwsError::NotJws);
        assert_eq!(parse_error("a.b.c.d.e"), JwsError::Encrypted);
        assert_eq!(parse_error(&format!("{TOKEN}=")), JwsError::Encoding);
        assert_eq!(parse_error("e30.e30.AA"), JwsError::NoAlgorithm);
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
        assert_eq!(
            parse_error(&token(r#"{"alg":"ES256","alg":"none"}"#)),
            JwsError::Header(JsonError::DuplicateMember)
        );
        assert_eq!(parse_error(&token(r#"{"alg":7}"#)), JwsError::Header(JsonError::Syntax(7)));
    }
}
