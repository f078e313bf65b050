//! An authorization code, as long as it may be used and for some time after.

/// What was remembered with an authorization code. The client that redeems the code must fit it.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizationCode {
    pub(crate) grant_id: String,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) code_challenge: String,
    /// In seconds since the Unix epoch.
    pub(super) expires_at: u64,
    pub(super) used: bool,
}
