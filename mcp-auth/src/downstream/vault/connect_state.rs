//! What a browser carries while a user connects an account: sealed, for one user, one step and one browser, and for
//! the API and the clients as they are configured.

use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::json;
use zeroize::Zeroizing;

use super::user_grant::text_of;
use crate::config::FailureLimit;
use crate::handles::{KeyRing, SealedFor};
use crate::jose::sha256;
use crate::json::{JsonLimits, read_object_within};

/// For how long each step may take, in seconds.
pub(super) const STEP_SECONDS: u64 = 600;
/// Answers that may come for one user: so many at once, and then one each 30 seconds. A way to a grant has two.
pub(crate) const ANSWERS_OF_A_USER: FailureLimit =
    FailureLimit { count: 20, period: Duration::from_secs(STEP_SECONDS) };
const LIMITS: JsonLimits = JsonLimits { depth: 4, members: 16 };
/// Characters of 32 random bytes, in base64url.
const RANDOM_CHARACTERS: usize = 43;

/// Where a user is on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// They got a link.
    Link,
    /// They sign in where their token is from.
    SignIn,
    /// They were sent to the provider of the API.
    Provider,
}

impl Step {
    /// What a state of one step is sealed for, so that it is none of another one.
    fn purpose(self) -> &'static str {
        match self {
            Self::Link => "mcp-auth connect link 1",
            Self::SignIn => "mcp-auth connect sign-in 1",
            Self::Provider => "mcp-auth connect provider 1",
        }
    }
}

/// What is sealed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ConnectState {
    /// Who asked for the link: `iss` and `sub` of their token.
    pub(super) issuer: String,
    pub(super) subject: String,
    /// Our identifier as a client there.
    pub(super) sign_in_client: String,
    /// Its name, which counts once; it is the nonce of the ID token, too.
    pub(super) id: String,
    /// The SHA-256 of the cookie of the browser that goes on; empty for a link.
    pub(super) browser: String,
    /// The verifier of the code that is waited for (RFC 7636); empty for a link.
    pub(super) verifier: Zeroizing<String>,
    /// In seconds since 1970.
    pub(super) ends: u64,
}

impl ConnectState {
    /// The state as a text; `None`: there is no key, or no randomness.
    pub(super) fn seal(&self, keys: &KeyRing, step: Step, bound_to: &[&str]) -> Option<String> {
        let value = json!({
            "iss": self.issuer, "sub": self.subject, "client": self.sign_in_client, "id": self.id, "browser": self.browser,
            "verifier": &**self.verifier, "ends": self.ends,
        });
        let what_for = SealedFor { purpose: step.purpose(), texts: bound_to };
        keys.seal_bytes(what_for, Zeroizing::new(value.to_string()).as_bytes())
    }

    /// The state in a text that came back; `None`: it was not sealed here for this step and these texts, or has ended.
    pub(super) fn open(
        keys: &KeyRing,
        step: Step,
        bound_to: &[&str],
        sealed: &str,
        now: u64,
    ) -> Option<Self> {
        let what_for = SealedFor { purpose: step.purpose(), texts: bound_to };
        let bytes = keys.open_bytes(what_for, sealed)?;
        let members = read_object_within(&bytes, LIMITS).ok()?;
        let state = Self {
            issuer: text_of(&members, "iss")?.to_owned(),
            subject: text_of(&members, "sub")?.to_owned(),
            sign_in_client: text_of(&members, "client")?.to_owned(),
            id: text_of(&members, "id")?.to_owned(),
            browser: text_of(&members, "browser")?.to_owned(),
            verifier: Zeroizing::new(text_of(&members, "verifier")?.to_owned()),
            ends: members.get("ends")?.as_u64()?,
        };
        (state.ends > now).then_some(state)
    }
}

/// 256 random bits as text, as RFC 7636 §4.1 recommends for a verifier; `None`: the system has no randomness.
pub(super) fn random_secret() -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(&mut *bytes).ok()?;
    Some(Zeroizing::new(URL_SAFE_NO_PAD.encode_to_string(bytes.as_slice())))
}

/// Whether a text looks as [`random_secret`] writes it.
pub(super) fn is_random_secret(text: &str) -> bool {
    text.len() == RANDOM_CHARACTERS
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The SHA-256 of a text, in base64url: a challenge (RFC 7636 §4.2, `S256`), or what stands for a cookie.
pub(super) fn digest_text(text: &str) -> String {
    URL_SAFE_NO_PAD.encode_to_string(sha256(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> ConnectState {
        ConnectState {
            issuer: "i".to_owned(),
            subject: "alice".to_owned(),
            sign_in_client: "us".to_owned(),
            id: "1".to_owned(),
            browser: "b".to_owned(),
            verifier: Zeroizing::new("v".to_owned()),
            ends: 10,
        }
    }

    #[test]
    fn a_state_opens_for_its_step_its_texts_and_its_time_alone() {
        let keys = KeyRing::new([b"key".as_slice()]);
        let github = ["github", "https://github.example/token"];
        let sealed = state().seal(&keys, Step::SignIn, &github).unwrap();
        let open = |step, texts: &[&str]| ConnectState::open(&keys, step, texts, &sealed, 9);
        assert_eq!(open(Step::SignIn, &github), Some(state()));
        assert_eq!(open(Step::Provider, &github), None);
        assert_eq!(open(Step::Link, &github), None);
        for other in [&["github"][..], &["gitlab", github[1]], &["github", "https://g.example"]] {
            assert_eq!(open(Step::SignIn, other), None, "{other:?}");
        }
        assert_eq!(ConnectState::open(&keys, Step::SignIn, &github, &sealed, 10), None);
        let others = KeyRing::new([b"other".as_slice()]);
        assert_eq!(ConnectState::open(&others, Step::SignIn, &github, &sealed, 9), None);
    }

    #[test]
    fn the_challenge_is_that_of_rfc_7636_appendix_b() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(digest_text(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(is_random_secret(&random_secret().unwrap()) && !is_random_secret("a"));
    }
}
