//! A compact JSON Web Signature (RFC 7515), with its payload out of reach until it is verified.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use memchr::memchr;
use serde_json::{Map, Value};

use super::base64url::append_base64url;
use super::{KnownHeaders, VerificationKey};
use crate::algorithm::Algorithm;
use crate::json::{
    CheckedObject, JsonError, JsonLimits, JsonReader, Object, read_as, read_object_within,
};

/// How large a token may be; what is larger is refused unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// A parsed but unverified signature, and what was read of its payload: `()` at first, see [`Jws::read_claims`].
///
/// Only what routing needs shows: `alg`, `kid`, `typ` and the issuer. The rest is for whoever has the
/// [`VerifiedJws`] that [`Jws::verify`] makes of it.
pub(crate) struct Jws<'b, T = ()> {
    token: &'b str,
    encoded_header: &'b str,
    header: Header<'b>,
    /// How much of the token is signed: header and payload.
    signing_length: usize,
    payload: &'b [u8],
    signature: &'b [u8],
    limits: TokenLimits,
    claims: T,
}

impl<'b> Jws<'b> {
    /// Splits a token and decodes it into the buffer; nothing in it is to be believed yet.
    pub(crate) fn parse(
        token: &'b str,
        limits: &TokenLimits,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Self, JwsError> {
        Self::parse_with(token, limits, None, buffer)
    }

    /// The same, where the headers of other tokens may be known, which were read within the same limits.
    pub(crate) fn parse_with(
        token: &'b str,
        limits: &TokenLimits,
        known_headers: Option<&'b KnownHeaders>,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Self, JwsError> {
        if token.len() > limits.token_bytes {
            return Err(JwsError::TooLarge("max_token_bytes"));
        }
        crate::steps::take(token.len());
        // What has more than three parts has a dot in the last one, which is no base64url.
        let (encoded_header, others) = split_at_dot(token).ok_or(JwsError::NotJws)?;
        let (encoded_payload, encoded_signature) = split_at_dot(others).ok_or(JwsError::NotJws)?;
        if encoded_header.len() > limits.header_bytes {
            return Err(JwsError::TooLarge("max_token_header_bytes"));
        }
        // All parts fit into one piece of memory.
        buffer.clear();
        buffer.reserve_exact(token.len());
        let known = known_headers.and_then(|headers| headers.find(encoded_header));
        let header_range = match known {
            Some(_) => 0..0,
            None => append_part(buffer, encoded_header, token)?,
        };
        let payload_range = append_part(buffer, encoded_payload, token)?;
        let signature_range = append_part(buffer, encoded_signature, token)?;
        let decoded: &'b [u8] = buffer;
        let header = match known {
            Some(known_header) => known_header.header(),
            None => Header::read(&decoded[header_range], limits.json)?,
        };
        Ok(Self {
            token,
            encoded_header,
            header,
            signing_length: token.len() - encoded_signature.len() - 1,
            payload: &decoded[payload_range],
            signature: &decoded[signature_range],
            limits: *limits,
            claims: (),
        })
    }

    /// Reads the payload into claims that nobody may look at yet.
    pub(crate) fn read_claims<T: Object<'b>>(self) -> Result<Jws<'b, T>, JsonError> {
        let claims = read_as(self.payload, self.limits.json)?;
        Ok(Jws {
            token: self.token,
            encoded_header: self.encoded_header,
            header: self.header,
            signing_length: self.signing_length,
            payload: self.payload,
            signature: self.signature,
            limits: self.limits,
            claims,
        })
    }
}

impl<T> Jws<'_, T> {
    /// The algorithm that the header claims.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.header.algorithm
    }

    /// Whether its algorithm is one of these; where there are none, every supported one is.
    pub(crate) fn is_signed_as(&self, allowed: &[Algorithm]) -> bool {
        allowed.is_empty() || allowed.contains(&self.algorithm())
    }

    /// The `kid` that the header claims.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.header.key_id.as_deref()
    }

    /// The media type that the header claims.
    pub(crate) fn media_type(&self) -> MediaType {
        MediaType::of(self.typ())
    }

    /// The `typ` that the header claims, as it is written.
    pub(crate) fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// This token as a verified one, if this key made its signature.
    pub(crate) fn verify(&self, key: &VerificationKey) -> Option<VerifiedJws<'_, T>> {
        let message = &self.token.as_bytes()[..self.signing_length];
        key.verifies(self.header.algorithm, message, self.signature)
            .then_some(VerifiedJws { jws: self })
    }

    /// This token as a verified one, if the copy that was verified has the same bytes.
    pub(crate) fn verify_by_copy(&self, copy: &VerifiedCopy) -> Option<VerifiedJws<'_, T>> {
        (*copy.token == *self.token).then_some(VerifiedJws { jws: self })
    }

    /// The same token for whoever outlives the request.
    pub(crate) fn copy(&self) -> JwsCopy {
        JwsCopy { token: self.token.into(), limits: self.limits }
    }

    /// What it says, to explain why it is refused: nothing may be decided by it.
    pub(crate) fn unverified_for_explanation(&self) -> &T {
        &self.claims
    }
}

impl<T: NamesIssuer> Jws<'_, T> {
    /// The unverified `iss`, for choosing whose keys and rules apply.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.claims.issuer()
    }
}

/// Claims that say who issued them.
pub(crate) trait NamesIssuer {
    /// The `iss`, when there is one.
    fn issuer(&self) -> Option<&str>;
}

/// A token whose signature was verified, and the only way to its claims.
///
/// It is made of the [`Jws`] whose signature it was, and borrows that one: it can prove nothing of another token.
pub(crate) struct VerifiedJws<'j, T = ()> {
    jws: &'j Jws<'j, T>,
}

impl<'j, T: Object<'j>> VerifiedJws<'j, T> {
    /// The claims that were read with [`Jws::read_claims`].
    pub(crate) fn claims(&self) -> &'j T {
        &self.jws.claims
    }

    /// The payload, of which the claims were read: so it can be read whole later.
    pub(crate) fn payload(&self) -> CheckedObject<'j> {
        CheckedObject::new(self.jws.payload)
    }
}

impl<'j, T> VerifiedJws<'j, T> {
    /// The header as it is written, and what was read of it.
    pub(super) fn header(&self) -> (&'j str, &'j Header<'j>) {
        (self.jws.encoded_header, &self.jws.header)
    }

    /// Reads the whole payload.
    pub(crate) fn all_claims(&self) -> Result<Map<String, Value>, JsonError> {
        read_object_within(self.jws.payload, self.jws.limits.json)
    }

    /// The token as it came; ASCII.
    pub(crate) fn token(&self) -> &'j str {
        self.jws.token
    }

    /// Proof for the token of which this one is a copy.
    pub(crate) fn into_proof(self) -> VerifiedCopy {
        VerifiedCopy { token: self.jws.token.into() }
    }
}

/// A token that outlives its request, to be verified elsewhere.
pub(crate) struct JwsCopy {
    token: Box<str>,
    limits: TokenLimits,
}

impl JwsCopy {
    /// Parses it again, with the outcome that it had before.
    pub(crate) fn parse<'b>(&'b self, buffer: &'b mut Vec<u8>) -> Result<Jws<'b>, JwsError> {
        Jws::parse(&self.token, &self.limits, buffer)
    }
}

/// Proof that the signature of this token was verified, in a copy of it; made only by [`VerifiedJws::into_proof`].
pub(crate) struct VerifiedCopy {
    token: Box<str>,
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
        let Some(written) = typ else { return Self::Jwt };
        // RFC 7515 §4.1.9: `application/` may be left out, and media types have no case.
        let name = match written.split_at_checked("application/".len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
            _ => written,
        };
        if name.eq_ignore_ascii_case("at+jwt") {
            Self::AccessToken
        } else if name.eq_ignore_ascii_case("JWT") {
            Self::Jwt
        } else if name.eq_ignore_ascii_case("token-introspection+jwt") {
            Self::TokenIntrospection
        } else {
            Self::Other
        }
    }
}

/// What comes before the first dot, and what behind it.
fn split_at_dot(text: &str) -> Option<(&str, &str)> {
    let dot = memchr(b'.', text.as_bytes())?;
    Some((&text[..dot], &text[dot + 1..]))
}

/// Decodes a part of a token to the end of the buffer, and says where it stands there.
fn append_part(buffer: &mut Vec<u8>, part: &str, token: &str) -> Result<Range<usize>, JwsError> {
    append_base64url(buffer, part).ok_or_else(|| match token.split('.').count() {
        3 => JwsError::Encoding,
        5 => JwsError::Encrypted,
        _ => JwsError::NotJws,
    })
}

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

/// What a header says.
pub(super) struct Header<'b> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<Cow<'b, str>>,
    pub(super) typ: Option<Cow<'b, str>>,
    /// Whether it says that and no more, so that all tokens that a key signs are likely to have the same.
    pub(super) is_of_key: bool,
}

impl<'b> Header<'b> {
    fn read(decoded: &'b [u8], limits: JsonLimits) -> Result<Self, JwsError> {
        let read: HeaderMembers<'b> = read_as(decoded, limits).map_err(JwsError::Header)?;
        // RFC 7515 §4.1.11: no extension is understood here, so none may be critical.
        if read.critical {
            return Err(JwsError::Critical);
        }
        let name = read.algorithm.ok_or(JwsError::NoAlgorithm)?;
        let algorithm =
            Algorithm::from_name(&name).ok_or_else(|| JwsError::Algorithm(name.into_owned()))?;
        Ok(Self { algorithm, key_id: read.key_id, typ: read.typ, is_of_key: !read.has_more })
    }
}

#[derive(Default)]
struct HeaderMembers<'t> {
    algorithm: Option<Cow<'t, str>>,
    key_id: Option<Cow<'t, str>>,
    typ: Option<Cow<'t, str>>,
    critical: bool,
    has_more: bool,
}

impl<'t> Object<'t> for HeaderMembers<'t> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'t>) -> Result<(), JsonError> {
        match name {
            "alg" => self.algorithm = value.nullable(JsonReader::string)?,
            "kid" => self.key_id = value.nullable(JsonReader::string)?,
            "typ" => self.typ = value.nullable(JsonReader::string)?,
            // RFC 7797 §7: `b64` has no place in a JWT, and without `crit` it would be a trap.
            "crit" | "b64" => {
                self.critical = true;
                value.skip()?;
            }
            // Names of the key, as `kid` is.
            "x5t" | "x5t#S256" => value.skip()?,
            // `jwk`, `jku`, `x5u`, `x5c`: a token does not choose its own key.
            _ => {
                self.has_more = true;
                value.skip()?;
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
        Jws::parse(token, &TokenLimits::LARGEST, &mut Vec::new()).map(|_| ()).unwrap_err()
    }

    #[test]
    fn the_example_of_rfc_7515_verifies() {
        let mut buffer = Vec::new();
        let jws = Jws::parse(TOKEN, &TokenLimits::LARGEST, &mut buffer).unwrap();
        let verified = jws.verify(&key()).unwrap();
        assert_eq!(verified.all_claims().unwrap()["iss"], "joe");
        assert_eq!(verified.token(), TOKEN);
    }

    #[test]
    fn a_changed_byte_does_not_verify() {
        let changed = TOKEN.replace("DtEhU3", "DtEhU4");
        let mut buffer = Vec::new();
        let jws = Jws::parse(&changed, &TokenLimits::LARGEST, &mut buffer).unwrap();
        assert!(jws.verify(&key()).is_none());
    }

    #[test]
    fn a_verified_copy_proves_the_same_token_and_no_other() {
        let mut buffer = Vec::new();
        let jws = Jws::parse(TOKEN, &TokenLimits::LARGEST, &mut buffer).unwrap();
        let (copy, mut copy_buffer) = (jws.copy(), Vec::new());
        let proof = copy.parse(&mut copy_buffer).unwrap().verify(&key()).unwrap().into_proof();
        assert!(jws.verify_by_copy(&proof).is_some());
        let others = [
            TOKEN.replace("DtEhU3", "DtEhU4"),
            TOKEN.replace("eyJpc3Mi", "eyJpc3Nj"),
            TOKEN.replace("eyJhbGciOiJFUzI1NiJ9", "eyJhbGciOiJFUzM4NCJ9"),
        ];
        for text in others {
            let mut other_buffer = Vec::new();
            let other = Jws::parse(&text, &TokenLimits::LARGEST, &mut other_buffer).unwrap();
            assert!(text != TOKEN && other.verify_by_copy(&proof).is_none());
        }
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
    fn a_media_type_has_no_case_and_may_leave_out_its_first_half() {
        use MediaType::{AccessToken, Jwt, Other, TokenIntrospection};
        let rows = [
            (None, Jwt),
            (Some("JWT"), Jwt),
            (Some("application/jwt"), Jwt),
            (Some("APPLICATION/JWT"), Jwt),
            (Some("Application/At+Jwt"), AccessToken),
            (Some("application/token-introspection+jwt"), TokenIntrospection),
            (Some(""), Other),
            (Some("application/"), Other),
            (Some("text/jwt"), Other),
            (Some("/jwt"), Other),
            (Some("application/application/jwt"), Other),
            (Some("application/jwt; charset=utf-8"), Other),
            (Some("application/jwt "), Other),
            (Some("application\u{2044}jwt"), Other),
        ];
        for (typ, expected) in rows {
            assert_eq!(MediaType::of(typ), expected, "{typ:?}");
        }
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
        assert_eq!(
            parse_error(&token(r#"{"alg":7}"#)).to_string(),
            "header: `alg` is a number, a string is needed"
        );
        assert_eq!(parse_error(&token(r#"{"alg":null}"#)), JwsError::NoAlgorithm);
        assert_eq!(parse_error(&token(r#"{"alg":"ES256","crit":null}"#)), JwsError::Critical);
        assert_eq!(parse_error(&token(r#"{"alg":"ES256","b64":null}"#)), JwsError::Critical);
    }
}
