//! What the token endpoint answers with, and the tokens in it.

use std::sync::Arc;

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, json};

use crate::grants::{Grant, Grants};
use crate::issuer::Issuer;
use crate::jose::random;
use crate::mint::Mint;

/// A successful answer of the token endpoint (RFC 6749 §5.1).
pub(super) struct TokenResponse<'a> {
    issuer: &'a Arc<Issuer>,
    client_id: &'a str,
    subject: &'a str,
    pub(super) audiences: Vec<String>,
    pub(super) scopes: Vec<String>,
    pub(super) refresh_token: Option<String>,
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
        }
    }

    /// The answer for a user's grant. The access token is recorded, so that it is revoked with the grant.
    pub(super) fn of_grant(self, grant: &Grant, grants: &mut Grants) -> Response {
        let jti = random::<16>();
        grants.record_access_token(&jti, &grant.id);
        let access_token = self.access_token(&jti).sign();
        let id_token = self.has_scope("openid").then(|| self.id_token(grant, &access_token));
        self.body(access_token, id_token)
    }

    /// The answer for a client that acts for itself.
    pub(super) fn of_client(self) -> Response {
        // A client that is called like a user must not get that user's claims.
        let access_token = self.access_token(&random::<16>()).without_user().sign();
        self.body(access_token, None)
    }

    fn access_token(&self, jti: &str) -> Mint {
        let token = Mint::new(self.issuer.clone())
            .subject(self.subject)
            .audiences(&self.audiences)
            .client_id(self.client_id)
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

    fn body(self, access_token: String, id_token: Option<String>) -> Response {
        let mut body = json!({
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": self.issuer.settings.access_token_lifetime.as_secs(),
        });
        let scope = (!self.scopes.is_empty()).then(|| self.scopes.join(" "));
        for (member, value) in
            [("scope", scope), ("refresh_token", self.refresh_token), ("id_token", id_token)]
        {
            if let Some(value) = value {
                body[member] = json!(value);
            }
        }
        let no_store = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
        (no_store, Json(body)).into_response()
    }
}
