//! Step 2: verify a JWT access token.

use std::collections::HashMap;
use std::sync::Arc;

use super::cache::{Circumstances, TokenCache};
use super::{BearerToken, Claims, IssuerRules, Rules};
use crate::auth_info::AuthInfo;
use crate::clock::Clock;
use crate::error::{AuthError, TokenError};
use crate::issuer::{Issuer, Verified, VerifyError};
use crate::jose::{Jws, JwsError, MediaType, TokenLimits};

/// Verifies the tokens of one protected resource.
pub(crate) struct Verifier {
    /// Which resource it is, for the cache that all share.
    pub(crate) resource: usize,
    pub(crate) issuers: TrustedIssuers,
    pub(crate) rules: Rules,
    pub(crate) limits: TokenLimits,
    pub(crate) cache: Arc<TokenCache>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The issuers that one resource trusts, and where each is in the list.
pub(crate) struct TrustedIssuers {
    pub(crate) list: Vec<TrustedIssuer>,
    positions: HashMap<Arc<str>, usize>,
}

impl FromIterator<TrustedIssuer> for TrustedIssuers {
    fn from_iter<I: IntoIterator<Item = TrustedIssuer>>(issuers: I) -> Self {
        let list: Vec<_> = issuers.into_iter().collect();
        let positions = list.iter().enumerate().map(|(at, trusted)| (trusted.name.clone(), at));
        Self { positions: positions.collect(), list }
    }
}

/// An issuer as one resource trusts it.
pub(crate) struct TrustedIssuer {
    /// Its identifier, shared with every caller from there.
    pub(crate) name: Arc<str>,
    /// Whether clients are told of it: other `iss` values of one issuer are not.
    pub(crate) is_advertised: bool,
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) rules: Arc<IssuerRules>,
}

impl Verifier {
    /// The caller behind a token, or why it is refused.
    pub(crate) async fn verify(&self, token: BearerToken<'_>) -> Result<AuthInfo, AuthError> {
        let now = self.clock.unix_seconds();
        if let Some(auth_info) = self.verified_before_at(token, now) {
            return Ok(auth_info);
        }
        let text = token.as_text()?;
        let jws = match Jws::parse(text, &self.limits) {
            Ok(jws) => jws,
            Err(error @ JwsError::TooLarge(_)) => return Err(TokenError::from(error).into()),
            Err(error) => {
                // What has not even the syntax of a token is the header's fault.
                token.parse()?;
                return Err(TokenError::from(error).into());
            }
        };
        let claims = jws.payload::<Claims<'_>>().map_err(Claims::malformed)?;
        let issuer = self.position_of(claims.issuer())?;
        let trusted = &self.issuers.list[issuer];
        trusted.check_header(&jws)?;
        let verified = trusted.verify_signature(&jws, now).await?;
        let mut claims = claims.verified(&verified.proof);
        claims.validate(&self.rules, &trusted.rules, verified.now)?;
        let (scopes, expires_at) = (claims.take_scopes(), claims.expires_at());
        drop(claims);
        let token = jws.into_token(&verified.proof);
        let auth_info = AuthInfo::new(trusted.name.clone(), scopes, expires_at, token);
        let auth_info = trusted.rules.apply(auth_info)?;
        let expires = expires_at.saturating_add(self.rules.clock_tolerance.as_secs());
        let key_generation = verified.key_generation;
        let circumstances = Circumstances { resource: self.resource, issuer, key_generation };
        self.cache.insert(&auth_info, circumstances, expires, verified.now);
        Ok(auth_info)
    }

    /// The caller behind a token that was accepted with the keys that are still in use.
    pub(crate) fn verified_before(&self, token: BearerToken<'_>) -> Option<AuthInfo> {
        self.verified_before_at(token, self.clock.unix_seconds())
    }

    fn verified_before_at(&self, token: BearerToken<'_>, now: u64) -> Option<AuthInfo> {
        let hit = self.cache.find(self.resource, token.as_bytes(), now)?;
        let current = self.issuers.list[hit.circumstances.issuer].issuer.key_generation(now);
        (current == Some(hit.circumstances.key_generation)).then_some(hit.auth_info)
    }

    /// `iss` picks issuer, keys and rules before anything is fetched.
    fn position_of(&self, iss: Option<&str>) -> Result<usize, TokenError> {
        let iss = iss.ok_or(TokenError::MissingClaim { claim: "iss" })?;
        self.issuers.positions.get(iss).copied().ok_or_else(|| TokenError::UnknownIssuer {
            actual: iss.to_owned(),
            expected: self.issuers.list.iter().map(|trusted| trusted.name.to_string()).collect(),
        })
    }
}

impl TrustedIssuer {
    fn check_header(&self, jws: &Jws<'_>) -> Result<(), TokenError> {
        let rules = &self.rules;
        if !rules.algorithms.is_empty() && !rules.algorithms.contains(&jws.algorithm()) {
            return Err(TokenError::AlgorithmNotAllowed { algorithm: jws.algorithm().to_string() });
        }
        // RFC 8725 §3.11. Many providers send `JWT` or nothing where RFC 9068 asks for `at+jwt`.
        let accepted = match jws.typ() {
            MediaType::AccessToken => true,
            MediaType::Jwt => !rules.require_at_jwt,
            MediaType::Other => false,
        };
        if accepted {
            Ok(())
        } else {
            Err(TokenError::WrongType { reason: "header `typ`".to_owned() })
        }
    }

    async fn verify_signature(&self, jws: &Jws<'_>, now: u64) -> Result<Verified, AuthError> {
        self.issuer.verify(jws, now).await.map_err(|error| match error {
            VerifyError::BadSignature => TokenError::BadSignature.into(),
            VerifyError::UnknownKey => {
                TokenError::UnknownKey { key_id: jws.key_id().map(str::to_owned) }.into()
            }
            VerifyError::Unavailable(reason) => AuthError::Unavailable(reason),
        })
    }
}

impl From<JwsError> for TokenError {
    fn from(error: JwsError) -> Self {
        match error {
            JwsError::Algorithm(algorithm) => Self::AlgorithmNotAllowed { algorithm },
            other => Self::Malformed { reason: other.to_string() },
        }
    }
}
