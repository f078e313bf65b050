//! How the issuer behaves, for tests of what a resource server does while its issuer is down or confused.

use std::str::FromStr;

use crate::token_mode::TokenMode;
use crate::unknown_name::UnknownName;

/// How the issuer answers. The control endpoints under `/dev/` work in every mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// As it should.
    #[default]
    Online,
    /// Closes the connection without an answer.
    Offline,
    /// Never answers, and keeps the connection.
    Hang,
    /// Answers `200 OK` with `application/json` that is not JSON.
    Garbage,
    /// Answers with this status and no body.
    Status(u16),
    /// Everything as it should, but the answers of the token endpoint.
    Token(TokenMode),
}

impl FromStr for Mode {
    type Err = UnknownName;

    /// `online`, `offline`, `hang`, `garbage`, `status:NNN` with NNN from 200 to 599, or `token:` and the name of a
    /// [`TokenMode`].
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "online" => return Ok(Self::Online),
            "offline" => return Ok(Self::Offline),
            "hang" => return Ok(Self::Hang),
            "garbage" => return Ok(Self::Garbage),
            _ => {}
        }
        if let Some(token_mode) = name.strip_prefix("token:") {
            return token_mode.parse().map(Self::Token);
        }
        name.strip_prefix("status:")
            .and_then(|status| status.parse().ok())
            .filter(|status| (200..600).contains(status))
            .map(Self::Status)
            .ok_or_else(|| {
                UnknownName::new(
                    "mode",
                    name,
                    ["online", "offline", "hang", "garbage", "status:NNN", "token:NAME"],
                )
            })
    }
}
