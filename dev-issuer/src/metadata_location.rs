//! Where the metadata document is served.
//!
//! Providers publish it at different well-known URLs. A test narrows the list to see whether a client, or a resource
//! server, finds the document at each of them.

/// A well-known URL of the metadata document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataLocation {
    /// RFC 8414 §3.1: `/.well-known/oauth-authorization-server{path}`.
    OAuthInserted,
    /// `/.well-known/openid-configuration{path}`, as RFC 8414 §5 has it.
    OpenIdInserted,
    /// OpenID Connect Discovery §4: `{path}/.well-known/openid-configuration`.
    OpenIdAppended,
    /// `{path}/.well-known/oauth-authorization-server`, as some providers serve it.
    OAuthAppended,
}

impl MetadataLocation {
    pub(crate) const ALL: [Self; 4] =
        [Self::OAuthInserted, Self::OpenIdInserted, Self::OpenIdAppended, Self::OAuthAppended];

    /// The URL path for an issuer with this path, which has no trailing slash.
    pub(crate) fn path(self, base_path: &str) -> String {
        const OAUTH: &str = "/.well-known/oauth-authorization-server";
        const OPENID: &str = "/.well-known/openid-configuration";
        match self {
            Self::OAuthInserted => format!("{OAUTH}{base_path}"),
            Self::OpenIdInserted => format!("{OPENID}{base_path}"),
            Self::OpenIdAppended => format!("{base_path}{OPENID}"),
            Self::OAuthAppended => format!("{base_path}{OAUTH}"),
        }
    }
}
