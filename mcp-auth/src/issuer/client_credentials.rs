//! How we prove who we are to an authorization server.

use base64_simd::STANDARD;
use http::{HeaderMap, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::config::Secret;
use crate::jose::{SigningKey, random_id};

/// How long a client assertion may be used, in seconds.
const ASSERTION_LIFETIME: u64 = 60;
/// What `application/x-www-form-urlencoded` leaves as it is.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

/// What proves to an endpoint who we are.
pub(crate) enum ClientCredentials {
    /// Nothing.
    None,
    /// A secret, in the header.
    Basic(Secret),
    /// A secret, in the form.
    Post(Secret),
    /// A key that signs an assertion.
    PrivateKey { key: SigningKey, key_id: Option<String> },
    /// The certificate of the connection.
    Certificate,
}

impl ClientCredentials {
    /// Whether both prove the same; which certificate it is, the HTTP client knows.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) | (Self::Certificate, Self::Certificate) => true,
            (Self::Basic(secret), Self::Basic(other_secret))
            | (Self::Post(secret), Self::Post(other_secret)) => secret == other_secret,
            (
                Self::PrivateKey { key, key_id },
                Self::PrivateKey { key: other_key, key_id: other_key_id },
            ) => key.is_same_as(other_key) && key_id == other_key_id,
            _ => false,
        }
    }

    /// Adds the proof, and our identifier, to the headers or the form of a request.
    pub(crate) fn prove(
        &self,
        client_id: &str,
        issuer: &str,
        now: u64,
        headers: &mut HeaderMap,
        form: &mut Vec<(&'static str, String)>,
    ) -> Result<(), String> {
        match self {
            Self::Basic(secret) => {
                // RFC 6749 §2.3.1: both are form-encoded before they are put together.
                let pair = format!("{}:{}", form_encoded(client_id), form_encoded(secret.expose()));
                headers.insert(header::AUTHORIZATION, basic_header(&pair)?);
                return Ok(());
            }
            Self::Post(secret) => form.push(("client_secret", secret.expose().to_owned())),
            Self::PrivateKey { key, key_id } => {
                let assertion = sign_assertion(key, key_id.as_deref(), client_id, issuer, now);
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned();
                form.push(("client_assertion_type", kind));
                form.push(("client_assertion", assertion.ok_or("the system has no randomness")?));
            }
            Self::None | Self::Certificate => {}
        }
        form.push(("client_id", client_id.to_owned()));
        Ok(())
    }
}

/// RFC 7523 §3. Its audience is the issuer alone, so that no other server can use it.
fn sign_assertion(
    key: &SigningKey,
    key_id: Option<&str>,
    client_id: &str,
    issuer: &str,
    now: u64,
) -> Option<String> {
    let claims = json!({
        "iss": client_id, "sub": client_id, "aud": issuer, "jti": random_id()?,
        "iat": now, "exp": now + ASSERTION_LIFETIME,
    });
    key.sign(key_id, &claims)
}

/// An `Authorization` header that logs do not show.
pub(crate) fn basic_header(pair: &str) -> Result<HeaderValue, String> {
    let text = format!("Basic {}", STANDARD.encode_to_string(pair));
    let mut value = HeaderValue::from_str(&text).map_err(|error| error.to_string())?;
    value.set_sensitive(true);
    Ok(value)
}

/// A form as it is sent.
pub(crate) fn write_form(members: &[(&'static str, String)]) -> String {
    let pairs = members.iter().map(|(name, value)| format!("{name}={}", form_encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn form_encoded(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_a_form_is_encoded() {
        let text =
            write_form(&[("token", "a&b=c+d é:%".to_owned()), ("client_id", "x".to_owned())]);
        assert_eq!(text, "token=a%26b%3Dc%2Bd%20%C3%A9%3A%25&client_id=x");
    }

    #[test]
    fn a_basic_header_holds_both_encoded_and_is_not_shown() {
        let (mut headers, mut form) = (HeaderMap::new(), Vec::new());
        let credentials = ClientCredentials::Basic(Secret::new("p:ä"));
        credentials.prove("a b", "https://as.example", 0, &mut headers, &mut form).unwrap();
        let expected = format!("Basic {}", STANDARD.encode_to_string("a%20b:p%3A%C3%A4"));
        assert_eq!(headers[header::AUTHORIZATION], expected);
        assert!(headers[header::AUTHORIZATION].is_sensitive() && form.is_empty());
    }
}
