//! What the token endpoint answers with, and the tokens in it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::subject::Subject;
use crate::grants::{Grant, Grants};
use crate::issuer::Issuer;
use crate::jose::random;
use crate::mint::Mint;

/// The members of a successful answer (RFC 6749 §5.1), before it is sent.
pub(super) type TokenAnswer = Map<String, Value>;

/// A successful answer of the token endpoint in the making.
pub(super) struct TokenResponse<'a> {
    issuer: &'a Arc<Issuer>,
    client_id: &'a str,
    subject: &'a str,
    pub(super) audiences: Vec<String>,
    pub(super) scopes: Vec<String>,
    pub(super) refresh_token: Option<String>,
    /// In seconds.
    lifetime: u64,
}

impl<'a> TokenResponse<'a> {
    pub(super) fn new(issuer: &'a Arc<Issuer>, client_id: &'a str, subject: &'a str) -> Self {
        Self {
            issuer,
            client_id,
            subject,
            audiences: Vec::new(),
            scopes: Vec::new(),
            refresh_token: None,
            lifetime: issuer.settings.access_token_lifetime.as_secs(),
        }
    }

    /// The answer for a user's grant. The access token is recorded, so that it is revoked with the grant.
    pub(super) fn of_grant(self, grant: &Grant, grants: &mut Grants) -> TokenAnswer {
        let jti = random::<16>();
        grants.record_access_token(&jti, &grant.id);
        let access_token = self.access_token(&jti).sign();
        let id_token = self.has_scope("openid").then(|| self.id_token(grant, &access_token));
        self.body(access_token, id_token)
    }

    /// The answer for whom no user of this issuer is behind: a client that acts for itself, or a user of another issuer.
    pub(super) fn without_user(self) -> TokenAnswer {
        // Who is called like a user must not get that user's claims.
        let access_token = self.access_token(&random::<16>()).without_user().sign();
        self.body(access_token, None)
    }

    /// The answer for a token that was exchanged. The new one does not outlive it, and is revoked with it.
    pub(super) fn of_subject(mut self, subject: &Subject, act: Option<Value>) -> TokenAnswer {
        self.lifetime = subject.lifetime(self.lifetime);
        let jti = random::<16>();
        let mut token = self.access_token(&jti);
        if subject.is_client {
            token = token.without_user();
        }
        if let Some(act) = act {
            token = token.claim("act", act);
        }
        let access_token = token.sign();
        if let Some(subject_jti) = &subject.jti {
            self.issuer.grants().record_exchange(&jti, subject_jti);
        }
        self.body(access_token, None)
    }

    fn access_token(&self, jti: &str) -> Mint {
        let token = Mint::new(self.issuer.clone())
            .subject(self.subject)
            .audiences(&self.audiences)
            .client_id(self.client_id)
            .expires_in(self.lifetime.try_into().unwrap_or(i64::MAX))
            .claim("jti", jti);
        if self.scopes.is_empty() { token } else { token.scope(self.scopes.join(" ")) }
    }

    /// OpenID Connect Core §2.
    fn id_token(&self, grant: &Grant, access_token: &str) -> String {
        let key = self.issuer.keys.current(self.issuer.settings.algorithm);
        let mut token = Mint::new(self.issuer.clone())
            .subject(self.subject)
            .without_user()
            .audience(self.client_id)
            .header("typ", "JWT")
            .without("client_id")
            .without("jti")
            .claim("auth_time", grant.auth_time)
            .claim("at_hash", key.at_hash(access_token));
        if let Some(nonce) = &grant.nonce {
            token = token.claim("nonce", nonce.as_str());
        }
        let mut about_user = match self.issuer.settings.user(self.subject) {
            Some(user) => user.token_claims(),
            None => Map::new(),
        };
        for (scope, claim) in [("profile", "name"), ("email", "email")] {
            if self.has_scope(scope)
                && let Some(value) = about_user.remove(claim)
            {
                token = token.claim(claim, value);
            }
        }
        token.sign()
    }

    fn has_scope(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope == name)
    }

    fn body(self, access_token: String, id_token: Option<String>) -> TokenAnswer {
        let mut body = Map::new();
        body.insert("access_token".into(), json!(access_token));
        body.insert("token_type".into(), json!("Bearer"));
        body.insert("expires_in".into(), json!(self.lifetime));
        let scope = (!self.scopes.is_empty()).then(|| self.scopes.join(" "));
        for (member, value) in
            [("scope", scope), ("refresh_token", self.refresh_token), ("id_token", id_token)]
        {
            if let Some(value) = value {
                body.insert(member.to_owned(), json!(value));
            }
        }
        body
    }
}
