//! Which metadata document a path of ours is for.

use crate::identifier::WELL_KNOWN;

/// Where clients of the 2025-03-26 specification look for the provider's endpoints.
pub(crate) const AUTHORIZATION_SERVER_PATH: &str = "/.well-known/oauth-authorization-server";

/// A metadata document that clients look for on the origin of a protected resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataDocument {
    /// What a resource says of itself (RFC 9728).
    ProtectedResource,
    /// What its authorization server says of itself (RFC 8414), served here for clients of the 2025-03-26
    /// specification.
    AuthorizationServer,
}

impl MetadataDocument {
    /// The document that clients look for at this path, whether it is there or not; `None` when the path is for none.
    ///
    /// For routers of your own: what is looked for here is answered by [`McpAuth::metadata`](crate::McpAuth::metadata),
    /// and must need no token.
    ///
    /// ```
    /// use mcp_auth::decision::MetadataDocument;
    ///
    /// let found = MetadataDocument::at("/.well-known/oauth-protected-resource/mcp");
    /// assert_eq!(found, Some(MetadataDocument::ProtectedResource));
    /// assert_eq!(MetadataDocument::at("/mcp"), None);
    /// ```
    pub fn at(path: &str) -> Option<Self> {
        if resource_path_behind(WELL_KNOWN, path).is_some() {
            return Some(Self::ProtectedResource);
        }
        resource_path_behind(AUTHORIZATION_SERVER_PATH, path).map(|_| Self::AuthorizationServer)
    }

    /// Its name in data: `protected_resource` or `authorization_server`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProtectedResource => "protected_resource",
            Self::AuthorizationServer => "authorization_server",
        }
    }
}

/// What follows the well-known name in a path: that of a resource, `/` or nothing; `None` when the path is another.
/// Clients look there with the resource's path and without, with a slash at the end and without.
pub(crate) fn resource_path_behind<'p>(well_known: &str, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix(well_known)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_for_one_document_or_for_none() {
        let rows = [
            ("/.well-known/oauth-protected-resource", Some("protected_resource")),
            ("/.well-known/oauth-protected-resource/", Some("protected_resource")),
            ("/.well-known/oauth-protected-resource/a/b", Some("protected_resource")),
            ("/.well-known/oauth-protected-resources", None),
            ("/.well-known/oauth-authorization-server", Some("authorization_server")),
            ("/.well-known/oauth-authorization-server/", Some("authorization_server")),
            ("/.well-known/oauth-authorization-server/mcp", Some("authorization_server")),
            ("/.well-known/oauth-authorization-servers", None),
            ("/.well-known/openid-configuration", None),
            ("/mcp/.well-known/oauth-protected-resource", None),
            ("/mcp", None),
            ("", None),
        ];
        for (path, expected) in rows {
            assert_eq!(MetadataDocument::at(path).map(MetadataDocument::name), expected, "{path}");
        }
    }
}
