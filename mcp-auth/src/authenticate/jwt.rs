//! Step 2, for JWTs: header, issuer, key, signature, claims.

use std::sync::Arc;

use super::cache::Circumstances;
use super::opaque::OpaqueTokens;
use super::{Authenticator, BearerToken, TokenSource, TrustedIssuer};
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
        let jws = self.read_jwt(token, text, &mut buffer)?;
        let (issuer, trusted) = self.issuer_of(&jws, token.source())?;
        let verified = trusted.verify_signature(&jws, now).await?;
        let (auth_info, mut until) = self.validate(trusted, &verified)?;
        if let Some(opaque) = trusted.asked_about_jwts() {
            opaque.confirm(text, verified.now).await?;
            auth_info.issuer_answer().is_good(verified.now);
            until = until.min(verified.now.saturating_add(opaque.max_age.as_secs()));
        }
        self.keep(&auth_info, issuer, &verified, until);
        Ok(auth_info)
    }

    /// The same at once; `None`: its key is not known, or its issuer is asked about it.
    pub(super) fn authenticate_jwt_at_once(
        &self,
        token: BearerToken<'_>,
        text: &str,
        now: u64,
    ) -> Result<Option<AuthInfo>, AuthError> {
        let mut buffer = Vec::new();
        let jws = self.read_jwt(token, text, &mut buffer)?;
        let (issuer, trusted) = self.issuer_of(&jws, token.source())?;
        if trusted.asked_about_jwts().is_some() {
            return Ok(None);
        }
        let Some(outcome) = trusted.issuer.verify_at_once(&jws, now) else { return Ok(None) };
        let verified = outcome.map_err(|error| refusal(error, &jws))?;
        let (auth_info, until) = self.validate(trusted, &verified)?;
        self.keep(&auth_info, issuer, &verified, until);
        Ok(Some(auth_info))
    }

    /// Header and claims, which nobody has verified.
    fn read_jwt<'b>(
        &'b self,
        token: BearerToken<'_>,
        text: &'b str,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Jws<'b, Claims<'b>>, AuthError> {
        match Jws::parse_with(text, &self.limits, Some(&*self.known_headers), buffer) {
            Ok(jws) => Ok(jws.read_claims::<Claims<'b>>().map_err(Claims::malformed)?),
            Err(error @ JwsError::TooLarge(_)) => Err(TokenError::from(error).into()),
            Err(error) => {
                // What has not even the syntax of a token is the header's fault.
                token.parse()?;
                Err(TokenError::from(error).into())
            }
        }
    }

    /// Whose token it says that it is, and where that issuer is in the list; the header is as this issuer's rules say.
    fn issuer_of(
        &self,
        jws: &Jws<'_, Claims<'_>>,
        source: TokenSource,
    ) -> Result<(usize, &TrustedIssuer), TokenError> {
        let issuer = self.position_of(jws.issuer(), source)?;
        let trusted = &self.issuers.list[issuer];
        trusted.check_algorithm(jws)?;
        trusted.check_typ(jws)?;
        Ok((issuer, trusted))
    }

    /// The caller, by claims whose signature was verified, and how long they are good.
    fn validate(
        &self,
        trusted: &TrustedIssuer,
        verified: &Verified<'_, Claims<'_>>,
    ) -> Result<(AuthInfo, u64), AuthError> {
        let jws = &verified.jws;
        let claims = jws.claims();
        let expires_at = claims.validate(&self.rules, &trusted.rules, verified.now)?;
        let name = trusted.name_of(claims);
        let auth_info = trusted.rules.caller(name, claims, jws.payload(), jws.token())?;
        self.known_headers.remember(jws);
        let tolerance = self.rules.clock_tolerance.as_secs();
        Ok((auth_info, expires_at.saturating_add(tolerance)))
    }

    /// Keeps an accepted token.
    fn keep(
        &self,
        auth_info: &AuthInfo,
        issuer: usize,
        verified: &Verified<'_, Claims<'_>>,
        until: u64,
    ) {
        let circumstances = Circumstances {
            resource: self.resource,
            issuer,
            acceptance: self.issuers.list[issuer].acceptance,
            key_generation: Some(verified.key_generation),
        };
        self.cache.insert(auth_info, circumstances, until, verified.now);
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
        self.issuer.verify(jws, now).await.map_err(|error| refusal(error, jws))
    }

    /// What asks this issuer about its JWTs as well; `None`: nobody asks.
    fn asked_about_jwts(&self) -> Option<&OpaqueTokens> {
        self.opaque.as_deref().filter(|opaque| opaque.also_jwts)
    }
}

/// Why a token whose signature could not be verified is refused.
fn refusal<T>(error: VerifyError, jws: &Jws<'_, T>) -> AuthError {
    match error {
        VerifyError::BadSignature { untried } => TokenError::BadSignature { untried }.into(),
        VerifyError::UnknownKey => {
            TokenError::UnknownKey { key_id: jws.key_id().map(str::to_owned) }.into()
        }
        VerifyError::Unavailable(reason) => AuthError::Unavailable(reason),
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
