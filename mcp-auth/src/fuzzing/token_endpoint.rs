//! What token endpoints answer, and the identity assertions among it.

use http::StatusCode;

use super::bounded;
use crate::downstream::{ExpectedAssertion, check_assertion};
use crate::issuer::{EndpointFault, read_token_answer};

/// After a byte that chooses the status: the answer of a token endpoint.
pub fn token_answer(bytes: &[u8]) {
    let Some((&choice, body)) = bytes.split_first() else { return };
    let number = [200, 400, 302, 401, 429, 500][usize::from(choice) % 6];
    let status = StatusCode::from_u16(number).expect("a status");
    match bounded(bytes, || read_token_answer(status, body)) {
        Ok(answer) => {
            assert_eq!(status, StatusCode::OK, "nothing else gives a token");
            let token = answer.access_token.as_bytes();
            assert!(!token.is_empty());
            for byte in token {
                assert!(byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte), "{byte}");
            }
            assert_ne!(answer.expires_in, Some(0));
            assert_assertion(&answer.access_token);
        }
        Err(EndpointFault::Refused(refusal)) => {
            assert!(!refusal.error.contains('\n') && !refusal.description.contains('\n'));
        }
        Err(EndpointFault::Unusable(reason) | EndpointFault::Unavailable { reason, .. }) => {
            assert!(!reason.is_empty());
        }
    }
    if let Ok(text) = std::str::from_utf8(body) {
        bounded(bytes, || assert_assertion(text));
    }
}

/// One that is sent on has three parts, whatever is in them.
fn assert_assertion(assertion: &str) {
    let expected = ExpectedAssertion {
        issuer: None,
        audience: "https://as.example",
        client_id: "mcp",
        resources: &[],
        now: super::NOW,
    };
    if check_assertion(assertion, &expected).is_ok() {
        assert_eq!(assertion.split('.').count(), 3, "{assertion:?}");
    }
}
