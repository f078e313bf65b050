//! Step 2: who is calling? The first verifier that a token is for decides, and nobody after it.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderName;

use super::asked_revocations::AskedRevocations;
use super::cache::{Circumstances, TokenCache};
use super::opaque::OpaqueTokens;
use super::own_verifier::OwnVerifier;
use super::{Acceptance, BearerToken, IssuerRules, Rules, TokenSource};
use crate::algorithm::Algorithm;
use crate::auth_info::AuthInfo;
use crate::claims::Claims;
use crate::clock::Clock;
use crate::error::{AuthError, TokenError};
use crate::issuer::Issuer;
use crate::jose::{Jws, JwsError, KnownHeaders, TokenLimits};
use crate::revocation::Cutoffs;

/// Authenticates the callers of one protected resource, by their tokens.
pub(crate) struct Authenticator {
    /// Which resource it is, for the cache that all share: the same number through all its configurations.
    pub(crate) resource: usize,
    /// Where tokens may be besides `Authorization`.
    pub(crate) token_headers: Arc<[HeaderName]>,
    /// Of the user.
    pub(crate) own: Vec<OwnVerifier>,
    pub(crate) issuers: TrustedIssuers,
    pub(crate) rules: Rules,
    pub(crate) limits: TokenLimits,
    /// Of tokens that were read within these limits, for this resource or another one.
    pub(crate) known_headers: Arc<KnownHeaders>,
    pub(crate) cache: Arc<TokenCache>,
    /// What was revoked.
    pub(crate) cutoffs: Arc<Cutoffs>,
    /// Of the user: who else says what was revoked.
    pub(crate) asked_revocations: Option<AskedRevocations>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The issuers that one resource trusts, and where each is in the list.
pub(crate) struct TrustedIssuers {
    pub(crate) list: Vec<TrustedIssuer>,
    positions: HashMap<Arc<str>, usize>,
    /// The one whose tokens may name any issuer.
    position_of_any: Option<usize>,
}

impl FromIterator<TrustedIssuer> for TrustedIssuers {
    fn from_iter<I: IntoIterator<Item = TrustedIssuer>>(issuers: I) -> Self {
        let list: Vec<_> = issuers.into_iter().collect();
        let positions = list.iter().enumerate().map(|(at, trusted)| (trusted.name.clone(), at));
        let position_of_any = list.iter().position(|trusted| trusted.rules.accept_any_issuer);
        Self { positions: positions.collect(), position_of_any, list }
    }
}

impl TrustedIssuers {
    /// As many are compared one by one, which takes less time than to hash a name.
    const FEW: usize = 4;

    /// The issuer with this name.
    pub(super) fn named(&self, name: &str) -> Option<&TrustedIssuer> {
        self.position_of(name).map(|position| &self.list[position])
    }

    /// The issuer of a caller.
    pub(super) fn of_caller(&self, caller: &AuthInfo) -> Option<&TrustedIssuer> {
        let position = self.position_of(caller.issuer()).or(self.position_of_any)?;
        self.list.get(position)
    }

    /// The issuer by whose rules a token was accepted, which stood at this place then; `None`: there are other rules now.
    fn accepting(&self, position: usize, acceptance: Acceptance) -> Option<&TrustedIssuer> {
        match self.list.get(position) {
            Some(trusted) if trusted.acceptance == acceptance => Some(trusted),
            _ => self.list.iter().find(|trusted| trusted.acceptance == acceptance),
        }
    }

    /// Where the issuer with this name is.
    fn position_of(&self, name: &str) -> Option<usize> {
        if self.list.len() <= Self::FEW {
            return self.list.iter().position(|trusted| *trusted.name == *name);
        }
        self.positions.get(name).copied()
    }
}

/// An issuer as one resource trusts it.
pub(crate) struct TrustedIssuer {
    /// Its identifier, shared with every caller from there.
    pub(crate) name: Arc<str>,
    /// Whether clients are told of it: other `iss` values of one issuer are not.
    pub(crate) is_advertised: bool,
    /// Where its tokens are.
    pub(crate) source: TokenSource,
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) rules: Arc<IssuerRules>,
    /// These rules, as the cache knows them.
    pub(crate) acceptance: Acceptance,
    /// How its opaque tokens are checked, if they are.
    pub(crate) opaque: Option<Arc<OpaqueTokens>>,
}

impl TrustedIssuer {
    /// Whether this is one of its names in `iss`.
    pub(super) fn is_named(&self, iss: &str) -> bool {
        iss == &*self.name || self.rules.token_issuers.iter().any(|other| other == iss)
    }
}

impl Authenticator {
    /// The caller behind a token, or why it is refused.
    pub(crate) async fn authenticate(&self, token: BearerToken<'_>) -> Result<AuthInfo, AuthError> {
        let now = self.clock.unix_seconds();
        if let Some(auth_info) = self.authenticated_before_at(token, now) {
            return Ok(auth_info);
        }
        let auth_info = self.authenticate_anew(token, now).await?;
        self.check_revocations(&auth_info).await?;
        if let Some(asked) = &self.asked_revocations {
            asked.ask(&auth_info).await?;
        }
        Ok(auth_info)
    }

    /// The same at once, where nobody has to be asked: for a token that was accepted before, or one that a known key has
    /// signed. `None`: ask [`Self::authenticate`].
    pub(crate) fn authenticate_at_once(
        &self,
        token: BearerToken<'_>,
    ) -> Option<Result<AuthInfo, AuthError>> {
        let now = self.clock.unix_seconds();
        if let Some(auth_info) = self.authenticated_before_at(token, now) {
            return Some(Ok(auth_info));
        }
        let text = token.as_text().ok()?;
        // A verifier of the user's is asked once, even about whether the token is for it.
        let may_wait = self.asked_revocations.is_some() || !self.own.is_empty();
        if may_wait || self.is_opaque(text) || !self.cutoffs.is_current(now) {
            return None;
        }
        let outcome = self.authenticate_jwt_at_once(token, text, now).transpose()?;
        Some(outcome.and_then(|auth_info| {
            self.cutoffs.check(&auth_info)?;
            Ok(auth_info)
        }))
    }

    /// Whether nobody has revoked it, here or on another instance.
    async fn check_revocations(&self, auth_info: &AuthInfo) -> Result<(), AuthError> {
        // Known here, it is revoked wherever the others are.
        self.cutoffs.check(auth_info)?;
        if !self.cutoffs.is_current(self.clock.unix_seconds()) {
            self.cutoffs.wait_until_current().await.map_err(AuthError::Unavailable)?;
            self.cutoffs.check(auth_info)?;
        }
        Ok(())
    }

    async fn authenticate_anew(
        &self,
        token: BearerToken<'_>,
        now: u64,
    ) -> Result<AuthInfo, AuthError> {
        let text = token.as_text()?;
        if let Some(own) = self.own_for(token.source(), text)? {
            return own.verify(token.parse()?, &*self.clock).await;
        }
        if self.is_opaque(text) {
            return self.authenticate_opaque(token, now).await;
        }
        self.authenticate_jwt(token, text, now).await
    }

    /// What the header of a token says of its key.
    pub(crate) fn key_hint(&self, token: &str) -> Result<KeyHint, TokenError> {
        let mut buffer = Vec::new();
        let jws = Jws::parse(token, &self.limits, &mut buffer)?;
        Ok(KeyHint { algorithm: jws.algorithm(), key_id: jws.key_id().map(str::to_owned) })
    }

    /// The caller behind a token that was accepted with the keys that are still in use.
    pub(crate) fn authenticated_before(&self, token: BearerToken<'_>) -> Option<AuthInfo> {
        self.authenticated_before_at(token, self.clock.unix_seconds())
    }

    fn authenticated_before_at(&self, token: BearerToken<'_>, now: u64) -> Option<AuthInfo> {
        let hit = self.cache.find(self.resource, token.as_bytes(), now)?;
        let Circumstances { issuer, acceptance, .. } = hit.circumstances;
        let trusted = self.issuers.accepting(issuer, acceptance)?;
        let is_current = match hit.circumstances.key_generation {
            Some(generation) => trusted.issuer.key_generation(now) == Some(generation),
            None => true,
        };
        let is_good = is_current
            && self.cutoffs.is_current(now)
            && trusted.source == token.source()
            && self.cutoffs.check(&hit.auth_info).is_ok()
            && self
                .asked_revocations
                .as_ref()
                .is_none_or(|asked| asked.is_known_to_be_good(&hit.auth_info, now));
        is_good.then_some(hit.auth_info)
    }

    fn own_for(&self, source: TokenSource, token: &str) -> Result<Option<&OwnVerifier>, AuthError> {
        for own in self.own.iter().filter(|own| own.source == source) {
            if own.is_for(token)? {
                return Ok(Some(own));
            }
        }
        Ok(None)
    }

    /// Whether somebody else than its signature tells what a token is; who fails to tell is asked, too.
    pub(super) fn is_asked_about(&self, token: BearerToken<'_>, text: &str) -> bool {
        let is_own = !matches!(self.own_for(token.source(), text), Ok(None));
        is_own || self.is_opaque(text)
    }

    fn is_opaque(&self, token: &str) -> bool {
        self.issuers.list.iter().any(|one| one.opaque.is_some()) && parts_of_jwt(token) != Some(3)
    }

    async fn authenticate_opaque(
        &self,
        token: BearerToken<'_>,
        now: u64,
    ) -> Result<AuthInfo, AuthError> {
        let text = token.parse()?;
        if text.len() > self.limits.token_bytes {
            return Err(TokenError::from(JwsError::TooLarge("max_token_bytes")).into());
        }
        let list = self.issuers.list.iter().enumerate();
        let found = list.filter(|(_, one)| one.source == token.source()).find_map(|(at, one)| {
            let opaque = one.opaque.as_ref().filter(|opaque| opaque.is_for(text))?;
            Some((at, one, opaque))
        });
        let Some((issuer, trusted, opaque)) = found else {
            if parts_of_jwt(text) == Some(5) {
                return Err(TokenError::from(JwsError::Encrypted).into());
            }
            let reason = "an opaque token whose beginning is in no `token_prefixes`".to_owned();
            return Err(TokenError::Malformed { reason }.into());
        };
        let introspected =
            opaque.authenticate(text, token.may_wait, trusted, &self.rules, now).await?;
        let circumstances = Circumstances {
            resource: self.resource,
            issuer,
            acceptance: trusted.acceptance,
            key_generation: None,
        };
        self.cache.insert(&introspected.auth_info, circumstances, introspected.until, now);
        Ok(introspected.auth_info)
    }

    /// Where a token like this belongs, to explain one that nobody says it of.
    pub(super) fn source_of(&self, token: &str) -> TokenSource {
        if let Some(own) = self.own.iter().find(|own| own.is_for(token) != Ok(false)) {
            return own.source;
        }
        let issuers = self.issuers.list.iter();
        let issuer = if self.is_opaque(token) {
            issuers
                .into_iter()
                .find(|one| one.opaque.as_ref().is_some_and(|opaque| opaque.is_for(token)))
        } else {
            let mut buffer = Vec::new();
            let parsed = Jws::parse(token, &self.limits, &mut buffer).ok();
            let read = parsed.and_then(|jws| jws.read_claims::<Claims<'_>>().ok());
            let position = read.and_then(|jws| self.issuers.position_of(jws.issuer()?));
            position.map(|at| &self.issuers.list[at])
        };
        issuer.map(|one| one.source).unwrap_or_default()
    }

    /// Whether a caller may come from the issuer of this name.
    pub(crate) fn may_trust(&self, issuer: &str) -> bool {
        let is_any_trusted = self.issuers.position_of_any.is_some() || !self.own.is_empty();
        is_any_trusted || self.issuers.named(issuer).is_some()
    }

    /// `iss` picks issuer, keys and rules before anything is fetched.
    pub(super) fn position_of(
        &self,
        iss: Option<&str>,
        source: TokenSource,
    ) -> Result<usize, TokenError> {
        let iss = iss.ok_or(TokenError::MissingClaim { claim: "iss" })?;
        let position = self.issuers.position_of(iss).or(self.issuers.position_of_any);
        position.filter(|at| self.issuers.list[*at].source == source).ok_or_else(|| {
            let expected = self.issuers.list.iter().filter(|one| one.source == source);
            TokenError::UnknownIssuer {
                actual: iss.to_owned(),
                expected: expected.map(|trusted| trusted.name.to_string()).collect(),
            }
        })
    }
}

/// By what code of the user's finds the key of a token: nobody has verified it, and it is all that a token may say of
/// its own key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyHint {
    /// `alg`, one that is supported.
    pub algorithm: Algorithm,
    /// `kid`.
    pub key_id: Option<String>,
}

/// How many parts a token in the form of a JWT has: three when it is signed, five when it is encrypted.
///
/// No other verifier is asked about a signed one. An encrypted one is opaque to whoever has no key:
/// its issuer may be asked.
pub(super) fn parts_of_jwt(token: &str) -> Option<usize> {
    let parts = token.split('.').count();
    let may_be_jwt = matches!(parts, 3 | 5) && begins_as_object(token);
    may_be_jwt.then_some(parts)
}

/// Whether a token begins with what could be a JSON object in base64, with white space or a byte order mark before it
/// or without.
fn begins_as_object(token: &str) -> bool {
    // `{` with a quote or a space after it, or with the end of a line or a tab.
    if token.starts_with("ey") || token.starts_with("ew") {
        return true;
    }
    crate::steps::take(token.len());
    let (mut bits, mut bit_count) = (0_u32, 0);
    let mut object_began = false;
    for letter in token.bytes() {
        let Some(value) = base64_value(letter) else { return false };
        (bits, bit_count) = ((bits << 6) | value, bit_count + 6);
        if bit_count < 8 {
            continue;
        }
        bit_count -= 8;
        let byte = (bits >> bit_count).to_le_bytes()[0];
        match byte {
            // NUL is half of a letter where a reader takes UTF-16 too, as Python's does.
            b' ' | b'\t' | b'\r' | b'\n' | 0 => {}
            0xef | 0xbb | 0xbf | 0xfe | 0xff if !object_began => {}
            b'{' if !object_began => object_began = true,
            b'"' | b'}' => return object_began,
            _ => return false,
        }
    }
    false
}

/// What a letter stands for in base64, in either alphabet.
fn base64_value(letter: u8) -> Option<u32> {
    let value = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'-' | b'+' => 62,
        b'_' | b'/' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jwts_are_told_by_their_form() {
        let signed = ["eyJhbGciOiJub25lIn0.e30.", "ey.a.b", "ewog.a.b", "ew0K.a.b", "e30.a.b"];
        for (jwt, parts) in signed.map(|jwt| (jwt, 3)).into_iter().chain([("eyJ.a.b.c.d", 5)]) {
            assert_eq!(parts_of_jwt(jwt), Some(parts), "{jwt}");
        }
        for opaque in ["", "ey", "gho_abc", "ya29.a0.b", "a.b.c", "eyJ.a", "eyJ.a.b.c", "EyJ.a.b"] {
            assert_eq!(parts_of_jwt(opaque), None, "{opaque}");
        }
    }

    #[test]
    fn what_a_reader_of_json_skips_before_an_object_hides_no_jwt() {
        use base64::Engine as _;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
        let many_spaces = format!("{}{{\"alg\":\"none\"}}", " ".repeat(3000));
        let headers = [
            " {\"alg\":\"none\"}",
            "\n{\"alg\":\"none\"}",
            "\r\n\t {\r\n \"alg\":\"none\"}",
            "\u{feff}{\"alg\":\"none\"}",
            "\u{feff} {\"é?>~\":\"none\"}",
            "  {}",
            "{ \t\"alg\":\"none\"}",
            &many_spaces,
        ];
        for header in headers {
            for encoded in [URL_SAFE_NO_PAD.encode(header), STANDARD.encode(header)] {
                assert_eq!(parts_of_jwt(&format!("{encoded}.e30.AA")), Some(3), "{header:?}");
                assert_eq!(parts_of_jwt(&format!("{encoded}.a.b.c.d")), Some(5), "{header:?}");
            }
        }
        for other in ["  [\"alg\"]", "   ", "  7", "{{\"", "a{\"", "{\u{feff}\"", " {a"] {
            let encoded = URL_SAFE_NO_PAD.encode(other);
            assert_eq!(parts_of_jwt(&format!("{encoded}.a.b")), None, "{other:?}");
        }
        for utf_16 in [&b"\xff\xfe{\0\"\0"[..], b"\xfe\xff\0{\0\"", b"\0 \0{\0\"", b"{\0\"\0"] {
            let encoded = URL_SAFE_NO_PAD.encode(utf_16);
            assert_eq!(parts_of_jwt(&format!("{encoded}.a.b")), Some(3), "{utf_16:?}");
        }
    }
}
