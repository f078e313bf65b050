//! What users and clients were granted, and what came of it. Pure bookkeeping: time is passed in.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::endpoints::AuthorizationRequest;
use crate::http::OAuthError;
use crate::jose::random;

const REQUEST_LIFETIME: u64 = 600;
/// Any web page may lead here; the oldest request goes when more wait.
const MOST_REQUESTS: usize = 256;
const CODE_LIFETIME: u64 = 60;
/// How long a code's second use is noticed.
const CODE_MEMORY: u64 = 3600;

/// What a user granted to a client. Lives until it is revoked.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) subject: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) nonce: Option<String>,
    /// When the user signed in, in seconds since the Unix epoch.
    pub(crate) auth_time: u64,
}

/// An authorization code's other half: what the client must prove.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) grant_id: String,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) code_challenge: String,
    expires_at: u64,
    used: bool,
}

#[derive(Debug)]
struct RefreshToken {
    grant_id: String,
    used: bool,
}

/// Everything that was asked for, granted and revoked.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    requests: HashMap<String, (AuthorizationRequest, u64)>,
    grants: HashMap<String, Grant>,
    codes: HashMap<String, Code>,
    refresh_tokens: HashMap<String, RefreshToken>,
    /// `jti` of access tokens to the grant they come from.
    access_tokens: HashMap<String, String>,
    revoked: HashSet<String>,
    /// The claims of opaque access tokens, by token.
    opaque_tokens: HashMap<String, Map<String, Value>>,
}

impl Grants {
    /// Keeps a request until the user decides, for ten minutes.
    pub(crate) fn ask(&mut self, request: AuthorizationRequest, now: u64) -> String {
        self.requests.retain(|_, (_, expires_at)| *expires_at > now);
        if self.requests.len() >= MOST_REQUESTS {
            let oldest = self.requests.iter().min_by_key(|(_, (_, expires_at))| *expires_at);
            let oldest = oldest.map(|(id, _)| id.clone());
            oldest.into_iter().for_each(|id| drop(self.requests.remove(&id)));
        }
        let id = random::<24>();
        self.requests.insert(id.clone(), (request, now + REQUEST_LIFETIME));
        id
    }

    pub(crate) fn asked(&self, id: &str, now: u64) -> Option<&AuthorizationRequest> {
        let (request, expires_at) = self.requests.get(id)?;
        (*expires_at > now).then_some(request)
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
        let code = Code {
            grant_id: grant.id.clone(),
            client_id: grant.client_id.clone(),
            redirect_uri: request.redirect_uri.clone(),
            code_challenge: request.code_challenge.clone(),
            expires_at: now + CODE_LIFETIME,
            used: false,
        };
        self.grants.insert(grant.id.clone(), grant);
        self.codes.retain(|_, code| code.expires_at + CODE_MEMORY > now);
        let value = random::<32>();
        self.codes.insert(value.clone(), code);
        value
    }

    /// Forgets a request that was decided.
    pub(crate) fn decided(&mut self, id: &str) {
        self.requests.remove(id);
    }

    /// RFC 6749 §4.1.2: a code used twice takes everything issued from it along.
    pub(crate) fn redeem(
        &mut self,
        code: &str,
        client_id: &str,
        now: u64,
    ) -> Result<(Code, Grant), OAuthError> {
        let wrong = |reason| OAuthError::invalid_grant(reason);
        let code = self
            .codes
            .get_mut(code)
            .filter(|code| code.client_id == client_id)
            .ok_or_else(|| wrong("the code is unknown"))?;
        if std::mem::replace(&mut code.used, true) {
            let grant_id = code.grant_id.clone();
            self.revoke(&grant_id);
            return Err(wrong("the code was used before"));
        }
        if code.expires_at <= now {
            return Err(wrong("the code has expired"));
        }
        let grant = self.grants.get(&code.grant_id).ok_or_else(|| wrong("the code is revoked"))?;
        Ok((code.clone(), grant.clone()))
    }

    pub(crate) fn new_refresh_token(&mut self, grant_id: &str) -> String {
        let value = random::<32>();
        let token = RefreshToken { grant_id: grant_id.to_owned(), used: false };
        self.refresh_tokens.insert(value.clone(), token);
        value
    }

    /// RFC 9700 §4.14.2: a refresh token used twice takes its whole family along.
    pub(crate) fn refreshable(
        &mut self,
        refresh_token: &str,
        client_id: &str,
    ) -> Result<Grant, OAuthError> {
        let unknown = || OAuthError::invalid_grant("the refresh token is unknown or revoked");
        let token = self.refresh_tokens.get(refresh_token).ok_or_else(unknown)?;
        let grant = self.grants.get(&token.grant_id).cloned().ok_or_else(unknown)?;
        if grant.client_id != client_id {
            return Err(unknown());
        }
        if token.used {
            self.revoke(&grant.id);
            return Err(OAuthError::invalid_grant("the refresh token was used before"));
        }
        Ok(grant)
    }

    /// Marks a refresh token as used and gives its successor.
    pub(crate) fn rotate(&mut self, refresh_token: &str) -> Option<String> {
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

    pub(crate) fn record_access_token(&mut self, jti: &str, grant_id: &str) {
        self.access_tokens.insert(jti.to_owned(), grant_id.to_owned());
    }

    pub(crate) fn is_revoked(&self, jti: &str) -> bool {
        let grant_is_gone = |id: &String| !self.grants.contains_key(id);
        self.revoked.contains(jti) || self.access_tokens.get(jti).is_some_and(grant_is_gone)
    }

    /// Revokes a grant with its code, refresh tokens and access tokens.
    pub(crate) fn revoke(&mut self, grant_id: &str) {
        self.grants.remove(grant_id);
    }

    pub(crate) fn revoke_access_token(&mut self, jti: &str) {
        self.revoked.insert(jti.to_owned());
    }

    pub(crate) fn keep_opaque(&mut self, token: &str, claims: Map<String, Value>) {
        self.opaque_tokens.insert(token.to_owned(), claims);
    }

    pub(crate) fn opaque(&self, token: &str) -> Option<&Map<String, Value>> {
        self.opaque_tokens.get(token)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::client::{Client, RedirectUris};

    fn request() -> AuthorizationRequest {
        let client = Client {
            id: "c".into(),
            name: None,
            secret: None,
            redirect_uris: RedirectUris::AnyLoopback,
            grant_types: Vec::new(),
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
        let id = grants.ask(request(), 1_000);
        assert!(grants.asked(&id, 1_599).is_some());
        assert!(grants.asked(&id, 1_600).is_none());
    }

    #[test]
    fn few_requests_wait_and_the_oldest_goes_first() {
        let mut grants = Grants::default();
        let first = grants.ask(request(), 1_000);
        let second = grants.ask(request(), 1_001);
        for _ in 1..MOST_REQUESTS {
            grants.ask(request(), 1_002);
        }
        assert_eq!(grants.requests.len(), MOST_REQUESTS);
        assert!(grants.asked(&first, 1_002).is_none() && grants.asked(&second, 1_002).is_some());
    }
}
