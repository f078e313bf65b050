//! The endpoints, told apart by path before the router sees a request.
//!
//! The counters need a name for each, and the answer to whether pages of other origins may read it.

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Metadata,
    Jwks,
    Token,
    Authorize,
    Register,
    Introspect,
    Revoke,
    Userinfo,
    Control,
    Unknown,
}

impl Endpoint {
    /// Whether pages of other origins may read the answer.
    pub(crate) fn is_open_to_browsers(self) -> bool {
        use Endpoint::*;
        matches!(self, Metadata | Jwks | Token | Register | Revoke | Userinfo)
    }
}
