//! What is revoked.

use crate::shared_store::{CutoffKind, SharedCutoff};

/// Tokens of an issuer that are refused from now on: for [`McpAuth::revoke`](crate::McpAuth::revoke).
///
/// It is about tokens that were issued until a time, so that whoever signs in again comes in again. A token that does not
/// say when it was issued (`iat`) counts as one that was issued before.
///
/// ```
/// use mcp_auth::revocation::Revocation;
///
/// let dismissed = Revocation::of_subject("https://auth.example.com", "alice");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    pub(super) issuer: String,
    pub(super) kind: RevokedKind,
    pub(super) name: String,
    /// `None`: until it is carried out.
    pub(super) issued_until: Option<u64>,
}

/// By what the tokens are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum RevokedKind {
    Subject,
    /// Of those tokens alone that do not say of which session they are.
    SubjectWithoutSession,
    Client,
    Session,
    Token,
}

impl RevokedKind {
    /// The kind of what is shared; `None`: everything of the issuer.
    pub(super) fn of_shared(kind: CutoffKind) -> Option<Self> {
        match kind {
            CutoffKind::Everything => None,
            CutoffKind::Subject => Some(Self::Subject),
            CutoffKind::SubjectWithoutSession => Some(Self::SubjectWithoutSession),
            CutoffKind::Client => Some(Self::Client),
            CutoffKind::Session => Some(Self::Session),
            CutoffKind::Token => Some(Self::Token),
        }
    }
}

impl From<RevokedKind> for CutoffKind {
    fn from(kind: RevokedKind) -> Self {
        match kind {
            RevokedKind::Subject => Self::Subject,
            RevokedKind::SubjectWithoutSession => Self::SubjectWithoutSession,
            RevokedKind::Client => Self::Client,
            RevokedKind::Session => Self::Session,
            RevokedKind::Token => Self::Token,
        }
    }
}

impl Revocation {
    /// Of this subject (`sub`), through whatever client.
    pub fn of_subject(issuer: impl Into<String>, subject: impl Into<String>) -> Self {
        Self::new(issuer, RevokedKind::Subject, subject)
    }

    /// Of this client, for whatever subject: the first of `client_id`, `azp`, `cid` and `appid` that is not empty.
    pub fn of_client(issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self::new(issuer, RevokedKind::Client, client_id)
    }

    /// Of this session at the issuer (`sid`).
    pub fn of_session(issuer: impl Into<String>, sid: impl Into<String>) -> Self {
        Self::new(issuer, RevokedKind::Session, sid)
    }

    /// This token (`jti`), whenever it was issued.
    pub fn of_token(issuer: impl Into<String>, jti: impl Into<String>) -> Self {
        Self::new(issuer, RevokedKind::Token, jti)
    }

    /// Of this subject, and of no session that the token names: which tokens belong to a session of the subject that has
    /// ended cannot be told otherwise.
    pub(crate) fn of_subject_without_session(
        issuer: impl Into<String>,
        subject: impl Into<String>,
    ) -> Self {
        Self::new(issuer, RevokedKind::SubjectWithoutSession, subject)
    }

    /// Of whom it is, and the name of what is revoked.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn names(&self) -> (&str, &str) {
        (&self.issuer, &self.name)
    }

    fn new(issuer: impl Into<String>, kind: RevokedKind, name: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), kind, name: name.into(), issued_until: None }
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Those that were issued until this time, in seconds since 1970, instead of until now.
    #[must_use]
    pub fn issued_until(mut self, seconds: u64) -> Self {
        self.issued_until = Some(seconds);
        self
    }

    /// As instances tell it each other: carried out now.
    pub(crate) fn to_shared(&self, now: u64) -> SharedCutoff {
        // A token is refused whenever it was issued, and the time says how long that is to be known.
        let said = self.issued_until.filter(|_| self.kind != RevokedKind::Token);
        let issued_until = said.unwrap_or(now);
        SharedCutoff::new(&*self.issuer, self.kind.into(), &*self.name, issued_until)
    }
}
