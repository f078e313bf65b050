//! What a user granted to a client.

/// What a user granted to a client. It stays until it is revoked; codes and tokens that came of it work as long as it is there.
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
