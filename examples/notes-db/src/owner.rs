//! Whose notes these are.

use mcp_auth::AuthInfo;
use rmcp::ErrorData;

/// The issuer and the subject of a verified token, together. It is made of nothing else.
pub(crate) struct Owner {
    issuer: String,
    subject: String,
}

impl Owner {
    /// # Errors
    ///
    /// The token names nobody: all such callers would share their notes.
    pub(crate) fn of(auth: &AuthInfo) -> Result<Self, ErrorData> {
        let (issuer, Some(subject)) = auth.key() else {
            return Err(ErrorData::invalid_request("the token does not say whose notes", None));
        };
        Ok(Self { issuer: issuer.to_owned(), subject })
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }
}
