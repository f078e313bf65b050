//! How the issuer behaves, for tests of what a resource server does while its issuer is down or confused.

use std::str::FromStr;

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
}

impl FromStr for Mode {
    type Err = UnknownName;

    /// `online`, `offline`, `hang`, `garbage` or `status:NNN` with NNN from 200 to 599.
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "online" => return Ok(Self::Online),
            "offline" => return Ok(Self::Offline),
            "hang" => return Ok(Self::Hang),
            "garbage" => return Ok(Self::Garbage),
            _ => {}
        }
        name.strip_prefix("status:")
            .and_then(|status| status.parse().ok())
            .filter(|status| (200..600).contains(status))
            .map(Self::Status)
            .ok_or_else(|| {
                UnknownName::new(
                    "mode",
                    name,
                    ["online", "offline", "hang", "garbage", "status:NNN"],
                )
            })
    }
}
