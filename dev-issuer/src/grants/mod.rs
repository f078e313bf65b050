//! What users and clients were granted, and what came of it: codes, refresh tokens, access tokens.
//!
//! Everything else in the issuer asks here whether a code or a token is good. Nothing here reads a clock: callers give the time,
//! in seconds since the Unix epoch.

mod authorization_code;
mod authorization_request;
mod grant;

pub(crate) use authorization_code::AuthorizationCode;
pub(crate) use authorization_request::AuthorizationRequest;
pub(crate) use grant::Grant;

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::jose::random;
use crate::oauth_error::OAuthError;

const REQUEST_LIFETIME: u64 = 600;
/// Any web page may send its user here. When more requests wait, the oldest is forgotten.
const MOST_REQUESTS: usize = 256;
const CODE_LIFETIME: u64 = 60;
/// For how long after its expiry a code is remembered, so that its second use is noticed.
const CODE_MEMORY: u64 = 3600;

/// A request that waits for the user's decision.
#[derive(Debug)]
struct WaitingRequest {
    request: AuthorizationRequest,
    expires_at: u64,
}

#[derive(Debug)]
struct RefreshToken {
    grant_id: String,
    used: bool,
}

/// Everything that was asked for, granted and revoked.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    requests: HashMap<String, WaitingRequest>,
    grants: HashMap<String, Grant>,
    codes: HashMap<String, AuthorizationCode>,
    refresh_tokens: HashMap<String, RefreshToken>,
    /// The grant that each access token comes from, by the token's `jti`.
    access_tokens: HashMap<String, String>,
    /// The `jti` of the token that each exchanged token was made of, by the exchanged token's `jti`.
    exchanged: HashMap<String, String>,
    /// The `jti` of each access token that was revoked by itself.
    revoked: HashSet<String>,
    /// The claims of opaque access tokens, by token.
    opaque_tokens: HashMap<String, Map<String, Value>>,
}

impl Grants {
    /// Keeps a request until the user decides, for ten minutes. Returns what the consent form calls it by.
    pub(crate) fn add_request(&mut self, request: AuthorizationRequest, now: u64) -> String {
        self.requests.retain(|_, waiting| waiting.expires_at > now);
        if self.requests.len() >= MOST_REQUESTS {
            self.remove_oldest_request();
        }
        let id = random::<24>();
        let waiting = WaitingRequest { request, expires_at: now + REQUEST_LIFETIME };
        self.requests.insert(id.clone(), waiting);
        id
    }

    fn remove_oldest_request(&mut self) {
        let oldest = self.requests.iter().min_by_key(|(_, waiting)| waiting.expires_at);
        if let Some(id) = oldest.map(|(id, _)| id.clone()) {
            self.requests.remove(&id);
        }
    }

    /// The request that waits under this name.
    pub(crate) fn request(&self, id: &str, now: u64) -> Option<&AuthorizationRequest> {
        let waiting = self.requests.get(id)?;
        (waiting.expires_at > now).then_some(&waiting.request)
    }

    /// Grants `scopes` and gives a code for it, valid once and for one minute.
    pub(crate) fn approve(
        &mut self,
        request: &AuthorizationRequest,
        subject: &str,
        scopes: Vec<String>,
        now: u64,
    ) -> String {
        let grant = Grant {
            id: random::<16>(),
            client_id: request.client.id.clone(),
            subject: subject.to_owned(),
            scopes,
            resources: request.resources.clone(),
            nonce: request.nonce.clone(),
            auth_time: now,
        };
        let code = AuthorizationCode {
            grant_id: grant.id.clone(),
            client_id: grant.client_id.clone(),
            redirect_uri: request.redirect_uri.clone(),
            code_challenge: request.code_challenge.clone(),
            expires_at: now + CODE_LIFETIME,
            used: false,
        };
        self.grants.insert(grant.id.clone(), grant);
        self.codes.retain(|_, known| known.expires_at + CODE_MEMORY > now);
        let value = random::<32>();
        self.codes.insert(value.clone(), code);
        value
    }

    /// Forgets a request that was decided.
    pub(crate) fn remove_request(&mut self, id: &str) {
        self.requests.remove(id);
    }

    /// RFC 6749 §4.1.2: when a code is used twice, everything issued from it is revoked.
    pub(crate) fn redeem(
        &mut self,
        code: &str,
        client_id: &str,
        now: u64,
    ) -> Result<(AuthorizationCode, Grant), OAuthError> {
        let found = match self.codes.get_mut(code) {
            Some(found) if found.client_id == client_id => found,
            _ => return Err(OAuthError::invalid_grant("the code is unknown")),
        };
        if std::mem::replace(&mut found.used, true) {
            let grant_id = found.grant_id.clone();
            self.revoke(&grant_id);
            return Err(OAuthError::invalid_grant("the code was used before"));
        }
        if found.expires_at <= now {
            return Err(OAuthError::invalid_grant("the code has expired"));
        }
        match self.grants.get(&found.grant_id) {
            Some(grant) => Ok((found.clone(), grant.clone())),
            None => Err(OAuthError::invalid_grant("the code is revoked")),
        }
    }

    /// Makes a refresh token for a grant.
    pub(crate) fn new_refresh_token(&mut self, grant_id: &str) -> String {
        let value = random::<32>();
        let token = RefreshToken { grant_id: grant_id.to_owned(), used: false };
        self.refresh_tokens.insert(value.clone(), token);
        value
    }

    /// The grant that a refresh token renews. RFC 9700 §4.14.2: when a token is used twice, its grant is revoked, with all
    /// tokens that came of it.
    pub(crate) fn grant_to_refresh(
        &mut self,
        refresh_token: &str,
        client_id: &str,
    ) -> Result<Grant, OAuthError> {
        let Some(token) = self.refresh_tokens.get(refresh_token) else {
            return Err(unknown_refresh_token());
        };
        let grant = match self.grants.get(&token.grant_id) {
            Some(grant) if grant.client_id == client_id => grant.clone(),
            _ => return Err(unknown_refresh_token()),
        };
        if token.used {
            self.revoke(&grant.id);
            return Err(OAuthError::invalid_grant("the refresh token was used before"));
        }
        Ok(grant)
    }

    /// Marks a refresh token as used and gives its successor.
    pub(crate) fn rotate_refresh_token(&mut self, refresh_token: &str) -> Option<String> {
        let token = self.refresh_tokens.get_mut(refresh_token)?;
        token.used = true;
        let grant_id = token.grant_id.clone();
        Some(self.new_refresh_token(&grant_id))
    }

    /// The grant of a refresh token that could be used now.
    pub(crate) fn grant_of_refresh_token(&self, refresh_token: &str) -> Option<&Grant> {
        let token = self.refresh_tokens.get(refresh_token).filter(|token| !token.used)?;
        self.grants.get(&token.grant_id)
    }

    /// Remembers which grant an access token comes from.
    pub(crate) fn record_access_token(&mut self, jti: &str, grant_id: &str) {
        self.access_tokens.insert(jti.to_owned(), grant_id.to_owned());
    }

    /// Remembers which token an exchanged one was made of. It is revoked with that one.
    pub(crate) fn record_exchange(&mut self, jti: &str, subject_jti: &str) {
        self.exchanged.insert(jti.to_owned(), subject_jti.to_owned());
    }

    /// Whether an access token was revoked, or the grant that it comes from, or a token that it was exchanged for.
    pub(crate) fn is_revoked(&self, jti: &str) -> bool {
        let mut asked_for = Some(jti);
        while let Some(current) = asked_for {
            let grant_id = self.access_tokens.get(current);
            let is_grant_gone = grant_id.is_some_and(|id| !self.grants.contains_key(id));
            if self.revoked.contains(current) || is_grant_gone {
                return true;
            }
            // An exchanged token has a `jti` that was never there before, so that this ends.
            asked_for = self.exchanged.get(current).map(String::as_str);
        }
        false
    }

    /// Revokes a grant with its code, refresh tokens and access tokens.
    pub(crate) fn revoke(&mut self, grant_id: &str) {
        self.grants.remove(grant_id);
    }

    /// Revokes one access token. Its grant stays.
    pub(crate) fn revoke_access_token(&mut self, jti: &str) {
        self.revoked.insert(jti.to_owned());
    }

    /// Remembers the claims of a token that does not carry them.
    pub(crate) fn keep_opaque_token(&mut self, token: &str, claims: Map<String, Value>) {
        self.opaque_tokens.insert(token.to_owned(), claims);
    }

    pub(crate) fn opaque_token_claims(&self, token: &str) -> Option<&Map<String, Value>> {
        self.opaque_tokens.get(token)
    }
}

/// One answer for a token that never was, one that is gone, and one of another client.
fn unknown_refresh_token() -> OAuthError {
    OAuthError::invalid_grant("the refresh token is unknown or revoked")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clients::{Client, ExchangePolicy, RedirectUris};

    fn request() -> AuthorizationRequest {
        let client = Client {
            id: "c".into(),
            name: None,
            secret: None,
            redirect_uris: RedirectUris::AnyLoopback,
            grant_types: Vec::new(),
            exchange: ExchangePolicy::default(),
        };
        AuthorizationRequest {
            client: Arc::new(client),
            redirect_uri: "http://127.0.0.1/".into(),
            state: None,
            scopes: Vec::new(),
            resources: Vec::new(),
            code_challenge: String::new(),
            nonce: None,
            login_hint: None,
        }
    }

    #[test]
    fn a_code_lives_one_minute() {
        let mut grants = Grants::default();
        let code = grants.approve(&request(), "alice", Vec::new(), 1_000);
        assert!(grants.redeem(&code, "c", 1_059).is_ok());
        let code = grants.approve(&request(), "alice", Vec::new(), 1_000);
        assert!(grants.redeem(&code, "c", 1_060).is_err());
    }

    #[test]
    fn a_request_waits_ten_minutes() {
        let mut grants = Grants::default();
        let id = grants.add_request(request(), 1_000);
        assert!(grants.request(&id, 1_599).is_some());
        assert!(grants.request(&id, 1_600).is_none());
    }

    #[test]
    fn few_requests_wait_and_the_oldest_goes_first() {
        let mut grants = Grants::default();
        let first = grants.add_request(request(), 1_000);
        let second = grants.add_request(request(), 1_001);
        for _ in 1..MOST_REQUESTS {
            grants.add_request(request(), 1_002);
        }
        assert_eq!(grants.requests.len(), MOST_REQUESTS);
        assert!(
            grants.request(&first, 1_002).is_none() && grants.request(&second, 1_002).is_some()
        );
    }
}
