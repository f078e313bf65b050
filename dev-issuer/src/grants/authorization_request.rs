//! An authorization request (RFC 6749 §4.1.1), as far as it matters once it was found valid.

use std::sync::Arc;

use crate::clients::Client;

/// A valid authorization request. It waits for the user, and says what a grant will cover.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client: Arc<Client>,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) code_challenge: String,
    pub(crate) nonce: Option<String>,
    pub(crate) login_hint: Option<String>,
}
