//! How often each endpoint was asked.

/// How many requests each endpoint received, in every mode, CORS preflights not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Requests {
    /// Metadata, at any well-known URL, also those that answer 404.
    pub metadata: u64,
    /// JWK Set.
    pub jwks: u64,
    /// Token endpoint.
    pub token: u64,
    /// Authorization endpoint, the consent form included.
    pub authorize: u64,
    /// Dynamic client registration.
    pub register: u64,
    /// Introspection.
    pub introspect: u64,
    /// Revocation.
    pub revoke: u64,
    /// Token endpoint: codes, as far as the request could be read. So it is with the other grants.
    pub authorization_code: u64,
    /// Token endpoint: refresh tokens.
    pub refresh_token: u64,
    /// Token endpoint: a client for itself.
    pub client_credentials: u64,
    /// Token endpoint: RFC 8693, but for an ID-JAG.
    pub token_exchange: u64,
    /// Token endpoint: RFC 8693 for an ID-JAG.
    pub id_jag: u64,
    /// Token endpoint: `jwt-bearer` on behalf of a user, as Entra ID has it.
    pub on_behalf_of: u64,
    /// Token endpoint: `jwt-bearer` with an ID-JAG.
    pub jwt_bearer: u64,
}

impl Requests {
    /// The counts of the token endpoint by their names: all, and those of each grant.
    pub fn of_tokens(&self) -> [(&'static str, u64); 8] {
        [
            ("token", self.token),
            ("authorization_code", self.authorization_code),
            ("refresh_token", self.refresh_token),
            ("client_credentials", self.client_credentials),
            ("token_exchange", self.token_exchange),
            ("id_jag", self.id_jag),
            ("on_behalf_of", self.on_behalf_of),
            ("jwt_bearer", self.jwt_bearer),
        ]
    }
}
