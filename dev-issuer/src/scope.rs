//! Names of scopes: which are there by default, and what a name may consist of.

/// The default `scopes_supported`.
pub(crate) const DEFAULT: [&str; 5] = ["mcp", "openid", "profile", "email", "offline_access"];

/// The scopes of OpenID Connect Core §5.4 and §11. They ask for ID tokens, for claims about the user, and for refresh
/// tokens, so that a client gets them only when it names them.
pub(crate) const OF_OPENID_CONNECT: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// RFC 6749 §3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`.
pub(crate) fn is_scope_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}
