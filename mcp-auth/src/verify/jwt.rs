//! Step 2: verify a JWT access token.

use std::sync::Arc;

use super::{BearerToken, Claims, Rules};
use crate::auth_info::AuthInfo;
use crate::clock::Clock;
use crate::error::{AuthError, TokenError};
use crate::issuer::{Issuer, VerifyError};
use crate::jose::{Algorithm, Jws, JwsError};

/// Verifies the tokens of one protected resource.
pub(crate) struct Verifier {
    pub(crate) issuers: Vec<TrustedIssuer>,
    pub(crate) rules: Rules,
    /// Longer tokens are refused unread, in bytes.
    pub(crate) max_token_bytes: usize,
    pub(crate) clock: Arc<dyn Clock>,
}

/// An issuer as one resource trusts it.
pub(crate) struct TrustedIssuer {
    pub(crate) issuer: Arc<Issuer>,
    /// Accepted algorithms; empty for all supported ones.
    pub(crate) algorithms: Vec<Algorithm>,
    /// RFC 9068 §4: whether `typ` must be `at+jwt`.
    pub(crate) require_at_jwt: bool,
}

impl Verifier {
    /// The caller behind a token, or why it is refused.
    pub(crate) async fn verify(&self, token: &BearerToken<'_>) -> Result<AuthInfo, AuthError> {
        let token = token.as_str();
        if token.len() > self.max_token_bytes {
            let reason = format!("longer than {} bytes", self.max_token_bytes);
            return Err(TokenError::Malformed { reason }.into());
        }
        let jws = Jws::parse(token).map_err(TokenError::from)?;
        let trusted = self.issuer_of(&jws)?;
        trusted.check_header(&jws)?;
        let payload = trusted.verify_signature(jws).await?;
        let claims = Claims::read(&payload)?;
        claims.validate(&self.rules, self.clock.unix_seconds())?;
        let facts = claims.into_facts();
        Ok(AuthInfo::new(payload, facts, token))
    }

    /// `iss` picks issuer, keys and rules before anything is fetched.
    fn issuer_of(&self, jws: &Jws<'_>) -> Result<&TrustedIssuer, TokenError> {
        let iss = jws.issuer()?.ok_or(TokenError::MissingClaim { claim: "iss" })?;
        self.issuers.iter().find(|trusted| trusted.issuer.identifier().as_str() == iss).ok_or_else(
            || TokenError::UnknownIssuer {
                actual: iss.into_owned(),
                expected: self
                    .issuers
                    .iter()
                    .map(|one| one.issuer.identifier().to_string())
                    .collect(),
            },
        )
    }
}

impl TrustedIssuer {
    fn check_header(&self, jws: &Jws<'_>) -> Result<(), TokenError> {
        if !self.algorithms.is_empty() && !self.algorithms.contains(&jws.algorithm()) {
            return Err(TokenError::AlgorithmNotAllowed { algorithm: jws.algorithm().to_string() });
        }
        // RFC 8725 §3.11. Many providers send `JWT` or nothing where RFC 9068 asks for `at+jwt`.
        let accepted = match jws.typ().map(str::to_ascii_lowercase).as_deref() {
            Some("at+jwt" | "application/at+jwt") => true,
            Some("jwt") | None => !self.require_at_jwt,
            Some(_) => false,
        };
        if accepted {
            Ok(())
        } else {
            Err(TokenError::WrongType { reason: "header `typ`".to_owned() })
        }
    }

    async fn verify_signature(&self, jws: Jws<'_>) -> Result<Vec<u8>, AuthError> {
        match self.issuer.verify(&jws).await {
            Ok(verified) => Ok(jws.into_payload(verified)),
            Err(VerifyError::BadSignature) => Err(TokenError::BadSignature.into()),
            Err(VerifyError::UnknownKey) => {
                let key_id = jws.key_id().map(str::to_owned);
                Err(TokenError::UnknownKey { key_id }.into())
            }
            Err(VerifyError::Unavailable(reason)) => Err(AuthError::Unavailable(reason)),
        }
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
