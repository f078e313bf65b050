//! Step 2, for JWTs: header, issuer, key, signature, claims.

use std::sync::Arc;

use super::cache::Circumstances;
use super::{Authenticator, BearerToken, TrustedIssuer};
use crate::auth_info::AuthInfo;
use crate::claims::Claims;
use crate::error::{AuthError, TokenError};
use crate::issuer::{Verified, VerifyError};
use crate::jose::{Jws, JwsError, MediaType, NamesIssuer};
use crate::text::Quoted;

impl Authenticator {
    pub(super) async fn authenticate_jwt(
        &self,
        token: BearerToken<'_>,
        text: &str,
        now: u64,
    ) -> Result<AuthInfo, AuthError> {
        let mut buffer = Vec::new();
        let known_headers = Some(&*self.known_headers);
        let jws = match Jws::parse_with(text, &self.limits, known_headers, &mut buffer) {
            Ok(jws) => jws,
            Err(error @ JwsError::TooLarge(_)) => return Err(TokenError::from(error).into()),
            Err(error) => {
                // What has not even the syntax of a token is the header's fault.
                token.parse()?;
                return Err(TokenError::from(error).into());
            }
        };
        let jws = jws.read_claims::<Claims<'_>>().map_err(Claims::malformed)?;
        let issuer = self.position_of(jws.issuer(), token.source())?;
        let trusted = &self.issuers.list[issuer];
        trusted.check_algorithm(&jws)?;
        trusted.check_typ(&jws)?;
        let verified = trusted.verify_signature(&jws, now).await?;
        let claims = verified.jws.claims();
        let expires_at = claims.validate(&self.rules, &trusted.rules, verified.now)?;
        let issuer_name = trusted.name_of(claims);
        let (payload, whole_token) = (verified.jws.payload(), verified.jws.token());
        let auth_info = trusted.rules.caller(issuer_name, claims, payload, whole_token)?;
        self.known_headers.remember(&verified.jws);
        let tolerance = self.rules.clock_tolerance.as_secs();
        let mut until = expires_at.saturating_add(tolerance);
        if let Some(opaque) = trusted.opaque.as_ref().filter(|opaque| opaque.also_jwts) {
            opaque.confirm(text, verified.now).await?;
            auth_info.issuer_answer().is_good(verified.now);
            until = until.min(verified.now.saturating_add(opaque.max_age.as_secs()));
        }
        let key_generation = Some(verified.key_generation);
        let circumstances = Circumstances {
            resource: self.resource,
            issuer,
            acceptance: trusted.acceptance,
            key_generation,
        };
        self.cache.insert(&auth_info, circumstances, until, verified.now);
        Ok(auth_info)
    }
}

impl TrustedIssuer {
    /// What a caller's issuer is called: by its own name, or as the token says where any may be named.
    fn name_of(&self, claims: &Claims<'_>) -> Arc<str> {
        if !self.rules.accept_any_issuer {
            return self.name.clone();
        }
        match claims.issuer.as_deref() {
            Some(iss) => Arc::from(iss),
            None => self.name.clone(),
        }
    }

    pub(super) fn check_algorithm<T>(&self, jws: &Jws<'_, T>) -> Result<(), TokenError> {
        if jws.is_signed_as(&self.rules.algorithms) {
            return Ok(());
        }
        Err(TokenError::AlgorithmNotAllowed { algorithm: jws.algorithm().to_string() })
    }

    pub(super) fn check_typ<T>(&self, jws: &Jws<'_, T>) -> Result<(), TokenError> {
        // RFC 8725 §3.11. Many providers send `JWT` or nothing where RFC 9068 asks for `at+jwt`.
        let accepted = match jws.media_type() {
            MediaType::AccessToken => true,
            MediaType::Jwt => !self.rules.require_at_jwt,
            MediaType::TokenIntrospection | MediaType::Other => false,
        };
        if accepted {
            return Ok(());
        }
        let typ = match jws.typ() {
            Some(written) => Quoted(written).to_string(),
            None => "absent".to_owned(),
        };
        Err(TokenError::WrongType { reason: format!("header `typ` {typ}") })
    }

    pub(super) async fn verify_signature<'j, T>(
        &self,
        jws: &'j Jws<'j, T>,
        now: u64,
    ) -> Result<Verified<'j, T>, AuthError> {
        self.issuer.verify(jws, now).await.map_err(|error| match error {
            VerifyError::BadSignature { untried } => TokenError::BadSignature { untried }.into(),
            VerifyError::UnknownKey => {
                TokenError::UnknownKey { key_id: jws.key_id().map(str::to_owned) }.into()
            }
            VerifyError::Unavailable(reason) => AuthError::Unavailable(reason),
        })
    }
}

impl NamesIssuer for Claims<'_> {
    fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
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
