//! Ways in which the token endpoint answers wrongly, for tests of what asks it.

use std::str::FromStr;

use crate::unknown_name::UnknownName;

/// How the token endpoint answers while everything else works; see [`Mode::Token`](crate::Mode::Token).
///
/// What changes an answer changes answers that give a token. A request that is refused is refused in these modes too, unless
/// the mode has an answer of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenMode {
    /// Waits until the mode is another one, and answers then. Requests are counted before they wait.
    Hold,
    /// `200 OK` with a page in HTML.
    Html,
    /// Any other status without a body.
    Status(u16),
    /// `307` to the same endpoint by another name of this machine, which is another origin.
    Redirect,
    /// `token_type` is `DPoP`.
    OtherTokenType,
    /// `issued_token_type` is that of a SAML assertion.
    OtherIssuedTokenType,
    /// No `issued_token_type`, which RFC 8693 requires.
    WithoutIssuedTokenType,
    /// The scope `admin:everything` in the answer beside those that were asked for.
    MoreScopes,
    /// No `expires_in`.
    WithoutExpiresIn,
    /// The very token that was sent.
    SameToken,
    /// `access_token` is there twice.
    RepeatedMember,
    /// As Entra ID asks for another factor: `interaction_required` with `claims`.
    InteractionRequired,
    /// As Entra ID says that nobody has consented: `invalid_grant` with the `suberror` `consent_required`.
    ConsentRequired,
    /// This error of OAuth, whatever was asked.
    Error(&'static str),
}

/// The modes that have a name and nothing more.
const NAMED: [(&str, TokenMode); 12] = [
    ("hold", TokenMode::Hold),
    ("html", TokenMode::Html),
    ("redirect", TokenMode::Redirect),
    ("other-token-type", TokenMode::OtherTokenType),
    ("other-issued-token-type", TokenMode::OtherIssuedTokenType),
    ("without-issued-token-type", TokenMode::WithoutIssuedTokenType),
    ("more-scopes", TokenMode::MoreScopes),
    ("without-expires-in", TokenMode::WithoutExpiresIn),
    ("same-token", TokenMode::SameToken),
    ("repeated-member", TokenMode::RepeatedMember),
    ("interaction-required", TokenMode::InteractionRequired),
    ("consent-required", TokenMode::ConsentRequired),
];

/// The errors that `error:CODE` can play.
const ERRORS: [&str; 10] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
    "consent_required",
    "temporarily_unavailable",
    "server_error",
];

impl FromStr for TokenMode {
    type Err = UnknownName;

    /// Such as `html`, `same-token`, `status:NNN` with NNN from 200 to 599, or `error:invalid_grant`.
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        if let Some((_, mode)) = NAMED.iter().find(|(known, _)| *known == name) {
            return Ok(*mode);
        }
        if let Some(code) = name.strip_prefix("error:")
            && let Some(known) = ERRORS.into_iter().find(|known| *known == code)
        {
            return Ok(Self::Error(known));
        }
        if let Some(Ok(status)) = name.strip_prefix("status:").map(str::parse)
            && (200..600).contains(&status)
        {
            return Ok(Self::Status(status));
        }
        let known = NAMED.iter().map(|(known, _)| *known).chain(["status:NNN", "error:CODE"]);
        Err(UnknownName::new("token mode", name, known))
    }
}
